"""Weight-sharing search of paths: its genes and what it asks of a network.

Knows: a population of paths, their tournaments, which of them is kept. Must not know:
torch.

After PathNet (Fernando et al. 2017, arXiv 1701.08734).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from moosnn.errors import ArchitectureError
from moosnn.snn.layer import Neurons
from moosnn.snn.rules.base import Rule, neurons_of
from moosnn.snn.values import Values
from moosnn.space import Value

ARCHITECTURE = "paths"
MIN_POPULATION = 2
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "path_population": 16,
        "path_modules": 3,
        "slice_updates": 4,
        "path_tolerance": 0.02,
        "tune_share": 0.25,
    }
)
CHANGED: Mapping[str, Value] = MappingProxyType(
    {"architecture": ARCHITECTURE, "epochs": 40}
)
UNREAD = frozenset({"path"})  # it is what the rule finds
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Supernet:
    """See `moosnn.snn.rules.base.Rule`.

    Attributes:
        population: paths that are searched with, >= 2.
        modules: of a path in a layer at most, 1 to those of the layer.
        slice_updates: batches that a path of a tournament is trained for, >= 1; about
            so many, for an epoch has a whole number of tournaments.
        tolerance: accuracy that the path kept may lack of the best one, in [0, 1).
        tune_share: of the epochs, in [0, 1): the last ones train the path kept alone.
    """

    population: int
    modules: int
    slice_updates: int
    tolerance: float
    tune_share: float

    @classmethod
    def read(cls, values: Values) -> Self:
        """Read its genes.

        Raises:
            ConfigError: a bad value.
            ArchitectureError: more modules of a path than a layer has.
        """
        population = values.integer("path_population", MIN_POPULATION)
        modules, most = values.integer("path_modules", 1), values.integer("modules", 1)
        if modules > most:
            raise ArchitectureError(
                f"path_modules: expected 1 to modules={most}, got {modules}."
            )
        return cls(
            population=population,
            modules=modules,
            slice_updates=values.integer("slice_updates", 1),
            tolerance=values.share("path_tolerance"),
            tune_share=values.share("tune_share"),
        )

    def neurons(self, values: Values, layer: int) -> Neurons:
        """Those of the common genes."""
        return neurons_of(values, layer, "supernet")

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """It trains one architecture, the one that has paths."""
        if architecture == ARCHITECTURE:
            return None
        return f"expected architecture={ARCHITECTURE}, got {architecture}"


RULE: type[Rule] = Supernet
