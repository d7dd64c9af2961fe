"""Which point is retrained when trials of one point are one member."""

from __future__ import annotations

from moosnn.confirmation import (
    SEEDS,
    chosen_members,
    confirm_proposal,
    confirmed,
    unconfirmed,
)
from moosnn.events import Kind
from moosnn.tracking.summary import members
from tests.helpers import toy_problem
from tests.tracking.repeats import FRONT, lucky, repeat
from tests.tracking.test_summary import evaluation


def test_a_repeated_member_is_retrained_once_under_its_first_number() -> None:
    history = lucky().history
    problem = toy_problem()
    assert chosen_members(problem, history, None) == list(FRONT)
    wanted = unconfirmed(problem, history, None)
    assert wanted == [(number, k) for number in FRONT for k in range(SEEDS)]
    point = history.trial(2).proposal.params
    searched = {t.proposal.seed for t in history.trials if t.proposal.params == point}
    seeds = set()
    for retraining in wanted[SEEDS:]:
        proposal = confirm_proposal(history, 0, retraining)
        assert (proposal.number, proposal.repeats) == (2, None)
        assert proposal.params == point
        seeds.add(proposal.seed)
    assert len(seeds) == SEEDS
    assert not seeds & searched


def test_a_member_that_is_repeated_later_keeps_its_retrainings() -> None:
    """The study is extended: its number stays, so do its test values."""
    told, problem = lucky(), toy_problem()
    for replicate in range(SEEDS):
        result = evaluation(0.55, 25.0).to_json()
        told._add(Kind.CONFIRMED, 2, replicate=replicate, evaluation=result)
    repeat(told, 2, evaluation(0.6, 20.0))
    assert unconfirmed(problem, told.history, None) == [(1, k) for k in range(SEEDS)]
    assert set(confirmed(told.history)) == {2}
    _, member = members(problem, told.history)
    assert member.trials == (2, 4, 5)
    assert member.confirmed is not None
    assert member.confirmed.values("accuracy") == [0.55] * SEEDS
