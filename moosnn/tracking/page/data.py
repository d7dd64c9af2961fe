"""Everything that a report's page shows, as plain JSON.

Knows: studies as records, which module computes what. Must not know: HTML, JavaScript,
pictures; nothing of a config is instantiated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moosnn import __version__
from moosnn.confirmation import confirmed
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking.comparison import Group, compared
from moosnn.tracking.edge import edge_constraints, fell_beyond
from moosnn.tracking.grouping import group
from moosnn.tracking.overview import is_ended
from moosnn.tracking.page.failures import failures_json
from moosnn.tracking.page.importance import importance_json
from moosnn.tracking.page.model_slices import models_json, no_models
from moosnn.tracking.page.networks import networks_json
from moosnn.tracking.page.plain import plain, plains
from moosnn.tracking.page.reproduce import commands, config_yaml, versions_json
from moosnn.tracking.page.steps import steps_json
from moosnn.tracking.page.study_header import (
    constraint_json,
    objective_json,
    parameters_json,
)
from moosnn.tracking.page.timeline import timeline, work_clock
from moosnn.tracking.page.trials_columns import Trials, trials_json
from moosnn.tracking.summary import Member

MOST_ANALYSED = 6  # studies of one page
_LEFT_OUT = (
    "Left out: of many studies only one a group is analysed, that with the median "
    "hypervolume. Report this study alone to see it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One study, as a page needs it.

    Attributes:
        name: for people: where it lies.
        folder: where it lies.
        config: the identity of its config.
        problem: of that config.
        history: everything so far, its header included.
        budget: how many trials were to end, or ``None``.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    problem: Problem
    history: History
    budget: int | None


def page_data(
    sources: Sequence[Source], groups: Sequence[Group] | None = None
) -> dict[str, Any]:
    """The data of a page.

    Args:
        sources: one study or more, of one problem.
        groups: of the same studies, by name, if they were made before.

    Returns:
        JSON data, each number finite.

    Raises:
        ConfigError: studies of different problems.
    """
    if groups is None:
        groups = group(
            [
                compared(s.name, s.config, s.problem, s.history, s.budget)
                for s in sources
            ]
        )
    from threadpoolctl import threadpool_limits

    places = {source.name: place for place, source in enumerate(sources)}
    label_of = {s.name: one.label for one in groups for s in one.studies}
    many = len(sources) > 1
    # Matrices are small, and threads that wait for each other on a busy machine are ten
    # times slower than one; nor does the number of cores change a digit.
    analysed = _analysed(groups)
    with threadpool_limits(limits=1):
        studies = [
            study_json(s, label_of[s.name], analysed=s.name in analysed)
            for s in sources
        ]
    return {
        "moosnn": __version__,
        "studies": studies,
        "groups": [
            {"label": one.label, "studies": [places[s.name] for s in one.studies]}
            for one in groups
            if many
        ],
    }


def _analysed(groups: Sequence[Group]) -> set[str]:
    """The names of the studies that models are fitted to: all of a few.

    Of many studies one a group, that with the median hypervolume, and not of more
    groups than that.
    """
    names = [study.name for one in groups for study in one.studies]
    if len(names) <= MOST_ANALYSED:
        return set(names)
    median = []
    for one in groups[:MOST_ANALYSED]:
        ranked = sorted(one.studies, key=lambda study: study.now.hypervolume)
        median.append(ranked[len(ranked) // 2].name)
    return set(median)


def study_json(source: Source, label: str, *, analysed: bool = True) -> dict[str, Any]:
    """One study of a page.

    Args:
        source: the study.
        label: of its group.
        analysed: whether models are fitted and parameters ranked, which takes seconds.
    """
    problem, history = source.problem, source.history
    trials, clock = Trials.of(problem, history), work_clock(history)
    seed = source.config.get("seed")
    return {
        "name": source.name,
        "label": label if seed is None else f"{label}, seed {seed}",
        "optimizer": label,
        "seed": seed,
        "finished": is_ended(history),
        "budget": source.budget,
        "counts": trials.counts(),
        "objectives": [objective_json(o) for o in problem.objectives],
        "constraints": [constraint_json(c) for c in problem.constraints],
        "parameters": parameters_json(problem),
        "trials": trials_json(trials, clock),
        "front": list(trials.front.numbers),
        "hypervolume": plain(trials.front.hypervolume),
        "pooled": steps_json(problem, history),
        "confirmed": confirmed_json(trials),
        "importance": importance_json(problem, trials.points.trials)
        if analysed
        else {"note": _LEFT_OUT, "targets": []},
        "models": models_json(problem, history, trials.front.numbers)
        if analysed
        else no_models(_LEFT_OUT),
        "networks": networks_json(
            source.folder, history, trials.shown, trials.front.numbers
        ),
        "timeline": timeline(history, clock),
        "failures": failures_json(history),
        "config_yaml": config_yaml(source.folder, source.config),
        "reproduce": commands(source.folder, source.config),
        "versions": versions_json(history),
    }


def confirmed_json(trials: Trials) -> dict[str, Any]:
    """The retrainings of front members: each metric's values on the test split."""
    constraints = edge_constraints(trials.problem)
    found = confirmed(trials.history)
    rows = {}
    for number in trials.front.numbers:
        if number not in found:
            continue
        member = Member(
            trial=trials.shown[number],
            trials=trials.points.numbers[number],
            confirmed=found[number],
        )
        beyond, count = fell_beyond(constraints, member)
        values = {m: plains(found[number].values(m)) for m in trials.problem.metrics}
        rows[str(number)] = {**values, "beyond": beyond, "of": count}
    return rows
