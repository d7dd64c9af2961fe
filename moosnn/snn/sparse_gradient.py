"""The gradients of a layer from its active entries, a block of time steps at a time.

Knows: errors, traces, deltas, sparse matrices. Must not know: which entries are active
in which network, when this pays (`moosnn.snn.sparse`).

Traces and deltas (see `moosnn.snn.sparse`) are kept for one block only. The errors of a
block are a sparse matrix, so that the weight's gradient is the product of a sparse and
a dense matrix, and that of the inputs, where only some entries are wanted, a sampled
product. Equal inputs give equal bits: nothing is added in an order that may change.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from moosnn.snn.layer import Neurons
from moosnn.snn.surrogate import derivative_

_PART = 1 << 16  # entries looked through at once: they fit into a CPU's cache
# Entries of a block: on a CPU few, for the memory; elsewhere enough to keep it busy.
_BLOCK_ENTRIES = {"cpu": 1 << 20}
_BUSY_ENTRIES = 1 << 26

Block = tuple[int, int]  # time steps: the first, and the first that is not in it


def is_active(membrane: Tensor, genes: Neurons) -> Tensor:
    """Which entries have a gradient: nearer to the threshold than the band.

    Args:
        membrane: before reset, any shape.
        genes: threshold and band.
    """
    assert genes.band is not None
    return (membrane - genes.threshold).abs_() < genes.band


class Errors(Protocol):
    """The errors d of a layer."""

    def of(self, block: Block) -> Tensor:
        """The errors d of some steps, ``steps x N x outputs``, newly made."""
        ...


class Whole:
    """The errors of every entry."""

    def __init__(self, membrane: Tensor, grad: Tensor, genes: Neurons) -> None:
        self._membrane, self._grad, self._genes = membrane, grad, genes

    def of(self, block: Block) -> Tensor:
        """See `Errors`."""
        steps = slice(*block)
        distance = self._membrane[steps] - self._genes.threshold
        return derivative_(distance, self._genes, None).mul_(self._grad[steps])


class Events:
    """The errors of the active entries, in the order of their positions."""

    def __init__(
        self,
        active: Tensor,
        errors: Tensor,
        shape: torch.Size,
        blocks: Sequence[Block],
    ) -> None:
        self._active, self._errors, self._shape = active, errors, shape
        self._parts = _parts(active, shape, blocks)

    def of(self, block: Block) -> Tensor:
        """See `Errors`."""
        positions, events = self._parts[block]
        dense = self._errors.new_zeros((block[1] - block[0], *self._shape[1:]))
        dense.view(-1)[positions] = self._errors[events]
        return dense

    def gradients(self, inputs: Tensor, decay: float) -> tuple[Tensor, Tensor]:
        """Those of weight and bias."""
        steps, samples, outputs = self._shape
        # A constant input of 1 leaves the trace 1, 1 + a, 1 + a + a^2, …
        sums = list(
            accumulate(range(1, steps), lambda c, _: 1 + decay * c, initial=1.0)
        )
        size = samples * outputs
        weighted = self._errors * self._errors.new_tensor(sums)[self._active // size]
        if inputs.stride(0) == 0:
            total = weighted.new_zeros(size)
            total.index_put_((self._active % size,), weighted, accumulate=True)
            total = total.view(samples, outputs)
            return total.t() @ inputs[0], total.sum(0)
        to_bias = weighted.new_zeros(outputs)
        to_bias.index_put_((self._active % outputs,), weighted, accumulate=True)
        return self._by_traces(inputs, decay), to_bias

    def _by_traces(self, inputs: Tensor, decay: float) -> Tensor:
        _, samples, outputs = self._shape
        found = inputs.new_zeros(outputs, inputs.shape[2])
        before: Tensor | None = None
        for (low, high), (positions, events) in self._parts.items():
            trace = inputs[low:high].clone()
            steps = trace.unbind(0)
            if before is not None:
                steps[0].add_(before, alpha=decay)
            for step in range(1, len(steps)):
                steps[step].add_(steps[step - 1], alpha=decay)
            before = steps[-1]
            if len(positions):
                size = (outputs, (high - low) * samples)
                errors = _transposed(positions, self._errors[events], size)
                found = torch.addmm(found, errors, trace.flatten(0, 1))
        return found


class Target:
    """Collects the gradient of a layer's inputs, a block of time steps at a time."""

    def __init__(
        self,
        inputs: Tensor,
        weight: Tensor,
        wanted: Tensor | None,
        blocks: Sequence[Block],
    ) -> None:
        make = torch.empty if wanted is None else torch.zeros
        self.grad = make(inputs.shape, dtype=inputs.dtype, device=inputs.device)
        self._weight = weight
        self._parts = None if wanted is None else _parts(wanted, inputs.shape, blocks)

    def add(self, block: Block, deltas: Tensor) -> None:
        """What some steps add, given their deltas."""
        grad, rows = self.grad[slice(*block)].flatten(0, 1), deltas.flatten(0, 1)
        if self._parts is None:
            torch.mm(rows, self._weight, out=grad)
            return
        positions, _ = self._parts[block]
        if len(positions):
            pattern = _csr(positions, rows.new_ones(len(positions)), grad.shape)
            found = torch.sparse.sampled_addmm(pattern, rows, self._weight, beta=0.0)
            grad.view(-1)[positions] = found.values()


def by_entries(
    blocks: Iterable[tuple[Block, Tensor]],
    inputs: Tensor,
    weight: Tensor,
    target: Target | None,
) -> tuple[Tensor, Tensor]:
    """The gradients of weight and bias from every entry; the inputs' on the way."""
    to_weight, to_bias = torch.zeros_like(weight), weight.new_zeros(len(weight))
    for block, deltas in blocks:
        flat = deltas.flatten(0, 1)
        to_bias.add_(flat.sum(0))
        if inputs.stride(0) == 0:
            to_weight.addmm_(deltas.sum(0).t(), inputs[0])
        else:
            to_weight.addmm_(flat.t(), inputs[slice(*block)].flatten(0, 1))
        if target is not None:
            target.add(block, deltas)
    return to_weight, to_bias


def deltas_of(
    errors: Errors, blocks: Sequence[Block], decay: float
) -> Iterator[tuple[Block, Tensor]]:
    """The blocks, the last one first, with delta[t] = d[t] + a delta[t+1]."""
    after: Tensor | None = None
    for block in reversed(blocks):
        deltas = errors.of(block)
        steps = deltas.unbind(0)
        if after is not None:
            steps[-1].add_(after, alpha=decay)
        for step in range(len(steps) - 2, -1, -1):
            steps[step].add_(steps[step + 1], alpha=decay)
        after = steps[0]
        yield block, deltas


def blocks_of(shape: torch.Size, inputs: Tensor) -> tuple[Block, ...]:
    """All time steps, cut where traces and deltas would be too large."""
    steps = len(inputs)
    entries = max(shape[1:].numel(), inputs.shape[1:].numel(), 1)
    most = _BLOCK_ENTRIES.get(inputs.device.type, _BUSY_ENTRIES)
    length = max(most // entries, 1)
    return tuple((k, min(k + length, steps)) for k in range(0, steps, length))


def _parts(
    positions: Tensor, shape: torch.Size, blocks: Sequence[Block]
) -> dict[Block, tuple[Tensor, slice]]:
    """Of each block its positions, counted from its own first, and which they are."""
    size = shape[1:].numel()
    ends = positions.new_tensor([high * size for _, high in blocks])
    cuts = [0, *torch.searchsorted(positions, ends).tolist()]
    return {
        block: (positions[a:b] - block[0] * size, slice(a, b))
        for block, a, b in zip(blocks, cuts[:-1], cuts[1:], strict=True)
    }


def positions_of(membrane: Tensor, genes: Neurons) -> Tensor:
    """Where neurons are active, ascending positions in the flattened membrane."""
    flat = membrane.view(-1)
    if flat.device.type != "cpu":
        return is_active(flat, genes).nonzero().view(-1)
    found: list[npt.NDArray[np.int64]] = []
    for k, part in enumerate(
        torch.split(flat, _PART)
    ):  # numpy finds them 4 times faster
        found.append(np.flatnonzero(is_active(part, genes).numpy()) + k * _PART)
    return torch.from_numpy(np.concatenate(found))


def taken(grad: Tensor, active: Tensor) -> Tensor:
    """The entries of a gradient at some positions."""
    if grad.stride(0) == 0:  # the mean over time: the same at each step
        return grad[0].reshape(-1).index_select(0, active % grad[0].numel())
    return grad.reshape(-1).index_select(0, active)


def _csr(positions: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
    """A sparse matrix with values at ascending positions of the flattened matrix."""
    rows, columns = positions // shape[1], positions % shape[1]
    return _compressed(rows, columns, values, shape)


def _transposed(positions: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
    """The same of the transposed matrix, which has this shape."""
    rows = positions % shape[0]
    order = torch.argsort(rows, stable=True)
    columns = (positions // shape[0])[order]
    return _compressed(rows, columns, values[order], shape)


def _compressed(
    rows: Tensor, columns: Tensor, values: Tensor, shape: Sequence[int]
) -> Tensor:
    """Columns and values row by row; the rows in any order."""
    starts = rows.new_zeros(shape[0] + 1)
    torch.cumsum(torch.bincount(rows, minlength=shape[0]), 0, out=starts[1:])
    with warnings.catch_warnings():  # torch calls the format a beta
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(
            starts, columns, values, (shape[0], shape[1]), check_invariants=False
        )
