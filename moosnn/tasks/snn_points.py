"""Points of a search as networks: completed, checked, refused or planned.

Knows: which values a point leaves to its learning rule, which limits networks keep to.
Must not know: training, measuring; torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.snn.blueprint import Blueprint
from moosnn.snn.data import DataSource, Description
from moosnn.snn.gene_names import (
    ARCHITECTURES,
    RULES,
    defaults,
    require_learnt,
    require_read,
)
from moosnn.snn.genes import Genes
from moosnn.space import Params, Value


class Points:
    """The points that may be tried on some data.

    Args:
        source: of the data.
        fixed: values of parameters that the space does not search.
        limits: of ``parameters`` and ``dense_ops``; ``None`` = none.

    Raises:
        ConfigError: a fixed value that no network has.
    """

    def __init__(
        self,
        source: DataSource,
        fixed: Mapping[str, Value],
        limits: Mapping[str, int | None],
    ) -> None:
        self._source = source
        self._fixed = dict(fixed)
        self._limits = dict(limits)
        with suppress(ArchitectureError):
            Genes.from_params(self._complete({}))

    def check(self, params: Params) -> None:
        """Refuse values that no network has, or none on these data.

        Raises:
            ConfigError: with the nearest or the range; or a gene that the architecture,
                which is not searched, does not read.
            DataError: the data are not there.
        """
        trainings = (
            tuple(RULES)
            if "training" in params
            else (str(self._complete(params)["training"]),)
        )
        drawn = (self._complete({**params, "training": name}) for name in trainings)
        architectures = (
            tuple(ARCHITECTURES)
            if "architecture" in params
            else tuple(dict.fromkeys(str(genes["architecture"]) for genes in drawn))
        )
        require_learnt(architectures, trainings)
        require_read(self._fixed, architectures, trainings)
        require_read(params, architectures, trainings, searched=True)
        with suppress(ArchitectureError):  # other values may fit together
            self.plan(params)

    def refusal(self, params: Params) -> str | None:
        """Why a point makes no network, or one that is too large; else ``None``."""
        try:
            genes, blueprint = self.plan(params)
        except ArchitectureError as error:
            return str(error)
        found = {
            "parameters": blueprint.parameters,
            "dense_ops": blueprint.dense_ops(
                genes.time_steps, constant_input=genes.coding == "direct"
            ),
        }
        for name, most in self._limits.items():
            if most is not None and found[name] > most:
                return f"{found[name]:,} {name}, more than task.max_{name}={most:,}"
        return None

    def plan(self, params: Params) -> tuple[Genes, Blueprint]:
        """A point's genes and network on these data."""
        description = self._description
        coding: dict[str, Value] = {"coding": "frames"} if description.frames else {}
        genes = Genes.from_params(self._complete(params, coding))
        if (genes.coding == "frames") != description.frames:
            samples, fit = (
                ("frames of events", "coding=frames")
                if description.frames
                else ("images", "another coding")
            )
            raise ConfigError(
                f"coding: samples of {description.name} are {samples}, which take "
                f"{fit}, got {genes.coding!r}; take it out of the space "
                "(~space.coding) or set task.fixed.coding."
            )
        return genes, genes.blueprint(description.shape, description.classes)

    def _complete(self, params: Params, data: Params | None = None) -> dict[str, Value]:
        """A value for every gene: searched, fixed, of the data, or of its rule."""
        given = {**(data or {}), **self._fixed, **params}
        return {**defaults(given.get("training", "bptt")), **given}

    @cached_property
    def _description(self) -> Description:
        return self._source.describe()
