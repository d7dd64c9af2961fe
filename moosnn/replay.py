"""Every proposal of a study again, from the events that its optimizer had seen.

Knows: study folders, optimizers, how equal is equal. Must not know: how a study is run,
how its answer is shown.

An optimizer is a pure function of the history, so what it proposed can be recomputed
at any time. That is bit for bit with the machine, the versions and the thread count of
the journal's header, and to `TOLERANCE` with others. What the clock decided cannot be
recomputed: a suggestion that ran into its time limit has the origin ``fallback`` and is
checked to be that, a Sobol point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moosnn.errors import ConfigError, SpaceError, StudyFolderError
from moosnn.history import History
from moosnn.logbook import require_untouched
from moosnn.optimizers.base import FALLBACK, Fresh, Optimizer, trial_seed
from moosnn.optimizers.sobol import sobol_point
from moosnn.origins import optimizer_of
from moosnn.plain_input import OBJECT_KEY
from moosnn.problem import Problem
from moosnn.proposer import THREADS
from moosnn.runtime.header import header, require_same
from moosnn.runtime.record import Record, problem_of
from moosnn.runtime.worker import build, read_config
from moosnn.space import Value
from moosnn.threads import single_threaded
from moosnn.trial import Proposal

# In coordinates of the unit cube, where sums may come out otherwise in their last bits.
TOLERANCE = 1e-6
_ROOT = "root"  # of a data set: where it lies, which is no part of what a study is


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Which proposals are recomputed.

    Attributes:
        first: the first trial number, >= 0.
        last: the last one; ``None`` = the last of the study.
        every: every how manieth from the first on, >= 1.
    """

    first: int = 0
    last: int | None = None
    every: int = 1

    def numbers(self, proposals: int) -> range:
        """The trial numbers among the ``proposals`` of a study.

        Raises:
            ConfigError: it has no such trial.
        """
        last = proposals - 1 if self.last is None else self.last
        if self.every < 1:
            raise ConfigError(f"replay: --every: expected K >= 1, got {self.every}.")
        if self == Sample(every=self.every) and not proposals:
            return range(0)  # a study that has only begun
        if not 0 <= self.first <= last < proposals:
            raise ConfigError(
                f"replay: expected 0 <= from <= to <= {proposals - 1}, the last trial "
                f"of the study, got from {self.first} to {last}."
            )
        return range(self.first, last + 1, self.every)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a proposal is not what its optimizer proposes.

    Attributes:
        number: of the trial.
        what: a parameter's name, or ``seed``, ``origin``, ``repeats``, ``seen``.
        then: what the journal has.
        now: what was recomputed; ``None`` if nothing is there.
    """

    number: int
    what: str
    then: Value | None
    now: Value | None = None

    def __str__(self) -> str:
        return f"trial {self.number}: {self.what}: then {self.then}, now {self.now}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay showed.

    Attributes:
        proposals: how many the study has.
        checked: how many were recomputed.
        fallbacks: how many of them were checked to be a fallback only.
        differences: the first of each proposal that differs, by number.
        elsewhere: what is not as in the journal's header, a line each; if there is
            any, numbers were compared to `TOLERANCE`, else bit for bit.
    """

    proposals: int
    checked: int
    fallbacks: int
    differences: tuple[Difference, ...]
    elsewhere: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether they were compared bit for bit."""
        return not self.elsewhere

    def __str__(self) -> str:
        partial = self.checked < self.proposals
        among = f"checked (of {self.proposals}) proposals" if partial else "proposals"
        of = f"{self.checked} {among}"
        if self.differences:
            count = len(self.differences)
            return f"{count} of {of} differ; the first is {self.differences[0]}"
        how = "bit for bit" if self.exact else f"to {TOLERANCE:g}"
        waited = (
            f"; {self.fallbacks} of them fallbacks after a time limit"
            if self.fallbacks
            else ""
        )
        return f"{self.checked} of {of} are the same again, {how}{waited}"


def replay(
    record: Record,
    sample: Sample | None = None,
    *,
    optimizer: Optimizer | None = None,
    on_checked: Callable[[int, int, int], None] = lambda *_: None,
) -> Replayed:
    """Recompute proposals of a study.

    The optimizer and the task that the study's config names are built, so the config is
    trusted like a program. Nothing is written and nothing is evaluated.

    Args:
        record: of the study; it may be running.
        sample: which proposals; ``None`` = all.
        optimizer: the one that was used, if the journal does not have its settings.
        on_checked: called with how many were checked, how many are to be, and how many
            differ so far.

    Raises:
        JournalError: the journal does not begin with a study's header, or was altered
            or damaged since it was written.
        ConfigError: there is no such trial, or the optimizer cannot be built.
    """
    require_untouched(record)
    numbers = (sample or Sample()).numbers(record.history.proposals)
    config = _config(record)
    problem, replayed = _problem(config), optimizer or _optimizer(record, config)
    elsewhere = _elsewhere(record)
    check = _Check(problem, record.history, replayed, config["seed"], not elsewhere)
    differences: list[Difference] = []
    with single_threaded():
        for count, number in enumerate(numbers, start=1):
            difference = check(number)
            if difference is not None:
                differences.append(difference)
            on_checked(count, len(numbers), len(differences))
    return Replayed(
        proposals=record.history.proposals,
        checked=len(numbers),
        fallbacks=check.fallbacks,
        differences=tuple(differences),
        elsewhere=elsewhere,
    )


class _Check:
    """Compares one proposal after the other; ascending numbers go fastest."""

    def __init__(
        self,
        problem: Problem,
        history: History,
        optimizer: Optimizer,
        seed: int,
        exact: bool,
    ) -> None:
        self._problem = problem
        self._history = history
        self._optimizer = optimizer
        self._seed = seed
        self._tolerance = 0.0 if exact else TOLERANCE
        self.fallbacks = 0

    def __call__(self, number: int) -> Difference | None:
        """The first difference of a proposal, or ``None``."""
        then, history = self._history.trial(number).proposal, self._history
        seen = history.prefix(min(then.seen, len(history)))
        if seen.proposals != number or then.seen > len(history):
            return Difference(number=number, what="seen", then=then.seen, now=None)
        found = self._optimizer.propose(self._problem, seen, 1, self._seed)
        difference = self._difference(then, found[0] if found else None)
        if difference is not None and self._is_late_fallback(then, seen):
            self.fallbacks += 1
            return None
        return difference

    def _difference(self, then: Proposal, now: Proposal | None) -> Difference | None:
        if now is None:
            return Difference(number=then.number, what="origin", then=then.origin)
        for name in self._problem.space:
            before, again = then.params.get(name), now.params.get(name)
            if not self._same(name, before, again):
                return Difference(number=then.number, what=name, then=before, now=again)
        for what in ("seed", "origin", "repeats", "seen"):
            before, again = getattr(then, what), getattr(now, what)
            if before != again:
                return Difference(number=then.number, what=what, then=before, now=again)
        return None

    def _same(self, name: str, then: Value | None, now: Value | None) -> bool:
        """Whether two values of a parameter are equal, as far as that can be asked."""
        if then == now and type(then) is type(now):
            return True
        parameter = self._problem.space.parameters[name]
        try:
            distance = abs(parameter.encode(then) - parameter.encode(now))
        except SpaceError:  # not a value of this parameter
            return False
        return self._tolerance > 0 and distance <= self._tolerance

    def _is_late_fallback(self, then: Proposal, seen: History) -> bool:
        """Whether a proposal took the place of one that took too long."""
        late = self._history.of_number(then.number)[0].data.get("late", False)
        if not late or then.origin != FALLBACK:
            return False
        fresh = Fresh(self._problem, seen)
        point = sobol_point(self._problem.space, fresh, self._seed, then.number)
        return (
            point is not None
            and then.seed == trial_seed(self._seed, then.number)
            and all(self._same(n, then.params.get(n), v) for n, v in point.items())
        )


def _config(record: Record) -> Mapping[str, Any]:
    """The config of the study's header, with where its data lie.

    That may change from one driver to the next, so only the folder's config tells.
    """
    task = record.config["task"]
    if not isinstance(task.get("data"), Mapping):
        return record.config
    try:
        place = {_ROOT: read_config(record.folder)["task"]["data"][_ROOT]}
    except (StudyFolderError, KeyError, TypeError):
        return record.config  # data without a place, or nobody knows it any more
    return {**record.config, "task": {**task, "data": {**task["data"], **place}}}


def _elsewhere(record: Record) -> tuple[str, ...]:
    """What this process has that the study's drivers had not, a line each."""
    then = record.history[0].data
    now = header(record.config, then.get("fingerprint", {}), THREADS)
    # It is the same study by all means: only what computes it may differ.
    same = {key: then[key] for key in ("config", "digest") if key in then}
    return tuple(require_same(record.folder, then, {**now, **same}))


def _problem(config: Mapping[str, Any]) -> Problem:
    """The problem as the study's optimizer had it: with what the task refuses."""
    problem = problem_of(config)
    return problem.guarded(build(config, "task").refusal) if config["task"] else problem


def _optimizer(record: Record, config: Mapping[str, Any]) -> Optimizer:
    """The optimizer that the config names.

    Raises:
        ConfigError: it was given as an object, whose settings nobody wrote down.
    """
    if OBJECT_KEY in config["optimizer"]:
        raise ConfigError(
            f"{record.folder}: its optimizer was given as an object "
            f"({config['optimizer']['_target_']}), whose settings are not in the "
            "journal; replay it in Python: moosnn.replay.replay(…, optimizer=…)."
        )
    return optimizer_of(config)
