"""Whether a cluster's nodes see the study folder and agree about the time.

Knows: ``srun``. Must not know: studies, partitions' limits.

A job of a few nodes that are idle now runs for a moment; if none is to be had within
seconds, that is said and nothing is waited for.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from moosnn.runtime.doctor_check import Answer, Check, ask, bad, good
from moosnn.runtime.doctor_folder import MOST_SKEW_S

MOST_NODES = 4
# srun gives up after so long without nodes; and has so long in all.
_IMMEDIATE_S = 5
_SRUN_S = 40.0
_SINFO_S = 20.0
# What a node writes is to be seen here within this time, NFS caches included.
_SEEN_S = 10.0
_POLL_S = 0.1
_MARK = "moosnn-node"
# $1 the folder, $2 the token, $3 the interpreter; nothing of Python: it may be missing.
_SCRIPT = """
node=${SLURMD_NODENAME:-$(uname -n)}
token=$(cat "$1/$2" 2>/dev/null)
wrote=no; echo "$2" 2>/dev/null > "$1/$2.$node" && wrote=yes
python=no; [ -x "$3" ] && python=yes
echo "moosnn-node $node $(date +%s.%N) ${token:-nothing} $wrote $python"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a node said.

    Attributes:
        name: of the node.
        time: by its clock, seconds since 1970.
        reads: whether it saw this machine's file.
        writes: whether it could write one of its own.
        python: whether this interpreter is there.
    """

    name: str
    time: float
    reads: bool
    writes: bool
    python: bool


def node_checks(
    folder: Path,
    *,
    asked: bool,
    run: Callable[..., Answer] = ask,
) -> Iterator[Check]:
    """Ask some idle nodes.

    Args:
        folder: of the study; if it is missing, the nearest one above it is looked at.
        asked: whether the user means to use Slurm.
        run: as `ask`.
    """
    partition, names = idle_nodes(
        run(["sinfo", "-h", "-N", "-t", "idle", "-o", "%P %N"], timeout_s=_SINFO_S)
    )
    if not names:
        yield good("nodes", "none is idle: their clocks and folders are not looked at")
        return
    count = min(len(names), MOST_NODES)
    token = f".doctor.{uuid.uuid4().hex}"
    base = _existing(folder)
    try:
        with suppress(OSError):  # it cannot be written: that was told before
            (base / token).write_text(token)
        before = time.time()
        answer = run(
            [
                *("srun", f"--immediate={_IMMEDIATE_S}", f"--nodes={count}"),
                *("--ntasks-per-node=1", "--time=1", "--job-name=moosnn-doctor"),
                *(f"--partition={partition}", "--chdir=/", "sh", "-c", _SCRIPT, "sh"),
                *(str(base), token, sys.executable),
            ],
            timeout_s=_SRUN_S,
            environment=outside(os.environ),
        )
        after = time.time()
        nodes = nodes_of(answer.out, token)
        if not nodes:
            text = f"none could be asked within {_IMMEDIATE_S} s ({answer.error})"
            yield good("nodes", f"{text}: their clocks and folders are not looked at")
            return
        yield clocks_check(nodes, before, after)
        unseen = _unseen([n.name for n in nodes if n.writes], base / token)
        yield visible_check(base, nodes, unseen, asked=asked)
        yield python_check(nodes, asked=asked)
    finally:
        for path in base.glob(f"{token}*"):
            with suppress(OSError):
                path.unlink()


def outside(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which srun asks for nodes of its own.

    Inside of a job it would take that job's.
    """
    return {
        name: value
        for name, value in environment.items()
        if name == "SLURM_CONF" or not name.startswith(("SLURM_", "SBATCH_"))
    }


def idle_nodes(answer: Answer) -> tuple[str, list[str]]:
    """A partition and its idle nodes: the default one, or that with the most.

    Args:
        answer: of ``sinfo``, a line ``partition node`` each; ``*`` marks the default.
    """
    found: dict[str, list[str]] = {}
    for line in answer.out.splitlines():
        words = line.split()
        if len(words) == 2:
            found.setdefault(words[0], []).append(words[1])
    if not found:
        return "", []
    best = max(found, key=lambda name: (name.endswith("*"), len(found[name])))
    return best.rstrip("*"), sorted(found[best])


def nodes_of(text: str, token: str) -> list[Node]:
    """What the nodes printed; other lines, of a prolog for example, are passed over."""
    nodes = []
    for line in text.splitlines():
        words = line.split()
        if len(words) != 6 or words[0] != _MARK:
            continue
        with suppress(ValueError):
            nodes.append(
                Node(
                    name=words[1],
                    time=float(words[2]),
                    reads=words[3] == token,
                    writes=words[4] == "yes",
                    python=words[5] == "yes",
                )
            )
    return sorted(nodes, key=lambda node: node.name)


def clocks_check(nodes: list[Node], before: float, after: float) -> Check:
    """Whether the nodes' clocks and this machine's agree.

    Args:
        nodes: at least one.
        before: this machine's clock before they were asked.
        after: this machine's clock after all had answered.
    """
    off_s = {
        node.name: min(node.time - before, 0.0) + max(node.time - after, 0.0)
        for node in nodes
    }
    worst = max(off_s, key=lambda name: abs(off_s[name]))
    text = f"{len(nodes)} asked, none is known to be off by more than"
    if abs(off_s[worst]) <= MOST_SKEW_S:
        bound = max(after - before, abs(off_s[worst]))
        return good("node clocks", f"{text} {bound:.1f} s from this machine's")
    side = "ahead" if off_s[worst] > 0 else "behind"
    return bad(
        "node clocks",
        f"{worst} is {abs(off_s[worst]):.0f} s {side} of this machine",
        "set them by NTP; no decision of a study rests on it, but munge refuses jobs "
        "and times in logs mislead",
    )


def _existing(folder: Path) -> Path:
    base = folder.absolute()
    while not os.path.isdir(base):  # unlike Path.is_dir it never raises
        base = base.parent
    return base


def _unseen(names: list[str], token: Path) -> list[str]:
    """The nodes whose files do not appear here within `_SEEN_S`."""
    deadline = time.monotonic() + _SEEN_S
    while True:
        there: set[str] = set()
        with suppress(OSError):
            there = set(os.listdir(token.parent))  # NFS would cache a look at each
        missing = [n for n in names if f"{token.name}.{n}" not in there]
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(_POLL_S)


def visible_check(
    base: Path, nodes: list[Node], unseen: list[str], *, asked: bool
) -> Check:
    """Whether the nodes see the folder, and this machine what they write there.

    Args:
        base: the folder.
        nodes: at least one.
        unseen: those whose file did not appear here.
        asked: whether the user means to use Slurm.
    """
    lost = sorted({n.name for n in nodes if not (n.reads and n.writes)} | set(unseen))
    if lost:
        return bad(
            "node folder",
            f"{base} is another folder, or none, on {', '.join(lost)}",
            "choose one on the cluster's shared file system: study_dir=…",
            stops=asked,
        )
    return good("node folder", f"{base} is one folder here and on {len(nodes)} nodes")


def python_check(nodes: list[Node], *, asked: bool) -> Check:
    """Whether the nodes have this interpreter."""
    missing = [node.name for node in nodes if not node.python]
    if missing:
        return bad(
            "node python",
            f"{sys.executable} is not on {', '.join(missing)}",
            "install the environment on the shared file system",
            stops=asked,
        )
    return good("node python", f"{sys.executable} is there")
