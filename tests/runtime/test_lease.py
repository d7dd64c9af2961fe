"""One driver a study: leases are taken, kept, lost and taken over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from moosnn.errors import StudyBusyError, StudyFolderError
from moosnn.runtime import lease as lease_module
from moosnn.runtime.lease import STALE_S, Lease
from moosnn.runtime.process import Process


def write_lease(folder: Path, process: Process, epoch: int = 1) -> Path:
    path = folder / "lease" / f"{epoch:06d}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**asdict(process), "released": False}))
    return path


def test_the_second_driver_is_told_who_holds_the_study(tmp_path: Path) -> None:
    with (
        Lease.acquire(tmp_path),
        pytest.raises(StudyBusyError, match=rf"host .+, pid {os.getpid()}"),
    ):
        Lease.acquire(tmp_path)


def test_epochs_rise_from_driver_to_driver(tmp_path: Path) -> None:
    epochs = []
    for _ in range(3):
        with Lease.acquire(tmp_path) as lease:
            epochs.append(lease.epoch)
            path = tmp_path / "lease" / f"{lease.epoch:06d}.json"
            assert Process.from_json(json.loads(path.read_text())) == Process.current()
        assert json.loads(path.read_text()) == {"released": True}
    assert epochs == [1, 2, 3]


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json; from dataclasses import asdict;"
            "from moosnn.runtime.process import Process;"
            "print(json.dumps(asdict(Process.current())))",
        ],
        capture_output=True,
        check=True,
    )
    write_lease(tmp_path, Process.from_json(json.loads(child.stdout)), epoch=4)
    with Lease.acquire(tmp_path) as lease:
        assert lease.epoch == 5


def test_a_later_process_with_the_same_pid_is_not_the_holder(tmp_path: Path) -> None:
    write_lease(tmp_path, replace(Process.current(), start_ticks=1))
    with Lease.acquire(tmp_path) as lease:
        assert lease.epoch == 2


@pytest.mark.parametrize("what", ["host", "boot_id", "namespace"])
def test_another_machine_is_believed_until_its_file_is_stale(
    tmp_path: Path, what: str
) -> None:
    """Two machines may have one name, and two containers even one kernel."""
    elsewhere = replace(Process.current(), **{what: "elsewhere"})
    path = write_lease(tmp_path, elsewhere)
    with pytest.raises(StudyBusyError, match=r"wait 60 s"):
        Lease.acquire(tmp_path)
    old = path.stat().st_mtime - STALE_S - 1
    os.utime(path, (old, old))
    with Lease.acquire(tmp_path) as lease:
        assert lease.epoch == 2


def test_the_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT_S", 0.01)
    with Lease.acquire(tmp_path) as lease:
        path = tmp_path / "lease" / f"{lease.epoch:06d}.json"
        os.utime(path, (0, 0))
        for _ in range(500):
            if path.stat().st_mtime > 0:
                break
            threading.Event().wait(0.01)
        assert path.stat().st_mtime > 0


def test_of_many_drivers_one_wins(tmp_path: Path) -> None:
    won: list[Lease] = []
    lost: list[StudyBusyError] = []
    start = threading.Barrier(8)

    def drive() -> None:
        start.wait()
        try:
            won.append(Lease.acquire(tmp_path))
        except StudyBusyError as error:
            lost.append(error)

    threads = [threading.Thread(target=drive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    won[0].release()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"released": false}', "null"])
def test_a_torn_lease_is_held_by_nobody(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lease" / "000003.json"
    path.parent.mkdir()
    path.write_text(content)
    with Lease.acquire(tmp_path) as lease:
        assert lease.epoch == 4


def test_a_folder_under_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "lease").write_text("in the way")
    with pytest.raises(StudyFolderError, match="cannot be written"):
        Lease.acquire(tmp_path)
