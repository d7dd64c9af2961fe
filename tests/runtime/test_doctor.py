"""The doctor: what each check makes of a sound and of a broken machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from moosnn.runtime.doctor import verdict
from moosnn.runtime.doctor_check import Answer, Check, ask, bad, good
from moosnn.runtime.doctor_disk import Mount, file_system_check, mount_of
from moosnn.runtime.doctor_folder import folder_checks, skew_check
from moosnn.runtime.doctor_machine import (
    kernel_check,
    torch_check,
    version_checks,
    wandb_mode_check,
)
from moosnn.runtime.doctor_nodes import (
    clocks_check,
    idle_nodes,
    nodes_of,
    outside,
    visible_check,
)
from moosnn.runtime.doctor_slurm import (
    config_of,
    partition_checks,
    ping_check,
    query_check,
    setting_checks,
    slurm_checks,
)


def said(out: str = "", code: int | None = 0, error: str = "") -> Answer:
    return Answer(code=code, out=out, error=error)


def wrong(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.ok]


def test_a_check_is_one_line() -> None:
    assert str(good("disk", "9 GB\nfree")) == "ok  disk: 9 GB free"
    assert str(bad("disk", "full", "make room")) == "!!  disk: full: make room"
    with pytest.raises(ValueError, match="advice belongs"):
        Check(name="a", ok=True, text="b", advice="c")
    with pytest.raises(ValueError, match="advice belongs"):
        Check(name="a", ok=False, text="b")


def test_only_what_stops_a_study_makes_the_exit_code() -> None:
    assert verdict([good("a", "b")]) == ("a study can run", 0)
    assert verdict([good("a", "b"), bad("c", "d", "e")])[1] == 0
    told, code = verdict([bad("a", "b", "c", stops=True), bad("d", "e", "f")])
    assert (told, code) == ("a study cannot run until this is mended: a", 1)


def test_a_program_that_hangs_is_ended_with_what_it_started() -> None:
    answer = ask(["sh", "-c", "sleep 60 & echo $!; wait"], timeout_s=0.3)
    assert (answer.code, answer.error) == (None, "no answer within 0.3 s")


def test_a_program_that_is_not_there_is_an_answer() -> None:
    answer = ask(["no-such-program-here"], timeout_s=5)
    assert answer.code is None
    assert "No such file" in answer.error


# ------------------------------------------------------------------------ machine


def versions(there: dict[str, str], *wanted: str) -> list[Check]:
    def installed(name: str) -> str:
        if name not in there:
            raise PackageNotFoundError(name)
        return there[name]

    return list(version_checks(lambda _: list(wanted), installed))


def test_versions_are_compared_with_what_is_required() -> None:
    there = {"moosnn": "1", "torch": "2.7.0+cpu", "wandb": "0.1"}
    (sound,) = versions(there, "torch>=2.6", "numba>=1; extra == 'x'")
    assert sound.ok
    assert "moosnn 1, torch 2.7.0+cpu" in sound.text
    old, tracker, missing = versions(there, "torch>=2.8", "wandb>=0.31", "pymoo>=0.6")
    assert (old.stops, tracker.stops, missing.stops) == (True, False, True)
    assert old.text == "torch 2.7.0+cpu, expected >=2.8"
    assert missing.advice == 'python -m pip install "pymoo>=0.6"'
    (none,) = versions({})
    assert none.stops


@pytest.mark.parametrize(
    ("visible", "build", "gpus", "ok", "text"),
    [
        ("", "null", "[]", True, "CPU build, no GPU visible"),
        ("0,1", "null", "[]", False, "but 2 GPU(s) are here"),
        ("0", '"12.8"', "[]", False, "cannot use the 1 GPU(s)"),
        ("0,1", '"12.8"', '["H100", "H100"]', True, "for 12.8, 2 GPUs: H100"),
    ],
)
def test_torch_is_told_with_its_gpus(
    monkeypatch: pytest.MonkeyPatch,
    *,
    visible: str,
    build: str,
    gpus: str,
    ok: bool,
    text: str,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    out = f'{{"version": "2.7", "build": {build}, "gpus": {gpus}}}'
    check = torch_check(said(out))
    assert (check.ok, text in check.text) == (ok, True)


def test_a_torch_that_cannot_be_imported_stops_a_study() -> None:
    check = torch_check(said(code=1, error="ImportError: libc10.so"))
    assert check.stops
    assert "libc10.so" in check.text


def test_what_the_compiled_kernel_lacks_is_named() -> None:
    assert "can be compiled" in kernel_check(lambda name: name).text
    assert "would need c++ and ninja" in kernel_check(lambda _: None).text


def test_wandb_is_told_by_its_own_settings() -> None:
    assert wandb_mode_check(said("offline\n")).ok
    assert "logged in at x" in wandb_mode_check(said("logged in at x\n")).text
    assert not wandb_mode_check(said(code=None, error="no answer within 30 s")).ok


# ------------------------------------------------------------------------ folder


def test_a_sound_folder_is_left_as_it_was(tmp_path: Path) -> None:
    checks = list(folder_checks(tmp_path))
    names = {check.name for check in checks}
    assert names >= {"folder", "writable", "replace", "links", "fsync", "clock"}
    assert not any(check.stops for check in checks)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    checks = list(folder_checks(tmp_path / "a" / "b"))
    assert f"will be made in {tmp_path}" in checks[0].text
    assert not any(check.stops for check in checks)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_hold_a_study_stops_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (check,) = folder_checks(tmp_path / "file" / "x")
    assert check.stops
    assert "is a file" in check.text
    assert next(iter(folder_checks(tmp_path / "a%b"))).stops
    if Path("/proc/self").exists():  # nobody may write there, not even root
        assert list(folder_checks(Path("/proc/nowhere")))[-1].stops


def mounted(folder: Path, size: str) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    try:
        return subprocess.run(words, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def test_a_full_disk_stops_a_study(tmp_path: Path) -> None:
    if not mounted(tmp_path, "64k"):
        pytest.skip("needs the right to mount")
    try:
        checks = list(folder_checks(tmp_path / "runs"))
        assert checks[-1].stops
        assert "No space left" in checks[-1].text
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


TABLE = r"""
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,relatime shared:1 - nfs4 srv:/home rw,vers=4.2,acdirmax=60
31 22 0:41 / /tmp rw - tmpfs tmpfs rw,size=64k
32 22 0:42 / /with\040blank rw - lustre m:/l rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/usr", "ext4"),
        ("/home/me/runs", "nfs4"),
        ("/homes", "ext4"),
        ("/tmp/a", "tmpfs"),
        ("/with blank/a", "lustre"),
    ],
)
def test_the_mount_of_a_path(path: str, kind: str) -> None:
    found = mount_of(Path(path), TABLE)
    assert found is not None
    assert found.kind == kind


def test_what_a_file_system_means_is_told() -> None:
    def check(kind: str, options: str = "rw") -> Check:
        mount = Mount(point="/x", kind=kind, source="s", options=options)
        return file_system_check(mount)

    assert not check("tmpfs").ok
    assert not check("overlay").ok
    assert "attribute cache" in check("nfs4").text
    assert "attribute cache" not in check("nfs", "rw,actimeo=1").text
    assert "every node" in check("lustre").text
    assert file_system_check(None).ok


def test_only_what_clocks_cannot_agree_on_is_skew() -> None:
    assert skew_check(100.5, 100.0, 101.0).ok
    assert "0.00 s" in skew_check(100.5, 100.0, 101.0).text
    assert "99.0 s ahead" in skew_check(200.0, 100.0, 101.0).text
    assert "90.0 s behind" in skew_check(10.0, 100.0, 101.0).text


# ------------------------------------------------------------------------ slurm


def test_without_slurm_nothing_is_told_unless_it_is_asked_for() -> None:
    nowhere = Path("/nowhere")
    assert list(slurm_checks(nowhere, asked=False, which=lambda _: None)) == []
    (check,) = slurm_checks(nowhere, asked=True, which=lambda _: None)
    assert check.stops
    assert "sbatch" in check.text


def test_a_controller_that_does_not_answer_stops_whoever_asked() -> None:
    up = said("Slurmctld(primary) at a is UP\n")
    down = said("Slurmctld(primary) at a is DOWN\n*** RESTORE ***\n", code=1)
    assert ping_check(up, asked=True).ok
    assert ping_check(down, asked=True).stops
    assert not ping_check(down, asked=False).stops
    hung = said(code=None, error="no answer")
    assert "no answer" in ping_check(hung, asked=True).text


def test_a_slow_query_is_told() -> None:
    assert query_check("squeue", said(), 0.1, asked=True).ok
    assert not query_check("squeue", said(), 9.0, asked=True).ok
    assert query_check("squeue", said(code=1), 0.1, asked=True).stops


SOUND = """Configuration data as of 2025-01-01
AccountingStorageType   = accounting_storage/slurmdbd
AuthInfo                = (null)
JobRequeue              = 1
KillWait                = 30 sec
MaxArraySize            = 1001
MaxJobCount             = 10000
MinJobAge               = 300 sec
PreemptMode             = REQUEUE
PreemptType             = preempt/partition_prio
SlurmctldParameters     = preempt_send_user_signal
SlurmdTimeout           = 300 sec
"""


@pytest.mark.parametrize(
    ("sound", "broken", "names"),
    [
        ("KillWait                = 30", "KillWait = 3", ["KillWait"]),
        ("/slurmdbd", "/none", ["AccountingStorageType"]),
        ("= 1001", "= 1", ["MaxArraySize"]),
        ("= 10000", "= 500", ["MaxJobCount"]),
        ("preempt_send_user_signal", "(null)", ["PreemptMode"]),
        ("PreemptMode             = REQUEUE", "PreemptMode = SUSPEND,GANG", 1),
        ("SlurmdTimeout           = 300", "SlurmdTimeout = 0", ["SlurmdTimeout"]),
        ("(null)", "socket=/x,cred_expire=900", ["AuthInfo"]),
    ],
)
def test_the_settings_that_matter(
    sound: str, broken: str, names: list[str] | int
) -> None:
    assert wrong(list(setting_checks(config_of(SOUND)))) == []
    assert sound in SOUND
    found = wrong(list(setting_checks(config_of(SOUND.replace(sound, broken)))))
    assert found == (["PreemptMode"] if names == 1 else names)


def test_partitions_are_a_line_each() -> None:
    rows = "main*|up|1-00:00:00|2/1/0/3|gpu:4|64\n"
    rows += "main*|up|1-00:00:00|0/1/0/1|(null)|8\n"
    rows += "old|up|infinite|0/0/5/5|(null)|8\n"
    main, old = partition_checks(said(rows), asked=True)
    assert main.ok
    assert "main (the default): up" in main.text
    assert "4 nodes (2 busy, 2 idle, 0 out of service)" in main.text
    assert not old.ok
    (none,) = partition_checks(said(""), asked=True)
    assert none.stops


def test_the_default_partition_s_idle_nodes_are_asked() -> None:
    told = said("big n1\nbig n2\nmain* n3\n")
    assert idle_nodes(told) == ("main", ["n3"])
    assert idle_nodes(said("a n1\nb n2\nb n1\n")) == ("b", ["n1", "n2"])
    assert idle_nodes(said(code=1)) == ("", [])


def test_what_nodes_say_is_read_among_other_lines() -> None:
    out = "welcome!\nmoosnn-node n1 100.5 tok yes no\n"
    out += "moosnn-node n0 130 nothing no yes\n"
    nodes = nodes_of(out, "tok")
    assert [(n.name, n.reads, n.writes, n.python) for n in nodes] == [
        ("n0", False, False, True),
        ("n1", True, True, False),
    ]
    assert "n0 is 29 s ahead" in clocks_check(nodes, 100.0, 101.0).text
    assert clocks_check(nodes[1:], 100.0, 101.0).ok
    check = visible_check(Path("/x"), nodes, [], asked=True)
    assert check.stops
    assert "on n0" in check.text
    assert not visible_check(Path("/x"), nodes[1:], ["n1"], asked=True).ok
    assert visible_check(Path("/x"), nodes[1:], [], asked=True).ok


def test_inside_of_a_job_other_nodes_are_asked_for() -> None:
    inside = {"SLURM_JOB_ID": "1", "SLURM_CONF": "c", "PATH": "p", "SBATCH_QOS": "q"}
    assert outside(inside) == {"SLURM_CONF": "c", "PATH": "p"}


def test_a_cluster_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    for tool in ("sleepy",):
        path = tmp_path / tool
        path.write_text("#!/bin/sh\nsleep 60\n")
        path.chmod(0o755)
    begun = time.monotonic()
    assert ask([str(tmp_path / "sleepy")], timeout_s=0.2).code is None
    assert time.monotonic() - begun < 30


def test_the_command(tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "SLURM"))}
    done = subprocess.run(
        [sys.executable, "-m", "moosnn", "doctor", "runs"],
        cwd=tmp_path,
        env={**kept, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *lines, last = done.stdout.splitlines()
    assert {line[:4] for line in lines} <= {"ok  ", "!!  "}
    assert last.startswith("a study can run")
