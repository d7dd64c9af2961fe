"""Where a benchmark ran: processor, Python, versions; no names of hosts or folders."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import moosnn

ALWAYS = ("numpy", "scipy", "torch", "botorch", "gpytorch", "moocore")
_DIGITS = 12


def machine() -> dict[str, object]:
    """The processor's model, usable cores, threads of a process, Python."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Of these packages and those that every run may use."""
    found = {name: version(name) for name in (*ALWAYS, *packages)}
    return {"moosnn": moosnn.__version__, **found}


def code() -> str:
    """A digest of our optimizers' source: whether two results are of the same code."""
    folder = Path(moosnn.__file__).parent / "optimizers"
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:_DIGITS]
