"""The result files: right, up to date, and no more weights than wanted."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from moosnn.events import Kind
from moosnn.history import History, HistoryBuilder
from moosnn.problem import Constraint
from moosnn.tracking.front_plot import front_figure
from moosnn.tracking.plots import hypervolume_figure, save
from moosnn.tracking.results import KEEP_ENDED, Results
from tests.helpers import Story, toy_problem
from tests.tracking.repeats import ACCURACY_SEM, SPIKES_SEM, lucky, repeat
from tests.tracking.test_summary import POINT, evaluation, story


def weights_of(folder: Path, number: int) -> Path:
    return folder / f"trials/{number:06d}/1/weights.safetensors"


def tell(results: Results, history: History, start: int = 0) -> None:
    for length in range(start + 1, len(history) + 1):
        results.on_event(history[length - 1], history.prefix(length))


def test_files_are_written(tmp_path: Path) -> None:
    results = Results(folder=tmp_path, problem=toy_problem())
    tell(results, story().history)
    results.close()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"front.csv", "front.png", "hypervolume.png"}
    assert (tmp_path / "front.csv").read_text().count("\n") == 3
    for name in ("front.png", "hypervolume.png"):
        image = matplotlib.image.imread(tmp_path / name)
        assert image.shape[0] > 300
        assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 10


def test_weights_of_the_front_are_kept_and_others_deleted(tmp_path: Path) -> None:
    told = Story(toy_problem())
    results = Results(folder=tmp_path, problem=toy_problem())
    seen = 0

    def trial(width: int, accuracy: float) -> int:
        nonlocal seen
        number = told.propose({**POINT, "width": width})
        weights = weights_of(tmp_path, number)
        weights.parent.mkdir(parents=True)
        weights.touch()
        told.finish_with(number, evaluation(accuracy, 10.0))
        tell(results, told.history, seen)
        seen = len(told.history)
        return number

    first = trial(16, 0.5)
    assert weights_of(tmp_path, first).exists()
    worse = trial(17, 0.4)
    assert not weights_of(tmp_path, worse).exists()
    better = trial(18, 0.9)
    assert weights_of(tmp_path, better).exists()
    for extra in range(KEEP_ENDED):
        # The first left the front, but not long ago.
        assert weights_of(tmp_path, first).exists()
        trial(20 + extra, 0.3)
    assert not weights_of(tmp_path, first).exists()
    assert weights_of(tmp_path, better).exists()


@pytest.mark.parametrize("constraints", [0, 1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_every_study_can_be_drawn(tmp_path: Path, constraints: int, count: int) -> None:
    """No finished trial, one, many; silent or not; with and without an edge."""
    known = (
        Constraint(metric="silence_margin", upper=0.0, voids=True),
        Constraint(metric="weights", upper=50.0),
    )
    problem = toy_problem(constraints=known[:constraints])
    told = Story(problem)
    rng = np.random.default_rng(count)
    for index in range(count):
        number = told.propose({**POINT, "width": 16 + index})
        accuracy, spikes, margin, weights = rng.random(4)
        metrics = {"silence_margin": margin - 0.5, "weights": 100 * weights}
        if margin < 0.75:
            metrics |= {"accuracy": accuracy, "spikes_per_sample": 1000 * spikes}
            told.finish(number, **metrics)
        else:
            told.finish(number, stopped="silent", **metrics)
    for figure in (
        front_figure(problem, told.history),
        hypervolume_figure(problem, told.history),
    ):
        save(figure, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 1000


def test_the_picture_shows_what_the_journal_says() -> None:
    figure = front_figure(toy_problem(), story().history)
    beyond, front = figure.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in front.lines}
    assert drawn["front (2)"] == [[10.0, 0.5], [100.0, 0.9]]
    assert drawn["dominated (0)"] == []
    assert drawn["reference"] == [[1e4, 0.3]]
    silent = {line.get_label(): line.get_xydata().tolist() for line in beyond.lines}
    assert silent["beyond, trained (1)"] == [[0.2, 0.95]]


def test_what_violates_without_voiding_is_not_called_dominated() -> None:
    voids, bound = toy_problem().constraints[0], Constraint(metric="weights", upper=9.0)
    problem = toy_problem(constraints=(voids, bound))
    told = Story(problem)
    for width, accuracy, weights in ((16, 0.9, 10.0), (17, 0.8, 5.0), (18, 0.7, 5.0)):
        told.finish(
            told.propose({**POINT, "width": width}),
            accuracy=accuracy,
            spikes_per_sample=float(width),
            silence_margin=-0.1,
            weights=weights,
        )
    _, front = front_figure(problem, told.history).axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in front.lines}
    assert drawn["infeasible (1)"] == [[16.0, 0.9]]
    assert drawn["front (1)"] == [[17.0, 0.8]]
    assert drawn["dominated (1)"] == [[18.0, 0.7]]
    _, front = front_figure(toy_problem(), told.history).axes
    assert not any("infeasible" in str(line.get_label()) for line in front.lines)


def test_the_hypervolume_picture_has_a_step_a_trial() -> None:
    told = story()
    told.fail(told.propose({**POINT, "width": 40}))
    (axes,) = hypervolume_figure(toy_problem(), told.history).axes
    (line,) = axes.lines
    volumes = line.get_ydata()
    assert line.get_xdata().tolist() == [1, 2, 3, 4]
    assert np.asarray(volumes).tolist() == pytest.approx([1.2, 1.4, 1.4, 1.4])


def test_a_repeated_member_is_drawn_once_at_its_means_with_its_errors() -> None:
    beyond, front = front_figure(toy_problem(), lucky().history).axes
    drawn = {line.get_label(): line.get_xydata() for line in front.lines}
    assert drawn["front (2)"] == pytest.approx(np.array([[20.0, 0.6], [200.0, 0.8]]))
    assert drawn["dominated (1)"] == pytest.approx(np.array([[200.0, 0.7]]))
    (across,), (up,) = (bars.get_segments() for bars in front.collections)
    assert across[:, 0] == pytest.approx([20 - SPIKES_SEM, 20 + SPIKES_SEM])
    assert up[:, 1] == pytest.approx([0.6 - ACCURACY_SEM, 0.6 + ACCURACY_SEM])
    assert "beyond, trained (0)" in {line.get_label() for line in beyond.lines}
    _, single = front_figure(toy_problem(), story().history).axes
    assert not single.collections


def test_a_silent_seed_of_an_awake_point_is_not_beyond_the_edge() -> None:
    told = story()
    repeat(told, 0, evaluation(0.99, 1.0, margin=0.1))
    beyond, front = front_figure(toy_problem(), told.history).axes
    assert "beyond, trained (1)" in {line.get_label() for line in beyond.lines}
    drawn = {line.get_label(): line.get_xydata().tolist() for line in front.lines}
    assert drawn["front (2)"] == [[10.0, 0.5], [100.0, 0.9]]


def follow_with_weights(folder: Path, told: Story) -> Results:
    """Each trial of a story, with weights on the disk when it ends."""
    results = Results(folder=folder, problem=toy_problem())
    history = told.history
    for length in range(1, len(history) + 1):
        event = history[length - 1]
        if event.kind is Kind.FINISHED:
            assert event.number is not None
            weights = weights_of(folder, event.number)
            weights.parent.mkdir(parents=True)
            weights.touch()
        results.on_event(event, history.prefix(length))
    return results


def kept(folder: Path) -> list[int]:
    found = folder.glob("trials/*/*/weights.safetensors")
    return sorted(int(path.parts[-3]) for path in found)


def replicated(story: Story) -> Story:
    """The same story of a study with `study.replicates`."""
    told = Story(toy_problem())
    told._builder = HistoryBuilder()
    told._add(Kind.STUDY, config={"study": {"replicates": {"share": 0.2}}})
    for event in list(story.history)[1:]:
        told._builder.append(event)
    return told


def test_what_returns_to_the_front_still_has_its_weights(tmp_path: Path) -> None:
    told = replicated(lucky())
    results = follow_with_weights(tmp_path, told)
    # Trial 1 was dominated when it ended, and is a member now.
    assert kept(tmp_path) == [0, 1, 2, 3, 4]
    told._add(Kind.ENDED, reason="budget", hypervolume=1.0, front=[1, 2])
    results.on_event(told.history[-1], told.history)
    # All seeds of the members, and nothing else.
    assert kept(tmp_path) == [1, 2, 4]


def test_a_finished_study_that_is_shown_again_keeps_its_weights(tmp_path: Path) -> None:
    told = replicated(lucky())
    told._add(Kind.ENDED, reason="budget", hypervolume=1.0, front=[1, 2])
    follow_with_weights(tmp_path, told)
    again = Results(folder=tmp_path, problem=toy_problem())
    again.on_event(told.history[-1], told.history)
    again.close()
    assert kept(tmp_path) == [1, 2, 4]


def test_a_point_that_was_tried_twice_by_chance_keeps_both(tmp_path: Path) -> None:
    told = Story(toy_problem())
    for width, accuracy in ((16, 0.9), (17, 0.3), (16, 0.8)):
        measured = evaluation(accuracy, 10.0)
        told.finish_with(told.propose({**POINT, "width": width}), measured)
    follow_with_weights(tmp_path, told)
    assert kept(tmp_path) == [0, 2]


def test_the_front_file_follows_a_mean_that_moves(tmp_path: Path) -> None:
    told = story()
    results = Results(folder=tmp_path, problem=toy_problem())
    tell(results, told.history)
    seen = len(told.history)
    repeat(told, 1, evaluation(0.6, 10.0))  # the same members, another mean
    tell(results, told.history, seen)
    rows = (tmp_path / "front.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["0", "0.9"], ["1", "0.55"]]
