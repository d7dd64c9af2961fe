"""What an evolution remembers of a study is what it would compute again."""

from __future__ import annotations

import numpy as np
import pytest

from moosnn.history import History
from moosnn.optimizers.base import generator
from moosnn.optimizers.evolution import Evolution
from moosnn.optimizers.judged import Judged
from moosnn.optimizers.survival import survive
from tests.helpers import Story, toy_problem

PROBLEM = toy_problem()


def story(count: int, seed: int) -> Story:
    """Trials with losses on a coarse grid, so that many tie; some are silent."""
    told, rng = Story(PROBLEM), np.random.default_rng(seed)
    for row in rng.random((count, len(PROBLEM.space))).tolist():
        number = told.propose_at(*row)
        accuracy, spikes = rng.integers(4, 10) / 10, 10.0 * rng.integers(1, 30)
        if rng.random() < 0.2:
            told.finish(number, stopped="silent", silence_margin=rng.random())
        else:
            told.finish(
                number,
                accuracy=float(accuracy),
                spikes_per_sample=float(spikes),
                silence_margin=-0.1,
            )
    return told


def test_only_those_stay_that_fewer_than_k_others_dominate() -> None:
    told = story(150, 0)
    judged = Judged(PROBLEM, 5)
    for length in range(0, len(told.history) + 1, 10):
        judged.read(told.history.prefix(length).done)
    done = told.history.done
    judged.read(done)
    feasible = [t for t in done if PROBLEM.is_feasible(t)]
    losses = PROBLEM.losses(feasible)
    above = [
        sum(bool((a <= b).all() and (a < b).any()) for a in losses) for b in losses
    ]
    wanted = [t.number for t, n in zip(feasible, above, strict=True) if n < 5]
    assert 5 <= len(wanted) < len(feasible)
    assert [t.number for t in judged.feasible] == wanted
    assert judged.losses == pytest.approx(PROBLEM.losses(judged.feasible))
    rest = [t.number for t in done if not PROBLEM.is_feasible(t)]
    assert [t.number for t in judged.infeasible] == rest


@pytest.mark.parametrize("seed", range(5))
def test_the_same_trials_survive_among_those_as_among_all(seed: int) -> None:
    told = story(200, seed)
    done = told.history.done
    judged = Judged(PROBLEM, 20)
    judged.read(done)
    feasible = [t for t in done if PROBLEM.is_feasible(t)]
    for count in (20, 7, 1):
        every, some = (
            [
                (trials[s.index].number, s.rank, s.crowding)
                for s in survive("nsga2", losses, count, generator(seed, count))
            ]
            for trials, losses in (
                (feasible, PROBLEM.losses(feasible)),
                (judged.feasible, judged.losses),
            )
        )
        assert every == some


@pytest.mark.parametrize("algorithm", ["nsga2", "nsga3", "sms_emoa"])
def test_what_is_remembered_changes_no_proposal(algorithm: str) -> None:
    told = story(60, 3)
    history = told.history
    remembers = Evolution(algorithm=algorithm)
    lengths = [*range(60, len(history), 17), len(history), 100, 80]
    assert max(lengths) == len(history)
    for length in lengths:
        seen = history.prefix(length)
        now = remembers.propose(PROBLEM, seen, 1, 0)
        assert now == Evolution(algorithm=algorithm).propose(PROBLEM, seen, 1, 0)


def test_another_study_is_not_taken_for_the_one_that_was_read() -> None:
    one, other = story(40, 0), story(40, 1)
    evolution = Evolution()
    for history in (one.history, other.history, History.of([]), one.history):
        now = evolution.propose(PROBLEM, history, 1, 0)
        assert now == Evolution().propose(PROBLEM, history, 1, 0)
