"""What is modelled of a history: signs, rows, forms, zeros and errors."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from moosnn.events import Kind
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.outcomes import (
    VIABILITY_KINDS,
    VIABILITY_MINIMUM,
    Block,
    _compressed,
    blocks_of,
    features_of,
    modelled,
)
from moosnn.problem import Constraint, Floats, Objective, Problem
from moosnn.space import Float, Int, Space
from moosnn.tasks.analytic import AnalyticTask
from moosnn.trial import FAILURE_KINDS, Evaluation
from tests.contracts.optimizers import toy_points
from tests.helpers import Story, story_of, toy_problem

# accuracy, spikes_per_sample | silence_margin, weights: in the order of their names.
MANY = toy_problem(
    objectives=(
        Objective(metric="spikes_per_sample", goal="min", reference=700, scale="log"),
        Objective(metric="accuracy", goal="max", reference=0.6),
    ),
    constraints=(
        Constraint(metric="weights", upper=2e4),
        Constraint(metric="silence_margin", voids=True),
    ),
)
LINE = Space({"x": Float(low=0, high=1)})


def toy_story(count: int = 40, problem: Problem = MANY) -> Story:
    return story_of(problem, AnalyticTask("toy_snn"), toy_points(count))


def line_problem(**changes: object) -> Problem:
    fields = {
        "space": LINE,
        "objectives": (Objective(metric="f", goal="min", reference=1),),
        "constraints": (Constraint(metric="c", upper=2),),
    }
    return Problem(**{**fields, **changes})  # type: ignore[arg-type]


def line_blocks(problem: Problem, rows: list[dict[str, float]], **sems: float):
    story = Story(problem)
    for index, metrics in enumerate(rows):
        known = sems if index == 0 else {}
        evaluation = Evaluation(metrics=metrics, sems=known)
        story.finish_with(story.propose({"x": index / len(rows)}), evaluation)
    return blocks_of(problem, story.history, Cube(problem.space))


def is_clean(block: Block) -> bool:
    return all(
        np.isfinite(getattr(block, f.name)).all() for f in dataclasses.fields(block)
    )


def test_above_zero_is_better_than_the_reference_or_violated() -> None:
    story = toy_story()
    done = story.history.done
    blocks = blocks_of(MANY, story.history, Cube(MANY.space))
    metrics = [t.evaluation.metrics for t in done]
    observed = [m for m, o in zip(metrics, MANY.observed(done), strict=True) if o]
    gains, violations = blocks.objectives, blocks.constraints
    better = gains.values > gains.zeros
    assert better[:, 0].tolist() == [m["accuracy"] > 0.6 for m in observed]
    assert better[:, 1].tolist() == [m["spikes_per_sample"] < 700 for m in observed]
    assert 0 < better[:, 0].sum() < len(observed)
    assert violations.outcome.tolist() == [0, 1] * 4  # plain, bilogarithmic; again
    broken = violations.values > violations.zeros
    for column, expected in enumerate(4 * (("silence_margin", 0), ("weights", 2e4))):
        metric, bound = expected
        assert broken[:, column].tolist() == [m[metric] > bound for m in metrics]
    assert 0 < broken[:, 1].sum() < len(done)


def test_constraints_have_near_forms_and_the_same_ones_far() -> None:
    """Objectives have near ones only."""
    blocks = blocks_of(MANY, toy_story().history, Cube(MANY.space))
    assert blocks.objectives.far.tolist() == [False, False]
    violations = blocks.constraints
    near, far = np.flatnonzero(~violations.far), np.flatnonzero(violations.far)
    assert (near.tolist(), far.tolist()) == ([0, 1, 2, 3], [4, 5, 6, 7])
    for name in ("values", "zeros", "variances", "log_stretch", "outcome"):
        columns = getattr(violations, name)
        np.testing.assert_array_equal(columns[..., near], columns[..., far])
    plain, warped = violations.values[:, :2], violations.values[:, 2:4]
    assert not np.allclose(plain, warped, atol=0.1)


def test_blocks_are_standardised() -> None:
    blocks = blocks_of(MANY, toy_story().history, Cube(MANY.space))
    for block in (blocks.objectives, blocks.constraints):
        np.testing.assert_allclose(block.values.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(block.values.std(axis=0), 1, atol=1e-9)
        assert is_clean(block)


def test_the_order_of_axes_in_a_problem_changes_nothing() -> None:
    swapped = dataclasses.replace(
        MANY, objectives=MANY.objectives[::-1], constraints=MANY.constraints[::-1]
    )
    history, cube = toy_story().history, Cube(MANY.space)
    one, two = blocks_of(MANY, history, cube), blocks_of(swapped, history, cube)
    for name in ("objectives", "constraints"):
        for f in dataclasses.fields(Block):
            np.testing.assert_array_equal(
                getattr(getattr(one, name), f.name), getattr(getattr(two, name), f.name)
            )


def test_silent_trials_are_rows_of_the_constraints_only() -> None:
    problem = toy_problem()
    cube = Cube(problem.space)
    done = toy_story(30, problem).history.done
    observed = int(problem.observed(done).sum())
    assert 0 < observed < len(done)
    blocks = blocks_of(problem, toy_story(30, problem).history, cube)
    assert len(blocks.objectives.points) == observed
    np.testing.assert_array_equal(blocks.constraints.points, features_of(done, cube))
    silent = next(t for t in done if not problem.is_observed(t))
    (place,) = features_of([silent], cube)
    assert not (blocks.objectives.points == place).all(axis=1).any()


def test_values_are_in_the_rows_of_their_points() -> None:
    rows = [{"f": float(k), "c": float(10 - k)} for k in range(5)]
    blocks = line_blocks(line_problem(), rows)
    for block in (blocks.objectives, blocks.constraints):
        np.testing.assert_allclose(block.points[:, 0], np.arange(5) / 5, atol=1e-12)
        assert (np.diff(block.values, axis=0) < 0).all()  # -f and c fall with x


def test_nothing_measured_is_nothing_modelled() -> None:
    problem = toy_problem()
    story, cube = Story(problem), Cube(problem.space)
    blocks = blocks_of(problem, story.history, cube)
    assert (blocks.objectives, blocks.constraints, blocks.viability) == (None,) * 3
    number = story.propose_at(*toy_points(1)[0])
    story.finish(number, stopped="silent", silence_margin=0.4)
    blocks = blocks_of(problem, story.history, cube)
    assert blocks.objectives is None
    assert blocks.viability is None
    assert len(blocks.constraints.points) == 1
    free = dataclasses.replace(problem, constraints=())
    assert blocks_of(free, story.history, cube).constraints is None


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_viability_learns_from_failures_of_the_trial_itself(kind) -> None:
    problem = toy_problem()
    story, cube = Story(problem), Cube(problem.space)
    points = toy_points(VIABILITY_MINIMUM + 1)
    story.finish(story.propose_at(*points[0]), stopped="silent", silence_margin=0.3)
    for point in points[1:-1]:
        story.fail(story.propose_at(*point), kind)
    assert blocks_of(problem, story.history, cube).viability is None
    story.fail(story.propose_at(*points[-1]), kind)
    block = blocks_of(problem, story.history, cube).viability
    if kind in VIABILITY_KINDS:
        broke = [False] + [True] * VIABILITY_MINIMUM
        assert (block.values > block.zeros).T.tolist() == [broke, broke]
        assert block.outcome.tolist() == [0, 0]
        assert block.far.tolist() == [False, True]
        history = story.history
        expected = features_of([*history.done, *history.failed], cube)
        np.testing.assert_array_equal(block.points, expected)
        assert is_clean(block)
    else:
        assert block is None


def test_viability_needs_something_that_worked() -> None:
    problem = toy_problem()
    story = Story(problem)
    for point in toy_points(VIABILITY_MINIMUM):
        story.fail(story.propose_at(*point), "diverged")
    assert blocks_of(problem, story.history, Cube(problem.space)).viability is None


def test_compression_is_the_identity_above_the_reference() -> None:
    rng = np.random.default_rng(0)
    reference = np.array([0.0, 5.0, -2.0])
    gains = reference + rng.normal(0.5, 1, (50, 3))
    gains[:5] -= 1e4
    squeezed, slope = _compressed(gains, reference)
    above = gains >= reference
    np.testing.assert_array_equal(squeezed[above], gains[above])
    assert (slope[above] == 1).all()
    assert (squeezed[~above] < np.broadcast_to(reference, gains.shape)[~above]).all()
    assert (squeezed[~above] > gains[~above]).all()
    assert squeezed.min() > -100  # of -10,000
    order = np.argsort(gains, axis=0)
    np.testing.assert_array_equal(np.argsort(squeezed, axis=0), order)


def test_the_slope_of_the_compression_is_its_difference() -> None:
    reference = np.zeros(1)
    gains = np.array([[2.0], [1.0], [-0.3], [-4.0], [-50.0], [3.0], [2.5]])
    _, slope = _compressed(gains, reference)
    for row in range(len(gains)):
        moved = gains.copy()  # a row that does not set the scale (the 0.9 quantile)
        if gains[row] > 1.5:
            continue
        moved[row] += 1e-6
        change = _compressed(moved, reference)[0] - _compressed(gains, reference)[0]
        assert change[row, 0] / 1e-6 == pytest.approx(slope[row, 0], rel=1e-5)


@pytest.mark.parametrize("below", [1.0, 1e-9, 1e9])
def test_gains_that_all_lie_below_the_reference_keep_their_order(below) -> None:
    gains = -below * np.arange(1.0, 8.0)[:, None]
    squeezed, slope = _compressed(gains, np.zeros(1))
    assert (np.diff(squeezed[:, 0]) < 0).all()
    assert (squeezed < 0).all()
    assert (slope > 0).all()
    assert np.isfinite(squeezed).all()


def test_forms_have_their_zero_where_the_violation_has_it() -> None:
    """The bilogarithm is increasing, odd around the bound and the same near it."""
    violations = np.array([-300.0, -3.0, -1.0, 0.0, 1.0, 3.0, 300.0])
    rows = [{"f": 0.0, "c": 2.0 + v} for v in violations]
    block = line_blocks(line_problem(), rows).constraints
    assert block.values.shape[1] == 4
    for column in range(4):
        centred = block.values[:, column] - block.zeros[column]
        assert centred[3] == pytest.approx(0.0, abs=1e-12)
        assert (np.diff(centred) > 0).all()
        np.testing.assert_allclose(centred, -centred[::-1], atol=1e-9)
    plain, warped, *far = (block.values - block.zeros).T
    np.testing.assert_array_equal(far, [plain, warped])
    np.testing.assert_allclose(plain / plain[-1], violations / 300, atol=1e-12)
    median = 3.0  # of |violations|
    expected = np.sign(violations) * np.log1p(np.abs(violations) / median)
    np.testing.assert_allclose(warped / warped[-1], expected / expected[-1], atol=1e-12)


def test_stretches_are_how_fast_a_value_grows_with_its_outcome() -> None:
    """Central differences of the forms, with the scales of the block held fixed."""
    violations = np.array([-300.0, -3.0, -1.0, 0.0, 1.0, 3.0, 300.0])
    rows = [{"f": 0.0, "c": 2.0 + v} for v in violations]
    block = line_blocks(line_problem(), rows).constraints
    form = standardised_forms(block, violations)
    numeric = (form(violations + 1e-6) - form(violations - 1e-6)) / 2e-6
    np.testing.assert_allclose(np.exp(block.log_stretch), numeric, rtol=1e-4)


def standardised_forms(block: Block, violations: Floats):
    """The map from violations to all columns' values, ``n -> n x 4``."""
    scale = np.median(np.abs(violations))

    def forms(v: Floats) -> Floats:
        warped = np.sign(v) * np.log1p(np.abs(v) / scale)
        return np.stack([v, warped, v, warped], axis=1)

    raw = forms(violations)
    np.testing.assert_allclose(
        (raw - raw.mean(0)) / raw.std(0), block.values, atol=1e-12
    )
    return lambda v: (forms(v) - raw.mean(0)) / raw.std(0)


def test_known_errors_of_violations_become_variances() -> None:
    """The delta method against drawing the measurement again."""
    violations = np.array([4.0, -3.0, -1.0, 0.5, 1.0, 3.0, 20.0])
    rows = [{"f": 0.0, "c": 2.0 + v} for v in violations]
    sem = 0.2
    block = line_blocks(line_problem(), rows, c=sem).constraints
    form = standardised_forms(block, violations)
    drawn = form(np.random.default_rng(0).normal(violations[0], sem, 200_000))
    np.testing.assert_allclose(block.variances[0], drawn.var(axis=0), rtol=0.02)
    assert (block.variances[1:] == 0).all()


@pytest.mark.parametrize("value", [30.0, 300.0])
def test_known_errors_of_a_logarithmic_objective_become_variances(value) -> None:
    """Above the reference (100), and below, where gains are compressed."""
    spikes = Objective(metric="f", goal="min", reference=100.0, scale="log")
    problem = line_problem(objectives=(spikes,), constraints=())
    values = np.array([value, 10.0, 20.0, 40.0, 80.0, 200.0, 1e4])
    sem = 0.02 * value
    rows = [{"f": v} for v in values]
    block = line_blocks(problem, rows, f=sem).objectives
    reference = np.array([-2.0])
    gains = -np.log10(values)[:, None]
    raw, _ = _compressed(gains, reference)
    np.testing.assert_allclose(block.values, (raw - raw.mean()) / raw.std(), atol=1e-12)
    again = np.random.default_rng(0).normal(value, sem, 100_000)
    scale = np.quantile(gains, 0.9) - reference[0]
    short = np.maximum(reference[0] + np.log10(again), 0.0)
    gain = np.where(
        short > 0, reference - scale * np.log1p(short / scale), -np.log10(again)
    )
    variance = (gain / raw.std()).var()
    assert block.variances[0, 0] == pytest.approx(variance, rel=0.02)
    assert (block.variances[1:] == 0).all()


def test_errors_find_their_axes() -> None:
    """Whatever the order of the axes and of the errors."""
    problem = line_problem(
        objectives=(
            Objective(metric="b", goal="max", reference=0),
            Objective(metric="a", goal="max", reference=0),
        ),
        constraints=(Constraint(metric="d"), Constraint(metric="c")),
    )
    rng = np.random.default_rng(0)
    rows = [dict(zip("abcd", rng.normal(1, 0.1, 4), strict=True)) for _ in range(6)]
    blocks = line_blocks(problem, rows, b=0.1, c=0.2)
    assert (blocks.objectives.variances[0] > 0).tolist() == [False, True]
    assert (blocks.constraints.variances[0] > 0).tolist() == [True, False] * 4


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize(("f", "c"), [(0.0, 0.0), (5.0, 2.0), (-1e12, 1e12)])
def test_constant_outcomes_are_zero(rows, f, c) -> None:
    """Bounds and references still lie on the side where they were."""
    problem = line_problem()
    blocks = line_blocks(problem, [{"f": f, "c": c}] * rows)
    for block in (blocks.objectives, blocks.constraints):
        np.testing.assert_allclose(block.values, 0.0, atol=1e-9)
        assert is_clean(block)
    assert (blocks.objectives.zeros[0] < 0) == (f < 1)
    violated = blocks.constraints.zeros < 0
    assert violated.tolist() == [c > 2] * 4


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_outcomes_of_any_size_are_numbers(scale) -> None:
    rng = np.random.default_rng(3)
    rows = [{"f": scale * f, "c": scale * c} for f, c in rng.standard_cauchy((30, 2))]
    rows[4]["c"] = 2.0  # on the bound
    blocks = line_blocks(line_problem(), rows, f=scale, c=0.0)
    assert is_clean(blocks.objectives)
    assert is_clean(blocks.constraints)
    assert math.isfinite(np.exp(blocks.constraints.log_stretch).max())


TRAINED = Space({"x": Float(low=0, high=1), "epochs": Int(low=2, high=27)})


def pruned_story(problem: Problem, reached: int) -> Story:
    """A whole trial, and one that was pruned after so many epochs."""
    story = Story(problem)
    story.finish(story.propose({"x": 0.2, "epochs": 27}), f=0.1, c=1.0)
    number = story.propose({"x": 0.8, "epochs": 27})
    for step in range(1, reached + 1):
        story._add(Kind.REPORTED, number, step=step, metrics={"f": 1.0})
    story.finish(number, stopped="pruned", f=0.7, c=3.0)
    return story


def test_nothing_is_learned_from_a_pruned_trial_without_its_epochs() -> None:
    problem = line_problem(space=TRAINED)
    history = pruned_story(problem, 4).history
    blocks = blocks_of(problem, history, Cube(TRAINED))
    alone = [t for t in history.done if not t.is_pruned]
    for block in (blocks.objectives, blocks.constraints):
        assert block.points == pytest.approx(features_of(alone, Cube(TRAINED)))
    assert [t.number for t in modelled(problem, history)] == [0]


def test_with_the_epochs_a_pruned_trial_is_one_of_so_many() -> None:
    """As a study in which it had been proposed like that."""
    problem = line_problem(space=TRAINED, fidelity="epochs")
    other = Story(problem)
    other.finish(other.propose({"x": 0.2, "epochs": 27}), f=0.1, c=1.0)
    other.finish(other.propose({"x": 0.8, "epochs": 4}), f=0.7, c=3.0)
    cube = Cube(TRAINED)
    found = blocks_of(problem, pruned_story(problem, 4).history, cube)
    expected = blocks_of(problem, other.history, cube)
    for name in ("objectives", "constraints"):
        one, two = getattr(found, name), getattr(expected, name)
        for field in dataclasses.fields(Block):
            same = getattr(one, field.name) == getattr(two, field.name)
            assert np.all(same), field.name


def test_a_training_shorter_than_the_space_has_is_not_modelled() -> None:
    problem = line_problem(space=TRAINED, fidelity="epochs")
    history = pruned_story(problem, 1).history
    assert [t.number for t in modelled(problem, history)] == [0]


def test_only_pruned_trials_are_nothing_to_model() -> None:
    problem = line_problem(space=TRAINED)
    story = Story(problem)
    story.finish(story.propose({"x": 0.5, "epochs": 9}), stopped="pruned", f=1.0, c=3.0)
    blocks = blocks_of(problem, story.history, Cube(TRAINED))
    assert (blocks.objectives, blocks.constraints) == (None, None)
