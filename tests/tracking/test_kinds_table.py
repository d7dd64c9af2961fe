"""The table of a study's kinds, against a count by hand."""

from __future__ import annotations

from pathlib import Path

from moosnn.tracking.comparison import Group
from moosnn.tracking.comparison import compared as compared_study
from moosnn.tracking.kinds_table import kinds_csv
from moosnn.tracking.report import write_study
from tests.helpers import toy_problem
from tests.tracking.compared_kinds import compared
from tests.tracking.test_interactive import story

TABLE = """\
training,trials,feasible,silent,failed,front
bptt,3,3,0,0,2
ssgd,4,2,1,1,0
stdp,0,0,0,0,0
"""


def test_the_table_of_kinds() -> None:
    assert kinds_csv(*compared()) == TABLE


def test_a_report_has_the_table_where_kinds_are_compared(tmp_path: Path) -> None:
    problem, history = compared()
    one = Group(label="x", studies=(compared_study("s", {}, problem, history, 8),))
    assert "kinds.csv" in write_study(tmp_path / "kinds", history, [one])
    assert (tmp_path / "kinds/kinds.csv").read_text() == TABLE
    plain, told = toy_problem(), story(toy_problem())
    one = Group(label="x", studies=(compared_study("s", {}, plain, told, 6),))
    assert "kinds.csv" not in write_study(tmp_path / "plain", told, [one])
