"""Replicated: the contract with repeats, which point is repeated, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.history import History
from moosnn.optimizers.base import trial_seed
from moosnn.optimizers.evolution import Nsga2
from moosnn.optimizers.pooling import PooledHistory, pooled
from moosnn.optimizers.replicated import REPLICATE, Replicated
from moosnn.optimizers.sobol import Sobol
from moosnn.problem import Problem
from moosnn.tasks.analytic import AnalyticTask
from moosnn.trial import Proposal
from tests.contracts.optimizers import SEED, OptimizerContract
from tests.helpers import Story, run_loop, toy_problem


class TestContract(OptimizerContract):
    @pytest.fixture
    def make(self):
        return lambda: Replicated(Sobol())

    def check(
        self, problem: Problem, history: History, proposals: Sequence[Proposal]
    ) -> None:
        """As the contract, but a repeat has the point of the trial it names."""
        taken = [dict(t.proposal.params) for t in history.trials]
        for offset, proposal in enumerate(proposals):
            params = dict(proposal.params)
            assert proposal.number == history.proposals + offset
            assert proposal.seed == trial_seed(SEED, proposal.number)
            assert proposal.seen == len(history)
            assert params == problem.space.canonical(params)
            assert list(params) == list(problem.space)
            if proposal.origin == REPLICATE:
                assert proposal.repeats == taken.index(params)
            else:
                assert proposal.repeats is None
                assert params not in taken
                assert problem.refusal(params) is None
            taken.append(params)


def good(accuracy: float, spikes: float, margin: float = -1.0) -> dict:
    return {
        "accuracy": accuracy,
        "spikes_per_sample": spikes,
        "silence_margin": margin,
    }


def told(*rows: dict) -> Story:
    story = Story(toy_problem())
    points = np.random.default_rng(0).random((len(rows), 9)).tolist()
    for point, row in zip(points, rows, strict=True):
        story.finish(story.propose_at(*point), **row)
    return story


def asked(story: Story, **arguments: int | float) -> Proposal:
    optimizer = Replicated(Sobol(), share=0.5, after=1, **arguments)
    (proposal,) = optimizer.propose(toy_problem(), story.history, 1, SEED)
    return proposal


BAD = [good(0.4 - i / 100, 5000.0 + i) for i in range(8)]


def test_a_point_on_the_front_is_repeated() -> None:
    story = told(*BAD, good(0.9, 100.0), *BAD)
    proposal = asked(story)
    assert (proposal.origin, proposal.repeats) == (REPLICATE, 8)
    assert proposal.params == story.history.trial(8).proposal.params
    assert proposal.seed == trial_seed(SEED, 17) != story.history.trial(8).proposal.seed


def test_the_front_member_with_the_fewest_measurements_is_next() -> None:
    story = told(*BAD, good(0.9, 100.0), good(0.95, 1000.0))
    repeated = []
    for _ in range(4):
        proposal = asked(story)
        repeated.append(proposal.repeats)
        values = story.history.trial(proposal.repeats).evaluation.metrics
        story.finish(story.propose(proposal.params), **values)
    assert repeated == [8, 9, 8, 9]
    assert asked(story).repeats not in (8, 9)  # each was measured three times


def test_a_repeat_that_runs_or_failed_counts_as_a_measurement() -> None:
    story = told(*BAD, good(0.9, 100.0))
    story.fail(story.propose(asked(story).params))
    proposal = asked(story, most=3)
    assert proposal.repeats == 8
    story.propose(proposal.params)
    assert asked(story, most=3).repeats != 8


def test_without_a_front_the_edge_is_measured_again() -> None:
    margins = [1.0, 1.5, 0.02, 2.0, 0.9]
    story = told(*({"silence_margin": m, "stopped": "silent"} for m in margins))
    assert asked(story).repeats == 2


def test_what_is_far_from_front_and_edge_is_not_repeated() -> None:
    margins = [1.0, 1.5, 2.0, 0.9]
    story = told(*({"silence_margin": m, "stopped": "silent"} for m in margins))
    assert asked(story).origin == "sobol"


def test_a_point_just_behind_the_front_is_worth_more_than_one_far_behind() -> None:
    story = told(*BAD, good(0.5, 400.0), good(0.9, 100.0), good(0.899, 101.0))
    first = asked(story)
    assert first.repeats == 9
    story.finish(story.propose(first.params), **good(0.9, 100.0))
    assert asked(story).repeats == 10


@pytest.mark.parametrize(
    ("share", "after", "apart"), [(0.2, 10, 5), (0.5, 5, 2), (0.3, 1, 4)]
)
@pytest.mark.parametrize("workers", [1, 3])
def test_the_share_of_repeats_is_bounded(
    share: float, after: int, apart: int, workers: int
) -> None:
    optimizer = Replicated(Sobol(), share=share, after=after, most=9)
    task = AnalyticTask("toy_snn")
    history = run_loop(toy_problem(), optimizer, task, 60, SEED, workers=workers)
    numbers = [t.number for t in history.trials if t.proposal.repeats is not None]
    assert numbers[0] >= after
    assert min(np.diff(numbers)) == apart
    assert len(numbers) > 0.5 * (60 - after) / apart


def test_no_point_is_measured_more_often_than_asked() -> None:
    optimizer = Replicated(Sobol(), share=0.5, after=5, most=2)
    history = run_loop(toy_problem(), optimizer, AnalyticTask("toy_snn"), 60, SEED)
    counts = Counter(tuple(t.proposal.params.values()) for t in history.trials)
    assert set(counts.values()) == {1, 2}


def test_every_repeat_names_the_first_trial_and_has_a_seed_of_its_own() -> None:
    optimizer = Replicated(Sobol(), share=0.5)
    history = run_loop(toy_problem(), optimizer, AnalyticTask("toy_snn"), 60, SEED)
    assert len({t.proposal.seed for t in history.trials}) == 60
    for trial in history.trials:
        first = trial.proposal.repeats
        if first is not None:
            assert history.trial(first).proposal.params == trial.proposal.params
            assert history.trial(first).proposal.repeats is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"share": 0}, r"replicates.share: expected a number in \(0, 0.5\], got 0"),
        ({"share": 0.6}, r"share: .* got 0.6"),
        ({"share": "1e-1"}, r"share: .* write 1.0e-1"),
        ({"most": 1}, r"replicates.most: expected a whole number >= 2, got 1"),
        ({"most": 2.5}, r"most: .* got 2.5"),
        ({"after": 0}, r"replicates.after: expected a whole number >= 1, got 0"),
        ({"after": True}, r"after: .* got True"),
    ],
)
def test_settings_out_of_range(wrong, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Replicated(Sobol(), **wrong)


class Listening:
    """Proposes as Sobol, and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[History] = []

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        self.shown.append(history)
        return Sobol().propose(problem, history, count, seed)


def test_the_optimizer_sees_a_repeated_point_as_one_trial_with_its_error() -> None:
    problem, listening = toy_problem(), Listening()
    optimizer = Replicated(listening, share=0.5, after=5)
    history = run_loop(problem, optimizer, AnalyticTask("toy_snn"), 40, SEED)
    shown = listening.shown[-1]
    keys = [tuple(t.proposal.params.values()) for t in shown.done]
    assert len(set(keys)) == len(keys) < len(history.prefix(len(shown)).done)
    assert any(t.evaluation and t.evaluation.sems for t in shown.done)
    # What was proposed, and when, is as it was.
    assert list(shown) == list(history.prefix(len(shown)))
    assert shown.trials == history.prefix(len(shown)).trials
    half = shown.prefix(len(shown) // 2)
    assert half.done == pooled(history.prefix(len(half)).done, problem)


def test_without_repeats_the_optimizer_sees_what_happened() -> None:
    history = run_loop(toy_problem(), Sobol(), AnalyticTask("toy_snn"), 20, SEED)
    view = PooledHistory(history, toy_problem())
    assert (view.done, view.failed, view.pending) == (
        history.done,
        history.failed,
        history.pending,
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_an_optimizer_that_learns_is_replayed(workers: int) -> None:
    problem = toy_problem()
    optimizer = Replicated(Nsga2(initial=8), share=0.5, after=4)
    task = AnalyticTask("toy_snn")
    history = run_loop(problem, optimizer, task, 40, SEED, workers=workers)
    for trial in history.trials:
        again = Replicated(Nsga2(initial=8), share=0.5, after=4)
        prefix = history.prefix(trial.proposal.seen)
        assert again.propose(problem, prefix, 1, SEED) == [trial.proposal]
    origins = Counter(t.proposal.origin for t in history.trials)
    assert set(origins) == {"sobol", "nsga2", REPLICATE}
