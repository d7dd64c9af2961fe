"""Tasks that are formulas: instant, exact, with a known best front. For tests and docs.

Knows: three functions of a point. Must not know: optimizers, networks, files.

========================  ===========================================================
``branin_currin``         ``x1, x2`` in [0, 1] -> ``branin``, ``currin`` (both are
                          minimised), ``disk`` (feasible <= 50); reference (80, 12),
                          largest hypervolume 608.4
``c2dtlz2``               ``x1 … x<dim>`` in [0, 1] -> ``f1, f2`` (both are
                          minimised), ``c2`` (feasible <= 0); reference (1.1, 1.1),
                          largest hypervolume 0.3996
``toy_snn``               an invented network -> ``accuracy``, ``spikes_per_sample``,
                          ``silent_fraction``, ``silence_margin`` (feasible <= 0),
                          ``weights``
========================  ===========================================================

The largest hypervolumes are those of BoTorch 0.18's problems of the same names, found
there by NSGA-II.

.. [Belakaria2019] S. Belakaria, A. Deshwal, J. R. Doppa. Max-value Entropy Search for
   Multi-Objective Bayesian Optimization. NeurIPS 2019 (Branin-Currin).
.. [Gelbart2014] M. A. Gelbart, J. Snoek, R. P. Adams. Bayesian Optimization with
   Unknown Constraints. UAI 2014 (the disk).
.. [Deb2005] K. Deb, L. Thiele, M. Laumanns, E. Zitzler. Scalable Test Problems for
   Evolutionary Multi-Objective Optimization. 2005 (DTLZ2).
.. [Jain2014] H. Jain, K. Deb. An Evolutionary Many-Objective Optimization Algorithm
   Using Reference-Point Based Nondominated Sorting Approach, Part II. IEEE TEVC 18(4),
   2014, section III (the constraint C2).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import numpy as np

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, DivergedError, nearest
from moosnn.space import Params, Value
from moosnn.tasks.base import Context
from moosnn.trial import Evaluation, Proposal

_C2_RADIUS = 0.2  # of the feasible balls around the ends of the front

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
        function: ``"branin_currin"``, ``"c2dtlz2"`` or ``"toy_snn"``.
        dim: how many coordinates ``c2dtlz2`` has, >= 2; the others ignore it.
        seconds: how long an evaluation takes, >= 0: to try out workers.

    Raises:
        ConfigError: an unknown function, fewer than two coordinates, negative seconds.
    """

    def __init__(
        self, function: str = "branin_currin", dim: int = 4, seconds: float = 0.0
    ) -> None:
        known = ("branin_currin", "c2dtlz2", "toy_snn")
        if function not in known:
            raise ConfigError(
                f"task.function: got {function!r}.{nearest(function, known)}"
            )
        if dim < 2:
            raise ConfigError(f"task.dim: expected 2 or more, got {dim}.")
        if not is_number(seconds) or seconds < 0:
            raise ConfigError(f"task.seconds: expected 0 or more, got {seconds!r}.")
        self.function = function
        self.dim = dim
        self.seconds = seconds

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what it measures."""
        return {
            "branin_currin": ("branin", "currin", "disk"),
            "c2dtlz2": ("f1", "f2", "c2"),
            "toy_snn": (
                "accuracy",
                "spikes_per_sample",
                "silent_fraction",
                "silence_margin",
                "weights",
            ),
        }[self.function]

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
        count = 2 if self.function == "branin_currin" else self.dim
        return frozenset(f"x{i + 1}" for i in range(count))

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
        formula: Callable[[list[float]], dict[str, float]] = (
            branin_currin if self.function == "branin_currin" else c2dtlz2
        )
        point = [
            _number(proposal.params, f"x{i + 1}") for i in range(len(self.parameters))
        ]
        return Evaluation(metrics=formula(point))

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        """The same value: a formula has no test split."""
        return self.evaluate(proposal, context)


def branin_currin(point: list[float]) -> dict[str, float]:
    """Branin and Currin [Belakaria2019]_ inside of a disk [Gelbart2014]_.

    Args:
        point: two numbers in [0, 1].

    Returns:
        ``branin``, ``currin``, and ``disk``: the squared distance from (2.5, 7.5) in
        Branin's own domain [-5, 10] x [0, 15].
    """
    x1, x2 = point
    u, v = 15 * x1 - 5, 15 * x2
    branin = (
        (v - 5.1 * u**2 / (4 * math.pi**2) + 5 * u / math.pi - 6) ** 2
        + 10 * (1 - 1 / (8 * math.pi)) * math.cos(u)
        + 10
    )
    damping = 1 - math.exp(-1 / (2 * x2)) if x2 > 0 else 1.0
    currin = (
        damping
        * (2300 * x1**3 + 1900 * x1**2 + 2092 * x1 + 60)
        / (100 * x1**3 + 500 * x1**2 + 4 * x1 + 20)
    )
    disk = (u - 2.5) ** 2 + (v - 7.5) ** 2
    return {"branin": branin, "currin": currin, "disk": disk}


def c2dtlz2(point: list[float]) -> dict[str, float]:
    """DTLZ2 [Deb2005]_ with two objectives and the constraint C2 [Jain2014]_.

    Args:
        point: two or more numbers in [0, 1].

    Returns:
        ``f1``, ``f2``, and ``c2``: <= 0 in one of three balls around the ends (radius
        0.2) and the middle of the unconstrained front. As in BoTorch, the square of 0.2
        is subtracted once for each objective in the middle, where pymoo subtracts it
        once: that ball has radius sqrt(0.08) = 0.28.
    """
    distance = 1 + sum((x - 0.5) ** 2 for x in point[1:])
    angle = point[0] * math.pi / 2
    f1, f2 = distance * math.cos(angle), distance * math.sin(angle)
    square = _C2_RADIUS**2
    ends = min((f1 - 1) ** 2 + f2**2, (f2 - 1) ** 2 + f1**2) - square
    middle = (f1 - math.sqrt(0.5)) ** 2 + (f2 - math.sqrt(0.5)) ** 2 - 2 * square
    return {"f1": f1, "f2": f2, "c2": min(ends, middle)}


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
    depth, width = _number(params, "depth"), _number(params, "width")
    steps, lr = _number(params, "steps"), _number(params, "lr")
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
    depth, threshold = _number(params, "depth"), _number(params, "threshold")
    neuron = str(params["neuron"])
    gain = _CURRENT_GAIN[neuron]
    if neuron != "if":
        gain *= 1 - 1 / (2 * _number(params, "tau_steps"))
    fading = 0.12 * (depth - 1)  # each layer passes on less than it got
    if depth > 1 and params["skip"] is True:
        fading /= 2
    integration = 0.5 * math.log10(_number(params, "steps") / 4)
    quietened = 0.15 * math.log10(1 + _number(params, "penalty") / 1e-3)
    return (
        math.log10(_INPUT_DRIVE * gain / threshold) + integration - fading - quietened
    )


def _number(params: Params, name: str) -> float:
    value: Value = params[name]
    assert isinstance(value, int | float), f"{name} is a number of the space"
    return float(value)
