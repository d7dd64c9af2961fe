"""What an operation of a network is in the Neuromorphic Intermediate Representation.

Knows: operations, weights, the nodes of NIR and their constants. Must not know: how
nodes are connected, which of them lie on a loop, files.
"""

from __future__ import annotations

import math
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from moosnn.errors import ConfigError, one_of
from moosnn.snn.blueprint import INPUT, Conv, Linear, Mean, Node, Pool, Shape
from moosnn.snn.connections import Convolution
from moosnn.snn.diehl_cook import fixed_current
from moosnn.snn.fixed import Decode, Heaviside, Lateral, OneToOne
from moosnn.snn.gene_names import RULES
from moosnn.snn.layer import Neurons
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.base import KINDS

Weights = npt.NDArray[np.float32]
HALF_A_SPIKE = 0.5
EXPORTED = ("if", "lif", "plif", "cuba")  # of these it has nodes, with a hard reset


def library() -> ModuleType:
    """The package ``nir``.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module("nir")
    except ImportError as error:
        raise ConfigError(
            f"nir: expected the package nir, got {error}; pip install 'moosnn[nir]'."
        ) from None


class Translator:
    """Translates the operations of one network.

    Args:
        network: its norms are folded with what they learned.
        step_s: the length of a time step in seconds, > 0.

    Raises:
        ConfigError: the package ``nir`` is not installed.
    """

    def __init__(self, network: SpikingNetwork, step_s: float) -> None:
        self._nir = library()
        self._network = network
        self._shapes = network.blueprint.shapes
        self._by_name = {node.name: node for node in network.blueprint.nodes}
        self._step_s = step_s

    def row(self, node: Node, *, bias: bool = True) -> list[Any]:
        """The nodes of an operation, one after the other.

        Args:
            node: no `Sum` and no `Delay`, which are edges.
            bias: ``False`` = a convolution without it.

        Raises:
            ConfigError: NIR has no node for it.
        """
        source = self._shapes[node.sources[0]]
        match node.op:
            case Linear():
                flat = [self._flatten(source)] if len(source) > 1 else []
                return [*flat, self._linear(node)]
            case Conv():
                weight, shift = self._folded(node)
                return [self._conv2d(node, weight, shift if bias else shift * 0.0)]
            case Mean():
                window = np.array(source[1:])
                mean = self._nir.AvgPool2d(window, window, np.zeros(2, int))
                return [mean, self._flatten((source[0], 1, 1))]
            case Pool():
                return self._pool(node, node.op)
            case Neurons():
                return [self._neurons(node, node.op)]
            case OneToOne() | Lateral():
                every = fixed_current(torch.eye(math.prod(node.shape)), node.op)
                return [self._nir.Linear(_array(every.T))]
            case Heaviside() | Decode():
                raise ConfigError(
                    f"nir: {node.name} is an operation of training=stdp, for which NIR "
                    "has no node; networks of training=stdp cannot be exported."
                )
            case _:
                raise TypeError(f"{node.name}: {node.op!r} is no node")

    def bias(self, node: Node) -> Any:  # noqa: ANN401 -- nir is optional
        """The bias of a convolution alone: it reads anything of the output's shape."""
        _, shift = self._folded(node)
        nothing = np.zeros((len(shift), len(shift), 1, 1), np.float32)
        return self._conv2d(node, nothing, shift)

    def integrator(self, shape: Shape, tau_steps: float) -> Any:  # noqa: ANN401 -- nir is optional
        """A membrane that leaks and never spikes."""
        each = np.ones(shape)
        tau = each * tau_steps * self._step_s
        return self._nir.LI(tau=tau, r=each * tau_steps, v_leak=each * 0.0)

    def delay(self, shape: Shape) -> Any:  # noqa: ANN401 -- nir is optional
        """One time step."""
        return self._nir.Delay(np.full(shape, self._step_s))

    def _flatten(self, shape: Shape) -> Any:  # noqa: ANN401 -- nir is optional
        return self._nir.Flatten({"input": np.array(shape)}, start_dim=0)

    def _linear(self, node: Node) -> Any:  # noqa: ANN401 -- nir is optional
        part: Any = self._network.parts[node.name]
        if part.bias is None:
            return self._nir.Linear(_array(part.weight))
        return self._nir.Affine(_array(part.weight), _array(part.bias))

    def _folded(self, node: Node) -> tuple[Weights, Weights]:
        """Weight and bias of a convolution with its norm in evaluation mode."""
        part = self._network.parts[node.name]
        assert isinstance(part, Convolution)
        weights, biases = part.folded()
        if len(weights) > 1:
            raise ConfigError(
                f"{node.name}: on a loop through time its batch norm differs from step "
                "to step, which NIR cannot say; export a cell without back_… edges."
            )
        return _array(weights[0]), _array(biases[0])

    def _conv2d(self, node: Node, weight: Weights, bias: Weights) -> Any:  # noqa: ANN401 -- nir is optional
        assert isinstance(node.op, Conv)
        # An even window as an odd one, whose last row and column are 0.
        weight = np.pad(weight, [(0, 0)] * 2 + [(0, 1 - weight.shape[-1] % 2)] * 2)
        return self._nir.Conv2d(
            input_shape=self._shapes[node.sources[0]][1:],
            weight=weight,
            stride=node.op.stride,
            padding=weight.shape[-1] // 2,
            dilation=1,
            groups=1,
            bias=bias,
        )

    def _pool(self, node: Node, pool: Pool) -> list[Any]:
        sizes = [np.full(2, size) for size in (pool.kernel, pool.stride, pool.padding)]
        if pool.kind == "average":
            return [self._nir.AvgPool2d(*sizes)]
        if not self._spikes(node.sources[0]):
            raise ConfigError(
                f"nir: {node.name} takes the maximum of values that are no spikes, "
                "for which NIR has no node; pool spikes only."
            )
        above = self._nir.Threshold(np.full(node.shape, HALF_A_SPIKE, np.float32))
        return [self._nir.SumPool2d(*sizes), above]

    def _spikes(self, name: str) -> bool:
        """Whether a node gives only 0 and 1."""
        if name == INPUT:
            return False
        node = self._by_name[name]
        if isinstance(node.op, Pool) and node.op.kind == "max":
            return self._spikes(node.sources[0])
        return isinstance(node.op, Neurons)

    def _neurons(self, node: Node, genes: Neurons) -> Any:  # noqa: ANN401 -- nir is optional
        def each(value: float) -> npt.NDArray[np.float64]:
            return np.full(node.shape, value)

        below = np.nextafter(np.float32(genes.threshold), np.float32(0.0))
        common = {"v_threshold": each(float(below)), "v_reset": each(0.0)}
        tau = self._tau_steps(node, genes)
        self._require_a_node(node, genes)
        match genes.kind:
            case "if":
                return self._nir.IF(r=each(1.0 / self._step_s), **common)
            case "lif" | "plif":
                return self._nir.LIF(
                    tau=each(tau * self._step_s),
                    r=each(tau),
                    v_leak=each(0.0),
                    **common,
                )
            case "cuba":
                return self._nir.CubaLIF(
                    tau_mem=each(tau * self._step_s),
                    r=each(tau),
                    v_leak=each(0.0),
                    tau_syn=each(genes.tau_syn_steps * self._step_s),
                    w_in=each(genes.tau_syn_steps),
                    **common,
                )
            case kind:
                raise TypeError(f"{node.name}: {kind} neurons are no node")

    def _require_a_node(self, node: Node, genes: Neurons) -> None:
        """Refuse neurons that NIR does not have; with what may be done about it."""
        soft = genes.reset == "soft"
        if genes.kind in EXPORTED and not soft:
            return
        training = self._network.genes.training
        advice = "use reset=hard" if soft else f"use neuron={one_of(EXPORTED)}"
        if training != "bptt":
            advice = _advice_for(training)
        kind = "neurons with a soft reset" if soft else f"{genes.kind} neurons"
        raise ConfigError(
            f"nir: {node.name} are {kind}, for which NIR has no node; {advice}."
        )

    def _tau_steps(self, node: Node, genes: Neurons) -> float:
        """The membrane's time constant, learned or not."""
        if genes.kind != "plif":
            return genes.tau_mem_steps
        part: Any = self._network.parts[node.name]
        return 1.0 + float(np.exp(-float(part.w.detach())))


def _advice_for(training: str) -> str:
    """What to search with so that networks of a learning rule can be exported."""
    kinds = [kind for kind in KINDS.get(training, ()) if kind in EXPORTED]
    if not kinds or "reset" in RULES[training].UNREAD:
        return f"networks of training={training} cannot be exported"
    return f"search with reset=hard and neuron={one_of(kinds)}"


def _array(tensor: Tensor) -> Weights:
    array: Weights = tensor.detach().cpu().float().numpy().copy()
    return array
