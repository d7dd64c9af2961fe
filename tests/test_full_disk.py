"""A study on a disk that fills up: a real one, of 600 kB."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from moosnn.events import Kind
from moosnn.runtime.journal import read

BUDGET = 120
# In a mount namespace of its own: nothing is left of the small disk afterwards.
SCRIPT = """
mount -t tmpfs -o size=600k tmpfs disk || exit 99
cd disk
dd if=/dev/zero of=ballast bs=1k count=530 2>/dev/null
"$@" > ../first.out 2> ../first.err
echo $? > ../first.rc
cp s/journal.jsonl ../first.jsonl
rm ballast
"$@" > ../second.out 2> ../second.err
echo $? > ../second.rc
cp s/journal.jsonl ../second.jsonl
"""


def may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount in a namespace")
@pytest.mark.parametrize("executor", ["inline", "local"])
def test_it_stops_and_says_so_and_goes_on_once_there_is_room(
    executor: str, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    command = [sys.executable, "-m", "moosnn", "+experiment=smoke", "study_dir=s"]
    command += [f"study.budget={BUDGET}", f"executor={executor}"]
    subprocess.run(
        ["unshare", "-rm", "bash", "-c", SCRIPT, "script", *command],
        cwd=tmp_path,
        check=True,
        timeout=240,
    )
    assert (tmp_path / "first.rc").read_text() == "2\n"
    said = (tmp_path / "first.err").read_text().splitlines()
    assert all(line.startswith("moosnn: ") for line in said)
    assert "No space left on device" in said[-1]
    assert "then give the same command again" in said[-1]
    assert (tmp_path / "second.rc").read_text() == "0\n"
    assert (tmp_path / "second.err").read_text() == ""
    before, after = (
        (tmp_path / f"{which}.jsonl").read_bytes() for which in ("first", "second")
    )
    whole = before[: before.rfind(b"\n") + 1]
    assert len(whole) > 0
    assert after.startswith(whole)
    history = read(tmp_path / "second.jsonl").history
    ends = [e.number for e in history if e.kind in (Kind.FINISHED, Kind.FAILED)]
    assert sorted(ends) == list(range(BUDGET))
