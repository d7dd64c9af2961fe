"""Hyperparameters are a function of the history, remembered or not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers import fit_chain
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.fit_chain import _DENSE, _RATIO, FitChain, Fits, grid_points
from moosnn.optimizers.outcomes import blocks_of
from moosnn.optimizers.surrogate import Hyper, default_hyper, fit
from moosnn.problem import Objective, Problem
from moosnn.space import Float, Space
from moosnn.trial import Evaluation
from tests.helpers import Story, toy_problem

SHARE = 0.1
SPACE = Space({"x": Float(low=0, high=1), "y": Float(low=0, high=1)})
PROBLEM = Problem(
    space=SPACE, objectives=(Objective(metric="f", goal="min", reference=2),)
)
CUBE = Cube(SPACE)


def numbers(fits: Fits) -> list[object]:
    """Everything of some fits, to the last bit."""
    return [
        [*h.log_lengthscales.tolist(), h.log_noise, h.log_scale, h.evidence]
        for hypers in (fits.objectives, fits.constraints, fits.viability)
        for h in hypers
    ]


def histories(
    count: int, failures: int = 0, corrected: int | None = None
) -> Iterator[History]:
    """A study's history after each event that ends a trial."""
    story, rng = Story(PROBLEM), np.random.default_rng(0)
    for index, (x, y) in enumerate(rng.random((count, 2))):
        number = story.propose({"x": x, "y": y})
        if corrected is not None and index == corrected // 2:
            story.fail(number, "timeout")
        elif index % 5 == 4 and failures > 0:
            failures -= 1
            story.fail(number, "crashed")
        else:
            story.finish(number, f=float(np.sin(5 * x) + y**2))
        if index == corrected:
            _correct(story, index // 2)
        yield story.history


def _correct(story: Story, number: int) -> None:
    """The task had measured it after all."""
    told = Evaluation(metrics={"f": 0.5}).to_json()
    story._add(Kind.CORRECTED, number, evaluation=told)


def test_grid_points_are_each_at_first_and_then_far_apart() -> None:
    counts = []
    for history in histories(2 * _DENSE):
        points = grid_points(PROBLEM, history)
        counts.append([len(history.prefix(length).done) for length, _ in points])
    dense = counts[:_DENSE]
    assert dense == [[n] for n in range(1, _DENSE + 1)]  # only the last is needed
    assert counts[-1][0] == _DENSE
    steps = np.array(counts[-1][1:]) / counts[-1][:-1]
    assert (steps >= _RATIO).all()
    assert (steps < _RATIO + 0.05).all()


def test_the_first_observed_trial_is_a_grid_point() -> None:
    problem = toy_problem()
    story, rng = Story(problem), np.random.default_rng(0)
    first = _DENSE + 2
    for index, point in enumerate(rng.random((first + 2, 9)).tolist()):
        number = story.propose_at(*point)
        if index == first - 1:
            good = {"accuracy": 0.9, "spikes_per_sample": 9.0}
            story.finish(number, silence_margin=-1.0, **good)
        else:
            story.finish(number, stopped="silent", silence_margin=0.5)
    lengths = [length for length, _ in grid_points(problem, story.history)]
    counts = [len(story.history.prefix(length).done) for length in lengths]
    assert counts == [_DENSE, first]


@pytest.mark.parametrize(
    "past",
    [{}, {"failures": 6}, {"failures": 3, "corrected": 76}],
    ids=["finished", "failed", "corrected"],
)
def test_remembering_changes_nothing(past) -> None:
    """Asked after each of 80 trials, every thirteenth time against a new chain."""
    warm, checked = FitChain(SHARE), 0
    for index, history in enumerate(histories(80, **past)):
        found = numbers(warm.fits(PROBLEM, history, CUBE))
        if index % 13 == 0 or index == 79:
            cold = FitChain(SHARE).fits(PROBLEM, history, CUBE)
            assert found == numbers(cold)
            checked += 1
    assert checked == 8
    assert len(history.done) > _DENSE


def test_beyond_the_dense_grid_fits_stay_between_grid_points() -> None:
    chain, past = FitChain(SHARE), []
    for history in histories(_DENSE + 8):
        if len(history.done) >= _DENSE:
            past.append(numbers(chain.fits(PROBLEM, history, CUBE)))
    changed = [one != two for one, two in itertools.pairwise(past)]
    after = int(np.ceil(_DENSE * _RATIO)) - _DENSE
    assert changed == [step == after for step in range(1, 9)]


def test_a_correction_is_fitted_anew() -> None:
    (*_, after) = histories(20, corrected=19)
    before = after.prefix(len(after) - 1)
    assert len(after.done) == len(before.done) + 1
    chain = FitChain(SHARE)
    one, two = (numbers(chain.fits(PROBLEM, h, CUBE)) for h in (before, after))
    assert one != two


def test_failures_are_fitted() -> None:
    (*_, history) = histories(30, failures=4)
    fits = FitChain(SHARE).fits(PROBLEM, history, CUBE)
    assert len(fits.objectives) == 1
    assert len(fits.viability) == 2  # a near form and a far one
    near, far = (h.log_lengthscales.mean() for h in fits.viability)
    assert near < far
    assert fits.constraints == ()
    (*_, history) = histories(30)
    assert FitChain(SHARE).fits(PROBLEM, history, CUBE).viability == ()


def test_the_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(fit_chain, "_REMEMBERED", 5)
    chain = FitChain(SHARE)
    last = None
    for history in histories(12):
        last = numbers(chain.fits(PROBLEM, history, CUBE))
        assert len(chain._links) <= 5
    (*_, history) = histories(12)
    assert last == numbers(FitChain(SHARE).fits(PROBLEM, history, CUBE))
    (*_, early) = histories(2)  # forgotten by now
    cold = FitChain(SHARE).fits(PROBLEM, early, CUBE)
    assert numbers(chain.fits(PROBLEM, early, CUBE)) == numbers(cold)


def test_problems_do_not_share_links() -> None:
    """Another reference is another zero and another compression."""
    (*_, history) = histories(20)
    other = Problem(
        space=SPACE, objectives=(Objective(metric="f", goal="min", reference=0.3),)
    )
    chain = FitChain(SHARE)
    one = numbers(chain.fits(PROBLEM, history, CUBE))
    two = numbers(chain.fits(other, history, CUBE))
    assert one != two
    assert two == numbers(FitChain(SHARE).fits(other, history, CUBE))


def test_columns_without_a_fit_have_the_default() -> None:
    (*_, history) = histories(5)
    chain = FitChain(SHARE)
    block = blocks_of(PROBLEM, history, CUBE).objectives
    assert block is not None
    (filled,) = chain.completed((), block, CUBE.dim)
    expected = default_hyper(2, SHARE, far=False)
    assert filled.log_lengthscales.tolist() == expected.log_lengthscales.tolist()
    mixed = replace(
        block, values=np.repeat(block.values, 2, axis=1), far=np.array([False, True])
    )
    near, far = chain.completed((), mixed, CUBE.dim)
    assert near.log_lengthscales.tolist() == expected.log_lengthscales.tolist()
    expected = default_hyper(2, SHARE, far=True)
    assert far.log_lengthscales.tolist() == expected.log_lengthscales.tolist()
    fits = chain.fits(PROBLEM, history, CUBE).objectives
    assert chain.completed(fits, block, CUBE.dim) == list(fits)


def test_of_nothing_there_are_no_fits() -> None:
    chain = FitChain(SHARE)
    assert numbers(chain.fits(PROBLEM, Story(PROBLEM).history, CUBE)) == []


@pytest.mark.parametrize("change", ["point", "metric", "sem", "stop", "failure"])
def test_another_history_has_other_links(change) -> None:
    """As long as the first one, and different in one thing."""

    def story(changed: bool) -> History:
        told, rng = Story(PROBLEM), np.random.default_rng(0)
        for index, (x, y) in enumerate(rng.random((12, 2))):
            this = change if changed and index == 5 else ""
            number = told.propose({"x": 1 - x if this == "point" else x, "y": y})
            if index in (2, 3, 4) or this == "failure":
                told.fail(number, "crashed")
                continue
            evaluation = Evaluation(
                metrics={"f": float(np.sin(5 * x) + (this == "metric"))},
                sems={"f": 0.5} if this == "sem" else {},
                stopped="pruned" if this == "stop" else None,
            )
            told.finish_with(number, evaluation)
        return told.history

    one, two = story(False), story(True)
    shared = FitChain(SHARE)
    first = numbers(shared.fits(PROBLEM, one, CUBE))
    found = numbers(shared.fits(PROBLEM, two, CUBE))
    assert found != first
    assert found == numbers(FitChain(SHARE).fits(PROBLEM, two, CUBE))


def test_beyond_the_dense_grid_a_fit_also_starts_where_the_last_one_ended(
    monkeypatch,
) -> None:
    starts: list[list[Hyper]] = []

    def spy(*arguments: object) -> Hyper:
        starts.append(arguments[3])  # type: ignore[arg-type]
        return fit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fit_chain, "fit", spy)
    *_, history = histories(_DENSE + 20)
    chain = FitChain(SHARE)
    chain.fits(PROBLEM, history, CUBE)
    assert [len(each) for each in starts] == [1, 2, 2]
    default = default_hyper(2, SHARE, far=False).log_lengthscales.tolist()
    assert all(each[0].log_lengthscales.tolist() == default for each in starts)
    before = chain.fits(
        PROBLEM, history.prefix(grid_points(PROBLEM, history)[1][0]), CUBE
    )
    assert starts[2][1] is before.objectives[0]
