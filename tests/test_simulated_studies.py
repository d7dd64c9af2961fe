"""What a simulation leaves is never taken for a study that ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosnn.__main__ import main

STUDY = ["+experiment=nas", "optimizer=sobol", "study.confirm=0", "executor=inline"]


@pytest.fixture(scope="module")
def simulated(digits_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated")
    words = ["simulate", str(digits_study), "--workers", "2", "--out", str(out)]
    assert main(words) == 0
    return out / "workers-2"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(list(words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_it_cannot_be_continued(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (simulated / "journal.jsonl").read_bytes()
    said = refused(capsys, *STUDY, "study.budget=20", f"study_dir={simulated}")
    assert "is a simulation, whose trials never ran" in said
    assert (simulated / "journal.jsonl").read_bytes() == before


def test_it_gives_no_points_to_another(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(
        capsys,
        *STUDY,
        f"study.warm_start=[{simulated}]",
        f"study_dir={tmp_path / 'new'}",
    )
    assert "is a simulation, whose trials never ran" in said
    assert not (tmp_path / "new").exists()


def test_whoever_looks_at_it_is_told(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(simulated)]) == 0
    assert "is a simulation; its trials never ran" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--workers", "1000000000"], "--workers: expected a whole number from 1 to"),
        (["--workers", "2", "--mean", "1", "--sigma", "300"], "expected sigma from 0"),
        (["--workers", "2", "--mean", "1e308"], "expected mean seconds > 0, at most"),
    ],
)
def test_numbers_that_nobody_means(
    digits_study: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert told in refused(capsys, "simulate", str(digits_study), *words)


def test_it_is_not_put_into_a_study(
    digits_study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["simulate", str(digits_study), "--workers", "2"]
    said = refused(capsys, *words, "--out", str(digits_study))
    assert "is a study; choose another --out" in said
    assert not (digits_study / "workers-2").exists()
