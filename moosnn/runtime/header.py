"""The first event of a journal: what the study is, and with what it was made.

Knows: configs as plain data, versions, the machine. Must not know: hydra, tasks.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from moosnn.errors import JournalError

# What a study is. The rest of the config (executor, tracker, budget, folder) says how
# it is run and may change from one driver to the next.
IDENTITY = ("task", "space", "problem", "optimizer", "seed")
_LONGEST = 200  # characters of a value in a message

_PACKAGES = (
    "moosnn",
    "torch",
    "spikingjelly",
    "botorch",
    "gpytorch",
    "pymoo",
    "moocore",
    "numpy",
    "scipy",
    "scikit-learn",
)


def header(
    config: Mapping[str, Any], fingerprint: Mapping[str, str], threads: int
) -> dict[str, Any]:
    """What the ``study`` event says.

    Args:
        config: the resolved config, plain data.
        fingerprint: of the task, e.g. the data's digest.
        threads: CPU threads of the driver.

    Returns:
        JSON data: ``config`` (its identity), ``digest``, ``fingerprint``, ``versions``,
        ``threads``, ``kernel``, ``machine``.
    """
    identity = {key: config[key] for key in IDENTITY}
    optimizer = identity["optimizer"]
    if optimizer.get("cost_aware") is False:  # as in studies older than it
        unasked = ("cost_aware", "cost_metric")
        kept = {key: value for key, value in optimizer.items() if key not in unasked}
        identity["optimizer"] = kept
    data = identity["task"].get("data")
    if isinstance(data, Mapping):  # wherever they lie: the fingerprint knows them
        moved = {key: value for key, value in data.items() if key != "root"}
        identity["task"] = {**identity["task"], "data": moved}
    # Rungs change what is told on the way, and nothing that is measured.
    identity["task"] = {k: v for k, v in identity["task"].items() if k != "rungs"}
    # The order of the parameters is the order of the coordinates: it counts.
    ordered = {**identity, "space": list(identity["space"].items())}
    spelled = json.dumps([ordered, dict(fingerprint)], sort_keys=True)
    return {
        "config": identity,
        "digest": hashlib.sha256(spelled.encode()).hexdigest(),
        "fingerprint": dict(fingerprint),
        "versions": {"python": platform.python_version()}
        | {name: found for name in _PACKAGES if (found := _version(name))},
        "threads": threads,
        "kernel": config["optimizer"].get("kernel", "eager"),
        "machine": {"architecture": platform.machine(), "processor": _processor()},
    }


def require_same(
    folder: Path, then: Mapping[str, Any], now: Mapping[str, Any]
) -> list[str]:
    """Refuse to continue a study as another one.

    Args:
        folder: of the study, for the message.
        then: the header in the journal.
        now: the header of this driver.

    Returns:
        What differs without making it another study (versions, threads, machine),
        a line each: proposals may then differ in their last digits.

    Raises:
        JournalError: the config or the data differ; names the first difference.
    """
    missing = [key for key in now if key not in then]
    if missing:
        raise JournalError(
            f"{folder}: its journal does not begin with a study's header (no "
            f"{', '.join(missing)}): its first line is lost or of another version; "
            "choose another study_dir=…."
        )
    if then["digest"] != now["digest"]:
        difference = first_difference(then["config"], now["config"])
        if difference is None:
            raise JournalError(
                f"{folder}: its data are not those it was made with: files were added, "
                "lost or changed, or another version of the task reads them; give it "
                "the same data, or another study_dir=…."
            )
        raise JournalError(
            f"{folder}: was made by another config ({difference}); give the config it "
            "was made with, or another study_dir=…."
        )
    keys = ("versions", "threads", "kernel", "machine")
    return [
        f"{key}: {difference}"
        for key in keys
        if (difference := first_difference(then[key], now[key]))
    ]


def first_difference(then: object, now: object, path: str = "") -> str | None:
    """Where two pieces of plain data first differ, in words; ``None`` if nowhere."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        keys = [*then, *(k for k in now if k not in then)]
        # What follows from the rest of a config comes last: points, by the space.
        for key in sorted(keys, key=lambda k: not path and k == "study"):
            inner = f"{path}.{key}" if path else str(key)
            if key not in now or key not in then:
                side = "then" if key in then else "now"
                return f"{inner}: only {side}"
            found = first_difference(then[key], now[key], inner)
            if found:
                return found
        if list(then) != list(now) and path == "space":
            return "space: the order of the parameters"
        return None
    if then == now:
        return None
    return f"{path}: then {_short(then)}, now {_short(now)}".lstrip(": ")


def _short(value: object) -> str:
    """A value as a line of a message can hold it."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
