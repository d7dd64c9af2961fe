"""What kind a point is, where a study compares kinds: learning rules, architectures.

Knows: which choice tells the kinds apart, and how each is drawn. Must not know:
matplotlib's axes, tables, what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from moosnn.parameters import Choice
from moosnn.space import Space
from moosnn.trial import Trial

# The choices that make networks of different kinds, the most telling one first.
TELLING = ("training", "architecture")
# Okabe and Ito's colours without those of the reference, and shapes for who sees none.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
_MARKERS = ("D", "s", "^", "P", "v", "p", "h")  # one more: 42 pairs of both differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How the points of one kind are told apart.

    Attributes:
        parameter: the choice.
        option: its value.
        colour: of its points.
        marker: of its points, small where they are not on the front.
    """

    parameter: str
    option: object
    colour: str
    marker: str

    def has(self, trial: Trial) -> bool:
        """Whether a trial is of this kind."""
        return trial.proposal.params[self.parameter] == self.option


def telling(space: Space) -> str | None:
    """The parameter whose options are the kinds; ``None`` = all are of one kind."""
    for name in TELLING:
        parameter = space.parameters[name] if name in space else None
        if isinstance(parameter, Choice) and parameter.count > 1:
            return name
    return None


def kinds_of(space: Space) -> Sequence[Kind]:
    """The kinds that a search compares, in the order of the choice's options."""
    name = telling(space)
    if name is None:
        return ()
    parameter = space.parameters[name]
    assert isinstance(parameter, Choice)
    styles = zip(cycle(_COLOURS), cycle(_MARKERS), strict=False)
    return [
        Kind(parameter=name, option=option, colour=colour, marker=marker)
        for option, (colour, marker) in zip(parameter.options, styles, strict=False)
    ]
