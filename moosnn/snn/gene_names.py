"""Which genes there are: names, default values, and who reads them.

Knows: all architectures and learning rules by name. Must not know: how values are
checked, how a network is built or trained; torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from moosnn.errors import ConfigError, nearest, one_of
from moosnn.snn.architectures import cell, cnn, conv, diehl_cook, mlp, paths, sew
from moosnn.snn.draft import Draft
from moosnn.snn.layer import Neurons
from moosnn.snn.rules import (
    bptt,
    eprop,
    grad_r,
    hybrid,
    mutation,
    slayer,
    ssgd,
    stdp,
    supernet,
)
from moosnn.snn.rules.base import NEURON_DEFAULTS, RuleModule
from moosnn.snn.values import Values
from moosnn.space import Value

MAX_LAYERS = 8
# Each a module that says what `RuleModule` asks for.
RULES: Mapping[str, RuleModule] = MappingProxyType(
    {
        "bptt": bptt,
        "ssgd": ssgd,
        "slayer": slayer,
        "stdp": stdp,
        "hybrid": hybrid,
        "grad_r": grad_r,
        "eprop": eprop,
        "mutation": mutation,
        "supernet": supernet,
    }
)
ARCHITECTURES: Mapping[str, type[Architecture]] = MappingProxyType(
    {
        "mlp": mlp.Mlp,
        "conv": conv.ConvNet,
        "cnn": cnn.Cnn,
        "cell": cell.Cells,
        "sew": sew.SewNet,
        "diehl_cook": diehl_cook.DiehlCook,
        "paths": paths.Paths,
    }
)
# What an architecture reads; all other genes are of every architecture.
_READ_BY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "mlp": frozenset(mlp.DEFAULTS),
        "conv": frozenset({"depth", *conv.DEFAULTS}),
        "cnn": frozenset({"depth", *cnn.DEFAULTS}),
        "cell": frozenset(cell.DEFAULTS),
        "sew": frozenset({"depth", "channels", *sew.DEFAULTS}),
        "diehl_cook": frozenset(diehl_cook.DEFAULTS),
        "paths": frozenset({"depth", *paths.DEFAULTS}),
    }
)
# The architectures that a rule learns; those that are not here learn all.
_LEARNT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "hybrid": hybrid.CONVERTED,
        "eprop": eprop.ARCHITECTURES,
        "stdp": (stdp.ARCHITECTURE,),
        "supernet": (supernet.ARCHITECTURE,),
        "mutation": tuple(a for a in ARCHITECTURES if a != mutation.REFUSED),
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
        **cnn.DEFAULTS,
        **cell.DEFAULTS,
        **sew.DEFAULTS,
        **diehl_cook.DEFAULTS,
        **paths.DEFAULTS,
        **NEURON_DEFAULTS,
        "training": "bptt",
        **{k: v for rule in RULES.values() for k, v in rule.DEFAULTS.items()},
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
        "training_share": 1.0,
    }
)
_LAYERED = {
    *NEURON_DEFAULTS,
    *(name for rule in RULES.values() for name in rule.LAYERED),
    *(name for part in (mlp, conv, cnn, cell, sew, paths) for name in part.LAYERED),
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


def defaults(training: object) -> dict[str, Value]:
    """The values of all genes under a learning rule, where nothing else is said.

    Raises:
        ConfigError: no rule has that name.
    """
    if not isinstance(training, str) or training not in RULES:
        raise ConfigError(f"training: got {training!r}.{nearest(str(training), RULES)}")
    return {**DEFAULTS, **RULES[training].CHANGED, "training": training}


def require_learnt(architectures: Sequence[str], trainings: Sequence[str]) -> None:
    """Refuse architectures of which no rule that is tried learns any.

    Args:
        architectures: those that are tried.
        trainings: the learning rules that are tried.

    Raises:
        ConfigError: with the rules and what they learn.
    """
    learnt = [a for a in ARCHITECTURES if any(a in _learnt(t) for t in trainings)]
    known = set(architectures) & set(ARCHITECTURES)  # another name is refused elsewhere
    if known and not known & set(learnt):
        raise ConfigError(
            f"architecture: training={one_of(trainings)} learns architecture="
            f"{one_of(learnt)} only, got {one_of(architectures)}; take it out, or use "
            "another training."
        )


def require_read(
    names: Iterable[str],
    architectures: Sequence[str],
    trainings: Sequence[str],
    *,
    searched: bool = False,
) -> None:
    """Refuse genes that nothing reads of what is tried.

    Args:
        names: of genes.
        architectures: those that are tried.
        trainings: the learning rules that are tried.
        searched: whether the genes are of a search space, for the advice.

    Raises:
        ConfigError: with the architectures or the rules that have it.
    """
    alone = len(trainings) == 1 and trainings[0] != "bptt"  # bptt takes any space
    for name in names:
        gene = name if name in DEFAULTS else name.rpartition("_")[0]
        families = [f for f, read in _READ_BY.items() if gene in read]
        families = families or list(ARCHITECTURES)
        rules = [r for r in _rules_reading(gene) if set(_learnt(r)) & set(families)]
        out = f"take it out (~space.{name})" if searched else "take it out"
        if not set(trainings) & set(rules):
            own = f", use space={trainings[0]}" if searched and alone else ""
            raise ConfigError(
                f"{name}: training={one_of(trainings)} has no such gene; {out}"
                f"{own}, or use training={one_of(rules)}."
            )
        if not set(architectures) & set(families):
            raise ConfigError(
                f"{name}: architecture={one_of(architectures)} has no such gene; {out}"
                f", or set task.fixed.architecture to {one_of(families)}."
            )


def _learnt(training: str) -> Sequence[str]:
    return _LEARNT.get(training, tuple(ARCHITECTURES))


def _rules_reading(gene: str) -> list[str]:
    """The rules that have a gene."""
    owners = [name for name, rule in RULES.items() if gene in rule.DEFAULTS]
    return owners or [name for name, rule in RULES.items() if gene not in rule.UNREAD]
