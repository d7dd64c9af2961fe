"""Paths as genes: how they are drawn, mutated, compared, and which one is kept.

Knows: integers and scores. Must not know: networks, data, how a path is scored.

A path's genes are those of PathNet (Fernando et al. 2017, arXiv 1701.08734): for each
of L layers N numbers of modules, of M that there are. A number may come twice, and the
module still counts once: so paths have 1 to N active modules in a layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from moosnn.snn.architectures.paths import LETTERS

SHIFT = 2  # the furthest that a mutation goes
_ROUNDING = 1e-9  # less than one sample of any split

Genotype = tuple[tuple[int, ...], ...]  # L x N


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a path did on the samples that are held back.

    Attributes:
        error: the share of wrong answers, in [0, 1].
        synops: synaptic operations of a sample, >= 0.
        modules: that are active, >= 1.
        silent: whether it is, beyond the edge.
    """

    error: float
    synops: float
    modules: int
    silent: bool

    @property
    def losses(self) -> tuple[float, float, float]:
        """What is minimised."""
        return self.error, self.synops, float(self.modules)


def drawn(
    layers: int, active: int, modules: int, generator: torch.Generator
) -> Genotype:
    """A path drawn evenly.

    Args:
        layers: L.
        active: N, at most so many modules in a layer.
        modules: M of a layer.
        generator: on the CPU.
    """
    rows = torch.randint(modules, (layers, active), generator=generator).tolist()
    return tuple(tuple(row) for row in rows)


def mutated(genotype: Genotype, modules: int, generator: torch.Generator) -> Genotype:
    """A path with some numbers shifted.

    Each number independently with probability 1 / (L N), by -2 to 2, all five equally
    likely, modulo M (Fernando et al. 2017, section 2).

    Args:
        genotype: is not changed.
        modules: M of a layer.
        generator: on the CPU.
    """
    sizes = len(genotype), len(genotype[0])
    chances = torch.rand(sizes, generator=generator) * math.prod(sizes)
    shifts = torch.randint(-SHIFT, SHIFT + 1, sizes, generator=generator)
    moved = (torch.tensor(genotype) + shifts * (chances < 1.0)) % modules
    return tuple(tuple(row) for row in moved.tolist())


def letters(genotype: Genotype) -> tuple[str, ...]:
    """The active modules of each layer, see `moosnn.snn.architectures.paths`."""
    return tuple("".join(LETTERS[m] for m in sorted({*row})) for row in genotype)


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether losses are nowhere larger than others and somewhere smaller."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def ranks(scores: Sequence[Score]) -> list[int]:
    """The front of each path, from 0 of those that none dominates.

    Silent paths are behind all others, together.
    """
    found = [0] * len(scores)
    left = [k for k, score in enumerate(scores) if not score.silent]
    rank = 0
    while left:
        behind = [
            k
            for k in left
            if any(dominates(scores[o].losses, scores[k].losses) for o in left)
        ]
        for k in {*left} - {*behind}:
            found[k] = rank
        left, rank = behind, rank + 1
    return [rank if score.silent else r for r, score in zip(found, scores, strict=True)]


def crowding(losses: Sequence[Sequence[float]]) -> list[float]:
    """How far apart the neighbours of each point of a front are, infinite at its ends.

    Summed over losses, each divided by its range (Deb et al. 2002, section III-B).

    Args:
        losses: ``n x m``.
    """
    distances = [0.0] * len(losses)
    for column in zip(*losses, strict=True):
        order = sorted(range(len(column)), key=column.__getitem__)
        span = column[order[-1]] - column[order[0]]
        distances[order[0]] = distances[order[-1]] = math.inf
        inner = zip(order, order[1:], order[2:], strict=False)
        for before, k, after in inner if span > 0 else ():
            distances[k] += (column[after] - column[before]) / span
    return distances


def loser(one: int, other: int, scores: Sequence[Score]) -> int | None:
    """Which of two paths of a population is overwritten by the other; or ``None``.

    The one of the later front; on one front the more crowded one (Deb et al. 2002,
    section III-C). Neither, if they are as crowded, or if both are silent: then
    nothing is known of either yet.
    """
    fronts = ranks(scores)
    if scores[one].silent and scores[other].silent:
        return None
    if fronts[one] != fronts[other]:
        return one if fronts[one] > fronts[other] else other
    members = [k for k, front in enumerate(fronts) if front == fronts[one]]
    apart = crowding([scores[k].losses for k in members])
    own, its = apart[members.index(one)], apart[members.index(other)]
    if own == its:
        return None
    return one if own < its else other


def kept(scores: Sequence[Score], tolerance: float) -> int:
    """The path that a population ends as.

    Of the non-dominated ones the one of the fewest SynOps whose accuracy is within a
    tolerance of the best; of equal ones the first. If all are silent, the most
    accurate.

    Args:
        scores: one or more.
        tolerance: >= 0.
    """
    fronts = ranks(scores)
    front = [k for k in range(len(scores)) if fronts[k] == 0]
    least = min(scores[k].error for k in front)
    silent = all(score.silent for score in scores)
    near = least + (0.0 if silent else tolerance) + _ROUNDING
    good = [k for k in front if scores[k].error <= near]
    return min(good, key=lambda k: (scores[k].synops, scores[k].modules))
