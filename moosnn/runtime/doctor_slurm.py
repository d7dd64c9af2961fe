"""Whether a Slurm cluster answers, and which of its settings matter to a study.

Knows: Slurm's commands and its configuration. Must not know: studies, submitit, how
jobs are submitted.

Facts about settings are those of slurm.conf(5).
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from moosnn.runtime.doctor_check import Answer, Check, ask, bad, good
from moosnn.runtime.doctor_nodes import node_checks

TOOLS = ("sbatch", "squeue", "sacct", "scontrol", "scancel", "srun", "sinfo")
_PING_S = 15.0
_QUERY_S = 20.0
# What happens to a job is to be seen within this time.
SLOW_S = 5.0
# Below these a study of some hundred workers meets its limits.
LEAST_ARRAY = 100
LEAST_JOBS = 1000
LEAST_KILL_WAIT_S = 10
LEAST_JOB_AGE_S = 60
LONGEST_CRED_S = 300
_DEFAULT_CRED_S = 120
_GIVEN = "ask whoever runs the cluster for "

Which = Callable[[str], str | None]


def slurm_checks(
    folder: Path, *, asked: bool, which: Which = shutil.which
) -> Iterator[Check]:
    """Everything about Slurm, one after the other.

    Args:
        folder: of the study.
        asked: whether the user means to use Slurm; if not, it is passed over where
            ``sbatch`` is missing, and nothing of it stops a study.
        which: where a program lies, as `shutil.which`.
    """
    if which("sbatch") is None and not asked:
        return
    missing = [tool for tool in TOOLS if which(tool) is None]
    if missing:
        text = f"{', '.join(missing)} not found in PATH"
        advice = "go to a login node of the cluster, or load its Slurm module"
        yield bad("slurm", text, advice, stops=asked)
        return
    ping = ping_check(ask(["scontrol", "ping"], timeout_s=_PING_S), asked=asked)
    yield ping
    if not ping.ok:
        return
    yield _timed("squeue", ["squeue", "-h", "--me", "-o", "%i %T"], asked=asked)
    told = ask(["scontrol", "show", "config"], timeout_s=_QUERY_S)
    config = config_of(told.out)
    if told.code != 0 or not config:
        advice = "see: scontrol show config"
        yield bad("settings", f"cannot be asked ({told.error})", advice)
    yield from setting_checks(config)
    if keeps_accounts(config):
        words = ["sacct", "-n", "-X", "-S", "now-1hours", "-o", "JobID"]
        yield _timed("sacct", words, asked=False)
    words = ["sinfo", "-h", "-o", "%P|%a|%l|%F|%G|%c"]
    yield from partition_checks(ask(words, timeout_s=_QUERY_S), asked=asked)
    yield from node_checks(folder, asked=asked)


def ping_check(answer: Answer, *, asked: bool) -> Check:
    """Whether a controller answers.

    Args:
        answer: of ``scontrol ping``.
        asked: whether the user means to use Slurm.
    """
    lines = [line for line in answer.out.splitlines() if line.startswith("Slurmctld")]
    if answer.code == 0 and any(line.endswith(" UP") for line in lines):
        return good("slurm", "; ".join(lines))
    why = "; ".join(lines) or answer.error
    advice = "no job can be submitted: check SLURM_CONF, or wait until it is back"
    return bad("slurm", f"the controller does not answer ({why})", advice, stops=asked)


def _timed(name: str, words: list[str], *, asked: bool) -> Check:
    """Whether a query that is made again and again answers, and how fast."""
    begun = time.monotonic()
    answer = ask(words, timeout_s=_QUERY_S)
    return query_check(name, answer, time.monotonic() - begun, asked=asked)


def query_check(name: str, answer: Answer, seconds: float, *, asked: bool) -> Check:
    """Whether a query answered, and in time.

    Args:
        name: of the program.
        answer: what it said.
        seconds: how long that took.
        asked: whether its failure stops a study.
    """
    if answer.code != 0:
        advice = f"see it fail with: {name}"
        return bad(name, f"failed ({answer.error})", advice, stops=asked)
    text = f"answers in {seconds:.2f} s"
    if seconds > SLOW_S:
        advice = "ends of jobs will be noticed late: the controller is overloaded"
        return bad(name, text, advice)
    return good(name, text)


# ------------------------------------------------------------------------ settings


def config_of(text: str) -> dict[str, str]:
    """What ``scontrol show config`` says, by name."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {k.strip(): v.strip() for k, equals, v in pairs if equals}


def setting_checks(config: Mapping[str, str]) -> Iterator[Check]:
    """The settings that matter to a study; those that are not told are left out."""
    checks: tuple[tuple[str, Callable[[Mapping[str, str]], Check]], ...] = (
        ("SLURM_VERSION", lambda c: good("version", f"Slurm {c['SLURM_VERSION']}")),
        ("AccountingStorageType", _accounting),
        ("MaxArraySize", _array_size),
        ("MaxJobCount", _job_count),
        ("JobRequeue", _requeue),
        ("KillWait", _kill_wait),
        ("PreemptMode", _preemption),
        ("MinJobAge", _job_age),
        ("SlurmdTimeout", _node_timeout),
        ("AuthInfo", _credentials),
    )
    for key, check in checks:
        if key in config:
            yield check(config)


def keeps_accounts(config: Mapping[str, str]) -> bool:
    """Whether ``sacct`` can tell how jobs ended."""
    kind = config.get("AccountingStorageType", "").rpartition("/")[2]
    return kind not in ("", "none", "(null)")


def _accounting(config: Mapping[str, str]) -> Check:
    name, told = "AccountingStorageType", config["AccountingStorageType"]
    if keeps_accounts(config):
        return good(name, f"{told}: sacct tells how jobs ended")
    return bad(
        name,
        f"{told}: sacct cannot tell how jobs ended",
        "a job that vanishes is known only while squeue and scontrol remember it "
        f"(MinJobAge); {_GIVEN}slurmdbd",
    )


def _array_size(config: Mapping[str, str]) -> Check:
    # The largest index is one less: an array of one number more is refused.
    tasks = _number(config["MaxArraySize"]) - 1
    text = f"arrays of up to {max(tasks, 0)} tasks"
    if tasks < LEAST_ARRAY:
        return bad("MaxArraySize", text, "more workers are submitted in several arrays")
    return good("MaxArraySize", text)


def _job_count(config: Mapping[str, str]) -> Check:
    count = _number(config["MaxJobCount"])
    text = f"{count} jobs of all users at one time, ended ones included"
    if count < LEAST_JOBS:
        advice = f"use pilots (trials_per_job), or {_GIVEN}more"
        return bad("MaxJobCount", text, advice)
    return good("MaxJobCount", text)


def _requeue(config: Mapping[str, str]) -> Check:
    if _number(config["JobRequeue"]):
        text = "1: a driver that runs as a job is begun again after its node failed"
    else:
        text = "0: give sbatch --requeue for a driver that runs as a job"
    return good("JobRequeue", f"{text} (workers are submitted with --no-requeue)")


def _kill_wait(config: Mapping[str, str]) -> Check:
    seconds = _number(config["KillWait"])
    text = f"{seconds} s from SIGTERM to SIGKILL"
    if seconds < LEAST_KILL_WAIT_S:
        advice = (
            "a checkpoint must fit, or a cancelled trial loses what it did since its "
            f"last one; {_GIVEN}{LEAST_KILL_WAIT_S} s or more"
        )
        return bad("KillWait", text, advice)
    return good("KillWait", f"{text}: a checkpoint must fit")


def _preemption(config: Mapping[str, str]) -> Check:
    name, mode = "PreemptMode", config["PreemptMode"]
    modes = set(mode.upper().split(","))
    kind = config.get("PreemptType", "").rpartition("/")[2]
    if modes == {"OFF"} or kind in ("", "none", "(null)"):
        return good(name, f"{mode}: no job is preempted")
    if "SUSPEND" in modes:
        advice = "a suspended worker gives no sign of life: it is taken for lost"
        return bad(name, mode, f"{advice}; use a partition without it")
    # Its name and place differ between versions.
    keys = ("PreemptParameters", "SlurmctldParameters")
    told = ",".join(config.get(key, "") for key in keys)
    if "send_user_signal" in told:
        return good(name, f"{mode}, with the signal that asks for a checkpoint first")
    advice = (
        "a preempted trial has only KillWait or the partition's GraceTime for its "
        f"checkpoint; {_GIVEN}send_user_signal"
    )
    return bad(name, f"{mode}, by SIGTERM alone", advice)


def _job_age(config: Mapping[str, str]) -> Check:
    seconds = _number(config["MinJobAge"])
    text = f"an ended job is remembered for {seconds} s"
    # 0 = for ever.
    if 0 < seconds < LEAST_JOB_AGE_S and not keeps_accounts(config):
        advice = f"its end may be missed: {_GIVEN}slurmdbd, or {LEAST_JOB_AGE_S} s"
        return bad("MinJobAge", text, advice)
    return good("MinJobAge", text)


def _node_timeout(config: Mapping[str, str]) -> Check:
    seconds = _number(config["SlurmdTimeout"])
    text = f"a dead node is told after {seconds} s" if seconds else "0"
    if not seconds:
        advice = "a job on a dead node counts as running for ever; set it"
        return bad("SlurmdTimeout", text, advice)
    return good("SlurmdTimeout", f"{text}; its workers are missed before")


def _credentials(config: Mapping[str, str]) -> Check:
    found = re.search(r"cred_expire=(\d+)", config["AuthInfo"])
    seconds = int(found[1]) if found else _DEFAULT_CRED_S
    text = f"cred_expire {seconds} s{'' if found else ' (the default)'}"
    if seconds > LONGEST_CRED_S:
        advice = "a requeued driver waits that long before it may begin again"
        return bad("AuthInfo", text, f"{advice}; {_GIVEN}less")
    return good("AuthInfo", f"{text}: so long does a requeued job wait")


def _number(text: str) -> int:
    """The whole number that a value begins with, e.g. of ``30 sec``; 0 without one."""
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


# ------------------------------------------------------------------------ partitions


def partition_checks(answer: Answer, *, asked: bool) -> Iterator[Check]:
    """A line a partition.

    Args:
        answer: of ``sinfo`` with the format ``%P|%a|%l|%F|%G|%c``; a partition whose
            nodes differ has several lines.
        asked: whether the user means to use Slurm.
    """
    rows = [line.split("|") for line in answer.out.splitlines() if line.count("|") == 5]
    if answer.code != 0 or not rows:
        text = f"none is told of ({answer.error})" if answer.code else "there is none"
        yield bad("partition", text, "see: sinfo", stops=asked)
        return
    parts: dict[str, list[list[str]]] = {}
    for row in rows:
        parts.setdefault(row[0], []).append(row)
    for name, own in parts.items():
        yield _partition(name, own)


def _partition(name: str, rows: list[list[str]]) -> Check:
    """One partition; its rows are groups of equal nodes."""
    counts = [[_number(n) for n in row[3].split("/")] for row in rows]
    used, idle, other, total = (sum(c) for c in zip(*counts, strict=True))
    state, longest = rows[0][1], rows[0][2]
    kinds = ", ".join(
        f"{row[5]} cores{'' if row[4] == '(null)' else f' and {row[4]}'} each"
        for row in rows
    )
    told = f"{state}, at most {longest}, {total} nodes ({used} busy, {idle} idle"
    text = f"{told}, {other} out of service), {kinds}"
    shown = f"{name.rstrip('*')}{' (the default)' if name.endswith('*') else ''}"
    if state != "up" or used + idle == 0:
        advice = "jobs wait there for ever: choose another with executor.partition"
        return bad("partition", f"{shown}: {text}", advice)
    return good("partition", f"{shown}: {text}")
