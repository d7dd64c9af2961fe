"""What a trial is: a proposal, and the evaluation or failure that it ended with.

Knows: the four types and their JSON. Must not know: events, objectives (what is good),
files, networks, optimizers; numpy and torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from numbers import Real
from types import MappingProxyType
from typing import Any

from moosnn.conditions import is_number, is_value
from moosnn.errors import DivergedError
from moosnn.space import Value

# The origin of a proposal that is trained anew for the test split, after the search.
CONFIRM = "confirm"

STOPS = (None, "silent", "pruned")

FAILURE_KINDS = (
    "diverged",
    "out_of_memory",
    "timeout",
    "invalid",
    "crashed",
    "lost",
    "preempted",
    "data",
)


class Status(StrEnum):
    """Where a trial stands. DONE has an evaluation, FAILED a failure, PENDING none."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


def _frozen(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(mapping))


def require_count(what: str, value: object) -> None:
    """Refuse what is no whole number >= 0.

    Raises:
        ValueError: with what was expected.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{what}: expected a whole number >= 0, got {value!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One point to try.

    Attributes:
        number: 0-based and unique in the study.
        params: a canonical point of the space.
        seed: of the trial's own random generator, >= 0.
        origin: who proposed it and why (``"sobol"``, ``"fallback"``, ``"confirm"``, …).
        seen: how many journal events its optimizer had read.
        repeats: the number of the trial it repeats with another seed, or ``None``.

    Raises:
        ValueError: a count that is negative or not whole, ``repeats`` that names no
            earlier trial, a parameter that is not a string, finite number or boolean.
    """

    number: int
    params: Mapping[str, Value]
    seed: int
    origin: str
    seen: int
    repeats: int | None = None

    def __post_init__(self) -> None:
        for what in ("number", "seed", "seen"):
            require_count(what, getattr(self, what))
        if self.repeats is not None:
            require_count("repeats", self.repeats)
            if self.repeats >= self.number:
                raise ValueError(
                    f"repeats: expected a trial before {self.number}, "
                    f"got {self.repeats}."
                )
        for name, value in self.params.items():
            if not is_value(value):
                raise ValueError(
                    "params: expected strings, finite numbers or booleans, got "
                    f"{name}={value!r}."
                )
        object.__setattr__(self, "params", _frozen(self.params))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Proposal.from_json, (self.to_json(),))  # a proxy cannot be pickled

    def to_json(self) -> dict[str, Any]:
        """The JSON form, read back by `from_json`."""
        return {
            "number": self.number,
            "params": dict(self.params),
            "seed": self.seed,
            "origin": self.origin,
            "seen": self.seen,
            "repeats": self.repeats,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Proposal:
        """Read the JSON form; further keys are ignored."""
        return cls(
            number=raw["number"],
            params=raw["params"],
            seed=raw["seed"],
            origin=str(raw["origin"]),
            seen=raw["seen"],
            repeats=raw.get("repeats"),
        )


def _finite_numbers(what: str, numbers: Mapping[str, Any]) -> Mapping[str, float]:
    finite = {}
    for name, number in numbers.items():
        if type(number) is float and math.isfinite(number):
            finite[str(name)] = number
            continue
        if not isinstance(number, Real) or isinstance(number, bool):
            raise ValueError(f"{what}: expected a number, got {name}={number!r}.")
        if not is_number(number):
            raise DivergedError(f"{what}: {name} is {number}, not a finite number")
        finite[str(name)] = float(number)
    return _frozen(finite)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was measured.

    Attributes:
        metrics: natural units, each finite, only what was measured.
        sems: standard errors of those metrics whose error is known, each >= 0.
        stopped: why the training ended early: ``None``, ``"silent"``, ``"pruned"``.
        seconds: wall-clock seconds of the evaluation, >= 0.
        training_s: those of its training alone, without start-up and measuring;
            ``None`` if the task does not tell.
        device: where it ran, e.g. ``"cpu"``.

    Raises:
        DivergedError: a metric or standard error is not finite, so that a NaN can
            never enter a loss matrix.
        ValueError: something that is no number, an unknown ``stopped``, a standard
            error of a metric that was not measured.
    """

    metrics: Mapping[str, float]
    sems: Mapping[str, float] = field(default_factory=dict)
    stopped: str | None = None
    seconds: float = 0.0
    training_s: float | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", _finite_numbers("metrics", self.metrics))
        object.__setattr__(self, "sems", _finite_numbers("sems", self.sems))
        if self.stopped not in STOPS:
            raise ValueError(f"stopped: expected one of {STOPS}, got {self.stopped!r}.")
        for name, sem in self.sems.items():
            if name not in self.metrics or sem < 0:
                raise ValueError(
                    f"sems: expected a number >= 0 for a measured metric, got "
                    f"{name}={sem!r}."
                )
        if not (is_number(self.seconds) and self.seconds >= 0):
            raise ValueError(f"seconds: expected a number >= 0, got {self.seconds!r}.")
        alone = self.training_s
        if alone is not None and not (is_number(alone) and alone >= 0):
            raise ValueError(f"training_s: expected a number >= 0, got {alone!r}.")

    def __reduce__(self) -> tuple[Any, ...]:
        return (Evaluation.from_json, (self.to_json(),))  # as a Proposal

    def to_json(self) -> dict[str, Any]:
        """The JSON form, read back by `from_json`."""
        return {
            "metrics": dict(self.metrics),
            "sems": dict(self.sems),
            "stopped": self.stopped,
            "seconds": self.seconds,
            "training_s": self.training_s,
            "device": self.device,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Evaluation:
        """Read the JSON form; further keys are ignored."""
        return cls(
            metrics=raw["metrics"],
            sems=raw.get("sems", {}),
            stopped=raw.get("stopped"),
            seconds=raw.get("seconds", 0.0),
            training_s=raw.get("training_s"),
            device=raw.get("device", "cpu"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why nothing was measured.

    Attributes:
        kind: one of `FAILURE_KINDS`.
        message: one line for a person.
        log: path of the full log, relative to the study folder, or ``None``.

    Raises:
        ValueError: an unknown kind.
    """

    kind: str
    message: str
    log: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in FAILURE_KINDS:
            raise ValueError(
                f"kind: expected one of {FAILURE_KINDS}, got {self.kind!r}."
            )

    def to_json(self) -> dict[str, Any]:
        """The JSON form, read back by `from_json`."""
        return {"kind": self.kind, "message": self.message, "log": self.log}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Failure:
        """Read the JSON form; further keys are ignored."""
        return cls(
            kind=str(raw["kind"]), message=str(raw["message"]), log=raw.get("log")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A proposal and what became of it.

    Attributes:
        proposal: the point.
        status: PENDING, DONE or FAILED.
        attempt: 0 before it was first submitted, then counted from 1.
        job_id: of the job that has it, or had it last; ``None`` while it waits to be
            submitted for the first time or again.
        evaluation: present exactly when DONE.
        failure: present exactly when FAILED.

    Raises:
        ValueError: status, evaluation and failure contradict each other.
    """

    proposal: Proposal
    status: Status = Status.PENDING
    attempt: int = 0
    job_id: str | None = None
    evaluation: Evaluation | None = None
    failure: Failure | None = None

    def __post_init__(self) -> None:
        if (self.evaluation is not None) != (self.status is Status.DONE) or (
            self.failure is not None
        ) != (self.status is Status.FAILED):
            raise ValueError(
                f"trial {self.proposal.number}: {self.status=} contradicts "
                f"{self.evaluation=} and {self.failure=}."
            )

    @property
    def number(self) -> int:
        """The proposal's number."""
        return self.proposal.number

    @property
    def is_pruned(self) -> bool:
        """Whether it was ended early although it might have become something."""
        return self.evaluation is not None and self.evaluation.stopped == "pruned"
