"""Stochastic mutation: its genes and what it asks of a network.

Knows: what is mutated, by how much, and when a mutation is kept. Must not know: torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from moosnn.errors import ConfigError
from moosnn.snn.layer import Neurons
from moosnn.snn.rules.base import Rule, neurons_of
from moosnn.snn.values import Values
from moosnn.space import Value

ACCEPTANCES = ("greedy", "metropolis")
ENERGIES = ("loss", "errors")
REFUSED = "diehl_cook"  # its read-out has no weights: spikes of neurons are labelled
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "acceptance": "greedy",
        "mutation_beta": 1e4,
        "mutation_sigma": 1.0,
        "mutation_share": 0.005,
        "mutations_per_batch": 100,
        "mutation_energy": "loss",
    }
)
# With these it learns the digits in seconds. Of two layers it learns far less in as
# many mutations; small batches call good what is so for a few samples only.
CHANGED: Mapping[str, Value] = MappingProxyType(
    {"depth": 1, "batch_size": 256, "epochs": 20}
)
UNREAD = frozenset({"surrogate", "slope", "dropout", "learning_rate"})
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """See `moosnn.snn.rules.base.Rule`.

    Attributes:
        acceptance: which mutations are kept: ``"metropolis"`` = with the probability
            ``min(1, exp(-beta dU))``; ``"greedy"`` = those that do not raise the
            energy U, which is the same of an infinite beta.
        beta: in 1 / U, > 0; without meaning if greedy.
        sigma: the standard deviation of a mutation, in that of a fresh weight of the
            same layer, > 0.
        share: of the weights that a mutation changes, at least one, in (0, 1].
        mutations_per_batch: mutations that are tried on a batch, >= 1.
        energy: what the energy is, besides the activity: ``"loss"`` or ``"errors"``,
            the share of samples with a wrong answer.
    """

    acceptance: str
    beta: float
    sigma: float
    share: float
    mutations_per_batch: int
    energy: str

    @classmethod
    def read(cls, values: Values) -> Self:
        """Read its genes.

        Raises:
            ConfigError: a bad value.
        """
        return cls(
            acceptance=values.option("acceptance", ACCEPTANCES),
            beta=values.real("mutation_beta", 0.0),
            sigma=values.real("mutation_sigma", 0.0),
            share=_share(values),
            mutations_per_batch=values.integer("mutations_per_batch", 1),
            energy=values.option("mutation_energy", ENERGIES),
        )

    def neurons(self, values: Values, layer: int) -> Neurons:
        """Those of the common genes."""
        return neurons_of(values, layer, "mutation")

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """It trains everything but networks of Diehl and Cook."""
        if architecture == REFUSED:
            return "architecture=diehl_cook needs training=stdp"
        return None


def _share(values: Values) -> float:
    share = values.real("mutation_share", 0.0)
    if share > 1.0:
        raise ConfigError(
            f"mutation_share: expected a share in (0, 1], got {share:g}; 1 mutates all."
        )
    return share


RULE: type[Rule] = Mutation
