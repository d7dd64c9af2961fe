"""Whether the parts of a study agree with each other.

Knows: what a problem, an optimizer or a confirmation asks of the task. Must not know:
how any of them works.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moosnn.errors import ConfigError, nearest
from moosnn.optimizers.cost import CLOCKS
from moosnn.parameters import Choice
from moosnn.problem import Problem
from moosnn.settings import Settings
from moosnn.tasks.base import Task, abilities_of


def check_metrics(problem: Problem, task: Task) -> None:
    """Refuse a problem that asks for what the task does not always measure.

    Raises:
        ConfigError: with the metric.
    """
    abilities = abilities_of(task)
    unasked = abilities.unasked
    if abilities.anything:
        return
    for metric in problem.metrics:
        if metric in unasked:
            raise ConfigError(
                f"problem: {metric!r} is measured only if the task is asked for it: "
                f"set {unasked[metric]}."
            )
    problem.check_task((*task.metrics, *unasked))
    for constraint in problem.constraints:
        if constraint.metric not in task.always:
            raise ConfigError(
                f"problem.constraints: not every network has {constraint.metric!r}: "
                "one that is stopped has no answers, a shallow one lacks layers."
                f"{nearest(constraint.metric, task.always)}"
            )


def check_confirmation(settings: Settings, task: Task) -> None:
    """Refuse a confirmation by a task that has none.

    Raises:
        ConfigError: with what to set.
    """
    if settings.confirm != 0 and not abilities_of(task).confirms:
        raise ConfigError(
            "study.confirm: the task has nothing to confirm points by: set "
            "study.confirm=0, or name a function that tests them (task.confirm=…; "
            "task.confirm=${task.function} calls the same one with new seeds)."
        )


def check_cost(optimizer: object, problem: Problem, task: Task) -> None:
    """Refuse a cost that the task does not always tell, or that is no cost.

    Raises:
        ConfigError: with the metric.
    """
    if not isinstance(optimizer, Mapping) or not optimizer.get("cost_aware"):
        return
    metric, known = optimizer.get("cost_metric"), (*task.always, *CLOCKS)
    if metric in [constraint.metric for constraint in problem.constraints]:
        raise ConfigError(
            f"optimizer.cost_metric: {metric!r} is a constraint's: a search that "
            f"divides by it would reward what lies beyond its bound; use {CLOCKS[0]}."
        )
    if isinstance(metric, str) and metric not in known:
        raise ConfigError(
            f"optimizer.cost_metric: the task does not always tell {metric!r}."
            f"{nearest(metric, known)}"
        )


def check_fidelity(problem: Problem, task: Task, config: Mapping[str, Any]) -> None:
    """Refuse a fidelity that is not what reports count.

    A trial that was pruned at a report is taken for the same point with so much of it.

    Raises:
        ConfigError: with what they count; or a rule that trains otherwise if more
            epochs are to come.
    """
    counted = abilities_of(task).reports_count
    if problem.fidelity is None:
        return
    if counted is not None and problem.fidelity != counted:
        raise ConfigError(
            f"problem.fidelity: expected {counted}, which this task's reports count, "
            f"got {problem.fidelity!r}."
        )
    rule = problem.space.parameters.get("training")
    rules = rule.options if isinstance(rule, Choice) else ()
    if "hybrid" in (*rules, fixed_of(config).get("training")):
        raise ConfigError(
            "problem.fidelity: training=hybrid plans its learning rate for all epochs, "
            "so that a training of fewer is another one: use problem.fidelity=null."
        )


def fixed_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values in ``task.fixed``, if that is what a task takes."""
    task = config["task"]
    fixed = task.get("fixed") if isinstance(task, Mapping) else None
    return fixed if isinstance(fixed, Mapping) else {}
