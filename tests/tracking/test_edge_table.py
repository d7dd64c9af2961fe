"""The edge as text: what stands in a line, how wide it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moosnn.parameters import Float, Int
from moosnn.pareto.edge import crossings
from moosnn.tracking.edge import Survey, Trust
from moosnn.tracking.edge_lines import Line
from moosnn.tracking.edge_table import edge_text, fallen_text, short_text, survey_lines
from tests.tracking.edges import retrained, true_survey


@pytest.fixture(scope="module")
def seen() -> Survey:
    return true_survey()


@pytest.fixture(scope="module")
def tested() -> Survey:
    return true_survey(retrained({1: [-0.1, 0.1, 0.2], 7: [-0.1, -0.2, 0.0]}))


def text(parameter: Float | Int, value: float, values: list[float], edge: int) -> str:
    """The text of an edge between ``values[edge - 1]`` and ``values[edge]``."""
    grid = np.array([parameter.encode(each) for each in values])
    beyond = np.arange(len(values)) >= edge
    at = values.index(value)
    found = crossings(grid, beyond.astype(float), at)
    line = Line(
        name="x",
        parameter=parameter,
        value=value,
        values=tuple(values),
        probability=beyond.astype(float),
        crossings=found,
    )
    assert found.nearest is not None
    return edge_text(line, found.nearest)


def test_an_edge_is_told_in_the_units_of_its_parameter() -> None:
    log = Float(low=0.1, high=10, log=True)
    assert text(log, 1.0, [0.1, 1.0, 1.2, 1.8, 10.0], 3) == "x 1 -> 1.47 (x1.47)"
    assert text(log, 10.0, [0.1, 0.4, 0.9, 10.0], 2) == "x 10 -> 0.6 (x0.06)"
    linear = Float(low=-1, high=1)
    assert text(linear, -0.5, [-1.0, -0.5, 0.1, 0.3], 3) == "x -0.5 -> 0.2 (+0.7)"
    assert text(linear, 0.3, [-1.0, 0.1, 0.2, 0.3], 1) == "x 0.3 -> -0.45 (-0.75)"
    whole = Int(low=4, high=32, step=4)
    assert text(whole, 8, list(range(4, 33, 4)), 4) == "x 8 -> 20 (+3 steps)"
    assert text(whole, 8, list(range(4, 33, 4)), 2) == "x 8 -> 12 (+1 step)"
    grid = Float(low=0, high=1, step=0.25)
    assert text(grid, 0.25, [0.0, 0.25, 0.5, 0.75, 1.0], 3) == "x 0.25 -> 0.75 (+0.5)"
    wide = Int(low=8, high=256, log=True)
    assert text(wide, 8, [8, 16, 64, 256], 2) == "x 8 -> 64 (x8)"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0001, "0.0001"),
        (0.00096, "0.00096"),
        (1.349, "1.35"),
        (9725.04, "9725"),
        (-0.5, "-0.5"),
        (256, "256"),
        (2.5e7, "2.5e+07"),
    ],
)
def test_numbers_have_three_digits(value: float, written: str) -> None:
    assert short_text(value) == written


def test_each_member_has_a_line_with_its_nearest_edges(seen: Survey) -> None:
    lines = survey_lines(seen, 80)
    assert lines[0].startswith(f"front of {len(seen.members)} trials, hypervolume ")
    assert lines[0].endswith("36 of 63 trials were silent")
    starts = {line.split()[0]: line for line in lines if line.split()}
    for one in seen.members:
        line = starts[str(one.number)]
        assert one.member.metrics["accuracy"] == pytest.approx(
            float(line.split()[1]), abs=5e-4
        )
        assert f" {one.probability:.2f}  " in line
        assert line.endswith(edge_text(*one.nearest(1)[0]))


def test_the_chosen_member_is_told_in_full(seen: Survey) -> None:
    lines = survey_lines(seen, 80)
    begin = next(i for i, line in enumerate(lines) if line.startswith("trial 41 "))
    rows = {line.split()[0]: line for line in lines[begin + 2 : begin + 8]}
    assert list(rows) == [line.name for line in seen.chosen.lines]
    assert rows["width"].endswith("none down to 8       none up to 256")
    assert rows["depth"].split() == ["depth", "4", "none", "down", "to", "1", "-"]
    # The penalty's edge: 0.15 log10(1 + penalty / 0.001) uses up what drive is left.
    assert "0.419 (x3.7)" in rows["penalty"]


@pytest.mark.parametrize("width", [70, 80, 100])
def test_it_is_no_wider_than_asked(seen: Survey, tested: Survey, width: int) -> None:
    for survey in (seen, tested):
        assert max(map(len, survey_lines(survey, width))) <= width


def test_who_fell_silent_when_trained_again_is_marked(
    seen: Survey, tested: Survey
) -> None:
    lines = survey_lines(tested, 80)
    marked = [line.split()[0] for line in lines if line.split()[1:2] == ["o"]]
    assert marked == ["1"]
    assert "o: fell silent when trained again: 1 in 2 of 3" in lines
    assert not [line for line in survey_lines(seen, 80) if line.split()[1:2] == ["o"]]
    assert fallen_text(seen) == "no member has been trained again with new seeds so far"
    awake = true_survey(retrained({7: [-0.1, -0.2, 0.0]}))
    assert fallen_text(awake) == "none of the 1 that were trained again fell silent"


def test_what_the_model_got_right_is_told(seen: Survey) -> None:
    told = " ".join(survey_lines(seen, 80))
    assert "it finds 29 of 30 silent trials and 48 of 50 others on their side" in told
    assert "few trials" not in told
    few = replace(
        seen, trust=Trust(beyond=2, beyond_found=1, others=10, others_found=9)
    )
    assert "few trials: expect the edges to move" in " ".join(survey_lines(few, 80))
    for blind in (
        Trust(beyond=8, beyond_found=0, others=12, others_found=12),
        Trust(beyond=4, beyond_found=4, others=6, others_found=0),
    ):
        said = " ".join(survey_lines(replace(seen, trust=blind), 80))
        assert "cannot tell the two apart: believe neither P nor the edges" in said


def test_marks_are_explained_where_they_are_used(seen: Survey) -> None:
    assert "~" not in "".join(survey_lines(seen, 80))
    # A formula that never passes 0.8 is not sure of its edge.
    lines = [
        replace(
            line,
            crossings=crossings(
                np.array([line.parameter.encode(v) for v in line.values]),
                line.probability * 0.8,
                line.values.index(line.value),
            ),
        )
        for line in seen.chosen.lines
    ]
    unsure = replace(seen.chosen, lines=tuple(lines), probability=0.7)
    others = [one if one is not seen.chosen else unsure for one in seen.members]
    told = survey_lines(replace(seen, members=tuple(others), chosen=unsure), 80)
    assert "-> ~" in "\n".join(told)
    joined = " ".join(told)
    assert "~: unsure, behind it P stays between 0.1 and 0.9" in joined
    assert "P of 0.5 or more: the model has it beyond the edge" in joined
    assert "P of 0.5 or more" not in " ".join(survey_lines(seen, 80))


def test_no_edge_of_a_member_is_told() -> None:
    survey = true_survey()
    bare = [replace(one, lines=()) for one in survey.members]
    told = survey_lines(replace(survey, members=tuple(bare)), 80)
    assert sum(line.endswith("none within the space") for line in told) == len(bare)
