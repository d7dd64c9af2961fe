"""What the tests of the models share: blocks of numbers, finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from moosnn.optimizers.cube import Indexes
from moosnn.optimizers.outcomes import Block
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.surrogate import Hyper
from moosnn.problem import Floats

# Features 1 and 2 belong to one parameter, as an arc's do.
PARAMETER_OF: Indexes = np.array([0, 1, 1, 2])
PARAMETERS = 3


def block_of(points: Floats, values: Floats, **known: Any) -> Block:
    """A block of the values as they are."""
    fields = {
        "zeros": np.zeros(values.shape[1]),
        "variances": np.zeros_like(values),
        "log_stretch": np.zeros_like(values),
        "outcome": np.arange(values.shape[1]),
        "far": np.zeros(values.shape[1], dtype=bool),
    }
    return Block(points=points, values=values, **{**fields, **known})


def wavy_block(rows: int = 14, columns: int = 2, seed: int = 0) -> Block:
    """Smooth values of mean 0 and sd 1 at random features, with a known noise."""
    rng = np.random.default_rng(seed)
    points = rng.random((rows, len(PARAMETER_OF)))
    waves = [np.sin(3 * points @ rng.standard_normal(4) + k) for k in range(columns)]
    values = np.stack(waves, axis=1)
    values = (values - values.mean(0)) / values.std(0)
    variances = 0.01 * rng.random(values.shape)
    return block_of(points, values, variances=variances)


def some_hyper(seed: int = 0) -> Hyper:
    rng = np.random.default_rng(seed)
    return Hyper(rng.uniform(-1.0, 0.5, PARAMETERS), -4.0, 0.3)


def gp_of(block: Block, column: int = 0, hyper: Hyper | None = None) -> Gp:
    return Gp.of(block, column, hyper or some_hyper(column), PARAMETER_OF)


def surrogates_of(
    blocks: list[Block],
    gains: int,
    constraint: list[int],
    weights: list[float],
    far: list[bool],
) -> Surrogates:
    """One process for each block's first column."""
    return Surrogates(
        gps=tuple(
            Gp.of(b, 0, some_hyper(k), PARAMETER_OF) for k, b in enumerate(blocks)
        ),
        gains=gains,
        zeros=np.array([float(b.zeros[0]) for b in blocks]),
        constraint=np.array(constraint, dtype=np.intp),
        log_weights=np.array(weights),
        far=np.array(far, dtype=bool),
    )


def toy_surrogates(
    gains: int = 2,
    constraint: tuple[int, ...] = (0, 1, 1),
    weights: tuple[float, ...] = (0.0, np.log(0.3), np.log(0.7)),
    far: tuple[bool, ...] | None = None,
) -> Surrogates:
    """Smooth gains and violations, the violations measured at more points.

    All forms of the violations are near ones unless it says which are ``far``.
    """
    blocks = []
    for k in range(gains + len(constraint)):
        rows = 12 if k < gains else 15
        block = wavy_block(rows, 1, seed=k)
        zero = np.array([-0.4 if k < gains else 0.2])
        blocks.append(block_of(block.points, block.values, zeros=zero))
    reach = [False] * len(constraint) if far is None else list(far)
    return surrogates_of(blocks, gains, list(constraint), list(weights), reach)


def differences(
    function: Callable[[Floats], Floats], at: Floats, step: float = 1e-6
) -> Floats:
    """Central differences of ``… -> b`` row by row in the ``e`` columns, ``b x e``."""
    found = np.empty_like(at)
    for column in range(at.shape[1]):
        move = np.zeros(at.shape[1])
        move[column] = step
        found[:, column] = (function(at + move) - function(at - move)) / (2 * step)
    return found
