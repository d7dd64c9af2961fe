"""Every error a user can meet, and how a wrong name is answered.

Knows: the error tree and the wording helpers. Must not know: anything that raises them.

A ``MoosnnError`` is somebody's mistake or the machine's trouble: it is shown as one
line (expected, what came, where, what to do) and the process exits with 2. Anything
else that escapes is a programming error and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MoosnnError(Exception):
    """The base of everything shown to a user as one line, with exit code 2."""


class ConfigError(MoosnnError):
    """A configuration names something that does not exist or has a bad value."""


class SpaceError(ConfigError):
    """A search space that cannot be searched, or a point outside of it."""


class ProblemError(ConfigError):
    """Objectives, constraints or references that contradict each other or the task."""


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


def nearest(name: str, known: Iterable[str]) -> str:
    """Words a did-you-mean hint for an unknown name.

    Args:
        name: what was typed.
        known: the names that exist.

    Returns:
        `` Did you mean 'x'? Known: a, b, x.`` with a leading blank, so that it can
        follow a sentence; only the list if nothing is near; `` None are known.`` if
        there are none.
    """
    names = sorted({str(k) for k in known})
    if not names:
        return " None are known."
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} Known: {', '.join(names)}."
