"""Synthetic: classes of smooth random spike times, of any size.

Knows: the generator. Must not know: files, networks, torch.

After Zenke & Vogels, "The remarkable robustness of surrogate gradient learning for
instilling complex function in spiking neural networks", Neural Computation 33 (2021),
section "Smooth random manifolds": a class is a random smooth map of ``dimension``
coordinates, uniform in [0, 1), to the spike times of ``units`` neurons,

    t_i = prod_d sum_k k^-alpha a_idk sin(2 pi (k x_d b_idk + c_idk)),

with a, b, c uniform in [0, 1). Every neuron fires once in every sample, so that neither
a count of spikes nor a single one tells the class. Two things differ from the authors':
the sum ends where an amplitude is below 1 % (theirs at 0.1 %), finer than a time step;
and times are scaled to [0, 1) by the range of points drawn for that alone, so that no
sample depends on a test sample. Sums are of 32 bits: on another machine a spike may lie
a step aside.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moosnn.errors import DataError
from moosnn.snn.data import Dataset, Description
from moosnn.snn.data.frames_cache import Blocks, cached_frames, frames_key
from moosnn.snn.data.recordings import frames_dataset
from moosnn.snn.data.splits import (
    Indices,
    SplitOptions,
    check_generated,
    check_real,
    check_whole,
    generated_test,
    split_train,
)

AMPLITUDE_LEAST = 0.01
HARMONICS_MOST = 100
CLASSES_MOST = 1000
DIMENSION_MOST = 32  # a product of more sums leaves the floats
NUMBERS_MOST = 1 << 26  # of 4 bytes, in any array that a class needs
VERSION = 1
_PROBES = 4096  # points that tell the range of a class's times
_BLOCK = 512  # samples at once
_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))
Times = npt.NDArray[np.float32]


class RandomManifolds:
    """Spike times on random manifolds, one a class.

    Args:
        classes: 2 to 1,000.
        units: input neurons, >= 1.
        dimension: of the manifolds, 1 to 32.
        alpha: smoothness, > 0; smaller is rougher.
        samples_per_class: >= 10; a fifth of them is the test part.
        seed: of the manifolds and samples, >= 0.
        split_seed: of train and validation, >= 0.
        validation_share: of the rest, in (0, 1).
        train_samples: train on so many only; ``None`` = all.

    Raises:
        ConfigError: a bad value.
    """

    def __init__(
        self,
        *,
        classes: int = 10,
        units: int = 50,
        dimension: int = 1,
        alpha: float = 1.0,
        samples_per_class: int = 1000,
        seed: int = 0,
        split_seed: int = 0,
        validation_share: float = 0.2,
        train_samples: int | None = None,
    ) -> None:
        self._classes = check_whole("classes", classes, 2, CLASSES_MOST)
        self._units = check_whole("units", units, 1)
        self._dimension = check_whole("dimension", dimension, 1, DIMENSION_MOST)
        self._alpha = check_real("alpha", alpha, 0, math.inf)
        self._each = check_whole("samples_per_class", samples_per_class, 10)
        self._seed = check_whole("seed", seed, 0)
        self._options = SplitOptions(
            split_seed=split_seed,
            validation_share=validation_share,
            train_samples=train_samples,
        )

    def describe(self) -> Description:
        """Frames of as many units.

        Raises:
            DataError: more samples or units than may be, or than there are to train on.
        """
        _ = self._parts  # looked at for its complaints
        return self._description

    def fingerprint(self) -> str:
        """Of the parameters."""
        parameters = (
            VERSION,
            self._classes,
            self._units,
            self._dimension,
            self._alpha,
            self._each,
            self._seed,
            self._options,
        )
        return hashlib.sha256(f"random_manifolds {parameters!r}".encode()).hexdigest()

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """One spike a unit, ``n x T x units``, kept in the cache.

        Args:
            time_steps: T, into which [0, 1) is cut.
            cache: of the study.

        Raises:
            DataError: the cache cannot be written, or too many samples are asked for.
        """
        parts = self._parts
        wanted = np.concatenate(parts)

        def build() -> Blocks:
            return self._build(wanted, time_steps)

        frames = cached_frames(
            cache,
            frames_key(self.fingerprint(), time_steps, "manifold"),
            (len(wanted), time_steps, self._units),
            build,
        )
        return frames_dataset(self._description, frames, self._labels, parts)

    def _build(self, wanted: Indices, time_steps: int) -> Blocks:
        """The frames of one sample after the other, in blocks."""
        row_of = np.full(len(self._labels), -1)
        row_of[wanted] = np.arange(len(wanted))
        for label in range(self._classes):
            start = label * self._each
            for offset, times in self._times(label):
                steps = (times * time_steps).astype(np.intp)
                for sample, step in enumerate(steps, start + offset):
                    row = int(row_of[sample])
                    if row >= 0:
                        frame = np.zeros((1, time_steps, self._units), dtype=np.uint8)
                        frame[0, step, np.arange(self._units)] = 1
                        yield row, frame

    def _times(self, label: int) -> Iterator[tuple[int, Times]]:
        """The samples of a class in blocks: first number, ``m x units`` in [0, 1)."""
        draw = np.random.default_rng([self._seed, label])
        waves = self._waves(draw)
        probed = _manifold(draw.random((_PROBES, self._dimension), np.float32), waves)
        low, high = probed.min(axis=0), probed.max(axis=0)
        points = draw.random((self._each, self._dimension), np.float32)
        for start in range(0, self._each, _BLOCK):
            times = _manifold(points[start : start + _BLOCK], waves)
            yield start, np.clip((times - low) / (high - low), 0.0, _BELOW_ONE)

    def _waves(self, draw: np.random.Generator) -> npt.NDArray[np.float32]:
        """Amplitudes, then frequencies and phases in radians.

        Returns:
            ``3 x dimension x units x harmonics``.
        """
        harmonics = np.arange(1.0, harmonics_of(self._alpha) + 1)
        size = (3, self._dimension, self._units, len(harmonics))
        amplitudes, frequencies, phases = draw.random(size)
        turn = 2 * np.pi
        waves = (
            amplitudes * harmonics**-self._alpha,
            turn * frequencies * harmonics,
            turn * phases,
        )
        return np.stack(waves).astype(np.float32)

    @property
    def _description(self) -> Description:
        return Description(
            name="random_manifolds",
            shape=(self._units,),
            classes=self._classes,
            frames=True,
        )

    def _check_room(self) -> None:
        """Refuse what would not fit into memory.

        Raises:
            DataError: too many samples, or too many numbers for one class.
        """
        check_generated(self._classes, self._each)
        largest = max(
            _PROBES * self._units,
            self._each * self._dimension,
            3 * self._dimension * self._units * harmonics_of(self._alpha),
        )
        if largest > NUMBERS_MOST:
            raise DataError(
                f"data.units, data.dimension and data.samples_per_class: expected a "
                f"class of at most {NUMBERS_MOST:,} numbers, got {largest:,}; lower "
                "the largest of them."
            )

    @cached_property
    def _labels(self) -> npt.NDArray[np.int64]:
        return np.repeat(np.arange(self._classes, dtype=np.int64), self._each)

    @cached_property
    def _parts(self) -> tuple[Indices, Indices, Indices]:
        self._check_room()
        is_test = generated_test(self._classes, self._each)
        rest = np.flatnonzero(~is_test)
        train, validation = split_train(self._labels[rest], self._options)
        return rest[train], rest[validation], np.flatnonzero(is_test)


def harmonics_of(alpha: float) -> int:
    """How many terms a Fourier sum has: those of at least 1 %, at most 100.

    Args:
        alpha: of the amplitudes ``k^-alpha``, > 0.
    """
    # In logarithms: a small alpha leaves the floats.
    if alpha * math.log(HARMONICS_MOST) <= -math.log(AMPLITUDE_LEAST):
        return HARMONICS_MOST
    last: float = AMPLITUDE_LEAST ** (-1 / alpha)
    return math.floor(last + 1e-9)  # a rounding error below a whole number


def _manifold(points: Times, waves: npt.NDArray[np.float32]) -> Times:
    """The map of a class: ``m x dimension`` points to ``m x units`` times, unscaled."""
    product = np.ones((len(points), waves.shape[2]), dtype=np.float32)
    for axis in range(waves.shape[1]):
        amplitudes, frequencies, phases = waves[:, axis]
        for unit in range(waves.shape[2]):
            angles = points[:, axis, np.newaxis] * frequencies[unit]
            angles += phases[unit]
            product[:, unit] *= np.sin(angles, out=angles) @ amplitudes[unit]
    return product
