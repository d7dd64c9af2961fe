"""One network's architecture and hyperparameters, read from a flat mapping.

Knows: the names, types, ranges and default values of what describes a network.
Must not know: how it is built or trained; torch.

A search space names genes flatly (``width_2``, ``neuron_2``): those of layers beyond
``depth`` are inactive and ignored, so that a canonical point can be passed as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from moosnn.errors import ConfigError, nearest
from moosnn.space import Value

MAX_DEPTH = 4
NEURONS = ("if", "lif", "plif")
SURROGATES = ("atan", "sigmoid", "fast_sigmoid")
CODINGS = ("direct", "rate", "latency")

# The one place of default values: a network that learns the digits in about a second.
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "depth": 2,
        **{f"width_{k}": 64 for k in range(1, MAX_DEPTH + 1)},
        **{f"neuron_{k}": "lif" for k in range(1, MAX_DEPTH + 1)},
        "tau_mem_steps": 2.0,
        "threshold": 1.0,
        "surrogate": "atan",
        "slope": 2.0,
        "time_steps": 4,
        "coding": "direct",
        "learning_rate": 5e-3,
        "batch_size": 64,
        "epochs": 10,
        "activity_penalty": 0.01,
    }
)
NAMES = frozenset(DEFAULTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Genes:
    """What one network is and how it learns.

    Attributes:
        widths: neurons of each spiking layer, 1 to 4 layers, each >= 1.
        neurons: neuron type of each layer: ``"if"``, ``"lif"`` or ``"plif"``.
        tau_mem_steps: membrane time constant of LIF, and initial one of PLIF, in
            steps, > 1.
        threshold: of the membrane, > 0.
        surrogate: ``"atan"``, ``"sigmoid"`` or ``"fast_sigmoid"``.
        slope: of the surrogate, > 0; larger is narrower.
        time_steps: T >= 1.
        coding: ``"direct"``, ``"rate"`` or ``"latency"``.
        learning_rate: of Adam, > 0.
        batch_size: samples an update, >= 1.
        epochs: passes over the training split, >= 1.
        activity_penalty: added loss for each 100 spikes of a sample, >= 0.

    Raises:
        ConfigError: a value of the wrong type or outside of its range.
    """

    widths: tuple[int, ...]
    neurons: tuple[str, ...]
    tau_mem_steps: float
    threshold: float
    surrogate: str
    slope: float
    time_steps: int
    coding: str
    learning_rate: float
    batch_size: int
    epochs: int
    activity_penalty: float

    def __post_init__(self) -> None:
        widths = tuple(
            _integer(f"width_{k}", w, 1) for k, w in enumerate(self.widths, 1)
        )
        if not 1 <= len(widths) <= MAX_DEPTH or len(self.neurons) != len(widths):
            raise ConfigError(
                f"genes: expected 1 to {MAX_DEPTH} widths and as many neurons, got "
                f"widths={list(self.widths)}, neurons={list(self.neurons)}."
            )
        neurons = tuple(
            _option(f"neuron_{k}", n, NEURONS) for k, n in enumerate(self.neurons, 1)
        )
        checked: dict[str, object] = {"widths": widths, "neurons": neurons}
        for name in ("time_steps", "batch_size", "epochs"):
            checked[name] = _integer(name, getattr(self, name), 1)
        for name in ("threshold", "slope", "learning_rate"):
            checked[name] = _real(name, getattr(self, name), 0.0, strict=True)
        checked["tau_mem_steps"] = _real(
            "tau_mem_steps", self.tau_mem_steps, 1.0, strict=True
        )
        checked["activity_penalty"] = _real(
            "activity_penalty", self.activity_penalty, 0.0, strict=False
        )
        _option("surrogate", self.surrogate, SURROGATES)
        _option("coding", self.coding, CODINGS)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def depth(self) -> int:
        """Number of spiking layers."""
        return len(self.widths)

    @classmethod
    def from_params(cls, params: Mapping[str, Value]) -> Genes:
        """Read a flat mapping such as a point of a search space.

        Args:
            params: a value for each of `NAMES`, except ``width_k`` and ``neuron_k`` of
                layers beyond ``depth``, which are ignored, and ``tau_mem_steps`` if no
                layer has a time constant.

        Raises:
            ConfigError: an unknown or missing name, or a bad value.
        """
        for name in params:
            if name not in NAMES:
                raise ConfigError(f"no parameter {name!r}.{nearest(name, NAMES)}")
        depth = _integer("depth", _required(params, "depth"), 1)
        if depth > MAX_DEPTH:
            raise ConfigError(f"depth: expected 1 to {MAX_DEPTH}, got {depth}.")
        layers = range(1, depth + 1)
        neurons = tuple(str(_required(params, f"neuron_{k}")) for k in layers)
        given = dict(params)
        if set(neurons) == {"if"}:  # inactive: one spelling for equal networks
            given["tau_mem_steps"] = DEFAULTS["tau_mem_steps"]
        single = [f.name for f in fields(cls) if f.name not in ("widths", "neurons")]
        values: dict[str, Any] = {name: _required(given, name) for name in single}
        widths: Any = tuple(_required(params, f"width_{k}") for k in layers)
        return cls(widths=widths, neurons=neurons, **values)

    def to_json(self) -> dict[str, Any]:
        """The JSON form, read back by `from_json`."""
        raw = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**raw, "widths": list(self.widths), "neurons": list(self.neurons)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Genes:
        """Read the JSON form; further keys are ignored.

        Raises:
            ConfigError: a missing key or a bad value.
        """
        values = {f.name: _required(raw, f.name) for f in fields(cls)}
        values["widths"] = tuple(values["widths"])
        values["neurons"] = tuple(values["neurons"])
        return cls(**values)


def _required(params: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 -- JSON
    if name not in params:
        raise ConfigError(f"parameter {name!r} has no value.")
    return params[name]


def _integer(name: str, value: object, low: int) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if not whole or isinstance(value, bool) or int(value) < low:  # type: ignore[call-overload]  # `whole` narrows value
        raise ConfigError(f"{name}: expected a whole number >= {low}, got {value!r}.")
    return int(value)  # type: ignore[call-overload, no-any-return]  # `whole` narrows value


def _real(name: str, value: object, low: float, *, strict: bool) -> float:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (value > low or (value == low and not strict))
    ):
        return float(value)
    bound = f"{'>' if strict else '>='} {low:g}"
    raise ConfigError(f"{name}: expected a finite number {bound}, got {value!r}.")


def _option(name: str, value: str, options: tuple[str, ...]) -> str:
    if value not in options:
        raise ConfigError(f"{name}: got {value!r}.{nearest(value, options)}")
    return value
