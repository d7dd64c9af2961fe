"""What was tried elsewhere, as points of this space.

Knows: which trials of another study, and which points of a file, lie in a space. Must
not know: which of them are worth trying again, how a study is run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from moosnn.errors import SpaceError
from moosnn.exchange.points import Points
from moosnn.optimizers.enqueued import missing_parameters
from moosnn.parameters import Choice, Parameter
from moosnn.problem import Problem
from moosnn.runtime.record import Record
from moosnn.space import Params, Value
from moosnn.trial import Proposal, Trial

FILL = "study.warm_start_fill"
_ORIGIN = "warm_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The trials of a study that can be taken over, at points of this space.

    Attributes:
        trials: under their own numbers.
        skipped: how many others there are, by reason.
        dropped: parameters that were searched there only.
        examples: a value that did not fit, by reason.
    """

    trials: tuple[Trial, ...]
    skipped: Mapping[str, int]
    dropped: tuple[str, ...]
    examples: Mapping[str, str] = field(default_factory=dict)

    def why(self) -> str:
        """Why the others were skipped."""
        reasons = sorted(self.skipped.items(), key=lambda item: -item[1])
        parts = [
            f"{count} {reason}{self._example(reason)}" for reason, count in reasons
        ]
        return "; ".join(parts) or "none was evaluated"

    def _example(self, reason: str) -> str:
        return f", e.g. {self.examples[reason]}" if reason in self.examples else ""


def of_record(problem: Problem, record: Record, fill: Params) -> Transfer:
    """The trials of another study that can be taken over.

    Args:
        problem: says what may be tried, and what has to be measured.
        record: of the other study.
        fill: values of parameters that it neither searched nor fixed.
    """
    there = record.problem.space
    fixed = record.config["task"].get("fixed") or {}
    offers = (
        (trial, {**fill, **fixed, **there.active(trial.proposal.params)})
        for trial in record.history.done
    )
    dropped = tuple(name for name in there if name not in problem.space.parameters)
    return _transfer(problem, offers, dropped)


def of_points(problem: Problem, points: Points, fill: Params) -> Transfer:
    """The points of a file that lie in this space, in its order.

    What was measured at them does not count. A value may be text, as in a CSV file.

    Args:
        problem: says what may be tried.
        points: of the file.
        fill: values of parameters that it does not have.
    """
    offers = (
        (_trial(point.number), {**fill, **points.fixed, **point.params})
        for point in points.points
    )
    named = dict.fromkeys(name for point in points.points for name in point.params)
    dropped = tuple(name for name in named if name not in problem.space.parameters)
    return _transfer(problem, offers, dropped)


def _trial(number: int) -> Trial:
    """What a file's points are, before they have values of this space."""
    proposal = Proposal(number=number, params={}, seed=0, origin=_ORIGIN, seen=0)
    return Trial(proposal=proposal)


def _transfer(
    problem: Problem,
    offers: Iterable[tuple[Trial, Params]],
    dropped: tuple[str, ...],
) -> Transfer:
    space = problem.space
    trials: list[Trial] = []
    skipped: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for trial, known in offers:
        params = {
            n: typed(p, known[n]) for n, p in space.parameters.items() if n in known
        }
        reason, example = _unfit(problem, trial, params)
        if reason:
            skipped[reason] += 1
            if example:
                examples.setdefault(reason, example)
            continue
        moved = replace(trial.proposal, params=space.canonical(params))
        trials.append(replace(trial, proposal=moved))
    return Transfer(
        trials=tuple(trials), skipped=skipped, dropped=dropped, examples=examples
    )


def _unfit(problem: Problem, trial: Trial, params: dict[str, Value]) -> tuple[str, str]:
    """Why a trial cannot be taken over, and the value if it is one; else nothing."""
    missing = missing_parameters(problem.space, params)
    if missing:
        names = ", ".join(missing)
        return (
            f"without a value for {names} (give it one with {FILL}.{missing[0]}=…)",
            "",
        )
    try:
        here = problem.space.canonical(params)
    except SpaceError as error:
        rule, _, got = str(error).partition(", got ")
        value = got.partition(". ")[0].rstrip(".")
        return f"outside of this space ({rule.rstrip('.')})", value
    if problem.refusal(here):
        return "that may not be tried here", ""
    lack = trial.evaluation and problem.check_evaluation(trial.evaluation)
    return (f"of which {lack}", "") if lack else ("", "")


def typed(parameter: Parameter, value: Value) -> Value:
    """A value that may have come as text, or from text, in a parameter's type.

    Args:
        parameter: whose value it is to be.
        value: text is read as a number where the parameter is one, and as the option
            of a choice that is written so; a boolean in any case of letters. A number
            or a boolean is the option of a choice that is text and means the same.

    Returns:
        The value as it came where it cannot be read so: whoever spells it refuses it.
    """
    if not isinstance(value, str):
        return _option(parameter, value)
    if not isinstance(parameter, Choice):
        number = _number(value)
        return value if number is None else number
    if value in [option for option in parameter.options if isinstance(option, str)]:
        return value
    for option in parameter.options:
        if isinstance(option, bool):
            if value.lower() == str(option).lower():
                return option
        elif not isinstance(option, str) and _number(value) == option:
            return option
    return value


def _option(parameter: Parameter, value: float | bool) -> Value:
    """The option that means a value, text or not; the value itself if there is none."""
    if not isinstance(parameter, Choice):
        return value
    for option in parameter.options:  # 1.0 is 1, but not True
        if option == value and isinstance(option, bool) == isinstance(value, bool):
            return option
    texts = [option for option in parameter.options if isinstance(option, str)]
    if isinstance(value, bool):
        same = [text for text in texts if text.lower() == str(value).lower()]
    else:
        same = [text for text in texts if _number(text) == value]
    return same[0] if len(same) == 1 else value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
