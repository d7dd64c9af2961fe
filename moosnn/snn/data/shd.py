"""Spoken digits and words as spikes of an artificial cochlea: SHD and SSC.

Knows: their files. Must not know: networks, torch.

Cramer, Stradmann, Schemmel & Zenke, "The Heidelberg spiking data sets for the
systematic evaluation of spiking neural networks", IEEE TNNLS 2022.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from moosnn.snn.data import Dataset, Description
from moosnn.snn.data.events import check_framing
from moosnn.snn.data.files import checked_root, find_root, fingerprint_of
from moosnn.snn.data.recordings import Recordings, described, load_recordings
from moosnn.snn.data.spike_h5 import UNITS, SpikeFiles
from moosnn.snn.data.splits import SplitOptions, check_whole

SHD_CLASSES = 20
SSC_CLASSES = 35
SHD_TREE = "shd_train.h5 and shd_test.h5"
SSC_TREE = "ssc_train.h5, ssc_valid.h5 and ssc_test.h5"


class Shd:
    """The Heidelberg digits: 20 classes, German and English.

    Args:
        root: the folder of the two files, or the one that holds ``SHD``.
        units: 700, or fewer: neighbours are summed.
        framing: ``time``: T equal times of a recording; ``count``: T equal numbers of
            spikes.
        split_seed: of train and validation, >= 0.
        validation_share: of the official training part, in (0, 1).
        train_samples: train on so many only; ``None`` = all.

    Raises:
        ConfigError: a bad value.
    """

    def __init__(
        self,
        root: str | None = None,
        *,
        units: int = UNITS,
        framing: str = "time",
        split_seed: int = 0,
        validation_share: float = 0.2,
        train_samples: int | None = None,
    ) -> None:
        self._root = checked_root(root)
        self._units = check_whole("units", units, 1, UNITS)
        self._framing = check_framing(framing)
        self._options = SplitOptions(
            split_seed=split_seed,
            validation_share=validation_share,
            train_samples=train_samples,
        )

    def describe(self) -> Description:
        """Frames of as many units; the labels are read."""
        return described(self.recordings, self._options)

    def fingerprint(self) -> str:
        """Of names, sizes, labels and the split."""
        return _fingerprint(self._spoken, self._units, self._options)

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """Counts of spikes, ``n x T x units``, kept in the cache."""
        return load_recordings(
            self.recordings,
            self._options,
            self._framing,
            fingerprint=self.fingerprint(),
            time_steps=time_steps,
            cache=cache,
        )

    @cached_property
    def recordings(self) -> Recordings:
        """What there is.

        Raises:
            DataError: a file is missing or none of these.
        """
        train, test = self._spoken.labels
        return Recordings(
            description=_description("shd", self._units, SHD_CLASSES),
            train=train,
            validation=None,
            test=test,
            read=self._spoken.read,
        )

    @cached_property
    def _spoken(self) -> SpikeFiles:
        names = ("shd_train.h5", "shd_test.h5")
        places = (names[0], f"SHD/{names[0]}")
        folder = find_root(self._root, SHD_TREE, places).parent
        return SpikeFiles([folder / name for name in names], SHD_CLASSES, self._units)


class Ssc:
    """The spiking speech commands: 35 classes, with an official validation part.

    Args:
        root: the folder of the three files, or the one that holds ``SSC``.
        units: 700, or fewer: neighbours are summed.
        framing: ``time``: T equal times of a recording; ``count``: T equal numbers of
            spikes.
        split_seed: of the choice of ``train_samples``, >= 0.
        train_samples: train on so many only; ``None`` = all.

    Raises:
        ConfigError: a bad value.
    """

    def __init__(
        self,
        root: str | None = None,
        *,
        units: int = UNITS,
        framing: str = "time",
        split_seed: int = 0,
        train_samples: int | None = None,
    ) -> None:
        self._root = checked_root(root)
        self._units = check_whole("units", units, 1, UNITS)
        self._framing = check_framing(framing)
        self._options = SplitOptions(split_seed=split_seed, train_samples=train_samples)

    def describe(self) -> Description:
        """Frames of as many units; the labels are read."""
        return described(self.recordings, self._options)

    def fingerprint(self) -> str:
        """Of names, sizes, labels and the split."""
        return _fingerprint(self._spoken, self._units, self._options)

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """Counts of spikes, ``n x T x units``, kept in the cache."""
        return load_recordings(
            self.recordings,
            self._options,
            self._framing,
            fingerprint=self.fingerprint(),
            time_steps=time_steps,
            cache=cache,
        )

    @cached_property
    def recordings(self) -> Recordings:
        """What there is.

        Raises:
            DataError: a file is missing or none of these.
        """
        train, validation, test = self._spoken.labels
        return Recordings(
            description=_description("ssc", self._units, SSC_CLASSES),
            train=train,
            validation=validation,
            test=test,
            read=self._spoken.read,
        )

    @cached_property
    def _spoken(self) -> SpikeFiles:
        names = ("ssc_train.h5", "ssc_valid.h5", "ssc_test.h5")
        places = (names[0], f"SSC/{names[0]}")
        folder = find_root(self._root, SSC_TREE, places).parent
        return SpikeFiles([folder / name for name in names], SSC_CLASSES, self._units)


def _description(name: str, units: int, classes: int) -> Description:
    return Description(name=name, shape=(units,), classes=classes, frames=True)


def _fingerprint(spoken: SpikeFiles, units: int, options: SplitOptions) -> str:
    labels = [part.tobytes() for part in spoken.labels]
    root = spoken.paths[0].parent
    return fingerprint_of(root, spoken.paths, *labels, repr((units, options)))
