"""The edge as text: a line a front member, then one member in full.

Knows: surveys, the width there is. Must not know: terminals, models.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from moosnn.parameters import Int
from moosnn.pareto.edge import LEVEL, SURE, Crossing
from moosnn.pareto.front import front_of
from moosnn.tracking.edge import (
    FEW_TRIALS,
    Survey,
    beyond_word,
    fell_beyond,
    is_beyond,
)
from moosnn.tracking.edge_lines import Line, Surroundings
from moosnn.tracking.summary import number_text
from moosnn.tracking.wording import FELL_MARK, SILENT_FRACTION, share_text

_NEAREST = 2  # edges that are told of each member
_GAP = "  "
_UNSURE = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """What is told of each member."""

    silent: bool = True
    start: bool = True  # an edge's text begins with the member's own value


# What is left out, step by step, until the table is narrow enough.
_NARROWER = (
    _Style(),
    _Style(start=False),
    _Style(silent=False, start=False),
)


def survey_lines(survey: Survey, width: int) -> list[str]:
    """A survey as lines of text.

    Args:
        survey: of a study.
        width: columns there are. Less than some 70 are exceeded if names are long.

    Returns:
        The table of the members with their nearest edges, what its marks mean, the
        chosen member's edges in full, how far the model can be trusted.
    """
    paragraphs = [
        textwrap.wrap(_heading(survey), width),
        _members_table(survey, width),
        _legend(survey, width),
        _in_full(survey),
        textwrap.wrap(_trust(survey), width),
    ]
    lines: list[str] = []
    for paragraph in filter(None, paragraphs):
        lines += [*([""] if lines else []), *paragraph]
    return lines


def edge_text(line: Line, crossing: Crossing, *, start: bool = True) -> str:
    """An edge in short: ``threshold 0.81 -> 1.34 (x1.65)``.

    Args:
        line: of a member and a parameter.
        crossing: of that line.
        start: whether to begin with the member's own value.
    """
    sign = "" if crossing.sure else _UNSURE
    own = f"{short_text(line.value)} " if start else ""
    return f"{line.name} {own}-> {sign}{_to_text(line, crossing)}"


def short_text(value: float) -> str:
    """At most three digits, and no exponent between 0.0001 and a million."""
    whole = 1e3 <= abs(value) < 1e6
    return f"{value:.0f}" if whole else f"{value:.3g}"


def _to_text(line: Line, crossing: Crossing) -> str:
    """``1.34 (x1.65)`` on a log scale, ``4 (+3 steps)`` or ``0.7 (+0.2)`` else."""
    edge = line.edge(crossing)
    if line.parameter.log:
        return f"{short_text(edge)} (x{short_text(edge / line.value)})"
    by = edge - line.value
    if isinstance(line.parameter, Int):
        steps = round(by / line.parameter.step)
        return f"{short_text(edge)} ({steps:+d} step{'s' * (abs(steps) != 1)})"
    return f"{short_text(edge)} ({'+' if by > 0 else ''}{short_text(by)})"


def _heading(survey: Survey) -> str:
    front = front_of(survey.problem, survey.history.done)
    beyond = is_beyond(survey.constraints, survey.history)
    members = f"{len(front)} trial{'s' * (len(front) != 1)}"
    return (
        f"front of {members}, hypervolume {front.hypervolume:.3f}; {sum(beyond)} of "
        f"{len(beyond)} trials were {beyond_word(survey.constraints)}"
    )


def _members_table(survey: Survey, width: int) -> list[str]:
    for style in _NARROWER:
        lines = _laid_out(_head(survey, style), _rows(survey, style), left=(-1,))
        if max(map(len, lines)) <= width:
            break
    return lines


def _has_silent(survey: Survey, style: _Style) -> bool:
    named = {o.metric for o in survey.problem.objectives}
    measured = any(SILENT_FRACTION in s.member.metrics for s in survey.members)
    return style.silent and measured and SILENT_FRACTION not in named


def _head(survey: Survey, style: _Style) -> list[str]:
    objectives = [o.metric.replace("_", "\n") for o in survey.problem.objectives]
    silent = ["silent"] if _has_silent(survey, style) else []
    return ["trial", *objectives, *silent, "P", "nearest edges"]


def _rows(survey: Survey, style: _Style) -> list[list[str]]:
    rows = []
    for one in survey.members:
        metrics = one.member.metrics
        cells = [f"{one.number}{_mark(survey, one)}"]
        cells += [number_text(metrics[o.metric]) for o in survey.problem.objectives]
        if _has_silent(survey, style):
            fraction = metrics.get(SILENT_FRACTION)
            cells.append("-" if fraction is None else share_text(fraction))
        cells += [f"{one.probability:.2f}", _edges_text(one, style)]
        rows.append(cells)
    return rows


def _mark(survey: Survey, one: Surroundings) -> str:
    """Behind a number; as wide for all members if any has one."""
    fell = {s.number for s in survey.members if _fell(survey, s)}
    return f" {FELL_MARK if one.number in fell else ' '}" if fell else ""


def _fell(survey: Survey, one: Surroundings) -> bool:
    return fell_beyond(survey.constraints, one.member)[0] > 0


def _edges_text(one: Surroundings, style: _Style) -> str:
    edges = [
        edge_text(line, crossing, start=style.start)
        for line, crossing in one.nearest(_NEAREST)
    ]
    return "\n".join(edges) or "none within the space"


def _legend(survey: Survey, width: int) -> list[str]:
    word = beyond_word(survey.constraints)
    told = (
        f"P: how likely a training there is {word}; ->: where that passes {LEVEL:g} "
        "when one parameter moves and the others stay"
    )
    crossings = [c for one in survey.members for _, c in one.nearest(_NEAREST)]
    own = survey.chosen.lines
    crossings += [
        c for line in own for c in (line.crossings.below, line.crossings.above) if c
    ]
    if not all(crossing.sure for crossing in crossings):
        told += (
            f"; {_UNSURE}: unsure, behind it P stays between {SURE:g} and {1 - SURE:g}"
        )
    texts = [told, fallen_text(survey)]
    if any(one.probability >= LEVEL for one in survey.members):
        texts.append(
            f"P of {LEVEL:g} or more: the model has it beyond the edge, though it was "
            "not when it was measured; -> is the way back"
        )
    return [line for text in texts for line in textwrap.wrap(text, width)]


def fallen_text(survey: Survey) -> str:
    """Which members fell beyond the edge when they were trained again."""
    word, fallen, tested = beyond_word(survey.constraints), [], 0
    for one in survey.members:
        fell, count = fell_beyond(survey.constraints, one.member)
        tested += count > 0
        if fell:
            fallen.append(f"{one.number} in {fell} of {count}")
    if fallen:
        return f"{FELL_MARK}: fell {word} when trained again: {', '.join(fallen)}"
    if tested:
        return f"none of the {tested} that were trained again fell {word}"
    return "no member has been trained again with new seeds so far"


def _in_full(survey: Survey) -> list[str]:
    """Every numeric parameter of the chosen member, those without an edge too."""
    lines, chosen = [], survey.chosen
    for line in chosen.lines:
        cells = [line.name, short_text(line.value)]
        cells += [_side(line, above=False), _side(line, above=True)]
        lines.append(cells)
    if not lines:
        return []
    head = [f"trial {chosen.number}", "value", "edge below", "edge above"]
    return _laid_out(head, lines, left=(0, 2, 3))


def _side(line: Line, *, above: bool) -> str:
    crossing = line.crossings.above if above else line.crossings.below
    end = line.values[-1] if above else line.values[0]
    if crossing is not None:
        return ("" if crossing.sure else _UNSURE) + _to_text(line, crossing)
    if line.value == end:
        return "-"
    return f"none {'up' if above else 'down'} to {short_text(end)}"


def _trust(survey: Survey) -> str:
    names, trust = ", ".join(c.metric for c in survey.constraints), survey.trust
    told = (
        f"model: a Gaussian process of {names}; each left out, it finds "
        f"{trust.beyond_found} of {trust.beyond} {beyond_word(survey.constraints)} "
        f"trials and {trust.others_found} of {trust.others} others on their side"
    )
    if trust.is_blind:
        told += "; it cannot tell the two apart: believe neither P nor the edges above"
    elif trust.beyond + trust.others < FEW_TRIALS:
        told += "; it has seen few trials: expect the edges to move"
    return told


def _laid_out(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int]
) -> list[str]:
    """Columns as wide as their cells, under a head and a rule.

    Args:
        head: a cell a column; cells may have several lines.
        rows: a cell a column.
        left: the columns that are not aligned to the right.
    """
    stacked = [[cell.split("\n") for cell in row] for row in [head, *rows]]
    columns = zip(*stacked, strict=True)
    widths = [max(len(text) for cell in column for text in cell) for column in columns]
    lefts = {index % len(head) for index in left}

    def line(texts: Sequence[str]) -> str:
        padded = [
            text.ljust(wide) if column in lefts else text.rjust(wide)
            for column, (text, wide) in enumerate(zip(texts, widths, strict=True))
        ]
        return _GAP.join(padded).rstrip()

    # A head hangs at the bottom of its row, everything else at the top.
    height = max(map(len, stacked[0]))
    titles = [[""] * (height - len(cell)) + cell for cell in stacked[0]]
    lines = [line(texts) for texts in zip(*titles, strict=True)]
    body = [line(t) for row in stacked[1:] for t in zip_longest(*row, fillvalue="")]
    return [*lines, "-" * max(map(len, [*lines, *body])), *body]
