"""The points of an interactive figure: markers, and what they tell on hover.

Knows: how plotly describes markers. Must not know: which points there are, panels.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moosnn.pareto.front import Front
from moosnn.problem import Objective, Problem
from moosnn.tracking.kinds import telling
from moosnn.tracking.points import Points
from moosnn.tracking.summary import number_text, params_text
from moosnn.trial import Trial


@dataclass(frozen=True, slots=True)
class View:
    """What every trace needs to know."""

    problem: Problem
    front: Front
    points: Points

    def trace(
        self,
        trials: Sequence[Trial],
        name: str,
        symbol: str,
        color: str,
        **more: object,
    ) -> dict[str, Any]:
        """Markers without coordinates; they tell their trials on hover."""
        marker = {"symbol": symbol, "color": color, "size": 9}
        return {
            "type": "scatter",
            "mode": "markers",
            "name": f"{name} ({len(trials)})",
            "marker": marker,
            "text": [self._hover(trial) for trial in trials],
            "hovertemplate": "%{text}<extra></extra>",
            **more,
        }

    def observed(
        self, trials: Sequence[Trial], name: str, symbol: str, color: str
    ) -> dict[str, Any]:
        """Markers at the first two objectives, coloured by the third if any."""
        vertical, horizontal, *others = self.problem.objectives
        trace = self.trace(trials, name, symbol, color)
        trace["x"] = values(trials, horizontal)
        trace["y"] = values(trials, vertical)
        if others:
            third = others[0]
            numbers = values(trials, third)
            if third.scale == "log":
                numbers = [math.log10(number) for number in numbers]
            trace["marker"] |= {"color": numbers, "coloraxis": "coloraxis"}
        return trace

    def members(
        self, trials: Sequence[Trial], name: str, symbol: str, color: str
    ) -> dict[str, Any]:
        """Markers with a standard error to each side, where any was repeated."""
        trace = self.observed(trials, name, symbol, color)
        vertical, horizontal = self.problem.objectives[:2]
        if any(map(self.points.is_repeated, trials)):
            for axis, objective in (("error_x", horizontal), ("error_y", vertical)):
                sems = [self.points.sem(t, objective.metric) for t in trials]
                trace[axis] = {"type": "data", "array": sems, "thickness": 1}
        return trace

    def _hover(self, trial: Trial) -> str:
        assert trial.evaluation is not None
        metrics = trial.evaluation.metrics
        kind = telling(self.problem.space)
        title = f"{trial.proposal.params[kind]}: " if kind else ""
        lines = [f"<b>{html.escape(title)}trial {trial.number}</b>"]
        numbers = self.points.numbers[trial.number]
        if len(numbers) > 1:
            lines.append(f"means of trials {', '.join(map(str, numbers))}")
        for name, value in metrics.items():
            sem = self.points.sem(trial, name)
            error = f" ± {number_text(sem)}" if sem else ""
            lines.append(html.escape(f"{name} {number_text(value)}{error}"))
        if trial.evaluation.stopped:
            lines.append(f"stopped: {trial.evaluation.stopped}")
        params = params_text(self.problem.space, trial.proposal.params)
        lines += [html.escape(word) for word in params.split()]
        return "<br>".join(lines)


def values(trials: Sequence[Trial], objective: Objective) -> list[float]:
    """Values on an axis; on a log axis none lies below the floor."""
    floor = objective.floor if objective.scale == "log" else -math.inf
    return [
        max(t.evaluation.metrics[objective.metric], floor)
        for t in trials
        if t.evaluation is not None
    ]
