"""What pictures of a front are drawn with: its points in two objectives, and the edge.

Knows matplotlib's axes; must not know how many of them a picture has. Colours are those
of Okabe and Ito, for the colour-blind; what matters is also told apart by shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moosnn.history import History
from moosnn.pareto.dominance import non_dominated
from moosnn.pareto.front import Front, front_of
from moosnn.problem import Constraint, Floats, Objective, Problem
from moosnn.tracking.edge import beyond_word, edge_constraints, fell_beyond
from moosnn.tracking.kinds import Kind, kinds_of
from moosnn.tracking.log_ticks import set_log
from moosnn.tracking.points import Points, points_of
from moosnn.tracking.summary import members
from moosnn.trial import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRONT = "#0072B2"
_DOMINATED = "#56B4E9"
_SILENT = "#999999"
_REFERENCE = "#D55E00"
DPI = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is drawn of a study.

    Attributes:
        problem: its objectives and constraints.
        points: what was measured, a trial a point.
        front: of them.
        members: of the front.
        fallen: the members that fell silent when they were trained again.
    """

    problem: Problem
    points: Points
    front: Front
    members: tuple[Trial, ...]
    fallen: tuple[Trial, ...]

    @classmethod
    def of(cls, problem: Problem, history: History) -> Scene:
        """The scene of a history."""
        points = points_of(problem, history)
        front = front_of(problem, points.trials)
        constraints = edge_constraints(problem)
        rows = members(problem, history)
        return cls(
            problem=problem,
            points=points,
            front=front,
            members=tuple(t for t in points.trials if t.number in front),
            fallen=tuple(r.trial for r in rows if fell_beyond(constraints, r)[0]),
        )

    @property
    def voiding(self) -> Constraint | None:
        """The constraint that is the edge, if there is one."""
        return next((c for c in self.problem.constraints if c.voids), None)

    def others(self, *, feasible: bool) -> list[Trial]:
        """The observed points that are not on the front."""
        return [
            t
            for t in self.points.trials
            if self.problem.is_observed(t)
            and t.number not in self.front
            and self.problem.is_feasible(t) == feasible
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two objectives, each an axis.

    Attributes:
        horizontal: the objective across.
        vertical: the objective upwards.
    """

    horizontal: Objective
    vertical: Objective

    def at(self, trials: Sequence[Trial]) -> tuple[Floats, Floats]:
        """Where trials lie."""
        return _clipped(trials, self.horizontal), _clipped(trials, self.vertical)

    def best(self, trials: Sequence[Trial]) -> list[Trial]:
        """Those that none is better than in the two alone, along the horizontal."""
        sides = (self.horizontal, self.vertical)
        rows = [
            [o.loss(float(v)) for o, v in zip(sides, place, strict=True)]
            for place in zip(*self.at(trials), strict=True)
        ]
        losses = np.array(rows, dtype=float).reshape(-1, len(sides))
        kept: list[int] = np.flatnonzero(non_dominated(losses)).tolist()
        return [trials[k] for k in sorted(kept, key=lambda k: tuple(losses[k]))]


def axis_label(objective: Objective) -> str:
    """An axis in words: the metric, its unit and which way is better."""
    name, unit = metric_words(objective.metric), objective.unit
    words = name.lower().replace(",", "").split()
    if unit and len(words) > 1 and words[-1] == unit.lower():
        name = f"{name[: -len(unit) - 1]} ({unit})"  # energy_nj in nJ: "energy (nJ)"
    elif unit and unit.lower() not in words:
        name = f"{name} ({unit})"
    better = "higher" if objective.goal == "max" else "lower"
    return f"{name}, {better} is better"


def metric_words(metric: str) -> str:
    """A metric in words: ``lost_worst.pcm_day`` is "lost worst, pcm day"."""
    return metric.replace("_", " ").replace(".", ", ")


def draw_pair(axes: Axes, scene: Scene, pair: Pair) -> None:
    """Draw the observed points in two objectives, with the reference.

    Steps lead along the points that are best in these two alone: of two objectives the
    whole front.

    Args:
        axes: without labels afterwards.
        scene: what is drawn.
        pair: of the problem's objectives.
    """
    if pair.horizontal.scale == "log":
        set_log(axes, "x", _span(scene, pair.horizontal))
    if pair.vertical.scale == "log":
        set_log(axes, "y", _span(scene, pair.vertical))
    _draw_others(axes, scene, pair)
    on_front = sorted(
        scene.members, key=lambda t: pair.horizontal.loss(float(pair.at([t])[0][0]))
    )
    steps = pair.at(pair.best(on_front))
    axes.step(*steps, where="post", color=FRONT, linewidth=1, alpha=0.7)
    _draw_errors(axes, scene.points, on_front, pair)
    if kinds := kinds_of(scene.problem.space):
        _draw_kinds(axes, kinds, scene, on_front, pair)
    else:
        label = f"front ({len(on_front)})"
        axes.plot(
            *pair.at(on_front), marker="D", color=FRONT, linestyle="none", label=label
        )
    _ring_fallen(axes, scene, pair)
    x, y = pair.horizontal.reference, pair.vertical.reference
    axes.plot(
        [x], [y], marker="X", color=_REFERENCE, linestyle="none", label="reference"
    )
    axes.grid(alpha=0.25)


def _span(scene: Scene, objective: Objective) -> list[float]:
    """What lies along an axis of it, or further than what does."""
    metric, least = objective.metric, objective.floor
    found = [
        t.evaluation.metrics.get(metric) for t in scene.points.trials if t.evaluation
    ]
    return [objective.reference, *(max(v, least) for v in found if v is not None)]


def draw_beyond(axes: Axes, scene: Scene, constraint: Constraint) -> None:
    """Draw the trials that the edge voided: further left = further beyond it.

    One that was stopped before the first objective was measured is a tick at the
    bottom.

    Args:
        axes: with the first objective upwards.
        scene: what is drawn.
        constraint: the edge.
    """
    vertical = scene.problem.objectives[0]
    voided = [
        t
        for t in scene.points.trials
        if t.evaluation
        and constraint.violation(t.evaluation.metrics[constraint.metric]) > 0
    ]
    measured = [t for t in voided if _measured(t, vertical.metric)]
    unmeasured = [t for t in voided if not _measured(t, vertical.metric)]
    axes.set_facecolor("#eeeeee")
    axes.plot(
        _values(measured, constraint.metric) - constraint.upper,
        _values(measured, vertical.metric),
        linestyle="none",
        marker="x",
        color=_SILENT,
        label=f"beyond, trained ({len(measured)})",
    )
    axes.plot(
        _values(unmeasured, constraint.metric) - constraint.upper,
        np.zeros(len(unmeasured)),
        linestyle="none",
        marker="|",
        markersize=14,
        color=_SILENT,
        transform=axes.get_xaxis_transform(),
        label=f"beyond, stopped early ({len(unmeasured)})",
    )
    largest = max(_values(voided, constraint.metric), default=1.0)
    axes.set_xlim(1.05 * max(float(largest) - constraint.upper, 0.1), 0.0)
    axes.axvline(0.0, color="black", linewidth=2)
    axes.set_xlabel(f"{metric_words(constraint.metric)} beyond the edge")
    axes.set_title(f"beyond the edge: {len(voided)}", loc="left")


def _measured(trial: Trial, metric: str) -> bool:
    return trial.evaluation is not None and metric in trial.evaluation.metrics


def _values(trials: Sequence[Trial], metric: str) -> Floats:
    return np.array([t.evaluation.metrics[metric] for t in trials if t.evaluation])


def _clipped(trials: Sequence[Trial], objective: Objective) -> Floats:
    """Values on an axis; on a log axis none lies below the floor."""
    values = _values(trials, objective.metric)
    return np.maximum(values, objective.floor) if objective.scale == "log" else values


def _draw_kinds(
    axes: Axes,
    kinds: Sequence[Kind],
    scene: Scene,
    on_front: Sequence[Trial],
    pair: Pair,
) -> None:
    """Each kind in its own colour and shape: the front's members large, others small.

    The legend says of each kind how many of its feasible points are on the front.
    """
    dominated = scene.others(feasible=True)
    for kind in kinds:
        best = [t for t in on_front if kind.has(t)]
        rest = [t for t in dominated if kind.has(t)]
        both = len(best) + len(rest)
        for trials, size, alpha in ((rest, 4, 0.6), (best, 8, 1.0)):
            axes.plot(
                *pair.at(trials),
                marker=kind.marker,
                markersize=size,
                color=kind.colour,
                alpha=alpha,
                linestyle="none",
                label=f"{kind.option} ({len(best)} of {both})" * (trials is best),
            )


def _draw_errors(
    axes: Axes, points: Points, on_front: Sequence[Trial], pair: Pair
) -> None:
    """A standard error to each side of the members that were measured several times."""
    repeated = [t for t in on_front if points.is_repeated(t)]
    if not repeated:
        return
    x, y = pair.at(repeated)
    spans = []
    for values, objective in ((x, pair.horizontal), (y, pair.vertical)):
        sems = np.array([points.sem(t, objective.metric) for t in repeated])
        log = objective.scale == "log"
        below = np.minimum(sems, values - objective.floor) if log else sems
        spans.append(np.stack([below, sems]))
    axes.errorbar(
        x, y, xerr=spans[0], yerr=spans[1], linestyle="none", color=FRONT, linewidth=1
    )


def _ring_fallen(axes: Axes, scene: Scene, pair: Pair) -> None:
    """A ring around the members that fell silent when they were trained again."""
    if scene.fallen:
        word = beyond_word(edge_constraints(scene.problem))
        axes.plot(
            *pair.at(scene.fallen),
            marker="o",
            markersize=14,
            markerfacecolor="none",
            markeredgecolor="black",
            linestyle="none",
            label=f"fell {word} when trained again ({len(scene.fallen)})",
        )


def _draw_others(axes: Axes, scene: Scene, pair: Pair) -> None:
    """The observed trials that are not on the front, and why they are not."""
    infeasible = scene.others(feasible=False)
    groups = [(infeasible, "infeasible", "^", _SILENT)] if infeasible else []
    if not kinds_of(scene.problem.space):  # else they are drawn with their kind
        groups.append((scene.others(feasible=True), "dominated", "o", _DOMINATED))
    for trials, name, marker, color in groups:
        axes.plot(
            *pair.at(trials),
            marker=marker,
            color=color,
            alpha=0.6,
            linestyle="none",
            markersize=5,
            label=f"{name} ({len(trials)})",
        )
