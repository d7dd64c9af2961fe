"""Points of a search as somebody's network and its training.

Knows: which values are of the training, and which the factory is given. Must not know:
training, measuring; torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from moosnn.errors import ConfigError, nearest
from moosnn.snn.data import DataSource, Description
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.space import Params, Value
from moosnn.tasks.dotted import declared

# What is of the training and its input; the names are those of task=snn.
TRAINING = (
    "coding",
    "population",
    "time_steps",
    "readout",
    "loss",
    "regulariser",
    "activity_penalty",
    "learning_rate",
    "batch_size",
    "epochs",
    "training_share",
)
# What a factory is told of the data if it declares it.
TOLD = ("shape", "classes")
REGULARISERS = ("spikes", "rate")
_RULE = "bptt"


class ModulePoints:
    """The points that may be tried.

    Args:
        source: of the data.
        fixed: values of parameters that the space does not search.
        factory: makes a network.

    Attributes:
        names: the parameters that there are; ``None`` = any, the factory takes them.

    Raises:
        ConfigError: a fixed value that neither the training nor the factory takes.
    """

    def __init__(
        self,
        source: DataSource,
        fixed: Mapping[str, Value],
        factory: Callable[..., Any],
    ) -> None:
        self._source = source
        rule = fixed.get("training", _RULE)
        if rule != _RULE:
            raise ConfigError(
                f"training: task=module learns by training={_RULE}, got {rule}."
            )
        self._fixed = {k: v for k, v in fixed.items() if k != "training"}
        self._declared = declared(factory)
        self._required = _required(factory)
        self.names: frozenset[str] | None = None
        if self._declared is not None:
            self.names = frozenset({*TRAINING, *self._declared}) - {*TOLD}
            for name in self._fixed:
                if name not in self.names:
                    raise ConfigError(
                        f"task.fixed.{name}: neither the training nor the factory has "
                        f"such a parameter.{nearest(name, self.names)}"
                    )
        self._read(self._fixed, {})

    @cached_property
    def description(self) -> Description:
        """Of the data."""
        return self._source.describe()

    def genes(self, params: Params) -> Genes:
        """How a point is coded and trained.

        Raises:
            ConfigError: a value that cannot be, or not on these data.
            DataError: the data are not there.
        """
        frames = self.description.frames
        data: dict[str, Value] = {"coding": "frames"} if frames else {}
        genes = self._read({**data, **self._fixed}, params)
        if (genes.coding == "frames") != frames:
            raise ConfigError(
                f"coding: samples of {self.description.name} are "
                f"{'frames of events' if frames else 'images'}, got "
                f"{genes.coding!r}; take it out of the space or of task.fixed."
            )
        return genes

    def lacking(self, params: Params) -> list[str]:
        """What the factory must be given and a point has no value for."""
        given = {*self._fixed, *params, *TRAINING, *TOLD}
        return [name for name in self._required if name not in given]

    def _read(self, given: Params, params: Params) -> Genes:
        values = {k: v for k, v in {**given, **params}.items() if k in TRAINING}
        genes = Genes.from_params({**defaults(_RULE), **values})
        if genes.regulariser not in REGULARISERS:
            raise ConfigError(
                f"regulariser: task=module has {' and '.join(REGULARISERS)}, got "
                f"{genes.regulariser!r}."
            )
        return genes

    def arguments(self, params: Params, genes: Genes) -> dict[str, Any]:
        """What the factory is called with.

        What is of the training it gets only if it declares it.

        Args:
            params: the point.
            genes: of it.
        """
        given = {**self._fixed, **params}
        known: dict[str, Any] = {name: getattr(genes, name) for name in TRAINING}
        known["shape"] = genes.coded_shape(self.description.shape)
        known["classes"] = self.description.classes
        wanted = self._declared or frozenset()
        told = {name: value for name, value in known.items() if name in wanted}
        own = {name: value for name, value in given.items() if name not in TRAINING}
        return {**own, **told}


def _required(factory: Callable[..., Any]) -> tuple[str, ...]:
    """The names of what a factory has no default for, as far as it is known."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # of a builtin it is not known
        return ()
    many = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return tuple(
        p.name for p in parameters if p.default is p.empty and p.kind not in many
    )
