"""The value of a setting in few characters, for names that people read.

Knows: text of a flat config, plain or JSON. Must not know: which settings there are
beyond what a list of points is called.
"""

from __future__ import annotations

import json
from typing import Any

LONGEST = 40  # characters of a value
_ELLIPSIS = "…"
_POINTS = "enqueue"  # the last name of a setting that is a list of points


def is_long(text: str) -> bool:
    """Whether only a part of a value can be told: see `short_text`."""
    found = _list_in(text)
    return len(_plain(text, found)) > LONGEST or _holds_mappings(found)


def short_text(key: str, text: str) -> str:
    """A value in at most `LONGEST` characters; others may be shortened to the same.

    A list of mappings is told by their number, another long list by its first values,
    other long text by its beginning and end.

    Args:
        key: dotted name of the setting.
        text: of its value, plain or JSON.
    """
    found = _list_in(text)
    if _holds_mappings(found):
        what = "point" if key.rpartition(".")[2] == _POINTS else "value"
        return f"{len(found)} {what}" + "s" * (len(found) > 1)
    plain = _plain(text, found)
    if len(plain) <= LONGEST:
        return plain
    for count in range(len(found) - 1, 0, -1):
        told = f"[{','.join(_words(found[:count]))},{_ELLIPSIS}]"
        if len(told) <= LONGEST:
            return told
    # Of two paths or names the ends differ as often as the beginnings.
    begin = (LONGEST - 1) // 2
    return plain[:begin] + _ELLIPSIS + plain[begin + 1 - LONGEST :]


def _list_in(text: str) -> list[Any]:
    """The list that a text is as JSON; empty if it is none."""
    if not text.startswith("["):
        return []
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _holds_mappings(found: list[Any]) -> bool:
    return any(isinstance(one, dict) for one in found)


def _plain(text: str, found: list[Any]) -> str:
    """A list without quotation marks, other text as it is."""
    return f"[{','.join(_words(found))}]" if found else text


def _words(values: list[Any]) -> list[str]:
    return [
        one if isinstance(one, str) else json.dumps(one, separators=(",", ":"))
        for one in values
    ]
