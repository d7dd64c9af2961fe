"""The synthetic sets: what the class is in, and what it is not in."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from moosnn.errors import DataError
from moosnn.snn.data import Dataset
from moosnn.snn.data.moving_edges import DURATION_US, MovingEdges, moving_bar
from moosnn.snn.data.random_manifolds import RandomManifolds, harmonics_of

T = 50


def accuracy(data: Dataset, features) -> float:
    """Of the nearest training sample of each test sample."""
    train, test = features(data.train.inputs), features(data.test.inputs)
    nearest = np.array([np.argmin(((train - row) ** 2).sum(axis=1)) for row in test])
    return float((data.train.labels[nearest] == data.test.labels).mean())


def times_of(frames: np.ndarray) -> np.ndarray:
    """When each unit fires, of ``n x T x units`` with one spike a unit."""
    return frames.argmax(axis=1).astype(float)


# ------------------------------------------------------------------ random manifolds


@pytest.fixture(scope="module")
def manifolds(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    cache = tmp_path_factory.mktemp("cache")
    return RandomManifolds(classes=4, units=12, samples_per_class=200).load(T, cache)


def test_every_unit_fires_once_in_every_sample(manifolds: Dataset) -> None:
    parts = (manifolds.train, manifolds.validation, manifolds.test)
    assert [len(part) for part in parts] == [512, 128, 160]
    for part in parts:
        assert part.inputs.shape == (len(part), T, 12)
        assert (part.inputs.sum(axis=1) == 1).all()
        assert len(set(np.bincount(part.labels).tolist())) == 1


def test_times_fill_the_steps(manifolds: Dataset) -> None:
    times = times_of(manifolds.train.inputs)
    for label in range(4):
        own = times[manifolds.train.labels == label]
        assert (own.min(axis=0) < T / 8).all()
        assert (own.max(axis=0) > T - T / 8).all()


def test_the_class_is_in_the_times(manifolds: Dataset) -> None:
    assert accuracy(manifolds, times_of) > 0.95


def test_a_manifold_of_one_dimension_is_a_smooth_curve(tmp_path: Path) -> None:
    """Smooth: the nearest sample is close in all units, and closer if alpha grows."""
    distances = []
    for alpha in (0.5, 1.0, 2.0, 4.0):
        source = RandomManifolds(
            classes=2, units=10, alpha=alpha, samples_per_class=300
        )
        data = source.load(1000, tmp_path)
        times = times_of(data.train.inputs[data.train.labels == 0]) / 1000
        apart = np.abs(times[:, None] - times[None]).max(axis=2)
        np.fill_diagonal(apart, np.inf)
        distances.append(float(np.median(apart.min(axis=1))))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.05


def test_times_follow_the_formula(tmp_path: Path) -> None:
    """One unit and dimension, against the sum in plain Python; scaled by its range."""
    source = RandomManifolds(classes=2, units=1, alpha=2.0, samples_per_class=10)
    draw = np.random.default_rng([0, 1])
    size = (3, 1, 1, 10)
    a, b, c = (part.reshape(-1).tolist() for part in draw.random(size))
    probes = draw.random((4096, 1), np.float32).reshape(-1).tolist()
    points = draw.random((10, 1), np.float32).reshape(-1).tolist()

    def value(x: float) -> float:
        return sum(
            k**-2.0 * a[k - 1] * math.sin(2 * math.pi * (k * x * b[k - 1] + c[k - 1]))
            for k in range(1, 11)
        )

    low, high = min(map(value, probes)), max(map(value, probes))
    expected = [min(max((value(x) - low) / (high - low), 0), 0.999) for x in points]
    data = source.load(20, tmp_path)
    labels = [*data.train.labels, *data.validation.labels, *data.test.labels]
    frames = np.concatenate(
        [part.inputs for part in (data.train, data.validation, data.test)]
    )
    got = times_of(frames[np.array(labels) == 1]).reshape(-1)
    assert sorted(got.tolist()) == sorted(float(int(20 * time)) for time in expected)


@pytest.mark.parametrize(
    ("alpha", "count"), [(1.0, 100), (2.0, 10), (4.0, 3), (100.0, 1), (1e-9, 100)]
)
def test_how_many_harmonics_there_are(alpha: float, count: int) -> None:
    assert harmonics_of(alpha) == count


def test_parameters_make_the_data(tmp_path: Path) -> None:
    def made(**more: float) -> bytes:
        source = RandomManifolds(units=5, samples_per_class=10, **more)
        return source.load(9, tmp_path).train.inputs.tobytes()

    first = made()
    assert made() == first
    for more in ({"seed": 1}, {"alpha": 1.5}, {"dimension": 2}):
        assert made(**more) != first


def test_fewer_samples_are_the_same_ones(tmp_path: Path) -> None:
    few = RandomManifolds(units=5, samples_per_class=10).load(9, tmp_path)
    many = RandomManifolds(units=5, samples_per_class=20).load(9, tmp_path)
    rows = [
        sample.tobytes()
        for part in (many.train, many.validation, many.test)
        for sample in part.inputs
    ]
    assert {sample.tobytes() for sample in few.train.inputs} <= set(rows)


def test_too_many_training_samples_are_refused(tmp_path: Path) -> None:
    source = RandomManifolds(samples_per_class=10, train_samples=61)
    with pytest.raises(DataError, match=r"expected at most 60, .* got 61"):
        source.load(2, tmp_path)


# ---------------------------------------------------------------------- moving edges


def test_a_bar_moves_where_its_direction_says() -> None:
    """The mean place of the events of the second half, less that of the first."""
    for direction in range(8):
        moves = []
        for seed in range(20):
            events = moving_bar(direction, 16, np.random.default_rng(seed))
            late = events.t_us > np.median(events.t_us)
            moves.append(
                [
                    events.x[late].mean() - events.x[~late].mean(),
                    events.y[~late].mean() - events.y[late].mean(),  # upwards
                ]
            )
        right, up = np.mean(moves, axis=0)
        angle = math.degrees(math.atan2(up, right)) % 360
        assert abs((angle - 45 * direction + 180) % 360 - 180) < 10


def test_events_are_in_order_and_inside() -> None:
    for seed in range(40):
        events = moving_bar(seed % 8, 12, np.random.default_rng(seed))
        assert len(events) > 100
        assert (np.diff(events.t_us) >= 0).all()
        assert events.t_us.min() >= 0
        assert events.t_us.max() < DURATION_US
        for column, limit in ((events.x, 12), (events.y, 12), (events.p, 2)):
            assert column.min() >= 0
            assert column.max() < limit


def test_the_class_is_in_the_order_of_events_and_not_in_their_number(
    tmp_path: Path,
) -> None:
    data = MovingEdges(side=12, samples_per_class=80).load(6, tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [
        512 - 104,
        104,
        128,
    ]

    def centres(frames: np.ndarray) -> np.ndarray:
        """The mean place of the events of each step, seen from the middle."""
        counts = frames.sum(axis=2, dtype=float)
        place = np.arange(12) - 5.5
        total = counts.sum(axis=(2, 3)) + 1e-9
        x = (counts.sum(axis=2) * place).sum(axis=2) / total
        y = (counts.sum(axis=3) * place).sum(axis=2) / total
        return np.concatenate((x, y), axis=1)

    def number(frames: np.ndarray) -> np.ndarray:
        return frames.sum(axis=(1, 3, 4), dtype=float)

    assert accuracy(data, centres) > 0.8
    assert accuracy(data, number) < 0.25  # an eighth by chance


def linear_accuracy(data: Dataset, time_steps: slice | None) -> float:
    """Of ridge regression onto the classes: of counts in all steps, or of their sum."""

    def features(inputs: np.ndarray) -> np.ndarray:
        seen = inputs.astype(float)
        seen = seen.sum(axis=1) if time_steps is None else seen[:, time_steps]
        return np.column_stack((seen.reshape(len(seen), -1), np.ones(len(seen))))

    train, test = features(data.train.inputs), features(data.test.inputs)
    wanted = np.eye(8)[data.train.labels]
    gram = train.T @ train + 10 * np.eye(train.shape[1])
    weights = np.linalg.solve(gram, train.T @ wanted)
    return float(((test @ weights).argmax(axis=1) == data.test.labels).mean())


def test_a_picture_of_counts_does_not_tell_the_direction(tmp_path: Path) -> None:
    """An eighth by chance, of 480 test samples: three standard errors are 0.045."""
    data = MovingEdges(side=8, samples_per_class=300).load(8, tmp_path)
    assert linear_accuracy(data, None) < 0.125 + 0.06
    assert linear_accuracy(data, slice(None)) > 0.9
    alone = MovingEdges(side=8, samples_per_class=300).load(1, tmp_path)
    assert linear_accuracy(alone, slice(None)) < 0.125 + 0.06


def test_every_pixel_is_as_busy_in_every_direction() -> None:
    """Two events less a tenth, and a tenth of noise; the same at edges and corners."""
    expected = 2 * 0.9 + 0.1
    for direction in range(8):
        counts = np.zeros((6, 6))
        for seed in range(400):
            events = moving_bar(direction, 6, np.random.default_rng([seed, direction]))
            np.add.at(counts, (events.y, events.x), 1)
        # A count's variance is 2 * 0.9 * 0.1 + 0.1; five standard errors of 400.
        assert np.abs(counts / 400 - expected).max() < 5 * math.sqrt(0.28 / 400)
