"""Every error a user can meet, and how a wrong name is answered.

Knows: the error tree and the wording helpers. Must not know: anything that raises them.

A ``MoosnnError`` is somebody's mistake or the machine's trouble: it is shown as one
line (expected, what came, where, what to do) and the process exits with 2. Anything
else that escapes is a programming error and keeps its traceback.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable


class MoosnnError(Exception):
    """The base of everything shown to a user as one line, with exit code 2."""


class ConfigError(MoosnnError):
    """A configuration names something that does not exist or has a bad value."""


class SpaceError(ConfigError):
    """A search space that cannot be searched, or a point outside of it."""


class ProblemError(ConfigError):
    """Objectives, constraints or references that contradict each other or the task."""


class DataError(MoosnnError):
    """Samples that are not there, cannot be read, or are not what they should be."""


class ArchitectureError(ConfigError):
    """Genes that make no network: a shape that cannot be, or one that is too large."""


class MisfitError(ConfigError):
    """A value that there is, but not beside those that are fixed."""


class JournalError(MoosnnError):
    """A study's journal is damaged, or belongs to another study."""


class StudyBusyError(MoosnnError):
    """Another driver holds the study folder."""


class StudyFolderError(MoosnnError):
    """A study folder that cannot be read or written."""


class DivergedError(Exception):
    """Raised by a task whose training left the finite numbers; becomes a ``Failure``.

    Not a ``MoosnnError``: the study goes on.
    """


class ReleasedError(Exception):
    """Raised by a task that wrote a checkpoint because its worker is being preempted.

    Not a ``MoosnnError``: the trial is given to another worker.
    """


_LIST_UP_TO = 30  # more names than that bury the hint


def nearest(name: str, known: Iterable[str]) -> str:
    """Words a did-you-mean hint for an unknown name; case does not count.

    Args:
        name: what was typed.
        known: the names that exist.

    Returns:
        `` Did you mean 'x'? Known: a, b, x.`` with a leading blank, so that it can
        follow a sentence; only the list if nothing is near. Of more than 30 names: only
        the hint, or the first 30 and an ellipsis. `` None are known.`` if there are
        none.
    """
    names = sorted({str(k) for k in known})
    if not names:
        return " None are known."
    folded = {n.casefold(): n for n in names}
    close = difflib.get_close_matches(str(name).casefold(), folded, n=1)
    hint = f" Did you mean {folded[close[0]]!r}?" if close else ""
    if len(names) <= _LIST_UP_TO:
        return f"{hint} Known: {', '.join(names)}."
    return hint or f" Known: {', '.join(names[:_LIST_UP_TO])}, …"


def one_of(names: Iterable[object]) -> str:
    """Words a choice: ``a``, ``a or b``, ``a, b or c``."""
    *some, last = (str(name) for name in names)
    return f"{', '.join(some)} or {last}" if some else last


def number_hint(value: object) -> str:
    """Words how to write a number that arrived as text.

    YAML 1.1 reads ``1e-3`` as text: a float needs a dot and a signed exponent.

    Args:
        value: what came instead of a number.

    Returns:
        e.g. `` YAML reads '1e-3' as text: write 1.0e-3.`` with a leading blank;
        nothing if ``value`` is not the text of a finite number.
    """
    try:
        finite = isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        finite = False
    if not finite:
        return ""
    mantissa, exponential, exponent = str(value).strip().lower().partition("e")
    if not exponential:
        return f" {value!r} is text: write {mantissa} without quotes."
    dot = "" if "." in mantissa else ".0"
    right = f"{mantissa}{dot}e{int(exponent):+d}"
    return f" YAML reads {value!r} as text: write {right}."
