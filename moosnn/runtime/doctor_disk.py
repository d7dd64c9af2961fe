"""What kind of disk a folder lies on, and whether there is room on it.

Knows: file systems. Must not know: studies; nothing is written.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moosnn.runtime.doctor_check import Check, bad, good

# A digits trial leaves some 100 kB, one that prints as much as it may 64 MB (log_mb).
LEAST_FREE_GB = 1.0
# The files of a trial: config, weights, checkpoint, log, report, messages.
FILES_A_TRIAL = 10
LEAST_FREE_FILES = 10_000
_GB = 1024**3

_SHARED = "seen from every node that mounts it"
_MEANINGS = {
    "nfs": _SHARED + "; other machines see a change after the attribute cache, "
    "up to 60 s unless mounted with actimeo=1",
    "lustre": _SHARED,
    "gpfs": _SHARED,
    "beegfs": _SHARED,
    "ceph": _SHARED,
    "cifs": _SHARED,
}
_LOST = {
    "tmpfs": "is memory: a reboot loses it, and no other machine sees it",
    "ramfs": "is memory: a reboot loses it, and no other machine sees it",
    "overlay": "is a container's own: it may be lost with the container",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mounted file system.

    Attributes:
        point: where it is mounted.
        kind: its type, as the kernel names it.
        source: what is mounted, e.g. a server's export.
        options: of the mount and of the file system, with commas.
    """

    point: str
    kind: str
    source: str
    options: str


def mount_of(path: Path, table: str | None = None) -> Mount | None:
    """Which file system a path lies on; ``None`` where that is not told.

    Args:
        path: an existing folder.
        table: as ``/proc/self/mountinfo`` (proc(5)), which is read by default.
    """
    try:
        lines = (table or Path("/proc/self/mountinfo").read_text()).splitlines()
        place = str(path.resolve())
    except OSError:
        return None
    best = None
    for line in lines:
        own, _, system = line.partition(" - ")
        fields, kinds = own.split(), system.split()
        if len(fields) < 6 or len(kinds) < 3:
            continue
        point = re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), fields[4])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        # Of two mounts on one point the later one is seen.
        if inside and (best is None or len(point) >= len(best.point)):
            options = f"{fields[5]},{kinds[2]}"
            best = Mount(point=point, kind=kinds[0], source=kinds[1], options=options)
    return best


def file_system_check(mount: Mount | None) -> Check:
    """What kind of disk it is, and what that means for a study."""
    if mount is None:
        return good("file system", "of a kind that this machine does not tell")
    text = f"{mount.kind} ({mount.source} at {mount.point})"
    kind = mount.kind.removeprefix("fuse.")
    if kind in _LOST:
        advice = "keep a study that matters on a disk: study_dir=…"
        return bad("file system", f"{text} {_LOST[kind]}", advice)
    if kind.startswith("nfs"):
        if re.search(r"(^|,)local_lock=(all|posix|flock)|(^|,)nolock", mount.options):
            text += ", without locks (none are needed)"
        if re.search(r"(^|,)(noac|actimeo=[0-3]|acdirmax=[0-3])(,|$)", mount.options):
            return good("file system", f"{text}, {_SHARED}")
        return good("file system", f"{text}, {_MEANINGS['nfs']}")
    known = _MEANINGS.get(kind, "only this machine is known to see it")
    return good("file system", f"{text}, {known}")


def space_checks(folder: Path) -> Iterator[Check]:
    """Whether there is room for trials.

    Raises:
        OSError: the disk cannot be asked.
    """
    disk = shutil.disk_usage(folder)
    text = f"{disk.free / _GB:.1f} of {disk.total / _GB:.1f} GB free"
    if disk.free < LEAST_FREE_GB * _GB:
        advice = (
            f"make room for {LEAST_FREE_GB:g} GB: a trial leaves its weights and its "
            "log, of up to executor.log_mb (64)"
        )
        yield bad("disk", text, advice)
    else:
        yield good("disk", text)
    stats = os.statvfs(folder)
    # Some file systems have no limit and tell 0 of 0.
    if stats.f_files and stats.f_favail < LEAST_FREE_FILES:
        text = f"{stats.f_favail} more files can be made"
        advice = f"delete some: a trial leaves up to {FILES_A_TRIAL}"
        yield bad("disk", text, advice, stops=stats.f_favail < FILES_A_TRIAL)
