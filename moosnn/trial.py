"""What happens in a study: proposals, evaluations, failures, events and their history.

Knows: the life of a trial and how the events of a journal add up to it.
Must not know: objectives (what is good), files, networks, optimizers; numpy and torch.

A `History` is a read-only view of the first ``n`` events of one shared, append-only
log. ``prefix(k)`` costs nothing, so an optimizer that is a pure function of the
history can be asked again what it would have proposed at any earlier moment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from numbers import Real
from types import MappingProxyType
from typing import Any, overload

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
)

# A late valid result may still supersede these: the trial itself did nothing wrong.
CORRECTABLE = ("lost", "timeout", "preempted")


class Kind(StrEnum):
    """What an event says. Kinds are only ever added, never removed or renamed."""

    STUDY = "study"
    OPENED = "opened"
    PROPOSED = "proposed"
    SUBMITTED = "submitted"
    REPORTED = "reported"
    RETRIED = "retried"
    FINISHED = "finished"
    FAILED = "failed"
    CORRECTED = "corrected"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class Status(StrEnum):
    """Where a trial stands. DONE has an evaluation, FAILED a failure, PENDING none."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


def _frozen(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(mapping))


def _require_count(what: str, value: object) -> None:
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
            _require_count(what, getattr(self, what))
        if self.repeats is not None:
            _require_count("repeats", self.repeats)
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

    def __reduce__(self) -> tuple[Any, ...]:
        return (Evaluation.from_json, (self.to_json(),))  # as a Proposal

    def to_json(self) -> dict[str, Any]:
        """The JSON form, read back by `from_json`."""
        return {
            "metrics": dict(self.metrics),
            "sems": dict(self.sems),
            "stopped": self.stopped,
            "seconds": self.seconds,
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


_EVENT_KEYS = ("event", "number", "attempt", "time", "epoch")
_WITHOUT_TRIAL = (Kind.STUDY, Kind.OPENED, Kind.ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a journal.

    Attributes:
        kind: what it says.
        number: the trial it is about, or ``None``.
        attempt: the attempt it is about, or ``None``.
        time: seconds since 1970 by the driver's clock; for people, never for decisions.
        epoch: of the driver's lease.
        data: what the kind adds, JSON values only.

    Raises:
        ValueError: an unknown kind, a number or attempt that is not a whole number
            >= 0, ``data`` that would overwrite another field of the line.
    """

    kind: Kind
    number: int | None = None
    attempt: int | None = None
    time: float = 0.0
    epoch: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.kind))
        for what in ("number", "attempt"):
            if getattr(self, what) is not None:
                _require_count(what, getattr(self, what))
        for key in _EVENT_KEYS:
            if key in self.data:
                raise ValueError(f"data: {key!r} is a field of every event.")

    def to_json(self) -> dict[str, Any]:
        """One flat JSON object, read back by `from_json`."""
        return {
            "event": str(self.kind),
            "number": self.number,
            "attempt": self.attempt,
            "time": self.time,
            "epoch": self.epoch,
            **self.data,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Event:
        """Read the JSON form.

        Raises:
            ValueError: an unknown kind, or a field of the wrong type.
            KeyError: a field is missing.
        """
        return cls(
            kind=raw["event"],
            number=raw["number"],
            attempt=raw["attempt"],
            time=float(raw["time"]),
            epoch=int(raw["epoch"]),
            data={k: v for k, v in raw.items() if k not in _EVENT_KEYS},
        )


def _apply(trial: Trial | None, event: Event) -> Trial:
    """What a trial is after one more of its events."""
    if event.kind is Kind.PROPOSED:
        return Trial(
            proposal=Proposal.from_json({**event.data, "number": event.number})
        )
    assert trial is not None, "the log refuses an event of a trial never proposed"
    match event.kind:
        case Kind.SUBMITTED:
            attempt = event.attempt or 0
            return replace(trial, attempt=attempt, job_id=event.data.get("job_id"))
        case Kind.FINISHED | Kind.CORRECTED:
            return replace(
                trial,
                status=Status.DONE,
                attempt=event.attempt or trial.attempt,
                evaluation=Evaluation.from_json(event.data["evaluation"]),
                failure=None,
            )
        case Kind.RETRIED:
            return replace(trial, job_id=None)
        case Kind.FAILED:
            failure = Failure.from_json(event.data["failure"])
            return replace(trial, status=Status.FAILED, failure=failure)
        case _:
            return trial


def _applied(trial: Trial | None, event: Event) -> Trial:
    """`_apply` for an event that may lack what its kind needs.

    Raises:
        ValueError: it does.
    """
    try:
        return _apply(trial, event)
    except (KeyError, TypeError, AttributeError, DivergedError) as error:
        raise ValueError(
            f"{event.kind} of trial {event.number}: malformed: {error!r}."
        ) from error


class _Log:
    """The shared, append-only events and the indexes over them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        # For each number the positions of its events; for each status the positions
        # and numbers of the events that brought a trial there.
        self.of_number: list[list[int]] = []
        self.entered: dict[Status, tuple[list[int], list[int]]] = {
            status: ([], []) for status in Status
        }
        self.trials: list[Trial] = []
        self.past: dict[tuple[int, int], Trial] = {}

    def append(self, event: Event) -> None:
        """Add one event.

        Raises:
            ValueError: the event cannot follow the ones before it.
        """
        position = len(self.events)
        if event.number is not None:
            self._index(event, position)
        elif event.kind not in _WITHOUT_TRIAL:
            raise ValueError(f"{event.kind}: expected the number of a trial, got none.")
        self.events.append(event)

    def _index(self, event: Event, position: int) -> None:
        number = event.number
        assert number is not None
        known = len(self.trials)
        if event.kind is Kind.PROPOSED:
            if number != known:
                raise ValueError(f"expected proposal {known}, got {number}.")
            trial = _applied(None, event)
            self.trials.append(trial)
            self.of_number.append([])
            before = None
        else:
            if number >= known:
                raise ValueError(f"{event.kind} of trial {number}: never proposed.")
            before = self.trials[number]
            self._check_end(before, event)
            trial = _applied(before, event)
            self.trials[number] = trial
        self.of_number[number].append(position)
        if before is None or before.status is not trial.status:
            positions, numbers = self.entered[trial.status]
            positions.append(position)
            numbers.append(number)

    @staticmethod
    def _check_end(trial: Trial, event: Event) -> None:
        """Every number ends once; only some failures may be corrected."""
        if event.kind in (Kind.FINISHED, Kind.FAILED, Kind.RETRIED, Kind.SUBMITTED):
            if trial.status is not Status.PENDING:
                raise ValueError(
                    f"{event.kind} of trial {trial.number}, which is {trial.status}."
                )
        elif event.kind is Kind.CORRECTED and (
            trial.failure is None or trial.failure.kind not in CORRECTABLE
        ):
            raise ValueError(
                f"corrected: trial {trial.number} did not fail by one of {CORRECTABLE}."
            )

    def trial_at(self, number: int, length: int) -> Trial:
        """What a trial was after the first ``length`` events."""
        positions = self.of_number[number]
        count = bisect_left(positions, length)
        if count == len(positions):
            return self.trials[number]
        key = (number, count)
        if key not in self.past:
            trial: Trial | None = None
            for position in positions[:count]:
                trial = _apply(trial, self.events[position])
            assert trial is not None
            self.past[key] = trial
        return self.past[key]


class History(Sequence[Event]):
    """The first events of a journal, and the trials they add up to. Read-only.

    A view of trials costs time in the number of trials, not of events.
    """

    __slots__ = ("_length", "_log")

    def __init__(self, log: _Log, length: int) -> None:
        self._log = log
        self._length = length

    @classmethod
    def of(cls, events: Iterable[Event]) -> History:
        """The history of some events; for a growing one see `HistoryBuilder`."""
        builder = HistoryBuilder()
        for event in events:
            builder.append(event)
        return builder.history

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...

    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        if isinstance(index, slice):
            return self._log.events[: self._length][index]
        if not -self._length <= index < self._length:
            raise IndexError(index)
        return self._log.events[index % self._length]

    def __iter__(self) -> Iterator[Event]:
        for position in range(self._length):
            yield self._log.events[position]

    def prefix(self, length: int) -> History:
        """The history when it had ``length`` events.

        Raises:
            ValueError: ``length`` is negative or lies beyond this history.
        """
        if not 0 <= length <= self._length:
            raise ValueError(f"expected 0 <= length <= {self._length}, got {length}.")
        return History(self._log, length)

    @property
    def proposals(self) -> int:
        """How many trials were proposed; the next proposal's number."""
        positions, _ = self._log.entered[Status.PENDING]
        # A trial enters PENDING once, when it is proposed: numbers are dense.
        return bisect_left(positions, self._length)

    def trial(self, number: int) -> Trial:
        """One trial by number.

        Raises:
            KeyError: it was not proposed yet.
        """
        self._require_proposed(number)
        return self._log.trial_at(number, self._length)

    def _require_proposed(self, number: int) -> None:
        if not 0 <= number < self.proposals:
            raise KeyError(number)

    @property
    def trials(self) -> list[Trial]:
        """Every proposed trial, by number."""
        return [self._log.trial_at(n, self._length) for n in range(self.proposals)]

    def _entered(self, status: Status) -> list[Trial]:
        positions, numbers = self._log.entered[status]
        count = bisect_left(positions, self._length)
        found = (self._log.trial_at(n, self._length) for n in numbers[:count])
        return [trial for trial in found if trial.status is status]

    @property
    def done(self) -> list[Trial]:
        """The evaluated trials, in the order in which they ended."""
        return self._entered(Status.DONE)

    @property
    def failed(self) -> list[Trial]:
        """The finally failed trials, in the order in which they ended."""
        return self._entered(Status.FAILED)

    @property
    def pending(self) -> list[Trial]:
        """The trials that have not ended, in the order in which they were proposed."""
        return self._entered(Status.PENDING)

    def of_kind(self, kind: Kind) -> list[Event]:
        """The events of one kind, in order."""
        return [event for event in self if event.kind is kind]

    def of_number(self, number: int) -> list[Event]:
        """The events of one trial, in order.

        Raises:
            KeyError: it was not proposed yet.
        """
        self._require_proposed(number)
        positions = self._log.of_number[number]
        count = bisect_left(positions, self._length)
        return [self._log.events[position] for position in positions[:count]]

    def attempts(self, number: int) -> int:
        """The highest attempt number a trial was ever given, 0 if none.

        Raises:
            KeyError: it was not proposed yet.
        """
        return max((e.attempt or 0 for e in self.of_number(number)), default=0)


class HistoryBuilder:
    """The one place where a history grows: the journal holds it."""

    def __init__(self) -> None:
        self._log = _Log()

    def append(self, event: Event) -> None:
        """Add an event.

        Raises:
            ValueError: the event cannot follow the ones before it (a trial that ends
                twice, or that was never proposed), or lacks what its kind needs; the
                history stays as it was.
        """
        self._log.append(event)

    @property
    def history(self) -> History:
        """A view of everything so far; it does not grow."""
        return History(self._log, len(self._log.events))
