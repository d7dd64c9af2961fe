"""What is wanted: objectives and constraints. The ONE place for signs, order and scale.

Knows: how metrics in natural units become losses and violations.
Must not know: spikes, networks, optimizers, files.

Below this module everything is **minimised** and a constraint is satisfied when its
violation is **<= 0**. A trial whose violation of a constraint with ``voids`` is
positive has no objectives: it is masked out of losses, fronts and objective models,
while its violations are still known. So a silent network, which would look best on an
activity axis, is data for the constraint and nothing else.

A trial that was pruned has no objectives either: they are those of a shorter training.
"""

from __future__ import annotations

import difflib
import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from moosnn.conditions import is_number
from moosnn.errors import ProblemError, nearest, number_hint
from moosnn.parameters import Choice
from moosnn.space import Params, Space
from moosnn.trial import Evaluation, Status, Trial

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

GOALS = ("min", "max")
SCALES = ("linear", "log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One axis of the front.

    Attributes:
        metric: the name the task measures it under.
        goal: ``"min"`` or ``"max"``.
        reference: the worst value of interest, natural units: the corner from which
            the hypervolume is measured.
        scale: ``"linear"``, or ``"log"`` = log10(max(value, floor)).
        floor: smallest value told apart on a log scale, > 0.
        unit: for tables and plots.

    Raises:
        ProblemError: no metric; an unknown goal or scale; a reference or floor that
            is not a finite number, or is not positive on a log scale; a reference that
            nothing can beat, because it lies at or below the floor of a log scale.
    """

    metric: str
    goal: str
    reference: float
    scale: str = "linear"
    floor: float = 1e-12
    unit: str = ""

    def __post_init__(self) -> None:
        where = f"objective {self.metric}"
        _require_metric("objective", self.metric)
        for what, value, known in (
            ("goal", self.goal, GOALS),
            ("scale", self.scale, SCALES),
        ):
            if value not in known:
                raise ProblemError(
                    f"{where}: {what}: got {value!r}.{nearest(value, known)}"
                )
        for what in ("reference", "floor"):
            _require_finite(f"{where}: {what}", getattr(self, what))
        if self.scale == "log" and min(self.reference, self.floor) <= 0:
            raise ProblemError(
                f"{where}: a log scale needs reference > 0 and floor > 0, got "
                f"reference={self.reference}, floor={self.floor}."
            )
        if self.scale == "log" and self.goal == "min" and self.reference <= self.floor:
            raise ProblemError(
                f"{where}: expected reference > floor, got reference={self.reference}, "
                f"floor={self.floor}."
            )

    def loss(self, value: float) -> float:
        """The value on the axis that is minimised."""
        if self.scale == "log":
            value = math.log10(max(value, self.floor))
        return -value if self.goal == "max" else value

    def loss_error(self, value: float, error: float) -> float:
        """The standard error of the loss of a value with a standard error >= 0."""
        if self.scale == "log":
            return error / (max(value, self.floor) * math.log(10.0))
        return error

    def value(self, loss: float) -> float:
        """The natural value at a loss (the inverse of `loss` above the floor)."""
        value = -loss if self.goal == "max" else loss
        return float(10.0**value) if self.scale == "log" else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """An upper bound on a metric: feasible means value <= upper.

    Attributes:
        metric: the name the task measures it under.
        upper: the largest feasible value.
        unit: for tables and plots.
        voids: a violation makes the trial's objectives meaningless.

    Raises:
        ProblemError: no metric; ``upper`` is not a finite number; ``voids`` is not a
            boolean.
    """

    metric: str
    upper: float = 0.0
    unit: str = ""
    voids: bool = False

    def __post_init__(self) -> None:
        _require_metric("constraint", self.metric)
        _require_finite(f"constraint {self.metric}: upper", self.upper)
        if not isinstance(self.voids, bool):
            raise ProblemError(
                f"constraint {self.metric}: voids: expected true or false, "
                f"got {self.voids!r}."
            )

    def violation(self, value: float) -> float:
        """How far a value lies beyond the bound; <= 0 is feasible."""
        return value - self.upper


def _require_finite(where: str, value: object) -> None:
    if not is_number(value):
        raise ProblemError(
            f"{where}: expected a finite number, got {value!r}.{number_hint(value)}"
        )


def _require_metric(what: str, metric: object) -> None:
    if not isinstance(metric, str) or not metric:
        raise ProblemError(f"{what}: expected the name of a metric, got {metric!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The space, what is wanted and what is allowed.

    Attributes:
        space: what may be tried.
        objectives: one or more axes, each metric once.
        constraints: any number, each metric once.
        admissible: dotted name of a function ``params -> None or reason`` that is
            asked before a proposal is journaled, or ``None``.
        fidelity: the parameter that says how many epochs a training has, if a trial
            that was pruned after ``r`` of them is to count as one of the same point
            with ``r`` epochs; ``None`` = nothing is learned from pruned trials.

    Raises:
        ProblemError: no objective, one metric twice, an ``admissible`` that cannot
            be imported, or a ``fidelity`` that is no number of the space.
    """

    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    admissible: str | None = None
    fidelity: str | None = None
    _refuse: Callable[[Params], str | None] | None = field(
        init=False, repr=False, compare=False, default=None
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "objectives", tuple(self.objectives))
        object.__setattr__(self, "constraints", tuple(self.constraints))
        if not self.objectives:
            raise ProblemError("problem.objectives: expected at least one, got none.")
        _require_once("objectives", [o.metric for o in self.objectives])
        _require_once("constraints", [c.metric for c in self.constraints])
        if self.admissible is not None:
            object.__setattr__(self, "_refuse", _imported(self.admissible))
        if self.fidelity is not None:
            _require_number(self.space, self.fidelity)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that is named, objectives first, each once."""
        named = [o.metric for o in self.objectives]
        named += [c.metric for c in self.constraints]
        return tuple(dict.fromkeys(named))

    @property
    def reference(self) -> Floats:
        """The losses of the reference point, ``m``."""
        return np.array([o.loss(o.reference) for o in self.objectives])

    def refusal(self, params: Params) -> str | None:
        """Why a canonical point must not be tried, or ``None``."""
        return None if self._refuse is None else self._refuse(params)

    def guarded(self, refuse: Callable[[Params], str | None]) -> Problem:
        """The same problem, which also asks ``refuse`` whether a point may be tried."""
        own = self._refuse

        def both(params: Params) -> str | None:
            return (own and own(params)) or refuse(params)

        problem = replace(self)
        object.__setattr__(problem, "_refuse", both)
        return problem

    def check_task(self, measured: Sequence[str]) -> None:
        """Refuse a problem that asks for what a task does not measure.

        Raises:
            ProblemError: with the nearest metric and those the task measures.
        """
        parts = [name for name in measured if "." in name]  # too many to list
        whole = [name for name in measured if name not in parts]
        for metric in self.metrics:
            if metric not in measured:
                part = difflib.get_close_matches(metric, parts, n=1)
                known = [*whole, *part] if "." in metric else whole
                raise ProblemError(
                    f"problem: the task does not measure {metric!r}."
                    f"{nearest(metric, known)}"
                )

    def check_evaluation(self, evaluation: Evaluation) -> str | None:
        """What an evaluation lacks, or ``None``.

        Every metric that a constraint names must be there; one that an objective names
        too, unless the training was stopped.
        """
        needed = [c.metric for c in self.constraints]
        if evaluation.stopped is None:
            needed += [o.metric for o in self.objectives]
        missing = [m for m in dict.fromkeys(needed) if m not in evaluation.metrics]
        return f"the task did not measure {', '.join(missing)}" if missing else None

    def is_observed(self, trial: Trial) -> bool:
        """Whether a trial's objectives mean something.

        DONE, not stopped early, every objective measured, and no constraint that
        voids is violated.
        """
        evaluation = trial.evaluation
        return (
            evaluation is not None
            and evaluation.stopped is None
            and all(o.metric in evaluation.metrics for o in self.objectives)
            and not any(
                c.voids and c.violation(evaluation.metrics[c.metric]) > 0
                for c in self.constraints
            )
        )

    def is_feasible(self, trial: Trial) -> bool:
        """Whether a trial is observed and violates no constraint."""
        evaluation = trial.evaluation
        return (
            evaluation is not None
            and self.is_observed(trial)
            and all(
                c.violation(evaluation.metrics[c.metric]) <= 0 for c in self.constraints
            )
        )

    def observed(self, trials: Sequence[Trial]) -> Mask:
        """The mask of `is_observed`, ``n``."""
        return np.array([self.is_observed(t) for t in trials], dtype=bool)

    def feasible(self, trials: Sequence[Trial]) -> Mask:
        """The mask of `is_feasible`, ``n``."""
        return np.array([self.is_feasible(t) for t in trials], dtype=bool)

    def losses(self, trials: Sequence[Trial]) -> Floats:
        """The losses of the observed trials among ``trials``.

        Returns:
            ``n x m``, minimised, finite; ``n`` = how many are observed.
        """
        rows = [
            [o.loss(t.evaluation.metrics[o.metric]) for o in self.objectives]
            for t in trials
            if t.evaluation is not None and self.is_observed(t)
        ]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.objectives))

    def violations(self, trials: Sequence[Trial]) -> Floats:
        """The violations of the DONE trials among ``trials``.

        Returns:
            ``n x k``, feasible <= 0, finite; ``n`` = how many are DONE.
        """
        rows = [
            [c.violation(t.evaluation.metrics[c.metric]) for c in self.constraints]
            for t in trials
            if t.status is Status.DONE and t.evaluation is not None
        ]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.constraints))

    @classmethod
    def from_config(cls, space: Space, raw: Mapping[str, Any]) -> Problem:
        """Read the YAML form: the attributes but the space.

        Raises:
            ProblemError: an unknown key, or what the types refuse.
        """
        known = ("objectives", "constraints", "admissible", "fidelity")
        if not isinstance(raw, Mapping):
            raise ProblemError(
                f"problem: expected a mapping of {', '.join(known)}, got {raw!r}."
            )
        for key in raw:
            if key not in known:
                raise ProblemError(
                    f"problem: unknown key {key!r}.{nearest(str(key), known)}"
                )
        return cls(
            space=space,
            objectives=_axes(Objective, "objectives", raw.get("objectives")),
            constraints=_axes(Constraint, "constraints", raw.get("constraints")),
            admissible=raw.get("admissible"),
            fidelity=raw.get("fidelity"),
        )

    def to_config(self) -> dict[str, Any]:
        """The YAML (and JSON) form without the space."""
        found = {
            "objectives": [asdict(o) for o in self.objectives],
            "constraints": [asdict(c) for c in self.constraints],
            "admissible": self.admissible,
        }
        # Absent as before it was known: it is a part of studies' identities.
        return found if self.fidelity is None else {**found, "fidelity": self.fidelity}


def _require_number(space: Space, name: object) -> None:
    """Refuse what is no number of the space.

    Raises:
        ProblemError: with the nearest parameter.
    """
    numbers = [n for n, p in space.parameters.items() if not isinstance(p, Choice)]
    if name not in numbers:
        raise ProblemError(
            "problem.fidelity: expected a number that the space searches, e.g. epochs, "
            f"got {name!r}.{nearest(str(name), numbers)}"
        )


def _require_once(what: str, metrics: Sequence[str]) -> None:
    for metric in metrics:
        if metrics.count(metric) > 1:
            raise ProblemError(f"problem.{what}: {metric!r} is there twice.")


def _axes(kind: type[Any], what: str, raw: object) -> tuple[Any, ...]:
    """Build objectives or constraints from a list of mappings."""
    if raw is None:
        return ()
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise ProblemError(f"problem.{what}: expected a list, got {raw!r}.")
    fields = kind.__dataclass_fields__
    axes = []
    for index, body in enumerate(raw):
        where = f"problem.{what}[{index}]"
        if not isinstance(body, Mapping):
            raise ProblemError(f"{where}: expected e.g. {{metric: …}}, got {body!r}.")
        for key in body:
            if key not in fields:
                hint = nearest(str(key), fields)
                raise ProblemError(f"{where}: unknown key {key!r}.{hint}")
        needed = [name for name, f in fields.items() if f.default is MISSING]
        missing = [name for name in needed if name not in body]
        if missing:
            raise ProblemError(f"{where}: missing {' and '.join(missing)}.")
        axes.append(kind(**body))
    return tuple(axes)


def _imported(dotted: str) -> Callable[[Params], str | None]:
    """The function with a dotted name.

    Raises:
        ProblemError: it cannot be imported or called.
    """
    if not isinstance(dotted, str) or "." not in dotted.strip("."):
        raise ProblemError(
            "problem.admissible: expected a dotted name such as my_module.my_rule, "
            f"got {dotted!r}."
        )
    module, _, name = dotted.rpartition(".")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ProblemError(f"problem.admissible: {dotted!r}: {error}.") from None
    if not callable(function):
        raise ProblemError(f"problem.admissible: {dotted!r} is not a function.")
    checked: Callable[[Params], str | None] = function
    return checked
