"""What the live display shows, as lines of text: numbers in, lines out.

Knows: progress, problems, the width and height there is. Must not know: terminals,
threads, clocks, files.

A line is never wider than it may be, and there are never more of them than fit: what is
cut off says so. Nothing is said by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from moosnn.tracking.live_front import front_lines, least_room
from moosnn.tracking.moment import Moment
from moosnn.tracking.progress import RECENT, Running
from moosnn.tracking.summary import duration_text
from moosnn.tracking.wording import (
    BAD_STYLE,
    BAR_STYLE,
    GOOD_STYLE,
    HEADING_STYLE,
    NUMBER_STYLE,
    Signs,
    fitted,
)

_GAP = 3  # blanks between two parts of a line
_COLUMN_GAP = 2
_BAR_SHARE = 3  # the bar takes a third of the width …
_WIDEST_BAR = 40  # … up to this
_TITLE_FROM = 12  # lines; a lower display has no title
_RUNNING = "running "
_RUNNING_SHARE = 3  # what runs takes at most a third of the lines beside a front


def frame(
    moment: Moment, *, now: float, width: int, height: int, signs: Signs
) -> list[Text]:
    """The lines of the display.

    Args:
        moment: the study's numbers.
        now: seconds since 1970 by the driver's clock.
        width: columns there are; no line is wider.
        height: lines there are; there are no more. A low display loses its title, then
            rows of the front and of what runs, then the front.
        signs: the characters to draw with.

    Returns:
        One text a line, without line ends.
    """
    if width < 1 or height < 1:
        return []
    lines = [Text(moment.title, HEADING_STYLE)] if height >= _TITLE_FROM else []
    lines += _head(moment, now, width=width, height=height, signs=signs)
    room = height - len(lines)
    tabled = moment.progress.ended and not moment.over
    beside = room
    if tabled and room > least_room(moment.front):
        beside = max(1, room // _RUNNING_SHARE)
    lines += _running_lines(moment.running, now, width, beside, signs)
    if tabled:
        room = height - len(lines)
        lines += front_lines(
            moment.problem, moment.front, width=width, room=room, signs=signs
        )
    return [fitted(line, width, signs) for line in lines[:height]]


def _flow(parts: Sequence[Text], width: int) -> list[Text]:
    """Parts side by side, on a new line where the next does not fit."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + _GAP + part.cell_len <= width:
            lines[-1] = Text(" " * _GAP).join([lines[-1], part])
        else:
            lines.append(part)
    return lines


# ------------------------------------------------------------------------ numbers


def _head(
    moment: Moment, now: float, *, width: int, height: int, signs: Signs
) -> list[Text]:
    """How far the study is, in half of the height; the least important parts go."""
    groups = _groups(moment, now, width, signs)
    droppable = sorted({rank for group in groups for rank, _ in group if rank})
    for least in [*droppable, len(droppable) + 1]:
        lines = []
        for group in groups:
            kept = [part for rank, part in group if not rank or rank >= least]
            lines += _flow(kept, width)
        if len(lines) <= (height + 1) // 2:
            break
    return lines


# A part of a line and when it is left out on a low display: 1 first, 0 never.
_Part = tuple[int, Text]


def _groups(moment: Moment, now: float, width: int, signs: Signs) -> list[list[_Part]]:
    """The numbers; each group begins a new line."""
    progress = moment.progress
    times = [(0, _bar(moment, width, signs))]
    times.append((5, _number("elapsed", _whole(moment.elapsed_s(now)))))
    left_s = moment.remaining_s(now)
    if left_s is not None:
        times.append((0, _number("left about", _whole(left_s))))
    counts = [(0, part) for part in _counts(moment)]
    if progress.front:
        counts.append((3, _number("on the front", str(len(progress.front)))))
    if progress.suggestion_s > 0:
        text = duration_text(round(progress.suggestion_s, 3))
        counts.append((1, _number("a suggestion takes", text)))
    volume = [(0, _number("hypervolume", f"{progress.hypervolume:.3f}"))]
    volume += [(4, part) for part in _gain(moment)]
    if progress.saved_s > 0:
        text = duration_text(progress.saved_s)
        volume.append((2, _number("early stopping saved", text)))
    groups = [times, counts, volume]
    if progress.retrained or any(r.retraining for r in moment.running):
        ended = f"{progress.retrained} ended"
        groups.append([(0, _number("retraining the front:", ended))])
    return groups


def _number(name: str, value: str, style: str = NUMBER_STYLE) -> Text:
    return Text.assemble(f"{name} ", (value, style))


def _whole(seconds: float) -> str:
    return duration_text(max(0, round(seconds)))


def _bar(moment: Moment, width: int, signs: Signs) -> Text:
    ended, budget = moment.progress.ended, max(moment.budget, 1)
    length = min(width // _BAR_SHARE, _WIDEST_BAR)
    full = min(length, length * ended // budget)
    return Text.assemble(
        (signs.done * full, BAR_STYLE),
        (signs.left * (length - full)),
        "  ",
        (f"{ended}/{moment.budget}", NUMBER_STYLE),
    )


def _counts(moment: Moment) -> list[Text]:
    progress, constraints = moment.progress, moment.problem.constraints
    parts = [_number("done", str(progress.done))]
    if any(c.voids for c in constraints):
        parts.append(_number("silent", str(progress.silent)))
    if any(not c.voids for c in constraints):
        judged = progress.done - progress.pruned
        infeasible = judged - progress.feasible - progress.silent
        parts.append(_number("infeasible", str(infeasible)))
    if progress.pruned:
        parts.append(_number("pruned", str(progress.pruned)))
    style = BAD_STYLE if progress.failed else NUMBER_STYLE
    parts.append(_number("failed", str(progress.failed), style))
    return parts


def _gain(moment: Moment) -> list[Text]:
    trials = min(moment.progress.ended, RECENT)
    if not trials or not moment.progress.front:
        return []
    style = f"{NUMBER_STYLE} {GOOD_STYLE}" if moment.gain > 0 else NUMBER_STYLE
    name = f"in the last {trials} trials" if trials > 1 else "in the last trial"
    return [_number(name, f"{moment.gain:+.3f}", style)]


# ------------------------------------------------------------------------ running


def _running_lines(
    running: Sequence[Running], now: float, width: int, room: int, signs: Signs
) -> list[Text]:
    if not running or room < 1:
        return []
    shown = running if len(running) <= room else running[: room - 1]
    reports = any(r.step is not None for r in running)
    rows = [_running_cells(r, now, reports=reports) for r in shown]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for cells in rows:
        padded = [cell.rjust(w) for cell, w in zip(cells, widths, strict=True) if w]
        padded[0] = cells[0].ljust(widths[0])
        lines.append(Text((" " * _COLUMN_GAP).join(padded)))
    if all(line.cell_len + len(_RUNNING) <= width for line in lines):
        lines = [Text(_RUNNING).append_text(line) for line in lines]
    if len(shown) < len(running):
        which = "more running" if shown else "running"
        lines.append(Text(f"{signs.more} and {len(running) - len(shown)} {which}"))
    return lines


def _running_cells(trial: Running, now: float, *, reports: bool) -> tuple[str, ...]:
    name = f"trial {trial.number}"
    if trial.retraining:
        name += " again"
    elif trial.attempt > 1:
        name += f", attempt {trial.attempt}"
    epoch = "-" if trial.step is None else str(trial.step)
    return (
        name,
        f"epoch {epoch}" if reports else "",
        duration_text(max(0.0, round(now - trial.since, 1))),
    )
