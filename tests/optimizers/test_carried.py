"""What is expected of pruned trials, and that it is expected of nothing else."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.carried import NOTHING, Relation, carried_on
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.ehvi import Ehvi
from moosnn.optimizers.fit_chain import FitChain
from moosnn.optimizers.hpabo import Hpabo
from moosnn.optimizers.models import feasible_trials
from moosnn.optimizers.outcomes import Block, blocks_of
from moosnn.optimizers.trust_region import TrustRegion
from moosnn.pareto.front import front_of
from moosnn.problem import Constraint, Objective, Problem
from moosnn.space import Float, Int, Space
from moosnn.trial import Evaluation
from tests.helpers import Story

SPACE = Space({"x": Float(low=0, high=1), "y": Float(low=0, high=1)})
PROBLEM = Problem(
    space=SPACE,
    objectives=(
        Objective(metric="accuracy", goal="max", reference=0.2),
        Objective(metric="spikes", goal="min", reference=1000, scale="log"),
    ),
    constraints=(
        Constraint(metric="margin", voids=True),
        Constraint(metric="size", upper=5),
    ),
)
CUBE = Cube(SPACE)
RUNG = 3
Metrics = dict[str, float]


def end_at(x: float, y: float) -> Metrics:
    """What a whole training ends with."""
    return {
        "accuracy": 0.5 + 0.4 * math.sin(3 * x),
        "spikes": 10 ** (2 * y + 0.3 * x),
        "margin": 0.3 - x - y,
        "size": 1.0 + 4 * x * y,
    }


def report_at(x: float, y: float, step: int = RUNG) -> Metrics:
    """What it reports after some epochs: worse, louder, and a little random."""
    end, dice = end_at(x, y), np.random.default_rng(int(1e6 * x) + step)
    return {
        "accuracy": end["accuracy"] - 0.6 / step + 0.03 * dice.normal(),
        "spikes": end["spikes"] * (1 + 5 / step) * 10 ** (0.05 * dice.normal()),
        "margin": end["margin"] + 0.2 * dice.normal() / step,
        "size": end["size"],
    }


def tell(story: Story, number: int, step: int, metrics: Metrics) -> None:
    data = {"step": step, "metrics": metrics}
    story._builder.append(
        Event(kind=Kind.REPORTED, number=number, attempt=1, data=data)
    )


def a_trial(
    story: Story, x: float, y: float, stopped: str | None = None, **changes: float
) -> int:
    number = story.propose({"x": x, "y": y})
    tell(story, number, RUNG, report_at(x, y) | changes)
    story.finish(number, stopped, **end_at(x, y))
    return number


def points(count: int, seed: int = 0) -> list[tuple[float, float]]:
    return [tuple(p) for p in np.random.default_rng(seed).uniform(0.3, 1, (count, 2))]


def a_story(whole: int, pruned: int, problem: Problem = PROBLEM) -> Story:
    story = Story(problem)
    for index, (x, y) in enumerate(points(whole + pruned)):
        a_trial(story, x, y, "pruned" if index >= whole else None)
    return story


def losses_of(metrics: Metrics) -> tuple[float, float]:
    return -metrics["accuracy"], math.log10(metrics["spikes"])


# -- the regression -------------------------------------------------------------------


@pytest.mark.parametrize("count", [5, 9, 40])
def test_the_relation_is_that_of_least_squares(count: int) -> None:
    """numpy's, and the prediction's variance from the design matrix and scipy's t."""
    rng = np.random.default_rng(count)
    reports, asked = rng.normal(2, 3, (count, 3)), rng.normal(2, 9, 3)
    ends = 0.5 * reports - 1 + rng.normal(0, [0.1, 1, 5], (count, 3))
    values, errors = Relation.of(reports, ends).predict(asked)
    for k in range(3):
        design = np.column_stack([np.ones(count), reports[:, k]])
        best, left, *_ = np.linalg.lstsq(design, ends[:, k], rcond=None)
        row = np.array([1.0, asked[k]])
        assert values[k] == pytest.approx(max(row @ best, ends[:, k].min()))
        lever = 1 + row @ np.linalg.inv(design.T @ design) @ row
        variance = left[0] / (count - 2) * lever * stats.t(count - 2).var()
        assert errors[k] ** 2 == pytest.approx(variance)


def test_predictions_are_as_uncertain_as_they_say() -> None:
    rng, misses = np.random.default_rng(0), []
    for _ in range(2000):
        reports = rng.normal(size=(12, 1))
        ends = 2 * reports + rng.normal(size=(12, 1))
        asked = rng.normal(size=1)
        values, errors = Relation.of(reports, ends).predict(asked)
        misses.append((2 * asked + rng.normal(size=1) - values) / errors)
    assert np.std(misses) == pytest.approx(1, abs=0.06)


def test_nothing_better_is_expected_than_was_seen() -> None:
    reports, ends = np.arange(6.0)[:, None], np.arange(6.0)[:, None] / 2 + 1
    relation = Relation.of(reports, ends)
    found = [float(relation.predict(np.array([r]))[0][0]) for r in (-4, -1, 0, 2, 9)]
    assert found == pytest.approx([1, 1, 1, 2, 5.5])


def test_what_never_changed_is_expected_to_stay_and_else_nothing_is_expected() -> None:
    reports = np.full((6, 1), 0.1)
    ends = np.arange(6.0)[:, None]
    relation = Relation.of(reports, ends)
    values, errors = relation.predict(np.array([0.1]))
    assert values == pytest.approx(2.5)
    variance = np.var(ends, ddof=2) * (1 + 1 / 6) * stats.t(4).var()
    assert errors == pytest.approx(math.sqrt(variance))
    assert relation.predict(np.array([0.2])) is None


# -- whose reports, and of what -------------------------------------------------------


def test_a_pruned_trial_is_expected_to_end_as_others_with_its_report_did() -> None:
    history = a_story(9, 3).history
    carried = carried_on(PROBLEM, history)
    where = points(12)
    ends = np.array([losses_of(end_at(*p)) for p in where[:9]])
    reports = np.array([losses_of(report_at(*p)) for p in where])
    assert [one.trial.number for one in carried.losses] == [9, 10, 11]
    for one, report in zip(carried.losses, reports[9:], strict=True):
        for k in range(2):
            line = np.polyfit(reports[:9, k], ends[:, k], 1)
            expected = max(np.polyval(line, report[k]), ends[:, k].min())
            assert one.values[k] == pytest.approx(expected)
    assert [one.trial.number for one in carried.violations] == [9, 10, 11]
    for one, place in zip(carried.violations, where[9:], strict=True):
        size = end_at(*place)["size"] - 5  # which no training changes
        assert one.values[1] == pytest.approx(size)
        assert one.errors[1] == pytest.approx(0, abs=1e-12)


def test_the_order_of_the_trials_does_not_matter() -> None:
    def expected(order: list[int]) -> dict[float, tuple[float, ...]]:
        story, where = Story(PROBLEM), points(12)
        for index in order:
            a_trial(story, *where[index], "pruned" if index % 4 == 3 else None)
        carried = carried_on(PROBLEM, story.history)
        return {
            one.trial.proposal.params["x"]: (*one.values, *one.errors)
            for one in carried.losses
        }

    one, two = expected([*range(12)]), expected([7, 3, 11, 0, 5, 2, 1, 10, 9, 8, 6, 4])
    assert len(one) == 3
    for x, found in one.items():
        assert two[x] == pytest.approx(found)


@pytest.mark.parametrize(("whole", "known"), [(4, 0), (5, 2)])
def test_four_whole_trainings_teach_nothing(whole: int, known: int) -> None:
    carried = carried_on(PROBLEM, a_story(whole, 2).history)
    assert (len(carried.losses), len(carried.violations)) == (known, known)


def test_only_those_that_told_at_the_same_rung_count() -> None:
    story = a_story(6, 0)
    number = story.propose({"x": 0.5, "y": 0.5})
    tell(story, number, RUNG + 1, report_at(0.5, 0.5))
    story.finish(number, "pruned", **end_at(0.5, 0.5))
    assert carried_on(PROBLEM, story.history) == NOTHING
    tell_nothing = story.propose({"x": 0.6, "y": 0.5})
    story.finish(tell_nothing, "pruned", **end_at(0.6, 0.5))
    assert carried_on(PROBLEM, story.history) == NOTHING


def test_the_last_report_counts() -> None:
    """Of the rungs the highest, of the attempts that came there the last."""
    story, (x, y) = a_story(6, 0), (0.5, 0.6)
    number = story.propose({"x": x, "y": y})
    tell(story, number, 1, {**report_at(x, y), "accuracy": 0.01})
    tell(story, number, RUNG, {**report_at(x, y), "accuracy": 0.01})
    tell(story, number, RUNG, report_at(x, y))
    tell(story, number, RUNG + 1, {"train_accuracy": 0.5})  # measured nothing
    story.finish(number, "pruned", **end_at(x, y))
    plain = a_story(6, 0)
    a_trial(plain, x, y, "pruned")
    (one,), (two,) = (
        carried_on(PROBLEM, told.history).losses for told in (story, plain)
    )
    assert one.values.tolist() == two.values.tolist()


def test_a_void_report_tells_of_the_constraint_alone() -> None:
    story = a_story(8, 0)
    a_trial(story, 0.4, 0.4, "pruned", margin=0.5, accuracy=0.1, spikes=0.0)
    carried = carried_on(PROBLEM, story.history)
    assert len(carried.losses) == 0
    assert len(carried.violations) == 1
    # Others that were void then, and woke, say nothing of what reports are worth.
    more = a_story(8, 1)
    before = carried_on(PROBLEM, more.history).losses[0].values
    a_trial(more, 0.9, 0.9, margin=0.5, accuracy=0.1, spikes=0.0)
    assert (
        carried_on(PROBLEM, more.history).losses[0].values.tolist() == before.tolist()
    )


def test_models_that_see_the_epochs_see_the_trial_itself() -> None:
    space = Space({**SPACE.parameters, "epochs": Int(low=1, high=9)})
    problem = dataclasses.replace(PROBLEM, space=space, fidelity="epochs")
    story = Story(problem)
    for index, (x, y) in enumerate(points(9)):
        number = story.propose({"x": x, "y": y, "epochs": 9})
        tell(story, number, RUNG, report_at(x, y))
        story.finish(number, "pruned" if index > 7 else None, **end_at(x, y))
    assert carried_on(problem, story.history) == NOTHING


# -- what models make of it -----------------------------------------------------------


def test_models_see_a_measurement_with_that_error() -> None:
    """The blocks of a study in which it had been measured, with a standard error."""
    history = a_story(9, 2).history
    carried = carried_on(PROBLEM, history)
    found = blocks_of(PROBLEM, history, CUBE, carried)
    other = a_story(9, 0)
    for loss, violation in zip(carried.losses, carried.violations, strict=True):
        spikes = 10 ** loss.values[1]
        metrics = {
            "accuracy": -loss.values[0],
            "spikes": spikes,
            "margin": violation.values[0],
            "size": violation.values[1] + 5,
        }
        sems = {
            "accuracy": loss.errors[0],
            "spikes": loss.errors[1] * spikes * math.log(10),
            "margin": violation.errors[0],
            "size": violation.errors[1],
        }
        number = other.propose(dict(loss.trial.proposal.params))
        other.finish_with(number, Evaluation(metrics=metrics, sems=sems))
    expected = blocks_of(PROBLEM, other.history, CUBE)
    for name in ("objectives", "constraints"):
        for field in dataclasses.fields(Block):
            one, two = (
                getattr(getattr(b, name), field.name) for b in (found, expected)
            )
            np.testing.assert_allclose(one, two, atol=1e-12, err_msg=field.name)


def small() -> Ehvi:
    return Ehvi(initial=3, raw_candidates=64, restarts=1, iterations=10)


@pytest.mark.parametrize(
    "optimizer",
    [Hpabo(initial=3, raw_candidates=64), TrustRegion(initial=3, candidates=64)],
)
def test_optimizers_with_models_take_it(optimizer: Optimizer) -> None:
    """At each turn that they have; what is expected is none of their good trials."""
    history = a_story(8, 3).history
    found = optimizer.propose(PROBLEM, history, 3, 0)
    assert all("fallback" not in one.origin and one.origin != "sobol" for one in found)
    masked = a_story(8, 0)
    for x, y in points(11)[8:]:  # the same trials, which reported nothing
        masked.finish(masked.propose({"x": x, "y": y}), "pruned", **end_at(x, y))
    others = optimizer.propose(PROBLEM, masked.history, 3, 0)
    assert [one.params for one in found] != [one.params for one in others]


def test_without_a_pruned_trial_reports_change_no_proposal() -> None:
    told, silent = a_story(7, 0), Story(PROBLEM)
    for place in points(7):
        silent.finish(
            silent.propose(dict(zip("xy", place, strict=True))), **end_at(*place)
        )
    (one,), (two,) = (small().propose(PROBLEM, s.history, 1, 0) for s in (told, silent))
    assert dict(one.params) == dict(two.params)


def test_what_is_expected_is_nowhere_taken_for_seen() -> None:
    """A report better than all that was measured, and its trial was pruned."""
    story = a_story(8, 0)
    number = a_trial(story, 0.7, 0.7, "pruned", accuracy=0.99, spikes=0.01)
    (one,) = carried_on(PROBLEM, story.history).losses
    front = front_of(PROBLEM, story.history.done)
    assert (one.values <= np.array(front.losses)).all()
    assert number not in front.numbers
    assert (
        front.hypervolume == front_of(PROBLEM, a_story(8, 0).history.done).hypervolume
    )
    assert number not in [t.number for t in feasible_trials(PROBLEM, story.history)]
    assert not PROBLEM.is_observed(story.history.trial(number))


@pytest.mark.parametrize("whose", [2, 9])
def test_another_report_makes_other_fits(whose: int) -> None:
    """Of a whole trial and of the pruned one; a chain that remembers finds them."""

    def story(accuracy: float) -> History:
        told = Story(PROBLEM)
        for index, place in enumerate(points(10)):
            changes = {"accuracy": accuracy} if index == whose else {}
            a_trial(told, *place, "pruned" if index == 9 else None, **changes)
        return told.history

    def fitted(chain: FitChain, history: History) -> list[list[float]]:
        hypers = chain.fits(PROBLEM, history, CUBE).objectives
        return [h.log_lengthscales.tolist() for h in hypers]

    chain = FitChain(0.1)
    first = fitted(chain, story(0.3))
    found = fitted(chain, story(0.6))
    assert found != first
    assert found == fitted(FitChain(0.1), story(0.6))


def test_a_pruned_study_is_proposed_again_as_it_was() -> None:
    """By an optimizer that remembers nothing, from every prefix."""
    story, optimizer, asked = Story(PROBLEM), small(), []
    for _ in range(13):
        (proposal,) = optimizer.propose(PROBLEM, story.history, 1, 4)
        asked.append((len(story.history), proposal))
        pruned = proposal.number % 3 == 2  # any rule will do
        x, y = proposal.params["x"], proposal.params["y"]
        a_trial(story, x, y, "pruned" if pruned else None)
    assert carried_on(PROBLEM, story.history).losses
    for length, proposal in asked[-4:]:
        assert small().propose(PROBLEM, story.history.prefix(length), 1, 4) == [
            proposal
        ]
