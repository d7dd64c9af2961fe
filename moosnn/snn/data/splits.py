"""How the official training part becomes train and validation.

Knows: labels, seeds, shares. Must not know: files, formats, torch.

The official test part is never touched: nothing but the final confirmation reads it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosnn.errors import ConfigError, DataError, number_hint

TEST_SHARE = 0.2  # of what is generated
GENERATED_MOST = 2_000_000  # samples of a generator: their labels stay in memory
Indices = npt.NDArray[np.intp]


def check_whole(key: str, value: object, least: int, most: int | None = None) -> int:
    """A whole number in its range.

    Raises:
        ConfigError: it is none, or out of range; names ``data.<key>``.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(
            f"data.{key}: expected a whole number >= {least}, got {value!r}."
            f"{number_hint(value)}"
        )
    if most is not None and value > most:
        raise ConfigError(f"data.{key}: expected at most {most}, got {value}.")
    return value


def check_real(key: str, value: object, low: float, high: float) -> float:
    """A number inside of an open interval.

    Raises:
        ConfigError: it is none, or out of range; names ``data.<key>``.
    """
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not real or not low < value < high:  # type: ignore[operator]  # a number by then
        upper = "" if math.isinf(high) else f" and < {high:g}"
        raise ConfigError(
            f"data.{key}: expected a number > {low:g}{upper}, got {value!r}."
            f"{number_hint(value)}"
        )
    return float(value)  # type: ignore[arg-type]  # a number by then


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOptions:
    """How to split.

    Attributes:
        split_seed: of the split alone, >= 0; a study's seed does not change it.
        validation_share: of every class of the official training part, in (0, 1).
        train_samples: how many of the rest to train on, stratified; ``None`` = all.

    Raises:
        ConfigError: a number out of its range.
    """

    split_seed: int = 0
    validation_share: float = 0.2
    train_samples: int | None = None

    def __post_init__(self) -> None:
        check_whole("split_seed", self.split_seed, 0)
        check_real("validation_share", self.validation_share, 0, 1)
        if self.train_samples is not None:
            check_whole("train_samples", self.train_samples, 1)


def split_train(
    labels: npt.NDArray[np.int64], options: SplitOptions
) -> tuple[Indices, Indices]:
    """Cut a training part in two; of every class the same share, at least one sample.

    Args:
        labels: ``n`` classes.
        options: seed, share, and how many to keep.

    Returns:
        Indices of train and of validation: ascending, disjoint; together ``0 .. n - 1``
        unless ``options.train_samples`` keeps fewer.

    Raises:
        DataError: a class of one sample, or fewer samples than are to be kept.
    """
    generator = np.random.default_rng(options.split_seed)
    parts: tuple[list[Indices], list[Indices]] = ([], [])
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        if len(members) < 2:
            raise DataError(
                f"class {label} has one training sample; expected at least 2, one to "
                "train on and one to validate on; add some, or take the class out."
            )
        share = round(options.validation_share * len(members))
        cut = min(max(share, 1), len(members) - 1)
        parts[0].append(members[cut:])
        parts[1].append(members[:cut])
    train, validation = (np.concatenate(part) for part in parts)
    return keep(train, options), np.sort(validation)


def check_classes(part: str, labels: npt.NDArray[np.int64], classes: int) -> None:
    """Refuse a part in which a class has no sample.

    Raises:
        DataError: with the first such class.
    """
    empty = np.flatnonzero(np.bincount(labels, minlength=classes) == 0)
    if len(empty):
        raise DataError(
            f"the {part} part has no sample of class {empty[0]}; expected some of each "
            f"of {classes} classes; complete its files."
        )


def check_generated(classes: int, each: int) -> None:
    """Refuse more generated samples than can be kept track of.

    Raises:
        DataError: more than `GENERATED_MOST`.
    """
    if classes * each > GENERATED_MOST:
        raise DataError(
            f"data.samples_per_class: expected at most {GENERATED_MOST // classes} of "
            f"each of {classes} classes, got {each}; lower it."
        )


def generated_test(classes: int, each: int) -> npt.NDArray[np.bool_]:
    """Which of samples that are drawn independently, class after class, are to test.

    Args:
        classes: how many.
        each: samples of a class.

    Returns:
        ``classes * each`` flags; the last fifth of each class is set.
    """
    return np.arange(classes * each) % each >= each - round(TEST_SHARE * each)


def keep(train: Indices, options: SplitOptions) -> Indices:
    """As many training samples as are asked for, evenly from all classes.

    Args:
        train: ``n`` indices, class after class, in random order within a class.
        options: ``train_samples`` of them are kept: every ``n / train_samples``-th, so
            that each class has its share to within one sample.

    Returns:
        Ascending indices.

    Raises:
        DataError: there are not so many.
    """
    wanted = options.train_samples
    if wanted is None:
        return np.sort(train)
    if wanted > len(train):
        raise DataError(
            f"data.train_samples: expected at most {len(train)}, how many there are to "
            f"train on, got {wanted}; lower it, or set it to null for all."
        )
    places = (2 * np.arange(wanted) + 1) * len(train) // (2 * wanted)
    return np.sort(train[places])
