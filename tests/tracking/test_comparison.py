"""Comparing studies: groups, curves and shares, against sums done another way."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.events import Kind
from moosnn.history import History
from moosnn.problem import Constraint, Objective, Problem
from moosnn.tracking.comparison import (
    Compared,
    Curve,
    Group,
    band,
    checkpoints,
    compared,
)
from moosnn.tracking.comparison_fronts import fronts_comparison
from moosnn.tracking.comparison_plots import hypervolume_comparison, shares_comparison
from moosnn.tracking.comparison_tables import groups_csv, groups_table, summary_csv
from moosnn.tracking.grouping import group, problem_difference
from moosnn.tracking.plots import save
from tests.helpers import Story, toy_problem
from tests.tracking.repeats import lucky, repeat
from tests.tracking.test_summary import POINT, evaluation

PROBLEM = toy_problem()
QNEHVI = {"_target_": "moosnn.optimizers.qnehvi.Qnehvi", "initial": None}
NSGA2 = {"_target_": "moosnn.optimizers.evolution.Nsga2", "population_size": 20}
EVOLUTION = "moosnn.optimizers.evolution.Evolution"
NSGA3 = {"_target_": EVOLUTION, "algorithm": "nsga3", "population_size": 20}
SOBOL = {"_target_": "moosnn.optimizers.sobol.Sobol"}
HPO = {"slope": {"float": [0.5, 10]}, "threshold": {"float": [0.1, 5]}}
POINTS = [{"lr": k / 10, "training": "bptt"} for k in range(5)]
OWN = {"threshold": {"float": [0.1, 2]}, "b_th": {"float": [0.01, 0.5]}}


def history_of(
    outcomes: Sequence[Any], *, problem: Problem = PROBLEM, ended: bool = True
) -> History:
    """A trial an outcome: an evaluation, or ``None`` for a failure; a second each."""
    told = Story(problem)
    for index, outcome in enumerate(outcomes):
        number = told.propose({**POINT, "width": 8 + index})
        if outcome is None:
            told.fail(number)
        else:
            told.finish_with(number, outcome)
    if ended:
        told._add(Kind.ENDED, reason="budget spent")
    # Three events a trial after the header: each trial ends at a whole second.
    return History.of(
        replace(event, time=position / 3) for position, event in enumerate(told.history)
    )


def outcomes(seed: int, count: int) -> list[Any]:
    """Feasible, silent and failed trials by chance."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        accuracy, spikes = rng.uniform(0.2, 1.0), 10 ** rng.uniform(0, 4.5)
        kind = rng.choice(["feasible", "silent", "failed"], p=[0.6, 0.2, 0.2])
        margin = 0.3 if kind == "silent" else -0.3
        made.append(None if kind == "failed" else evaluation(accuracy, spikes, margin))
    return made


def study(
    name: str,
    made: Sequence[Any] = (),
    *,
    optimizer: dict[str, Any] = SOBOL,
    seed: int = 0,
    budget: int | None = None,
    ended: bool = True,
    problem: Problem = PROBLEM,
    **config: Any,
) -> Compared:
    made = made or [evaluation(0.9, 10.0)]
    history = history_of(made, problem=problem, ended=ended)
    whole = {"optimizer": optimizer, "seed": seed, "problem": problem.to_config()}
    budget = len(made) if budget is None else budget
    return compared(name, {**whole, **config}, problem, history, budget)


def area(made: Sequence[Any]) -> float:
    """The hypervolume by adding up strips, left to right."""
    points = sorted(
        (math.log10(e.metrics["spikes_per_sample"]), e.metrics["accuracy"])
        for e in made
        if e is not None and e.metrics["silence_margin"] <= 0
    )
    total, best = 0.0, 0.3
    edges = [x for x, _ in points] + [4.0]
    for (x, accuracy), following in zip(points, edges[1:], strict=True):
        best = max(best, accuracy)
        total += max(0.0, min(following, 4.0) - min(x, 4.0)) * (best - 0.3)
    return total


@pytest.mark.parametrize("seed", range(3))
def test_the_curves_of_a_study(seed: int) -> None:
    made = outcomes(seed, 25)
    found = study("a", made)
    volumes = [area(made[:count]) for count in range(26)]
    grid = np.arange(26.0)
    assert found.by_trials.at(grid) == pytest.approx(volumes)
    # Each trial takes a second: the same curve against time, whose trial 1 ends at 1.
    assert found.by_seconds.at(grid + 0.5) == pytest.approx(volumes)
    assert found.now.hypervolume == pytest.approx(volumes[-1])
    feasible = [e for e in made if e and e.metrics["silence_margin"] <= 0]
    assert found.best == {
        "accuracy": max(e.metrics["accuracy"] for e in feasible),
        "spikes_per_sample": pytest.approx(
            min(e.metrics["spikes_per_sample"] for e in feasible)
        ),
    }
    assert [made[int(n) - 1] for n in found.ended] == feasible
    silent = [e for e in made if e and e.metrics["silence_margin"] > 0]
    assert found.beyond[:, 0] == pytest.approx(0.3)
    assert found.beyond[:, 1].tolist() == [e.metrics["accuracy"] for e in silent]


def test_a_repeated_point_counts_with_its_means_where_it_was_first_there() -> None:
    told = lucky()
    repeat(told, 1, evaluation(0.99, 1.0, margin=0.9))  # point 1 falls silent
    found = compared("a", {}, PROBLEM, told.history, 6)
    assert found.ended.tolist() == [1, 3]
    assert found.feasible == pytest.approx(np.array([[0.7, 200.0], [0.6, 20.0]]))
    assert found.best["accuracy"] == pytest.approx(0.7)
    assert found.front == pytest.approx(found.feasible)
    # The mean margin, and the accuracy of the seed that was awake.
    assert found.beyond == pytest.approx(np.array([[0.2, 0.8]]))
    assert (found.now.done, found.now.silent) == (6, 1)


def test_a_corrected_failure_counts_where_it_stands() -> None:
    told = Story(PROBLEM)
    first, second = told.propose(POINT), told.propose({**POINT, "width": 17})
    told.fail(first, kind="lost")
    told.finish_with(second, evaluation(0.5, 100.0))
    late = evaluation(0.9, 10.0)
    told._add(Kind.CORRECTED, first, evaluation=late.to_json())
    found = compared("a", {}, PROBLEM, told.history, 10)
    both = [evaluation(0.5, 100.0), late]
    assert found.by_trials.at(np.array([1.0, 2.0])) == pytest.approx([0.0, area(both)])
    assert found.ended.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("seed", range(5))
def test_the_band_is_the_median_and_range_at_every_place(seed: int) -> None:
    rng = np.random.default_rng(seed)
    curves = []
    for _ in range(int(rng.integers(1, 6))):
        x = np.sort(rng.uniform(0, 10, size=int(rng.integers(1, 20))))
        y = np.sort(rng.uniform(size=len(x)))
        end = math.inf if rng.random() < 0.5 else float(x[-1])
        curves.append(Curve(x=x, y=y, end=end))
    found = band(curves)
    limit = min(curve.end for curve in curves)
    last = max(curve.x[-1] for curve in curves)
    assert found.x[0] == 0
    assert found.x[-1] == min(limit, last)
    columns = (found.x, found.median, found.low, found.high)
    for place, *values in zip(*columns, strict=True):
        there = [
            max((y for x, y in zip(c.x, c.y, strict=True) if x <= place), default=0.0)
            for c in curves
        ]
        assert values == [statistics.median(there), min(there), max(there)]
    # Nothing changes between two places of the band.
    changes = {x for c in curves for x in c.x if x <= limit}
    assert changes <= set(found.x)


def test_how_far_a_study_tells() -> None:
    three = [evaluation(0.9, 10.0)] * 3
    finished = study("a", three)
    assert (finished.by_trials.end, finished.by_seconds.end) == (3, math.inf)
    exhausted = study("a", three, budget=10)  # ended, though its budget was not spent
    assert (exhausted.by_trials.end, exhausted.by_seconds.end) == (math.inf, math.inf)
    running = study("a", three, budget=10, ended=False)
    assert (running.by_trials.end, running.by_seconds.end) == (3, 3.0)
    assert [s.finished for s in (finished, exhausted, running)] == [True, True, False]
    one = Group(label="x", studies=(finished, exhausted, running))
    assert one.title == "x (3, 1 unfinished)"
    assert len(one.volumes_at(3)) == 3
    assert len(one.volumes_at(4)) == 1


@pytest.mark.parametrize(
    ("configs", "labels"),
    [
        # Different settings, but the names say so already.
        ([{"optimizer": QNEHVI}, {"optimizer": NSGA2}], ["nsga2", "qnehvi"]),
        # One group, however many seeds.
        ([{"seed": 0}, {"seed": 1}], ["sobol"]),
        (
            [
                {"optimizer": NSGA2},
                {"optimizer": {**NSGA2, "population_size": 40}},
                {"optimizer": SOBOL},
            ],
            ["nsga2 population_size=20", "nsga2 population_size=40", "sobol"],
        ),
        # A setting that always differs together with another is not named.
        (
            [{"task": {"beta": 1, "z": 5}}, {"task": {"beta": 2, "z": 6}}],
            ["sobol beta=1", "sobol beta=2"],
        ),
        # Two settings with the same last name are spelled out.
        (
            [
                {"task": {"lr": 1}, "space": {"lr": 1}},
                {"task": {"lr": 2}, "space": {"lr": 1}},
                {"task": {"lr": 1}, "space": {"lr": [1, 2]}},
            ],
            [
                "sobol task.lr=1 space.lr=1",
                "sobol task.lr=1 space.lr=[1,2]",
                "sobol task.lr=2 space.lr=1",
            ],
        ),
        # A class that holds several algorithms is called by the chosen one.
        (
            [{"optimizer": NSGA3}, {"optimizer": {**NSGA3, "algorithm": "sms_emoa"}}],
            ["nsga3", "sms_emoa"],
        ),
        (
            [{"optimizer": NSGA3}, {"optimizer": {**NSGA3, "population_size": 40}}],
            ["nsga3 population_size=20", "nsga3 population_size=40"],
        ),
        (
            [{"optimizer": NSGA2}, {"optimizer": {**NSGA3, "algorithm": "nsga2"}}],
            [f"{EVOLUTION} algorithm=nsga2", "moosnn.optimizers.evolution.Nsga2"],
        ),
        # Learning rules, which bring spaces of their own; absent is bptt.
        (
            [
                {"space": HPO, "task": {"fixed": {}}},
                {"space": OWN, "task": {"fixed": {"training": "ssgd"}}},
            ],
            ["sobol training=bptt", "sobol training=ssgd"],
        ),
        # The spaces of one rule, which do not follow from it.
        (
            [
                {"space": HPO, "task": {"fixed": {}}},
                {"space": HPO, "task": {"fixed": {"training": "ssgd"}}},
                {"space": OWN, "task": {"fixed": {"training": "ssgd"}}},
            ],
            [
                "sobol training=bptt",
                "sobol training=ssgd threshold.float=[0.1,2]",
                "sobol training=ssgd threshold.float=[0.1,5]",
            ],
        ),
        # A rule that all have is not named, one that is searched has no name.
        (
            [
                {"space": one, "task": {"fixed": {"training": "ssgd"}}}
                for one in (HPO, OWN)
            ],
            ["sobol threshold.float=[0.1,2]", "sobol threshold.float=[0.1,5]"],
        ),
        (
            [
                {"space": HPO, "task": {"fixed": {}}},
                {"space": {"training": {"choice": ["bptt", "ssgd"]}}},
                {"optimizer": NSGA2, "space": HPO, "task": {"fixed": {}}},
            ],
            ["nsga2 training=bptt", "sobol training=bptt", "sobol training=searched"],
        ),
        # Which rules are searched says more than the points that are tried first.
        (
            [
                {"study": {"enqueue": POINTS[:k]}, "space": {"training": one}}
                for k, one in ((5, {"choice": ["bptt", "ssgd"]}), (1, {"choice": []}))
            ],
            ["sobol training.choice=[]", "sobol training.choice=[bptt,ssgd]"],
        ),
        # Points are counted, and come after what is short.
        (
            [{"study": {"enqueue": POINTS[:k]}} for k in (0, 1, 5)],
            ["sobol enqueue=1 point", "sobol enqueue=5 points", "sobol enqueue=[]"],
        ),
        (
            [{"study": {"enqueue": POINTS[:k]}, "task": {"lr": k}} for k in (1, 5)],
            ["sobol lr=1", "sobol lr=5"],
        ),
        # What only looks alike is numbered.
        (
            [{"study": {"enqueue": POINTS[k : k + 2]}} for k in (0, 1)] * 2,
            ["sobol enqueue=2 points #1", "sobol enqueue=2 points #2"],
        ),
        # In snake case.
        (
            [
                {"optimizer": {"_target_": f"a.{name}"}}
                for name in ("TrustRegion", "Qnehvi", "Nsga2", "AgeMoea2Fast")
            ],
            ["age_moea2_fast", "nsga2", "qnehvi", "trust_region"],
        ),
        # Two classes of one name are told apart by where they come from.
        (
            [{"optimizer": {"_target_": "a.Sobol"}}, {"optimizer": SOBOL}],
            ["a.Sobol", "moosnn.optimizers.sobol.Sobol"],
        ),
    ],
)
def test_what_groups_are_called(
    configs: Sequence[dict[str, Any]], labels: Sequence[str]
) -> None:
    found = group([study(f"s{i}", **one) for i, one in enumerate(configs)])
    assert [one.label for one in found] == labels
    assert sum(len(one.studies) for one in found) == len(configs)


def test_names_of_any_length_are_drawn_and_told_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    rules = ["bptt", "ssgd", "hybrid"]
    groups = group(
        [
            study(
                str(k),
                space={"training": {"choice": rules[: k // 2 + 1]}},
                optimizer={"_target_": "a.Of" + 20 * "Words"},
                task={f"a{'b' * 30}{j}": k * (j == k) for j in range(6)},
            )
            for k in range(6)
        ]
    )
    assert len({one.label for one in groups}) == 6
    Console(width=80).print(groups_table(groups[-1:]))
    # What is in brackets is no markup.
    assert "training.choice=[bptt]" in "".join(capsys.readouterr().out.split())
    for draw in (fronts_comparison, hypervolume_comparison, shares_comparison):
        figure = draw(groups)
        save(figure, tmp_path / "picture.png")  # a panel without room is a warning
        width, height = figure.bbox.size
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert min(box.x0, box.y0) >= 0
            assert (box.x1, box.y1) <= (width, height)
        panels = [axes.get_window_extent() for axes in figure.axes]
        assert all(box.width > 100 and box.height > 100 for box in panels)


@pytest.mark.parametrize("goals", [("max", "min"), ("min", "min"), ("max", "max")])
def test_the_word_reference_lies_inside_its_panel(goals: tuple[Any, Any]) -> None:
    better = {"max": (0.0, 1.0), "min": (1.0, 0.0)}  # the reference, and the front
    axes = [
        Objective(metric=name, goal=goal, reference=better[goal][0])
        for name, goal in zip(("accuracy", "spikes_per_sample"), goals, strict=True)
    ]
    weights = Objective(metric="weights", goal="min", reference=1.0)
    problem = toy_problem(objectives=(*axes, weights), constraints=())
    made = evaluation(better[goals[0]][1], better[goals[1]][1])
    made = replace(made, metrics={**made.metrics, "weights": 0.0})
    figure = fronts_comparison(group([study("a", [made], problem=problem)]))
    figure.draw_without_rendering()
    for panel in figure.axes:
        (word,) = panel.texts
        inner, frame = word.get_window_extent(), panel.get_window_extent()
        assert frame.x0 < inner.x0 < inner.x1 < frame.x1
        assert frame.y0 < inner.y0 < inner.y1 < frame.y1


def test_other_data_are_another_group() -> None:
    pair = []
    for name in ("ab" * 32, "cd" * 32):
        history = history_of([evaluation(0.9, 10.0)])
        first = replace(history[0], data={"fingerprint": {"data": name}})
        history = History.of([first, *history[1:]])
        pair.append(compared(name, {"optimizer": SOBOL}, PROBLEM, history, 1))
    labels = [one.label for one in group(pair)]
    assert labels == ["sobol data=abababab", "sobol data=cdcdcdcd"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objectives": PROBLEM.objectives[:1]}, "objectives accuracy, spikes_per_s"),
        (
            {
                "objectives": (
                    replace(PROBLEM.objectives[0], reference=0.5),
                    PROBLEM.objectives[1],
                )
            },
            "objectives: accuracy: reference 0.3 and 0.5",
        ),
        ({"constraints": ()}, "constraints silence_margin and none"),
        (
            {"constraints": (replace(PROBLEM.constraints[0], upper=0.1),)},
            "constraints: silence_margin: upper 0.0 and 0.1",
        ),
    ],
)
def test_studies_of_different_problems(changes: dict[str, Any], words: str) -> None:
    other = toy_problem(**changes)
    with pytest.raises(ConfigError, match="cannot be compared") as caught:
        group([study("here", problem=PROBLEM), study("there", problem=other)])
    assert str(caught.value).startswith(f"here and there cannot be compared: {words}")


def test_a_unit_makes_no_other_problem() -> None:
    spikes = replace(PROBLEM.objectives[1], unit="spikes of all layers")
    other = toy_problem(objectives=(PROBLEM.objectives[0], spikes))
    assert problem_difference(PROBLEM, other) is None
    assert len(group([study("a"), study("b", problem=other)])) == 1


def sweep() -> dict[str, list[Any]]:
    """Two groups of two and three studies; one of them did not get far."""
    return {
        "nsga2-0": outcomes(1, 40),
        "nsga2-1": outcomes(2, 40),
        "sobol-0": outcomes(3, 40),
        "sobol-1": outcomes(4, 40),
        "sobol-2": outcomes(5, 13),
    }


def compared_sweep(problem: Problem = PROBLEM) -> list[Group]:
    optimizers = {"nsga2": NSGA2, "sobol": SOBOL}
    return group(
        [
            study(
                name,
                made,
                optimizer=optimizers[name[:-2]],
                seed=int(name[-1]),
                budget=40,
                ended=len(made) == 40,
                problem=problem,
            )
            for name, made in sweep().items()
        ]
    )


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_file_of_the_studies() -> None:
    rows = rows_of(summary_csv(compared_sweep()))
    assert [row["study"] for row in rows] == sorted(sweep())
    for row in rows:
        made = sweep()[row["study"]]
        assert (row["group"], row["seed"]) == tuple(row["study"].split("-"))
        assert (row["finished"], row["budget"]) == (str(len(made) == 40), "40")
        assert int(row["ended"]) == len(made)
        assert int(row["failed"]) == made.count(None)
        assert float(row["hypervolume"]) == pytest.approx(area(made))
        assert float(row["seconds"]) == pytest.approx(len(made), abs=0.5)
        done = [e for e in made if e]
        feasible = [e for e in done if e.metrics["silence_margin"] <= 0]
        assert int(row["feasible"]) == len(feasible)
        assert int(row["silent"]) == len(done) - len(feasible)
        best = max(e.metrics["accuracy"] for e in feasible)
        assert float(row["best.accuracy"]) == best


def test_the_file_of_the_groups() -> None:
    groups = compared_sweep()
    assert checkpoints(groups) == [10, 20, 30, 40]
    for row in rows_of(groups_csv(groups)):
        mine = {n: made for n, made in sweep().items() if n.startswith(row["group"])}
        assert int(row["studies"]) == len(mine)
        assert int(row["unfinished"]) == (row["group"] == "sobol")
        for share in (25, 50, 75, 100):
            trials = int(row[f"at_{share}.trials"])
            assert trials == 40 * share / 100
            there = [area(m[:trials]) for m in mine.values() if len(m) >= trials]
            assert int(row[f"at_{share}.studies"]) == len(there)
            for kind, take in (("median", statistics.median), ("min", min)):
                assert float(row[f"at_{share}.{kind}"]) == pytest.approx(take(there))
        last = [area(m) for m in mine.values()]
        assert float(row["end.median"]) == pytest.approx(statistics.median(last))
        assert float(row["end.max"]) == pytest.approx(max(last))
        together = [e for m in mine.values() for e in m]
        assert float(row["failed"]) == together.count(None) / len(together)


def test_no_study_that_far_is_a_blank() -> None:
    short = study("a", outcomes(1, 5), budget=40, ended=False)
    rows = rows_of(groups_csv(group([short])))
    assert rows[0]["at_100.studies"] == "0"
    assert rows[0]["at_100.median"] == ""
    assert rows[0]["end.median"] != ""


def test_the_table_fits(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    Console(width=80).print(groups_table(compared_sweep()))
    out = capsys.readouterr().out
    assert "3 (1 unfinished)" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_lines_in_the_picture_are_the_medians() -> None:
    groups = compared_sweep()
    figure = hypervolume_comparison(groups)
    left, right = figure.axes
    longest = max(s.now.elapsed_s for one in groups for s in one.studies)
    for axes, curves, until in (
        (left, [[s.by_trials for s in one.studies] for one in groups], 0.0),
        (right, [[s.by_seconds for s in one.studies] for one in groups], longest),
    ):
        thick = [line for line in axes.lines if line.get_linewidth() == 2]
        assert len(thick) == 2
        assert len({line.get_linestyle() for line in thick}) == 2
        assert len({line.get_marker() for line in thick}) == 2
        for line, each in zip(thick, curves, strict=True):
            found = band(each, until)
            assert line.get_xdata() == pytest.approx(found.x)
            assert line.get_ydata() == pytest.approx(found.median)
        # The two long studies of sobol go on, thin, where the third one ends.
        dotted = [line for line in axes.lines if line.get_linewidth() == 1]
        assert len(dotted) == 2
        assert {float(line.get_xdata()[0]) for line in dotted} == {13.0}
        hollow = [line for line in axes.lines if line.get_fillstyle() == "none"]
        assert [line.get_xdata()[0] for line in hollow] == [13.0]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["nsga2 (2)", "sobol (3, 1 unfinished)"]


def test_the_fronts_in_the_picture_are_the_studies_own() -> None:
    groups = compared_sweep()
    beyond, axes = fronts_comparison(groups).axes
    drawn = [
        {tuple(point) for point in line.get_xydata()}
        for line in axes.lines
        if line.get_linestyle() == "None" and line.get_marker() != "X"
    ]
    fronts = [s.front for one in groups for s in one.studies]
    assert drawn == [{(x, y) for y, x in front} for front in fronts]
    count = sum(s.now.silent for one in groups for s in one.studies)
    assert beyond.get_title("left") == f"beyond the edge: {count} trials"


AXES = (
    *PROBLEM.objectives,
    Objective(metric="weights", goal="min", reference=1e5, scale="log"),
    Objective(metric="seconds", goal="min", reference=10.0),
)


@pytest.mark.parametrize(
    ("objectives", "edge", "studied", "count"),
    [
        (1, True, 3, 30),
        (1, False, 1, 1),  # one study of one trial, and that is beyond the edge
        (2, True, 1, 1),
        (2, True, 3, 2),
        (2, False, 3, 30),
        (3, True, 3, 30),
        (4, False, 2, 1),
    ],
)
def test_every_comparison_can_be_drawn(
    tmp_path: Path, objectives: int, edge: bool, studied: int, count: int
) -> None:
    """One trial and many, one objective and four, nothing feasible in one study."""
    silence = Constraint(metric="silence_margin", voids=True)
    problem = toy_problem(
        objectives=AXES[:objectives], constraints=(silence,) if edge else ()
    )
    rng = np.random.default_rng(0)

    def measured(margin: float) -> Any:
        made = evaluation(rng.uniform(), 10 ** rng.uniform(-14, 4), margin)
        more = {"weights": rng.uniform(1, 1e5), "seconds": rng.uniform(0, 9)}
        return replace(made, metrics={**made.metrics, **more})

    studies = [
        study(
            f"s{index}",
            [measured(1.0 if index == 0 else -0.1) for _ in range(count)],
            optimizer=optimizer,
            problem=problem,
            ended=index > 1,
        )
        for index, optimizer in enumerate([SOBOL, NSGA2, NSGA2])
    ]
    groups = group(studies[:studied])
    for draw in (fronts_comparison, hypervolume_comparison, shares_comparison):
        save(draw(groups), tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 5000


def test_groups_of_very_different_speed_share_a_log_axis() -> None:
    fast = study("a", outcomes(1, 20))
    slow = study("b", outcomes(2, 240), optimizer=NSGA2)
    scales = [
        hypervolume_comparison(group(each)).axes[1].get_xscale()
        for each in ([fast], [fast, slow])
    ]
    assert scales == ["linear", "log"]
