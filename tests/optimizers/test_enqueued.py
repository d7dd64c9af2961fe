"""Enqueued: the contract, given points first, and which points are refused."""

from __future__ import annotations

from typing import Any

import pytest

from moosnn.errors import ConfigError
from moosnn.optimizers.base import Fresh
from moosnn.optimizers.enqueued import Enqueued, checked_points, missing_parameters
from moosnn.optimizers.sobol import Sobol
from moosnn.problem import Objective, Problem
from moosnn.space import Space
from moosnn.tasks.analytic import AnalyticTask
from tests.contracts.optimizers import OptimizerContract
from tests.helpers import Story, append_proposal, run_loop, toy_problem

POINT = {
    "depth": 2,
    "width": 32,
    "threshold": 1.0,
    "penalty": 0.001,
    "lr": 0.01,
    "steps": 8,
    "neuron": "if",
    "skip": True,
}
OTHER = {**POINT, "width": 64}


class TestContract(OptimizerContract):
    @pytest.fixture
    def make(self):
        return lambda: Enqueued(Sobol(), [POINT, OTHER])

    def test_a_finite_space_is_exhausted(self, make) -> None:
        """Its points lie in another space: see the test of a finite space below."""

    def test_the_same_history_gives_the_same_proposals(self, make) -> None:
        """The first two are the same with another seed too."""
        problem = toy_problem()
        story = Story(problem)
        first = make().propose(problem, story.history, 4, 3)
        assert make().propose(problem, story.history, 4, 3) == first
        other = make().propose(problem, story.history, 4, 4)
        same = [a.params == b.params for a, b in zip(first, other, strict=True)]
        assert same == [True, True, False, False]
        assert all(a.seed != b.seed for a, b in zip(first, other, strict=True))


def test_given_points_come_first_in_their_order() -> None:
    problem = toy_problem()
    optimizer = Enqueued(Sobol(), [POINT, OTHER])
    history = run_loop(problem, optimizer, AnalyticTask("toy_snn"), 5, 0)
    proposals = [t.proposal for t in history.trials]
    assert [p.origin for p in proposals] == ["enqueued"] * 2 + ["sobol"] * 3
    assert [p.params["width"] for p in proposals[:2]] == [32, 64]
    sobol = run_loop(problem, Sobol(), AnalyticTask("toy_snn"), 5, 0)
    rest = [t.proposal.params for t in sobol.trials][2:]
    assert [p.params for p in proposals[2:]] == rest


def test_all_at_once_and_one_by_one_are_the_same() -> None:
    problem = toy_problem()
    optimizer = Enqueued(Sobol(), [POINT, OTHER])
    together = optimizer.propose(problem, Story(problem).history, 5, 0)
    story = Story(problem)
    for expected in together:
        (one,) = optimizer.propose(problem, story.history, 1, 0)
        assert (one.number, one.params, one.seed, one.origin) == (
            expected.number,
            expected.params,
            expected.seed,
            expected.origin,
        )
        append_proposal(story, one)
    assert {p.seen for p in together} == {1}


def test_a_point_that_was_proposed_is_not_proposed_again() -> None:
    problem = toy_problem()
    story = Story(problem)
    story.propose(POINT)
    (one,) = Enqueued(Sobol(), [POINT, OTHER]).propose(problem, story.history, 1, 0)
    assert one.params["width"] == 64


def test_a_wrapper_may_name_another_origin() -> None:
    problem = toy_problem()
    optimizer = Enqueued(Enqueued(Sobol(), [OTHER], origin="warm_start"), [POINT])
    found = optimizer.propose(problem, Story(problem).history, 3, 0)
    assert [p.origin for p in found] == ["enqueued", "warm_start", "sobol"]


def test_given_points_of_a_finite_space_are_not_repeated() -> None:
    space = Space.from_config({"a": {"int": [1, 3]}})
    problem = Problem(
        space=space, objectives=(Objective(metric="y", goal="min", reference=9),)
    )
    optimizer = Enqueued(Sobol(), [{"a": 2}])
    found = optimizer.propose(problem, Story(problem).history, 9, 0)
    assert found[0].params == {"a": 2}
    assert sorted(p.params["a"] for p in found) == [1, 2, 3]


def test_a_point_that_may_not_be_tried_is_passed_over() -> None:
    problem = toy_problem(admissible="tests.helpers.refuses_deep")
    optimizer = Enqueued(Sobol(), [{**POINT, "depth": 4}, OTHER])
    (one,) = optimizer.propose(problem, Story(problem).history, 1, 0)
    assert one.params["width"] == 64


def test_checked_points_are_canonical() -> None:
    problem = toy_problem()
    loose = {**POINT, "depth": 2.0, "tau_steps": 7.0}  # without a leak there is no tau
    (point,) = checked_points("enqueue", problem, [loose])
    assert point == problem.space.canonical(POINT)
    assert list(point) == list(problem.space)
    assert checked_points("enqueue", problem, None) == []
    assert Fresh(problem, Story(problem).history)(point)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (3, r"enqueue: expected a list of points, e.g. \[\{depth: …\}\], got 3"),
        ([3], r"enqueue\[0\]: expected a value for each parameter, got 3"),
        (
            [POINT, {**POINT, "dept": 1}],
            r"enqueue\[1\]: .*'dept'. Did you mean 'depth'",
        ),
        ([{"dept": 1}], r"enqueue\[0\]: no parameter 'dept'"),
        (
            [{**POINT, "depth": 9}],
            r"enqueue\[0\]: parameter 'depth': .*\[1, 4\], got 9",
        ),
        ([{**POINT, "lr": "1e-3"}], r"enqueue\[0\]: parameter 'lr': .*write 1.0e-3"),
        ([POINT, OTHER, POINT], r"enqueue\[2\]: the same point as enqueue\[0\]"),
        # What came is judged before what did not.
        ([{"depth": 9}], r"enqueue\[0\]: parameter 'depth': .*\[1, 4\], got 9"),
        ([{"depth": 1, "neuron": "lif"}], r"enqueue\[0\]: no value for width, .*, tau"),
    ],
)
def test_a_wrong_point_is_refused_by_its_place(raw: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked_points("enqueue", toy_problem(), raw)


def test_an_inadmissible_point_is_refused_with_the_reason() -> None:
    problem = toy_problem(admissible="tests.helpers.refuses_deep")
    with pytest.raises(ConfigError, match=r"x\[0\]: this point may not be .*too deep"):
        checked_points("x", problem, [{**POINT, "depth": 3}])


def test_a_reason_ends_in_one_full_stop() -> None:
    problem = toy_problem().guarded(lambda params: "too slow.")
    with pytest.raises(ConfigError, match=r"may not be tried: too slow\.$"):
        checked_points("x", problem, [POINT])


def test_only_what_is_active_is_missing() -> None:
    space = toy_problem().space
    known = {name: POINT[name] for name in ("depth", "neuron")}
    assert missing_parameters(space, {**known, "depth": 1}) == [
        "width",
        "threshold",
        "penalty",
        "lr",
        "steps",
    ]
    assert "skip" in missing_parameters(space, known)
    assert "tau_steps" in missing_parameters(space, {**known, "neuron": "lif"})
    assert "tau_steps" not in missing_parameters(space, {"depth": 2})
