"""What every task is. Must not know optimizers, journals or executors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from moosnn.space import Params
from moosnn.trial import Evaluation, Proposal


class Context(Protocol):
    """What the worker gives to a running trial."""

    @property
    def workdir(self) -> Path:
        """The attempt's own folder; the trial writes nowhere else."""
        ...

    @property
    def cache(self) -> Path:
        """A folder that all trials of the study share; it may be absent or deleted.

        Several processes use it at once: files appear whole, by a rename.
        """
        ...

    @property
    def attempt(self) -> int:
        """The attempt's number, from 1."""
        ...

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        """Tell how far the training is.

        Args:
            step: whole epochs done, ascending.
            metrics: what is known by then, natural units, finite.

        Returns:
            True: stop now and return what was measured, with ``stopped="pruned"``.

        Raises:
            ValueError: the step is not after the last one.
        """
        ...

    def preempted(self) -> bool:
        """Whether to write a checkpoint and raise `ReleasedError` now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a task can do, or needs to be asked for, beyond what every task does.

    Attributes:
        anything: its metrics are known only once it has run: a user's function.
        unasked: of metrics that it could measure, what to set for them.
        confirms: whether there is anything to confirm a point by.
        at_rungs: the metrics that are told before the end; ``None`` = all.
        reports_count: the parameter that says after how many reports a training ends;
            ``None`` = not known.
        on_gpus: whether it computes on GPUs where there are any.
    """

    anything: bool = False
    unasked: Mapping[str, str] = field(default_factory=dict)
    confirms: bool = True
    at_rungs: tuple[str, ...] | None = None
    reports_count: str | None = None
    on_gpus: bool = True


def abilities_of(task: object) -> Abilities:
    """A task's ``abilities``; most tasks have none of their own."""
    told: Abilities = getattr(task, "abilities", Abilities())
    return told


class Task(Protocol):
    """Evaluates points. The constructor is cheap: data and CUDA wait for `evaluate`.

    One that can do more, or less, has `abilities` as well.
    """

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what it measures."""
        ...

    @property
    def always(self) -> tuple[str, ...]:
        """Those metrics that every evaluation has, of a stopped training as well.

        A constraint needs one of these.
        """
        ...

    @property
    def parameters(self) -> frozenset[str] | None:
        """The parameters it understands; ``None`` = any."""
        ...

    def check(self, params: Params) -> None:
        """Refuse a point that could never be evaluated; asked before a study begins.

        Raises:
            ConfigError: with the parameter and what was expected.
        """
        ...

    def refusal(self, params: Params) -> str | None:
        """Why a point must not be tried although each of its values may, or ``None``.

        Asked of every point before it is proposed, so it is fast: an architecture
        that is too large, or whose parts do not fit together.
        """
        ...

    def fingerprint(self) -> Mapping[str, str]:
        """What the results depend on beside the config, e.g. the data's digest."""
        ...

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Try a point; during the search.

        Raises:
            DivergedError: the training left the finite numbers.
            ReleasedError: it was preempted and wrote a checkpoint.
        """
        ...

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        """Try a point anew with the proposal's seed and read the test split, once.

        Only after the search; no optimizer sees the result. Raises as `evaluate`.
        """
        ...
