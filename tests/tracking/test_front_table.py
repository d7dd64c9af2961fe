"""The table of the front on terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console as Terminal

from moosnn.events import Kind
from moosnn.problem import Objective, Problem
from moosnn.tracking.front_table import print_front
from moosnn.trial import Evaluation
from tests.helpers import Story, toy_problem
from tests.tracking.repeats import lucky
from tests.tracking.test_summary import POINT, evaluation

ENERGY = Objective(metric="energy", goal="min", reference=1e4)


def confirmed(problem: Problem, margins: tuple[float, ...] = (-1.0,) * 3) -> Story:
    """Two members, the first retrained three times; the numbers are wide ones."""
    told = Story(problem)
    for width, accuracy, spikes in ((16, 0.941, 999.9), (17, 0.812, 106.5)):
        metrics = {"accuracy": accuracy, "spikes_per_sample": spikes, "energy": spikes}
        metrics |= {"silence_margin": -1.0, "silent_fraction": 0.04321}
        told.finish_with(
            told.propose({**POINT, "width": width}), Evaluation(metrics=metrics)
        )
    for replicate, spikes in enumerate((987.6, 876.5, 765.4)):
        metrics = {
            "accuracy": spikes / 1000,
            "spikes_per_sample": spikes,
            "energy": spikes,
        }
        metrics["silence_margin"] = margins[replicate]
        evaluation = Evaluation(metrics=metrics)
        told._add(
            Kind.CONFIRMED, 0, replicate=replicate, evaluation=evaluation.to_json()
        )
    return told


def table(
    problem: Problem,
    width: int,
    encoding: str = "utf-8",
    story: Story | None = None,
) -> list[str]:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    terminal = Terminal(file=out, width=width, highlight=False, soft_wrap=True)
    print_front(terminal, problem, (story or confirmed(problem)).history)
    lines = out.buffer.getvalue().decode(encoding).splitlines()
    return [
        line.rstrip()
        for line in lines
        if not line.startswith("trial ") or "=" not in line
    ]


def row(lines: list[str]) -> list[str]:
    return next(line.split() for line in lines if line.lstrip().startswith("0 "))


def test_eighty_columns_suffice_for_two_objectives() -> None:
    lines = table(toy_problem(), 80)
    assert row(lines) == [
        *("0", "0.941", "0.877", "(0.765-0.988)"),
        *("999.9", "876.5", "(765.4-987.6)", "0.043", "0/3"),
    ]
    assert lines[0] == "front of 2 trials, hypervolume 1.139"
    assert "silent: share of the samples that leave it" in "\n".join(lines)


@pytest.mark.parametrize(
    "problem",
    [
        toy_problem(),
        toy_problem(objectives=(*toy_problem().objectives, ENERGY)),
        toy_problem(objectives=toy_problem().objectives[:1], constraints=()),
    ],
    ids=["two", "three", "one"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_it_is_never_wider_than_the_terminal_nor_cut(
    problem: Problem, encoding: str, width: int
) -> None:
    lines = table(problem, width, encoding)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert row([line.replace("|", " ") for line in lines])[:2] == ["0", "0.941"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_member_that_fell_silent_when_trained_again_is_marked(width: int) -> None:
    problem = toy_problem()
    lines = table(problem, width, story=confirmed(problem, (-1.0, 0.1, -1.0)))
    assert row(lines)[-2:] == ["o", "1/3"]
    assert "o: fell silent at least once" in " ".join(lines)
    assert max(map(len, lines)) <= width
    awake = table(problem, width)
    assert row(awake)[-2:] == ["0.043", "0/3"]
    assert "fell silent" not in " ".join(awake)


def test_a_narrow_one_has_means_only() -> None:
    lines = table(toy_problem(), 60)
    assert row(lines) == ["0", "0.941", "0.877", "999.9", "876.5", "0.043", "0/3"]
    assert "test: mean of retrainings" in "\n".join(lines)
    assert row(table(toy_problem(), 30)) == ["0", "0.941", "999.9"]


def test_without_retrainings_it_has_no_column_for_them() -> None:
    problem = toy_problem()
    told = Story(problem)
    metrics = {"accuracy": 0.9, "spikes_per_sample": 10.0, "silence_margin": -1.0}
    told.finish_with(told.propose(POINT), Evaluation(metrics=metrics))
    out = io.StringIO()
    print_front(Terminal(file=out, width=80), problem, told.history)
    assert "test" not in out.getvalue()
    assert row(out.getvalue().splitlines()) == ["0", "0.900", "10"]


def test_a_repeated_member_has_its_means_errors_and_seeds() -> None:
    lines = table(toy_problem(), 80, story=lucky())
    rows = [line.split() for line in lines if line.split()[:1] in (["1"], ["2"])]
    assert rows == [
        ["1", "0.800", "200", "1"],
        ["2", "0.600", "±0.148", "20", "±11.0", "2"],
    ]
    text = " ".join(lines)
    assert "seeds: how many trainings a value is the mean of" in text
    assert lines[0].startswith("front of 2 trials")
    ascii_only = table(toy_problem(), 80, "ascii", story=lucky())
    assert any("0.600 +-0.148" in line for line in ascii_only)


def test_a_narrow_table_of_repeats_has_means_only() -> None:
    lines = table(toy_problem(), 32, story=lucky())
    assert ["2", "0.600", "20", "2"] in [line.split() for line in lines]
    assert "standard error" not in " ".join(lines)


def test_without_repeats_there_is_no_column_of_seeds() -> None:
    assert "seeds" not in table(toy_problem(), 120)[3]
    assert not any("seeds:" in line for line in table(toy_problem(), 120))


def test_the_ranges_of_test_values_give_way_to_standard_errors() -> None:
    """Where both are too many columns."""
    told = lucky()
    for replicate in range(3):
        result = evaluation(0.5123 + replicate / 100, 123.4).to_json()
        told._add(Kind.CONFIRMED, 2, replicate=replicate, evaluation=result)
    lines = table(toy_problem(), 60, story=told)
    cells = ["2", "0.600", "±0.148", "0.522", "20", "±11.0", "123.4", "2", "0/3"]
    assert cells in [line.split() for line in lines]
    assert max(map(len, lines)) <= 60
