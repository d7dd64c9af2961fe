"""One question at a time, and what happens to an answer that takes too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from moosnn.history import History
from moosnn.optimizers.base import FALLBACK
from moosnn.optimizers.sobol import Sobol
from moosnn.problem import Problem
from moosnn.proposer import Answer, Proposer
from moosnn.trial import Proposal
from tests.helpers import Story, append_proposal, toy_problem

SEED = 5
PATIENCE_S = 20.0


class Gated:
    """A Sobol optimizer that answers when its gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked_for: list[int] = []
        self.error: Exception | None = None

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        self.asked_for.append(history.proposals)
        assert self.gate.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        return Sobol().propose(problem, history, count, seed)


@pytest.fixture
def slow():
    optimizer = Gated()
    yield optimizer
    optimizer.gate.set()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def answered(proposer: Proposer, story: Story) -> Answer:
    proposer.ask(story.history)
    until(lambda: proposer.ready)
    return proposer.take()


@pytest.mark.parametrize("threaded", [True, False])
def test_a_late_answer_is_replaced_by_the_sobol_point(slow, threaded) -> None:
    problem = toy_problem()
    story = Story(problem)
    proposer = Proposer(problem, slow, SEED, threaded=threaded, limit_s=0.05)
    found = answered(proposer, story)
    (expected,) = Sobol().propose(problem, story.history, 1, SEED)
    assert found.late
    assert found.proposal is not None
    assert found.proposal.origin == FALLBACK
    assert found.proposal.params == expected.params
    assert found.seconds >= 0.05


def test_nothing_is_asked_of_an_optimizer_that_is_still_busy(slow) -> None:
    problem = toy_problem()
    story = Story(problem)
    proposer = Proposer(problem, slow, SEED, threaded=True, limit_s=0.05)
    for number in range(3):
        found = answered(proposer, story)
        assert found.late
        assert found.proposal is not None
        assert found.proposal.number == number
        append_proposal(story, found.proposal)
    assert slow.asked_for == [0]
    slow.gate.set()
    until(lambda: not proposer._late_one_is_busy)
    found = answered(proposer, story)
    assert not found.late
    assert found.proposal is not None
    assert found.proposal.origin == "sobol"
    assert slow.asked_for == [0, 3]


def test_an_error_that_came_too_late_is_raised_at_the_next_question(slow) -> None:
    problem = toy_problem()
    story = Story(problem)
    proposer = Proposer(problem, slow, SEED, threaded=True, limit_s=0.05)
    assert answered(proposer, story).late
    slow.error = ZeroDivisionError("a bug")
    slow.gate.set()
    until(lambda: not proposer._late_one_is_busy)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        proposer.ask(story.history)


@pytest.mark.parametrize("threaded", [True, False])
def test_without_a_limit_an_answer_is_waited_for(slow, threaded) -> None:
    problem = toy_problem()
    story = Story(problem)
    proposer = Proposer(problem, slow, SEED, threaded=threaded)
    threading.Timer(0.1, slow.gate.set).start()
    found = answered(proposer, story)
    assert not found.late
    assert found.proposal is not None
    assert found.proposal.origin == "sobol"
