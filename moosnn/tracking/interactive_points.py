"""The points of an interactive figure: markers, and what they tell on hover.

Knows: how plotly describes markers. Must not know: which points there are, where panels
lie.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moosnn.pareto.front import Front
from moosnn.problem import Problem
from moosnn.tracking.front_marks import Pair
from moosnn.tracking.kinds import telling
from moosnn.tracking.points import Points
from moosnn.tracking.summary import number_text, params_text
from moosnn.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What every trace of a panel needs to know.

    Attributes:
        problem: what is measured.
        front: of the points.
        points: what was measured.
        pair: the two objectives.
        place: the names of the panel's axes, as ``{"xaxis": "x2", "yaxis": "y"}``;
            empty = plotly's first ones.
    """

    problem: Problem
    front: Front
    points: Points
    pair: Pair
    place: Mapping[str, str] = field(default_factory=dict)

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
        """Markers at the two objectives."""
        trace = self.trace(trials, name, symbol, color)
        x, y = self.pair.at(trials)
        return {**trace, **self.place, "x": x.tolist(), "y": y.tolist()}

    def members(
        self, trials: Sequence[Trial], name: str, symbol: str, color: str
    ) -> dict[str, Any]:
        """Markers with a standard error to each side, where any was repeated."""
        trace = self.observed(trials, name, symbol, color)
        sides = (("error_x", self.pair.horizontal), ("error_y", self.pair.vertical))
        if any(map(self.points.is_repeated, trials)):
            for axis, objective in sides:
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
