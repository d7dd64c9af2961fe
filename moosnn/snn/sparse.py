"""Sparse gradients: a linear connection and the neurons that it alone feeds.

Knows: IF and LIF neurons with a soft reset, whose surrogate is 0 outside of a band.
Must not know: data, learning, which networks are built so.

Forwards this is the connection followed by `moosnn.snn.fused`, to the bit. Backwards
only *active* entries count: those of a step, sample and neuron whose membrane H is
nearer to the threshold than the band. With d = g(H - theta) dL/dS of the active ones,
a the share of the membrane kept from step to step, and X the input of the connection
(Perez-Nieves & Goodman 2021, "Sparse Spiking Gradient Descent", NeurIPS 34, sec. 3)::

    trace[t] = a trace[t-1] + X[t]        dW = sum over active of d[t] trace[t]
    delta[t] = d[t] + a delta[t+1]        dX[t] = W^T delta[t]

dX is wanted only where the layer that sent X is active, since there it is multiplied
by its own g; so it is computed nowhere else (a sampled product). All this equals dense
backpropagation through time with the same surrogate: nothing is approximated.

How a layer is computed is chosen for every batch from its own activity and sizes, see
`pays`; never by a clock, so that equal seeds give equal bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.snn.blueprint import Blueprint, Linear, Node
from moosnn.snn.fused import fired_
from moosnn.snn.layer import Neurons
from moosnn.snn.neuron import Neurons as NeuronModule
from moosnn.snn.rules.ssgd import KINDS, Ssgd
from moosnn.snn.sparse_gradient import (
    Events,
    Target,
    Whole,
    blocks_of,
    by_entries,
    deltas_of,
    is_active,
    positions_of,
    taken,
)
from moosnn.snn.surrogate import derivative_

PROBED_STEPS = 16  # how many time steps tell the share of active entries
BREAK_EVEN = 0.11  # see `pays`, as the next three
ENTRY_MACS = 50
BATCH_MACS = 1.2e7
CONSTANT_INPUTS = 200  # an input that never changes saves as much as so many others


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The connections of a network that are computed together with their neurons.

    Attributes:
        neurons: of each connection, by its name, the neurons that it alone feeds.
        choose: whether `pays` decides how a gradient is computed; else it is sparse.
    """

    neurons: Mapping[str, Node]
    choose: bool

    def run(
        self,
        inputs: Tensor,
        connection: nn.Module,
        neurons: nn.Module,
        wanted: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """See `run`."""
        assert isinstance(connection, nn.Linear)
        assert isinstance(neurons, NeuronModule)
        decay = float(neurons.decay)
        layer = Layer(genes=neurons.genes, decay=decay, choose=self.choose)
        return run(inputs, connection, wanted, layer)


def pairs(rule: object, blueprint: Blueprint, runs: Sequence[Sequence[Node]]) -> Pairs:
    """What is computed sparsely: nothing but under sparse spiking gradient descent.

    Args:
        rule: the learning rule.
        blueprint: of the network.
        runs: nodes that are computed together, see `moosnn.snn.network.runs`.
    """
    found: dict[str, Node] = {}
    if not isinstance(rule, Ssgd) or rule.backend == "dense":
        return Pairs(neurons=found, choose=False)
    alone = {run[0].name for run in runs if len(run) == 1}
    for node in blueprint.nodes:
        readers = [n for n in blueprint.nodes if node.name in n.sources]
        if (
            isinstance(node.op, Linear)
            and len(readers) == 1
            and {node.name, readers[0].name} <= alone
            and _takes(readers[0].op)
        ):
            found[node.name] = readers[0]
    return Pairs(neurons=found, choose=rule.backend == "auto")


def takes(inputs: Tensor) -> bool:
    """Whether a connection with such inputs can be computed with its neurons.

    Not without need of a gradient; nor where the inputs are one step, repeated, and a
    gradient of that step is wanted.
    """
    constant = inputs.stride(0) == 0
    return torch.is_grad_enabled() and not (constant and inputs.requires_grad)


def _takes(op: object) -> bool:
    return (
        isinstance(op, Neurons)
        and op.kind in KINDS
        and op.reset == "soft"
        and op.band is not None
    )


def active_share(membrane: Tensor, genes: Neurons) -> float:
    """The share of active entries, of at most `PROBED_STEPS` evenly spaced steps.

    0 only if no entry at all is active.

    Args:
        membrane: before reset, ``T x N x …``.
        genes: threshold and band.
    """
    stride = -(-len(membrane) // PROBED_STEPS)
    probed = float(is_active(membrane[stride // 2 :: stride], genes).float().mean())
    if probed > 0.0 or stride == 1:
        return probed
    return float(is_active(membrane, genes).float().mean())


def pays(membrane: Tensor, inputs: Tensor, genes: Neurons) -> bool:
    """Whether the sparse gradient of a layer is the faster one, for one batch.

    Measured on one core over layers of 64 to 1000 inputs and neurons, all times in
    dense multiply-accumulates. A step of a sample takes ``inputs x outputs`` of them.
    The sparse product takes the active share of that, but each a ninth as fast: nothing
    is gained at a share of `BREAK_EVEN`, however large the layer. Looking for active
    entries and running traces takes `ENTRY_MACS` for each input and output more than
    dense deltas; and sorting, `BATCH_MACS` a batch.

    Args:
        membrane: before reset, ``T x N x outputs``.
        inputs: ``T x N x inputs``.
        genes: of the neurons.
    """
    outputs, width = membrane.shape[2], inputs.shape[2]
    overhead = ENTRY_MACS * (outputs + width)
    if inputs.stride(0) == 0:  # no product to save, but all that is done to an entry
        width, overhead = CONSTANT_INPUTS, ENTRY_MACS * outputs
    rows, macs = membrane.shape[:2].numel(), outputs * width

    def gained(share: float) -> float:
        return rows * (macs * (1.0 - share / BREAK_EVEN) - overhead)

    if gained(0.0) <= BATCH_MACS:  # spares a look at the membrane
        return False
    return gained(active_share(membrane, genes)) > BATCH_MACS


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What a layer is computed with, besides tensors.

    Attributes:
        genes: of the neurons.
        decay: the share of the membrane kept from step to step.
        choose: whether `pays` decides; else the gradient is sparse.
    """

    genes: Neurons
    decay: float
    choose: bool


def run(
    inputs: Tensor, connection: nn.Linear, wanted: Tensor | None, layer: Layer
) -> tuple[Tensor, Tensor, Tensor | None]:
    """A connection and its neurons over a whole sequence from rest.

    Args:
        inputs: ``T x N x inputs``.
        connection: from them to the currents.
        wanted: where the gradient of the inputs is wanted, as ascending positions in
            the flattened inputs; ``None`` = everywhere.
        layer: see there.

    Returns:
        ``T x N x outputs`` spikes, differentiable once; the membrane before reset,
        without gradient; and where neurons are active, as ascending positions in the
        flattened spikes, or ``None`` if the gradient is dense.
    """
    weight, bias = connection.weight, connection.bias
    result = _SparseLayer.apply(inputs, weight, bias, wanted, layer)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    spikes, membrane, active = result
    return spikes, membrane, active


class _SparseLayer(torch.autograd.Function):
    """The equations of the module docstring; differentiable once."""

    @staticmethod
    def forward(  # noqa: PLR0917 -- torch passes arguments by their positions
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        wanted: Tensor | None,
        layer: Layer,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        genes = layer.genes
        constant = inputs.stride(0) == 0  # computed once, as the network does
        current = F.linear(inputs[:1] if constant else inputs, weight, bias)
        if constant:
            current = current.repeat(len(inputs), 1, 1)
        spikes, membrane = fired_(current, layer.decay, genes)
        active, kept = None, membrane
        ctx.mark_non_differentiable(membrane)
        if not layer.choose or pays(membrane, inputs, genes):
            active = positions_of(membrane, genes)
            near = membrane.view(-1).index_select(0, active).sub_(genes.threshold)
            kept = derivative_(near, genes, None)
            ctx.mark_non_differentiable(membrane, active)
        ctx.save_for_backward(inputs, weight, wanted, active, kept)
        ctx.layer, ctx.shape = layer, membrane.shape
        ctx.set_materialize_grads(False)
        return spikes, membrane, active

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        *grads: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        if grads[0] is None:
            return None, None, None, None, None
        inputs, weight, wanted, active, kept = ctx.saved_tensors
        layer: Layer = ctx.layer
        blocks = blocks_of(ctx.shape, inputs)
        target = None
        if ctx.needs_input_grad[0]:
            target = Target(inputs, weight, wanted, blocks)
        if active is None:
            whole = Whole(kept, grads[0], layer.genes)
            every = deltas_of(whole, blocks, layer.decay)
            to_weight, to_bias = by_entries(every, inputs, weight, target)
        else:
            errors = taken(grads[0], active).mul_(kept)
            events = Events(active, errors, ctx.shape, blocks)
            to_weight, to_bias = events.gradients(inputs, layer.decay)
            if target is not None:
                for block, deltas in deltas_of(events, blocks, layer.decay):
                    target.add(block, deltas)
        given = None if target is None else target.grad
        return (
            given,
            to_weight,
            to_bias if ctx.needs_input_grad[2] else None,
            None,
            None,
        )
