"""One network's architecture and hyperparameters, read from a flat mapping.

Knows: the names, ranges and default values of what describes a network and how it
learns. Must not know: how it is built or trained; torch.

A search space names genes flatly. A gene of a layer (or block, stage, cell) may be
named for one of them, ``threshold_2``, or for all, ``threshold``; those beyond the
architecture's depth, or of another architecture, are inactive and ignored, so that a
canonical point of a space can be passed as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from moosnn.errors import ArchitectureError, ConfigError, nearest
from moosnn.snn.blueprint import Blueprint, Conv, Shape
from moosnn.snn.draft import Draft
from moosnn.snn.gene_names import (
    ARCHITECTURES,
    CODINGS,
    LOSSES,
    NAMES,
    READOUTS,
    REGULARISERS,
    RULES,
    SPIKING_READOUTS,
    Architecture,
)
from moosnn.snn.layer import Neurons
from moosnn.snn.rules import slayer, stdp
from moosnn.snn.rules.base import Rule
from moosnn.snn.values import Values
from moosnn.space import Value


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
        loss: ``"cross_entropy"``, ``"mse"`` or ``"tet"``, or one of SLAYER's.
        regulariser: what is penalised, see `moosnn.snn.learning.losses`.
        activity_penalty: its weight in the loss, >= 0.
        dropout: the share of a layer's spikes that the next one does not hear while it
            learns, in [0, 1); the same neurons at all steps of a sample.
        learning_rate: of Adam, > 0.
        batch_size: samples an update, >= 1.
        epochs: passes over the training split, >= 1.
        training_share: of each class's training samples that are used, in (0, 1].
        given: the flat mapping it was read from; what it says of other architectures
            does not count.

    Raises:
        ArchitectureError: ``loss=tet`` beside a read-out without an answer at each
            step; one of SLAYER's losses under another rule.
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
    training_share: float
    given: Mapping[str, Value] = field(compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.loss in slayer.LOSSES and self.training != "slayer":
            raise ArchitectureError(
                f"loss: {self.loss} is of training=slayer, got training="
                f"{self.training}; use loss={', '.join(LOSSES[:-1])} or {LOSSES[-1]}."
            )
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
        rule = RULES[training].RULE.read(values)
        name = values.option("architecture", tuple(ARCHITECTURES))
        architecture = ARCHITECTURES[name].read(values)
        readout, loss = (
            values.option("readout", READOUTS),
            values.option("loss", (*LOSSES, *slayer.LOSSES)),
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
            training_share=values.part("training_share"),
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
        if isinstance(self.rule, stdp.Stdp):
            draft.decode(features, classes, self.rule.decoder)
            return draft.finished()
        output = draft.linear(features, classes)
        if self.readout in SPIKING_READOUTS:
            draft.neurons(output, self.neurons[-1])
        blueprint = draft.finished()
        if self.batch_size == 1 and any(
            isinstance(node.op, Conv) and node.op.norm and node.shape[1:] == (1, 1)
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
