"""What every optimizer promises; subclass it and supply the fixture ``make``."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.base import Optimizer, trial_seed
from moosnn.problem import Constraint, Objective, Problem
from moosnn.space import Choice, Int, Space
from moosnn.tasks.analytic import AnalyticTask
from moosnn.trial import FAILURE_KINDS, Proposal
from tests.helpers import Story, append_proposal, run_loop, story_of, toy_problem

SEED = 3
STARTED = 14  # trials after which every optimizer has left its initial design


def toy_points(count: int) -> list[list[float]]:
    return np.random.default_rng(11).random((count, 9)).tolist()


def two_constraints() -> Problem:
    """Two different constraints, both known of silent networks too."""
    return toy_problem(
        constraints=(
            Constraint(metric="silence_margin", upper=0.0, voids=True),
            Constraint(metric="weights", upper=2e4),
        ),
    )


class OptimizerContract:
    """Run over every implementation of the protocol `Optimizer`."""

    many = 120  # trials of the longest history

    @pytest.fixture
    def make(self) -> Callable[[], Optimizer]:
        raise NotImplementedError("a subclass supplies a fresh optimizer")

    def check(
        self, problem: Problem, history: History, proposals: Sequence[Proposal]
    ) -> None:
        """Numbers, points, seeds and ``seen`` of some proposals."""
        first = history.proposals
        taken = [dict(t.proposal.params) for t in history.trials]
        for offset, proposal in enumerate(proposals):
            params = dict(proposal.params)
            assert proposal.number == first + offset
            assert proposal.seed == trial_seed(SEED, proposal.number)
            assert proposal.seen == len(history)
            assert proposal.origin
            assert params == problem.space.canonical(params)
            assert list(params) == list(problem.space)
            assert params not in taken, "a point was proposed twice"
            assert problem.refusal(params) is None
            taken.append(params)

    def ask(
        self, make: Callable[[], Optimizer], story: Story, problem: Problem, count=2
    ) -> list[Proposal]:
        proposals = make().propose(problem, story.history, count, SEED)
        assert len(proposals) == count
        self.check(problem, story.history, proposals)
        return proposals

    def test_the_empty_history(self, make) -> None:
        problem = toy_problem()
        assert len(self.ask(make, Story(problem), problem, count=8)) == 8

    @pytest.mark.parametrize("kind", FAILURE_KINDS)
    def test_every_trial_failed(self, make, kind) -> None:
        problem = toy_problem()
        story = Story(problem)
        for point in toy_points(STARTED):
            story.fail(story.propose_at(*point), kind)
        self.ask(make, story, problem)

    def test_every_trial_silent(self, make) -> None:
        problem = toy_problem()
        story = Story(problem)
        for index, point in enumerate(toy_points(STARTED)):
            margin = 0.1 + index / 10
            number = story.propose_at(*point)
            story.finish(number, stopped="silent", silence_margin=margin)
        self.ask(make, story, problem)

    def test_every_trial_infeasible(self, make) -> None:
        problem = two_constraints()
        story = Story(problem)
        for index, point in enumerate(toy_points(STARTED)):
            story.finish(
                story.propose_at(*point),
                accuracy=0.5 + index / 100,
                spikes_per_sample=3000.0 + index,
                silence_margin=-0.5,
                weights=3e4 + index,
            )
        self.ask(make, story, problem)

    def test_feasible_trials_that_do_not_beat_the_reference(self, make) -> None:
        problem = toy_problem()
        story = Story(problem)
        for index, point in enumerate(toy_points(STARTED)):
            story.finish(
                story.propose_at(*point),
                accuracy=0.1,
                spikes_per_sample=10.0 + index,
                silence_margin=-0.1,
            )
        self.ask(make, story, problem)

    def test_one_point(self, make) -> None:
        problem = toy_problem()
        self.ask(make, story_of(problem, AnalyticTask("toy_snn"), [[0.3] * 9]), problem)

    @pytest.mark.parametrize("feasible", [True, False])
    def test_one_finished_point_among_failures(self, make, feasible) -> None:
        problem = toy_problem()
        story = Story(problem)
        for index, point in enumerate(toy_points(STARTED)):
            number = story.propose_at(*point)
            if index:
                story.fail(number, "crashed")
            elif feasible:
                story.finish(
                    number, accuracy=0.9, spikes_per_sample=100.0, silence_margin=-0.3
                )
            else:
                story.finish(number, stopped="silent", silence_margin=0.4)
        self.ask(make, story, problem)

    def test_the_same_point_again_and_again(self, make) -> None:
        problem = toy_problem()
        story = story_of(problem, AnalyticTask("toy_snn"), [[0.3] * 9] * STARTED)
        self.ask(make, story, problem)

    def test_equal_outcomes_everywhere(self, make) -> None:
        problem = toy_problem()
        story = Story(problem)
        for point in toy_points(STARTED):
            story.finish(
                story.propose_at(*point),
                accuracy=0.8,
                spikes_per_sample=100.0,
                silence_margin=-0.3,
            )
        self.ask(make, story, problem)

    def test_pending_only(self, make) -> None:
        problem = toy_problem()
        story = Story(problem)
        for point in toy_points(STARTED):
            story.propose_at(*point)
        self.ask(make, story, problem)

    def test_pending_beside_finished(self, make) -> None:
        problem = toy_problem()
        story = story_of(problem, AnalyticTask("toy_snn"), toy_points(STARTED))
        for point in np.random.default_rng(12).random((6, 9)).tolist():
            story.propose_at(*point)
        self.ask(make, story, problem)

    def test_pruned_trials(self, make) -> None:
        problem = toy_problem()
        story = story_of(problem, AnalyticTask("toy_snn"), toy_points(STARTED))
        for point in np.random.default_rng(13).random((3, 9)).tolist():
            number = story.propose_at(*point)
            story.finish(number, stopped="pruned", accuracy=0.2, silence_margin=-0.1)
        self.ask(make, story, problem)

    def test_no_constraint(self, make) -> None:
        problem = toy_problem(constraints=())
        story = Story(problem)
        task = AnalyticTask("toy_snn")
        for point in toy_points(3 * STARTED):
            number = story.propose_at(*point)
            story.evaluate(task, number)
        self.ask(make, story, problem)

    @pytest.mark.parametrize("stopped", ["pruned", "silent"])
    def test_no_constraint_and_every_trial_stopped(self, make, stopped) -> None:
        """Trials ended, and nothing is known of any of them."""
        problem = toy_problem(constraints=())
        story = Story(problem)
        for point in toy_points(STARTED):
            story.finish(story.propose_at(*point), stopped=stopped)
        self.ask(make, story, problem)

    @pytest.mark.parametrize("count", [1, 3])
    def test_one_and_three_objectives(self, make, count) -> None:
        objectives = (
            Objective(metric="accuracy", goal="max", reference=0.2),
            Objective(
                metric="spikes_per_sample", goal="min", reference=2e4, scale="log"
            ),
            Objective(metric="silent_fraction", goal="min", reference=0.5),
        )
        problem = toy_problem(objectives=objectives[:count])
        story = story_of(problem, AnalyticTask("toy_snn"), toy_points(2 * STARTED))
        self.ask(make, story, problem)

    def test_many_points(self, make) -> None:
        problem = toy_problem()
        story = story_of(problem, AnalyticTask("toy_snn"), toy_points(self.many))
        self.ask(make, story, problem)

    def test_inadmissible_points_are_not_proposed(self, make) -> None:
        problem = toy_problem(admissible="tests.helpers.refuses_deep")
        points = [[0.2, *p[1:]] for p in toy_points(STARTED)]
        story = story_of(problem, AnalyticTask("toy_snn"), points)
        proposals = self.ask(make, story, problem, count=4)
        assert all(p.params["depth"] <= 2 for p in proposals)

    def test_a_finite_space_is_exhausted(self, make) -> None:
        pair, lone = Choice(options=("a", "b")), Choice(options=("x",))
        space = Space({"depth": Int(low=1, high=3), "skip": pair, "only": lone})
        problem = Problem(
            space=space, objectives=(Objective(metric="y", goal="min", reference=99),)
        )
        story = Story(problem)
        for _ in range(6):
            (proposal,) = make().propose(problem, story.history, 1, SEED)
            self.check(problem, story.history, [proposal])
            story.finish(append_proposal(story, proposal), y=float(proposal.number))
        assert make().propose(problem, story.history, 3, SEED) == []
        assert len(make().propose(problem, Story(problem).history, 9, SEED)) == 6

    def test_the_same_history_gives_the_same_proposals(self, make) -> None:
        problem = toy_problem()
        story = story_of(problem, AnalyticTask("toy_snn"), toy_points(2 * STARTED))
        one = make()
        first = one.propose(problem, story.history, 3, SEED)
        assert one.propose(problem, story.history, 3, SEED) == first
        assert make().propose(problem, story.history, 3, SEED) == first
        other = make().propose(problem, story.history, 3, SEED + 1)
        assert [p.params for p in other] != [p.params for p in first]

    @pytest.mark.parametrize("workers", [1, 4])
    def test_replay(self, make, workers) -> None:
        problem = toy_problem()
        task = AnalyticTask("toy_snn")
        history = run_loop(problem, make(), task, STARTED + 6, SEED, workers=workers)
        proposed = [history.trial(n).proposal for n in range(history.proposals)]
        assert len(history.of_kind(Kind.PROPOSED)) == STARTED + 6
        for expected in proposed[:: STARTED // 2]:
            prefix = history.prefix(expected.seen)
            assert make().propose(problem, prefix, 1, SEED) == [expected]

    def test_the_global_generators_are_left_alone(self, make) -> None:
        torch = pytest.importorskip("torch")
        problem = toy_problem()
        story = story_of(problem, AnalyticTask("toy_snn"), toy_points(2 * STARTED))
        story.propose_at(*[0.4] * 9)
        before = (
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
        )
        first = make().propose(problem, story.history, 2, SEED)
        after = (
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
        )
        assert before == after
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(99)
            assert make().propose(problem, story.history, 2, SEED) == first

    def test_two_different_constraints_are_not_confused(self, make) -> None:
        """Every proposal's point is the same whichever constraint is named first."""
        problem = two_constraints()
        swapped = dataclasses.replace(problem, constraints=problem.constraints[::-1])
        story = story_of(problem, AnalyticTask("toy_snn"), toy_points(2 * STARTED))
        one = make().propose(problem, story.history, 1, SEED)
        two = make().propose(swapped, story.history, 1, SEED)
        self.check_equivalent(problem, one, two)

    def test_two_different_objectives_are_not_confused(self, make) -> None:
        problem = toy_problem()
        swapped = dataclasses.replace(problem, objectives=problem.objectives[::-1])
        story = story_of(problem, AnalyticTask("toy_snn"), toy_points(2 * STARTED))
        one = make().propose(problem, story.history, 1, SEED)
        two = make().propose(swapped, story.history, 1, SEED)
        self.check_equivalent(problem, one, two)

    def check_equivalent(
        self, problem: Problem, one: list[Proposal], two: list[Proposal]
    ) -> None:
        """By default the order of the axes changes nothing at all."""
        assert [p.params for p in one] == [p.params for p in two]
