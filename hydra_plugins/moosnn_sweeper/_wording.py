"""The words of moosnn's own command line, said to somebody who uses Hydra's.

Knows: where each key lies. Must not know: who says what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TextIO

from moosnn.errors import nearest

_SWEEPER = "hydra.sweeper"
_WORDS = (
    # A folder has one sweep: another seed needs another one.
    (re.compile(r"another seed=… or study_dir="), "another study_dir="),
    (re.compile(r"(?<![\w.])study_dir="), "hydra.sweep.dir="),
    (re.compile(r"(?<![\w.])study\.(?=[a-z])"), f"{_SWEEPER}."),
    (re.compile(r"(?<![\w.])problem\.(?=[a-z])"), f"{_SWEEPER}."),
    (re.compile(r"(?<![\w.])problem: "), f"{_SWEEPER}.objectives: "),
    (re.compile(r"(?<![\w.])(executor|optimizer|tracker)(?=[.:=])"), rf"{_SWEEPER}.\1"),
    (re.compile(r"(?<![\w.])seed(?==…|: expected)"), f"{_SWEEPER}.seed"),
    (re.compile(r"(?<![\w.])task\.settings\."), ""),
    (re.compile(r"(?<![\w.])space\.(?=\S+: )"), ""),
    (re.compile(r"a fixed value belongs into task\.fixed"), "a fixed value: key=value"),
    (re.compile(r"Mend the task"), "Mend the app"),
)


def reworded(text: str, own: Iterable[str] = ()) -> str:
    """The same with the keys that stand in ``hydra.sweeper``.

    Args:
        text: in the words of moosnn's command line.
        own: keys of the app, which stay as they are: it may have an ``optimizer.lr``.
    """
    names = "|".join(map(re.escape, own))
    if names:
        parts = re.split(rf"(?<![\w.])({names})(?!\w|\.\w)", text)
        parts[::2] = map(reworded, parts[::2])
        return "".join(parts)
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return text


class Reworded:
    """A stream that rewords what is printed; what else it is asked, it passes on.

    Attributes:
        own: see `reworded`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.own: tuple[str, ...] = ()

    def write(self, text: str) -> int:
        """Write it in other words."""
        self._stream.write(reworded(text, self.own))
        return len(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self._stream, name)


def of_hydra(error: BaseException, known: list[str]) -> str:
    """What Hydra or OmegaConf says of a mistake, in one line.

    Args:
        error: theirs.
        known: the dotted keys of the app's config.
    """
    cause = error.__cause__
    said = [str(error), *([str(cause)] if cause is not None else [])]
    text = " ".join(" ".join(said).split())
    option = re.search(r"Could not find '(.+)/([^/']+)' Available options in", text)
    if option is not None:
        group, name = option.groups()
        listed = re.findall(r"^\t(\S+)$", str(error), re.M)
        return f"{group}: got {name!r}.{nearest(name, listed)}"
    key = re.search(r"Could not override '([^']+)'", text)
    if key is not None:
        return f"the app's config has no {key[1]!r}.{nearest(key[1], known)}"
    return text
