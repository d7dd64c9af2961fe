"""Layers of modules, of which a path uses some: what weight-sharing search chooses of.

Knows: the genes ``depth``, ``modules``, ``module_width``, ``threshold_spread``,
``path``. Must not know: torch, how a path is found.

After PathNet (Fernando et al. 2017, arXiv 1701.08734): a module is a small network, the
outputs of a layer's active modules are added up, and every active module of the next
layer hears the sum. Here a module is a connection and its neurons. Published modules
are equal; here thresholds differ between the modules of a layer, so that quiet and busy
ones can be chosen between, and paths of as many modules differ in what they cost.

A module's nodes have the same names in every path, ``linear_2c`` and ``neurons_2c`` of
the third module of the second layer, so that paths can share weights by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.snn.architectures.mlp import checked_depth
from moosnn.snn.blueprint import INPUT
from moosnn.snn.draft import Draft
from moosnn.snn.layer import Neurons
from moosnn.snn.values import Values
from moosnn.space import Value

LETTERS = "abcdefgh"  # of modules, in order
MIN_MODULES = 2
ALL = "all"
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {"modules": 4, "module_width": 32, "threshold_spread": 4.0, "path": ALL}
)
LAYERED = ("module_width", "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """1 to 8 layers of equally many modules, and the active ones.

    Attributes:
        modules: of each layer, 2 to 8.
        widths: neurons of each module of a layer, >= 1.
        threshold_spread: the highest threshold of a layer's modules, those of the last,
            divided by the lowest, those of the first, >= 1; the others lie between at
            equal ratios, around the layer's ``threshold``. 1 = equal modules.
        active: letters of the active modules of each layer, one or more, in order.
    """

    modules: int
    widths: tuple[int, ...]
    threshold_spread: float
    active: tuple[str, ...]

    @property
    def layers(self) -> int:
        """How many sets of neuron genes there are: one a layer."""
        return len(self.active)

    @classmethod
    def read(cls, values: Values) -> Paths:
        """Read the genes.

        Raises:
            ConfigError: a bad value.
            ArchitectureError: a path through a module that there is not.
        """
        modules = values.integer("modules", MIN_MODULES)
        if modules > len(LETTERS):
            raise ConfigError(
                f"modules: expected {MIN_MODULES} to {len(LETTERS)}, got {modules}."
            )
        layers = range(1, checked_depth(values) + 1)
        return cls(
            modules=modules,
            widths=tuple(values.integer("module_width", 1, k) for k in layers),
            threshold_spread=values.real("threshold_spread", 1.0, strict=False),
            active=tuple(_active(values, k, modules) for k in layers),
        )

    def draw(self, draft: Draft, neurons: Sequence[Neurons]) -> str:
        """Add the nodes; the name of the last layer's sum."""
        flow = INPUT
        rows = zip(self.active, self.widths, neurons, strict=True)
        for layer, (active, width, kind) in enumerate(rows, 1):
            outputs = []
            for letter in active:
                name = f"{layer}{letter}"
                current = draft.linear(flow, width, name=f"linear_{name}")
                own = self._neurons(kind, letter)
                outputs.append(draft.neurons(current, own, name=f"neurons_{name}"))
            flow = draft.sum(outputs)
        return flow

    def _neurons(self, kind: Neurons, letter: str) -> Neurons:
        """A module's neurons: the layer's with another threshold."""
        place = LETTERS.index(letter) / (self.modules - 1) - 0.5  # -1/2 to 1/2
        factor = self.threshold_spread**place
        band = None if kind.band is None else kind.band * factor  # it is in thresholds
        return replace(kind, threshold=kind.threshold * factor, band=band)


def _active(values: Values, layer: int, modules: int) -> str:
    """The letters of a layer's active modules, in order."""
    name, value = values.name("path", layer), values.value("path", layer)
    known = LETTERS[:modules]
    if value == ALL:
        return known
    letters = value if isinstance(value, str) else ""
    # In another order they are the same network, which needs no second option.
    ordered = letters == "".join(sorted({*letters}))
    if not letters or not ordered or not set(letters) <= {*LETTERS}:
        raise ConfigError(
            f"{name}: expected letters of modules, each at most once and in order, "
            f"such as ac, or {ALL}, got {value!r}."
        )
    if not set(letters) <= {*known}:
        raise ArchitectureError(
            f"{name}: expected letters of {known[0]} to {known[-1]}, since "
            f"modules={modules}, got {letters}."
        )
    return letters
