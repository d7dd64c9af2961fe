"""One network's architecture and hyperparameters, read from a flat mapping.

Knows: the names, ranges and default values of what describes a network and how it
learns. Must not know: how it is built or trained; torch.

A search space names genes flatly. A gene of a layer (or block, stage, cell) may be
named for one of them, ``threshold_2``, or for all, ``threshold``; those beyond the
architecture's depth, or of another architecture, are inactive and ignored, so that a
canonical point of a space can be passed as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from moosnn.errors import ArchitectureError, ConfigError, nearest
from moosnn.snn.architectures import cell, conv, mlp, sew
from moosnn.snn.blueprint import Blueprint, Conv, Shape
from moosnn.snn.draft import Draft
from moosnn.snn.layer import NEURONS, Neurons
from moosnn.snn.values import Values
from moosnn.space import Value

MAX_LAYERS = 8
ARCHITECTURES: Mapping[str, type[Architecture]] = MappingProxyType(
    {"mlp": mlp.Mlp, "conv": conv.ConvNet, "cell": cell.Cells, "sew": sew.SewNet}
)
# What an architecture reads; all other genes are of every architecture.
_READ_BY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "mlp": frozenset(mlp.DEFAULTS),
        "conv": frozenset({"depth", *conv.DEFAULTS}),
        "cell": frozenset(cell.DEFAULTS),
        "sew": frozenset({"depth", "channels", *sew.DEFAULTS}),
    }
)
SURROGATES = ("atan", "sigmoid", "fast_sigmoid")
CODINGS = ("direct", "rate", "latency", "population", "frames")
READOUTS = ("mean", "sum", "max", "rate", "first_spike")
SPIKING_READOUTS = ("rate", "first_spike")
LOSSES = ("cross_entropy", "mse", "tet")
REGULARISERS = ("spikes", "rate", "synops")

_NEURON_DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "neuron": "lif",
        "tau_mem_steps": 2.0,
        "threshold": 1.0,
        "surrogate": "atan",
        "slope": 2.0,
        "tau_syn_steps": 2.0,
        "tau_adapt_steps": 10.0,
        "adaptation": 0.5,
    }
)
# The one place of default values: a network that learns the digits in about a second.
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "architecture": "mlp",
        **mlp.DEFAULTS,
        **conv.DEFAULTS,
        **cell.DEFAULTS,
        **sew.DEFAULTS,
        **_NEURON_DEFAULTS,
        "coding": "direct",
        "population": 4,
        "time_steps": 4,
        "readout": "mean",
        "tau_readout_steps": 1.0,
        "loss": "cross_entropy",
        "regulariser": "spikes",
        "activity_penalty": 0.01,
        "learning_rate": 5e-3,
        "batch_size": 64,
        "epochs": 10,
    }
)
_LAYERED = {*_NEURON_DEFAULTS, *mlp.LAYERED, *conv.LAYERED, *cell.LAYERED, *sew.LAYERED}
NAMES = frozenset(
    {*DEFAULTS, *(f"{n}_{k}" for n in _LAYERED for k in range(1, MAX_LAYERS + 1))}
)


class Architecture(Protocol):
    """A family of architectures with its genes read."""

    @property
    def layers(self) -> int:
        """How many sets of neuron genes it takes."""
        ...

    @classmethod
    def read(cls, values: Values) -> Architecture:
        """Read its genes."""
        ...

    def draw(self, draft: Draft, neurons: tuple[Neurons, ...]) -> str:
        """Add its nodes to a draft; the name of what is read out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Genes:
    """What one network is and how it learns.

    Attributes:
        architecture: its family, with the family's genes.
        neurons: of each layer (block, stage, cell) of the architecture.
        coding: of the input, see `moosnn.snn.coding`.
        population: inputs a pixel of the population code, >= 2.
        time_steps: T >= 1.
        readout: how a class is read from the output, see `moosnn.snn.readout`.
        tau_readout_steps: time constant of the read-out's membrane, >= 1; at 1 the
            membrane is the input current of the step.
        loss: ``"cross_entropy"``, ``"mse"`` or ``"tet"``.
        regulariser: what is penalised, see `moosnn.snn.learning.losses`.
        activity_penalty: its weight in the loss, >= 0.
        learning_rate: of Adam, > 0.
        batch_size: samples an update, >= 1.
        epochs: passes over the training split, >= 1.
        given: the flat mapping it was read from; what it says of other architectures
            does not count.

    Raises:
        ArchitectureError: ``loss=tet`` beside a read-out without an answer at each
            step.
    """

    architecture: Architecture
    neurons: tuple[Neurons, ...]
    coding: str
    population: int
    time_steps: int
    readout: str
    tau_readout_steps: float
    loss: str
    regulariser: str
    activity_penalty: float
    learning_rate: float
    batch_size: int
    epochs: int
    given: Mapping[str, Value] = field(compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.loss == "tet" and self.readout in SPIKING_READOUTS:
            raise ArchitectureError(
                f"loss: tet needs an output at each step, which readout={self.readout} "
                "has not; use readout=mean, sum or max."
            )

    @classmethod
    def from_params(cls, params: Mapping[str, Value]) -> Genes:
        """Read a flat mapping such as a point of a search space.

        Args:
            params: a value for each of `NAMES` that the network has.

        Raises:
            ConfigError: an unknown or missing name, or a bad value.
            ArchitectureError: values that make no network.
        """
        for name in params:
            if name not in NAMES:
                raise ConfigError(f"no parameter {name!r}.{nearest(name, NAMES)}")
        values = Values(params)
        family = ARCHITECTURES[values.option("architecture", tuple(ARCHITECTURES))]
        architecture = family.read(values)
        layers = range(1, architecture.layers + 1)
        return cls(
            architecture=architecture,
            neurons=tuple(_neurons(values, k) for k in layers),
            coding=values.option("coding", CODINGS),
            population=values.integer("population", 2),
            time_steps=values.integer("time_steps", 1),
            readout=values.option("readout", READOUTS),
            tau_readout_steps=values.real("tau_readout_steps", 1.0, strict=False),
            loss=values.option("loss", LOSSES),
            regulariser=values.option("regulariser", REGULARISERS),
            activity_penalty=values.real("activity_penalty", 0.0, strict=False),
            learning_rate=values.real("learning_rate", 0.0),
            batch_size=values.integer("batch_size", 1),
            epochs=values.integer("epochs", 1),
            given=MappingProxyType(dict(params)),
        )

    def blueprint(self, shape: Shape, classes: int) -> Blueprint:
        """The network's nodes.

        Args:
            shape: of a sample at one step, before coding.
            classes: outputs.

        Raises:
            ConfigError: the architecture cannot take such samples.
            ArchitectureError: batches of one sample would leave a batch norm a single
                value to learn from.
        """
        draft = Draft(self.coded_shape(shape))
        features = self.architecture.draw(draft, self.neurons)
        output = draft.linear(features, classes)
        if self.readout in SPIKING_READOUTS:
            draft.neurons(output, self.neurons[-1])
        blueprint = draft.finished()
        if self.batch_size == 1 and any(
            isinstance(node.op, Conv) and node.shape[1:] == (1, 1)
            for node in blueprint.nodes
        ):
            raise ArchitectureError(
                "batch_size: expected >= 2 where images shrink to 1 x 1, got 1: a "
                "batch norm cannot learn from a single value."
            )
        return blueprint

    def coded_shape(self, shape: Shape) -> Shape:
        """The shape of a step of the coded input."""
        if self.coding != "population":
            return shape
        return (shape[0] * self.population, *shape[1:])

    def to_json(self) -> dict[str, Value]:
        """The JSON form: the flat mapping, read back by `from_params`."""
        return dict(self.given)


def require_read(names: Iterable[str], architecture: str) -> None:
    """Refuse genes that an architecture does not have but another one has.

    Args:
        names: genes that are searched or fixed.
        architecture: the only one that is tried.

    Raises:
        ConfigError: with the architectures that have it.
    """
    for name in names:
        gene = name if name in DEFAULTS else name.rpartition("_")[0]
        families = [family for family, read in _READ_BY.items() if gene in read]
        if families and architecture not in families:
            raise ConfigError(
                f"{name}: architecture={architecture} has no such gene; set "
                f"task.fixed.architecture to {' or '.join(families)}."
            )


def _neurons(values: Values, layer: int) -> Neurons:
    return Neurons(
        kind=values.option("neuron", NEURONS, layer),
        tau_mem_steps=values.real("tau_mem_steps", 1.0, layer),
        threshold=values.real("threshold", 0.0, layer),
        surrogate=values.option("surrogate", SURROGATES, layer),
        slope=values.real("slope", 0.0, layer),
        tau_syn_steps=values.real("tau_syn_steps", 1.0, layer),
        tau_adapt_steps=values.real("tau_adapt_steps", 1.0, layer),
        adaptation=values.real("adaptation", 0.0, layer, strict=False),
    )
