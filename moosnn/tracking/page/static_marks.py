"""What the static pictures of a page have in common: colours, axes, short labels.

Knows matplotlib's axes; must not know what is drawn in them. Colours are those of Okabe
and Ito, for the colour-blind; what matters is also told apart by shape or style.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from moosnn.tracking.front_marks import DPI, FRONT, metric_words
from moosnn.tracking.page.plain import evenly

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATUS_COLOURS = {
    "front": FRONT,
    "dominated": "#56B4E9",
    "infeasible": "#CC79A7",
    "silent": "#999999",
    "pruned": "#E69F00",
    "failed": "#D55E00",
}
KIND_COLOURS = {
    "objective": FRONT,
    "silence": "#555555",
    "probability": "#555555",
    "constraint": "#CC79A7",
}
MEMBER = "#D55E00"
_LONGEST = 18  # characters of a label
_DIGITS = 3  # of a number in one
_MOST_OPTIONS = 12  # of a choice that are labelled

Study = Mapping[str, Any]


def figure_of(width: float, height: float) -> Figure:
    """An empty figure of some inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def words(name: str) -> str:
    """A name as a label: ``learning_rate`` is "learning rate"."""
    return metric_words(name)


def short(value: Any) -> str:  # noqa: ANN401 -- a value of JSON
    """A value as a tick's label."""
    number = isinstance(value, float)
    text = f"{value:.{_DIGITS}g}" if number else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def params_of(study: Study, number: int) -> dict[str, Any]:
    """The values of the parameters that a trial has."""
    columns = study["trials"]["params"]
    values = {name: column[number] for name, column in columns.items()}
    return {name: value for name, value in values.items() if value is not None}


def parameter_of(study: Study, name: str) -> Mapping[str, Any]:
    """A parameter's kind and range."""
    found: Mapping[str, Any] = next(
        one for one in study["parameters"] if one["name"] == name
    )
    return found


def set_x(axes: Axes, parameter: Mapping[str, Any], values: Sequence[Any]) -> None:
    """Make an axis that of a parameter: its scale, its label, few ticks.

    Options of a choice lie at 0, 1, 2, ….
    """
    from matplotlib.ticker import MaxNLocator

    if parameter["kind"] == "choice":
        places = evenly(len(values), _MOST_OPTIONS)
        labels = [short(values[place]) for place in places]
        slanted = sum(map(len, labels)) > _LONGEST
        axes.set_xticks(
            places,
            labels,
            fontsize="x-small",
            rotation=40 if slanted else 0,
            ha="right" if slanted else "center",
            rotation_mode="anchor",
        )
        axes.set_xlim(-0.5, len(values) - 0.5)
    elif parameter["log"]:
        axes.set_xscale("log")
    else:
        whole = parameter["kind"] == "int"
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=whole))
    axes.tick_params(labelsize="x-small")
    axes.set_xlabel(words(parameter["name"]), fontsize="small")


def scaled(value: float, low: float, high: float, log: bool) -> float:
    """Where a value lies between two others, 0 to 1; on a log scale by logarithms."""
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low) if high > low else 0.5
