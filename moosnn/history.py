"""What happened in a study: events, and the trials they add up to.

Knows: the life of a trial and how the events of a journal add up to it.
Must not know: objectives (what is good), files, networks, optimizers; numpy and torch.

A `History` is a read-only view of the first ``n`` events of one shared, append-only
log. ``prefix(k)`` costs nothing, so an optimizer that is a pure function of the
history can be asked again what it would have proposed at any earlier moment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import overload

from moosnn.errors import DivergedError
from moosnn.events import Event, Kind
from moosnn.space import Value
from moosnn.trial import Evaluation, Failure, Proposal, Status, Trial

# A late valid result may still supersede these: the trial itself did nothing wrong.
CORRECTABLE = ("lost", "timeout", "preempted")
_WITHOUT_TRIAL = (Kind.STUDY, Kind.OPENED, Kind.ENDED)


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


def _spelled(params: Mapping[str, Value]) -> tuple[object, ...]:
    """The same for equal canonical points, and hashable."""
    return tuple(params.values())


class _Log:
    """The shared, append-only events and the indexes over them.

    One thread appends while others read prefixes: an index is extended before what it
    leads to is replaced, and a reader takes the trial before it looks at the index.
    """

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
        # Nothing that happens later changes an evaluated trial.
        self.done: list[Trial] = []
        # The trials that are pending now, and those that once were.
        self.open: dict[int, None] = {}
        self.left: tuple[list[int], list[int]] = ([], [])
        self.first_of: dict[tuple[object, ...], int] = {}  # the first trial of a point

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
            before, trial = None, _applied(None, event)
            self.of_number.append([position])
            self.trials.append(trial)
            self.open[number] = None
            self.first_of.setdefault(_spelled(trial.proposal.params), number)
        else:
            if number >= known:
                raise ValueError(f"{event.kind} of trial {number}: never proposed.")
            before = self.trials[number]
            self._check_end(before, event)
            trial = _applied(before, event)
            self.of_number[number].append(position)
            self.trials[number] = trial
        if before is None or before.status is not trial.status:
            if trial.status is Status.DONE:
                self.done.append(trial)
            if before is not None and before.status is Status.PENDING:
                self.left[1].append(number)
                self.left[0].append(position)
                del self.open[number]
            positions, numbers = self.entered[trial.status]
            numbers.append(number)
            positions.append(position)

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
        newest = self.trials[number]
        positions = self.of_number[number]
        count = bisect_left(positions, length)
        if count == len(positions):
            return newest
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

    A view of trials costs time in the number of trials it shows, not of events.
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
        positions, _ = self._log.entered[Status.DONE]
        return self._log.done[: bisect_left(positions, self._length)]

    @property
    def failed(self) -> list[Trial]:
        """The finally failed trials, in the order in which they ended."""
        return self._entered(Status.FAILED)

    @property
    def pending(self) -> list[Trial]:
        """The trials that have not ended, in the order in which they were proposed."""
        log = self._log
        # In this order: whoever leaves in between is found in one place or in both.
        now = list(log.open)
        positions, numbers = log.left
        later = numbers[bisect_left(positions, self._length) :]
        proposed = self.proposals
        found = sorted({n for n in (*now, *later) if n < proposed})
        return [log.trial_at(number, self._length) for number in found]

    def was_proposed(self, params: Mapping[str, Value]) -> bool:
        """Whether a trial with these parameters, a canonical point, was proposed."""
        first = self._log.first_of.get(_spelled(params))
        return first is not None and first < self.proposals

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
