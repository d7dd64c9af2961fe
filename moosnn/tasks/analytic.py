"""Tasks that are formulas: instant, exact, with a known best front. For tests and docs.

Knows: which formula has which parameters and metrics; an invented network. Must not
know: optimizers, real networks, files.

======================  =============================================================
``branin_currin``       ``x1, x2`` -> ``branin``, ``currin``, ``disk``
``c2dtlz2``             ``x1 … x<dim>`` -> ``f1``, ``f2``, ``c2``
``disc_brake``          ``x1 … x4`` -> ``mass``, ``stopping_time``, ``radii``,
                        ``pressure``, ``temperature``, ``torque``
``mixed_conditional``   ``kind``, ``coarse``, ``fine``, ``mix``, ``rate``,
                        ``sharpness``, ``blocks``, ``gate`` -> ``f1``, ``f2``, ``c``
``toy_snn``             an invented network -> ``accuracy``, ``spikes_per_sample``,
                        ``silent_fraction``, ``silence_margin`` (feasible <= 0),
                        ``weights``
======================  =============================================================

The first four, with their references and largest hypervolumes, are in
`moosnn.tasks.formulas`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, DivergedError, nearest
from moosnn.space import Params
from moosnn.tasks.base import Context
from moosnn.tasks.formulas import (
    branin_currin,
    c2dtlz2,
    disc_brake,
    mixed_conditional,
    number,
    shifted_optima,
)
from moosnn.trial import Evaluation, Proposal

_METRICS = {
    "branin_currin": ("branin", "currin", "disk"),
    "c2dtlz2": ("f1", "f2", "c2"),
    "disc_brake": (
        "mass",
        "stopping_time",
        "radii",
        "pressure",
        "temperature",
        "torque",
    ),
    "mixed_conditional": ("f1", "f2", "c"),
    "toy_snn": (
        "accuracy",
        "spikes_per_sample",
        "silent_fraction",
        "silence_margin",
        "weights",
    ),
}
_COORDINATES = {"branin_currin": 2, "disc_brake": 4}  # those of c2dtlz2: its dim
_MIXED_PARAMETERS = (
    "kind",
    "coarse",
    "fine",
    "mix",
    "rate",
    "sharpness",
    "blocks",
    "gate",
)

# The invented network: constants that make its front look like one of real networks.
_INPUT_DRIVE = 0.9  # mean input of a stage relative to its threshold's unit
_INPUTS = 64
_CHANCE = 0.1  # ten classes
_BEST_ACCURACY = 0.98
_BEST_LOG_LR = -2.3  # log10 of the learning rate that learns best
_LARGEST_STABLE_STEP = 0.25  # lr * sqrt(depth) above which a training diverges
_DRIVE_NOISE = 0.01  # standard deviation over seeds, log10
_ACCURACY_NOISE = 0.004
_CURRENT_GAIN = {"if": 1.0, "lif": 0.8, "plif": 0.9}  # a leak loses charge
_NEURON_BONUS = {"if": 0.0, "lif": 0.015, "plif": 0.02}  # memory helps a little


class AnalyticTask:
    """Evaluates a formula.

    Args:
        function: ``"branin_currin"``, ``"c2dtlz2"``, ``"disc_brake"``,
            ``"mixed_conditional"`` or ``"toy_snn"``.
        dim: how many coordinates ``c2dtlz2`` has, >= 2; the others ignore it.
        shift: whether the best values of ``c2dtlz2``'s distance variables lie off the
            centre, see `shifted_optima`; the others ignore it.
        seconds: how long an evaluation takes, >= 0: to try out workers.

    Raises:
        ConfigError: an unknown function, fewer than two coordinates, a shift that is
            neither true nor false, negative seconds.
    """

    def __init__(
        self,
        function: str = "branin_currin",
        dim: int = 4,
        seconds: float = 0.0,
        *,
        shift: bool = False,
    ) -> None:
        if function not in _METRICS:
            raise ConfigError(
                f"task.function: got {function!r}.{nearest(function, _METRICS)}"
            )
        if dim < 2:
            raise ConfigError(f"task.dim: expected 2 or more, got {dim}.")
        if not isinstance(shift, bool):
            raise ConfigError(f"task.shift: expected true or false, got {shift!r}.")
        if not is_number(seconds) or seconds < 0:
            raise ConfigError(f"task.seconds: expected 0 or more, got {seconds!r}.")
        self.function = function
        self.dim = dim
        self.shift = shift
        self.seconds = seconds

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what it measures."""
        return _METRICS[self.function]

    @property
    def always(self) -> tuple[str, ...]:
        """All of them, but of a silent network neither accuracy nor spikes."""
        unknown = ("accuracy", "spikes_per_sample")
        return tuple(m for m in self.metrics if m not in unknown)

    @property
    def parameters(self) -> frozenset[str]:
        """The parameters it understands."""
        if self.function == "toy_snn":
            return frozenset(_TOY_PARAMETERS)
        if self.function == "mixed_conditional":
            return frozenset(_MIXED_PARAMETERS)
        return frozenset(self._coordinates)

    @property
    def _coordinates(self) -> list[str]:
        """The parameters of a formula of plain numbers, in their order."""
        count = _COORDINATES.get(self.function, self.dim)
        return [f"x{i + 1}" for i in range(count)]

    def check(self, params: Params) -> None:
        """A formula takes any number."""

    def refusal(self, params: Params) -> str | None:
        """A formula takes any point."""

    def fingerprint(self) -> Mapping[str, str]:
        """Nothing: a formula depends on the config only."""
        return {}

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """The value of the formula.

        Raises:
            DivergedError: ``toy_snn`` with too large a learning rate.
        """
        time.sleep(self.seconds)
        if self.function == "toy_snn":
            return toy_snn(proposal.params, proposal.seed)
        return Evaluation(metrics=self._measured(proposal.params))

    def _measured(self, params: Params) -> dict[str, float]:
        if self.function == "mixed_conditional":
            return mixed_conditional(params)
        point = [number(params, name) for name in self._coordinates]
        if self.function == "branin_currin":
            return branin_currin(point)
        if self.function == "disc_brake":
            return disc_brake(point)
        return c2dtlz2(point, shifted_optima(self.dim - 1) if self.shift else None)

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        """The same value: a formula has no test split."""
        return self.evaluate(proposal, context)


_TOY_PARAMETERS = (
    "depth",
    "width",
    "threshold",
    "penalty",
    "lr",
    "steps",
    "neuron",
    "tau_steps",
    "skip",
)


def toy_snn(params: Params, seed: int) -> Evaluation:
    """An invented network with the shape of a real one's trade-off.

    Higher thresholds, more layers and a stronger spike penalty quieten it; beyond an
    edge whole stages are silent, where only the constraint is measured. More neurons
    and steps are more accurate with falling returns; a learning rate can be too small,
    or so large that the training diverges.

    Args:
        params: depth (layers, >= 1), width (neurons a layer), threshold (> 0), penalty
            (spike regularisation, > 0), lr (> 0), steps (time steps), neuron (``if``,
            ``lif``, ``plif``), tau_steps (time constant of a leaky neuron, > 1), skip
            (whether deep networks have skip connections).
        seed: of the small noise of a training.

    Returns:
        ``accuracy`` in [0, 1], ``spikes_per_sample``, ``silent_fraction`` in [0, 1],
        ``silence_margin`` (log10, <= 0 is awake) and ``weights``; without the first two
        and with ``stopped="silent"`` if the margin is positive.

    Raises:
        DivergedError: the learning rate is too large for the depth.
    """
    rng = np.random.default_rng([seed, 97])
    depth, width = number(params, "depth"), number(params, "width")
    steps, lr = number(params, "steps"), number(params, "lr")
    if lr * math.sqrt(depth) > _LARGEST_STABLE_STEP:
        raise DivergedError(f"the loss is not finite with lr={lr:.3g}.")
    drive = _log_drive(params) + _DRIVE_NOISE * rng.standard_normal()
    margin = min(-2.0 * drive, 2.0)
    known = {
        "silent_fraction": 1 / (1 + math.exp(-8 * margin)),
        "silence_margin": margin,
        "weights": _INPUTS * width + (depth - 1) * width**2,
    }
    if margin > 0:
        return Evaluation(metrics=known, stopped="silent")
    rate = 1 - math.exp(-1.5 * drive)  # spikes a neuron and step, 0 at the edge
    spikes = rate * width * depth * steps
    capacity = 1 - math.exp(-math.log2(1 + width * math.sqrt(depth)) / 2.2)
    signal = 1 - math.exp(-math.sqrt(spikes) / 6)
    learnt = math.exp(-(((math.log10(lr) - _BEST_LOG_LR) / 1.2) ** 2))
    bonus = _NEURON_BONUS[str(params["neuron"])]
    accuracy = _CHANCE + (_BEST_ACCURACY - _CHANCE) * capacity * signal * learnt + bonus
    accuracy += _ACCURACY_NOISE * rng.standard_normal()
    return Evaluation(
        metrics={
            "accuracy": min(max(accuracy, 0.0), 1.0),
            "spikes_per_sample": spikes,
            **known,
        }
    )


def _log_drive(params: Params) -> float:
    """How far the quietest stage is above its threshold, log10; > 0 is awake."""
    depth, threshold = number(params, "depth"), number(params, "threshold")
    neuron = str(params["neuron"])
    gain = _CURRENT_GAIN[neuron]
    if neuron != "if":
        gain *= 1 - 1 / (2 * number(params, "tau_steps"))
    fading = 0.12 * (depth - 1)  # each layer passes on less than it got
    if depth > 1 and params["skip"] is True:
        fading /= 2
    integration = 0.5 * math.log10(number(params, "steps") / 4)
    quietened = 0.15 * math.log10(1 + number(params, "penalty") / 1e-3)
    return (
        math.log10(_INPUT_DRIVE * gain / threshold) + integration - fading - quietened
    )
