"""One network's architecture and hyperparameters, read from a flat mapping.

Knows: the names, ranges and default values of what describes a network and how it
learns. Must not know: how it is built or trained; torch.

A search space names genes flatly. A gene of a layer (or block, stage, cell) may be
named for one of them, ``threshold_2``, or for all, ``threshold``; those beyond the
architecture's depth, or of another architecture, are inactive and ignored, so that a
canonical point of a space can be passed as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from moosnn.errors import ArchitectureError, ConfigError, nearest
from moosnn.snn.architectures import cell, conv, mlp, sew
from moosnn.snn.blueprint import Blueprint, Conv, Shape
from moosnn.snn.draft import Draft
from moosnn.snn.layer import Neurons
from moosnn.snn.rules import bptt, ssgd
from moosnn.snn.rules.base import NEURON_DEFAULTS, Rule
from moosnn.snn.values import Values
from moosnn.space import Value

MAX_LAYERS = 8
RULES: Mapping[str, type[Rule]] = MappingProxyType(
    {"bptt": bptt.Bptt, "ssgd": ssgd.Ssgd}
)
_RULE_MODULES = MappingProxyType({"bptt": bptt, "ssgd": ssgd})
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
CODINGS = ("direct", "rate", "latency", "population", "frames")
READOUTS = ("mean", "sum", "max", "rate", "first_spike")
SPIKING_READOUTS = ("rate", "first_spike")
LOSSES = ("cross_entropy", "mse", "tet")
REGULARISERS = ("spikes", "rate", "synops")

# The one place of default values: a network that learns the digits in about a second.
# A rule may have others (`defaults`).
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "architecture": "mlp",
        **mlp.DEFAULTS,
        **conv.DEFAULTS,
        **cell.DEFAULTS,
        **sew.DEFAULTS,
        **NEURON_DEFAULTS,
        "training": "bptt",
        **{k: v for rule in _RULE_MODULES.values() for k, v in rule.DEFAULTS.items()},
        "dropout": 0.0,
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
_LAYERED = {
    *NEURON_DEFAULTS,
    *(name for rule in _RULE_MODULES.values() for name in rule.LAYERED),
    *(name for part in (mlp, conv, cell, sew) for name in part.LAYERED),
}
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
        training: the name of the learning rule.
        rule: the rule, with the genes that only it has.
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
        dropout: the share of a layer's spikes that the next one does not hear while it
            learns, in [0, 1); the same neurons at all steps of a sample.
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
    training: str
    rule: Rule
    neurons: tuple[Neurons, ...]
    coding: str
    population: int
    time_steps: int
    readout: str
    tau_readout_steps: float
    loss: str
    regulariser: str
    activity_penalty: float
    dropout: float
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
        training = values.option("training", tuple(RULES))
        rule = RULES[training].read(values)
        name = values.option("architecture", tuple(ARCHITECTURES))
        architecture = ARCHITECTURES[name].read(values)
        readout, loss = (
            values.option("readout", READOUTS),
            values.option("loss", LOSSES),
        )
        reason = rule.refusal(name, readout, loss)
        if reason is not None:
            raise ArchitectureError(f"training={training}: {reason}.")
        layers = range(1, architecture.layers + 1)
        return cls(
            architecture=architecture,
            training=training,
            rule=rule,
            neurons=tuple(rule.neurons(values, k) for k in layers),
            coding=values.option("coding", CODINGS),
            population=values.integer("population", 2),
            time_steps=values.integer("time_steps", 1),
            readout=readout,
            tau_readout_steps=values.real("tau_readout_steps", 1.0, strict=False),
            loss=loss,
            regulariser=values.option("regulariser", REGULARISERS),
            activity_penalty=values.real("activity_penalty", 0.0, strict=False),
            dropout=values.share("dropout"),
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


def defaults(training: str) -> dict[str, Value]:
    """The values of all genes under a learning rule, where nothing else is said.

    Raises:
        ConfigError: no rule has that name.
    """
    if training not in RULES:
        raise ConfigError(f"training: got {training!r}.{nearest(str(training), RULES)}")
    return {**DEFAULTS, **_RULE_MODULES[training].CHANGED, "training": training}


def require_read(
    names: Iterable[str], architectures: Sequence[str], trainings: Sequence[str]
) -> None:
    """Refuse genes that nothing reads of what is tried.

    Args:
        names: genes that are searched or fixed.
        architectures: those that are tried.
        trainings: the learning rules that are tried.

    Raises:
        ConfigError: with the architectures or the rules that have it.
    """
    for name in names:
        gene = name if name in DEFAULTS else name.rpartition("_")[0]
        families = [family for family, read in _READ_BY.items() if gene in read]
        _require_one("architecture", name, architectures, families)
        _require_one("training", name, trainings, _rules_reading(gene))


def _rules_reading(gene: str) -> list[str]:
    """The rules that have a gene; none = every rule has it."""
    owners = [name for name, rule in _RULE_MODULES.items() if gene in rule.DEFAULTS]
    if owners:
        return owners
    readers = [r for r, module in _RULE_MODULES.items() if gene not in module.UNREAD]
    return readers if len(readers) < len(RULES) else []


def _require_one(
    kind: str, name: str, tried: Sequence[str], having: Sequence[str]
) -> None:
    if having and not set(tried) & set(having):
        raise ConfigError(
            f"{name}: {kind}={' or '.join(tried)} has no such gene; set "
            f"task.fixed.{kind} to {' or '.join(having)}."
        )
