"""A study on files: damaged ones stop it, repaired ones let it go on, none changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from moosnn.events import Kind
from moosnn.runtime.journal import NAME, read
from tests.snn.data.writers import write_nmnist

WORDS = (
    "+experiment=nas_mlp",
    "data=nmnist",
    "data.root=d",
    "optimizer=sobol",
    "study.budget=3",
    "study.confirm=1",
    "study_dir=s",
    "space.epochs.int=[1,2]",
)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): ((state := path.stat()).st_mtime_ns, state.st_size)
        for path in [folder, *folder.rglob("*")]
    }


def moosnn(*words: str) -> tuple[int, str]:
    """The exit code and the last line of complaint."""
    command = [sys.executable, "-m", "moosnn", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stderr.splitlines() or [""])[-1]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_nmnist(tmp_path / "d", each=5)
    return tmp_path / "d"


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_damaged_data_stop_a_study_and_repaired_ones_let_it_go_on(
    executor: str, data: Path
) -> None:
    words = [*WORDS, f"executor={executor}", "space.time_steps.int=[3,4]"]
    whole = next(iter(sorted((data / "Train").rglob("*.bin"))))
    events = whole.read_bytes()
    # As many bytes as before: only who reads it notices.
    whole.write_bytes(b"\xff" * len(events))
    code, said = moosnn(*words)
    assert code == 2
    assert said.startswith("moosnn: ")
    assert whole.name in said
    assert not read(Path("s") / NAME).history.failed

    whole.write_bytes(events)
    before = listing(data)
    assert moosnn(*words) == (0, "")
    history = read(Path("s") / NAME).history
    assert len(history.done) == 3
    retried = [e.data["failure"]["kind"] for e in history.of_kind(Kind.RETRIED)]
    assert set(retried) == {"data"}
    assert listing(data) == before
    assert any(name.endswith(".npy") for name in os.listdir("s/cache"))


def test_a_study_is_named_by_its_data_unless_they_are_the_digits(
    data: Path,
) -> None:
    words = [w for w in WORDS if not w.startswith("study_dir=")]
    assert moosnn(*words, "executor=inline", "study.budget=1") == (0, "")
    assert Path("runs/nas_mlp-nmnist-sobol-s0", NAME).is_file()
