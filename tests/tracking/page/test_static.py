"""The pictures as files: which there are, and that they hold what the data say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moosnn.errors import StudyFolderError
from moosnn.tracking.comparison import compared
from moosnn.tracking.grouping import group
from moosnn.tracking.page.data import Source, page_data
from moosnn.tracking.page.static import static_figures, write_static
from moosnn.tracking.page.static_importance import importance_figure
from moosnn.tracking.page.static_models import maps_figure, slices_figure
from moosnn.tracking.page.static_parallel import parallel_figure
from moosnn.tracking.page.static_work import timeline_figure
from tests.helpers import toy_problem
from tests.tracking.edges import toy_history

ALL = ("hypervolume", "front", "parallel", "importance", "slices", "maps")


def source_of(name: str = "runs/a", seed: int = 0) -> Source:
    config = {"optimizer": {"_target_": "a.Sobol"}, "seed": seed}
    return Source(
        name=name,
        folder=Path("nowhere"),
        config=config,
        problem=toy_problem(),
        history=toy_history(60),
        budget=60,
    )


def groups_of(*sources: Source):
    return group(
        [compared(s.name, s.config, s.problem, s.history, s.budget) for s in sources]
    )


@pytest.fixture(scope="module")
def data():
    return page_data([source_of()])


@pytest.fixture(scope="module")
def study(data):
    return data["studies"][0]


def test_a_study_has_every_picture_twice(study, tmp_path):
    source, models = source_of(), study["models"]
    few = {**models, "slices": models["slices"][:2], "maps": models["maps"][:1]}
    data = {"studies": [{**study, "models": few}]}
    names = write_static(tmp_path / "new", data, [source], groups_of(source))
    assert names == [f"{name}.{ending}" for name in ALL for ending in ("png", "svg")]
    for name in names:
        head = (tmp_path / "new" / name).read_bytes()[:6]
        assert head == (b"\x89PNG\r\n" if name.endswith("png") else b"<?xml ")


def test_a_comparison_has_its_own_pictures(data, tmp_path):
    two = [source_of(), source_of("runs/b", 1)]
    names = write_static(tmp_path, data, two, groups_of(*two))
    assert {name.partition(".")[0] for name in names} == {
        *("hypervolume", "fronts", "silent")
    }


def test_a_folder_that_cannot_be_written_is_one_line(data, tmp_path):
    (tmp_path / "file").write_text("")
    source = source_of()
    with pytest.raises(StudyFolderError, match="--out"):
        write_static(tmp_path / "file" / "below", data, [source], groups_of(source))


def test_parallel_coordinates_have_a_line_a_trial(study):
    figure = parallel_figure(study)
    assert figure is not None
    (axes,) = figure.axes
    counts = {
        str(c.get_label()).partition(" (")[0]: len(c.get_segments())
        for c in axes.collections
    }
    for status in ("front", "dominated", "silent"):
        assert counts[status] == study["counts"][status]
    assert len(axes.get_xticks()) == len(study["parameters"]) + 2


def test_bars_are_as_long_as_the_parameters_matter(study):
    figure = importance_figure(study)
    assert figure is not None
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    for axes, target in zip(figure.axes, study["importance"]["targets"], strict=True):
        rows = {p["name"].replace("_", " "): p["mean"] for p in target["parameters"]}
        widths = [bar.get_width() for bar in axes.patches]
        assert widths == pytest.approx([rows.get(name, 0.0) for name in names])


def test_slices_go_through_the_members_own_values(study):
    figure = slices_figure(study)
    assert figure is not None
    models = study["models"]
    panels = len(figure.axes)
    assert panels == len(models["targets"]) * min(len(models["slices"]), 8)
    one = models["slices"][0]
    drawn = figure.axes[0].lines[0].get_xydata()
    assert np.allclose(drawn, np.column_stack([one["x"], one["values"][0]["mean"]]))


def test_maps_have_a_star_at_the_member(study):
    figure = maps_figure(study)
    assert figure is not None
    models = study["models"]
    count = len(models["targets"]) * len(models["maps"])
    stars = [
        line.get_xydata()[0]
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() == "*"
    ]
    assert len(stars) == count
    params, around = study["trials"]["params"], models["around"]
    first = models["maps"][0]
    expected = [params[first[key]][around] for key in ("x_parameter", "y_parameter")]
    assert stars[0] == pytest.approx(expected)


def test_without_times_there_is_no_timeline(study):
    assert timeline_figure(study) is None
    assert "timeline" not in static_figures(study)
