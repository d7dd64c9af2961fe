"""What is said of a study that has ended: which key extends it."""

from __future__ import annotations

import pytest

from moosnn.events import Kind
from moosnn.settings import BUDGET
from moosnn.stop_rules import HOURS, STAGNATION
from moosnn.tracking.overview import overview
from moosnn.tracking.overview_text import overview_lines
from tests.helpers import toy_problem
from tests.tracking.repeats import lucky
from tests.tracking.test_summary import story

HEADS = {
    BUDGET: "x: finished; a larger study.budget extends it",
    HOURS: (
        "x: finished; time is up (study.hours); a larger study.hours, or null, "
        "extends it"
    ),
    STAGNATION: (
        "x: finished; hypervolume stagnates (study.stagnation); a larger "
        "study.stagnation, or null, extends it"
    ),
}


@pytest.mark.parametrize("reason", HEADS)
def test_a_finished_study_names_the_key_that_extends_it(reason: str) -> None:
    told = story()
    told._add(Kind.ENDED, reason=reason, hypervolume=1.4, front=[0, 1])
    found = overview("x", toy_problem(), told.history, budget=9, driver=None, now=0.0)
    assert found.reason == reason
    assert overview_lines(found)[0] == HEADS[reason]


def test_a_study_that_goes_on_after_its_end_is_stopped() -> None:
    told = story()
    told._add(Kind.ENDED, reason=HOURS, hypervolume=1.4, front=[0, 1])
    told._add(Kind.OPENED)
    found = overview("x", toy_problem(), told.history, budget=9, driver=None, now=0.0)
    assert found.reason is None
    assert overview_lines(found)[0] == (
        "x: stopped; the command that started it continues it"
    )


def test_repeats_are_trials_that_ended_and_no_members() -> None:
    found = overview(
        "x", toy_problem(), lucky().history, budget=9, driver=None, now=0.0
    )
    lines = "\n".join(overview_lines(found))
    assert "5 of 9: 5 feasible" in lines
    assert "2 members, hypervolume" in lines
