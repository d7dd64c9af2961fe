"""Plotly's code for the page: the bundle, with only the kinds of traces that it draws.

Knows: how plotly's bundle registers its kinds of traces. Must not know: what is drawn.

A browser runs every module that the bundle registers, geographic and three-dimensional
ones too, before anything is drawn: three quarters of the time in which a page opens.
What is not registered stays in the file and is never run. Where a bundle of another
version looks different it is used as it is, and only slower.
"""

from __future__ import annotations

import re

# Beside `scatter`, which is a part of plotly's core.
TRACES = ("bar", "contour")
_REGISTERED = re.compile(r"\.register\(\[((?:[\w$]+\(\),?)+)\]\)")
_HANDED_ON = re.compile(r'[\w$]+\(\([\w$]+,[\w$]+\)=>\{"use strict";[\w$]+\.exports=')
_CALL = re.compile(r"([\w$]+)\(\)\}")
_KIND = re.compile(r'moduleType:"\w+",name:"(\w+)"')
_MODULE_CHARACTERS = 3000  # at most, of the short module that describes a kind
# The factory of all modules. In brackets a browser compiles it once, not twice.
_HEAD = '(typeof self !== "undefined" ? self : this, () => {'
_HEAD_ONCE = '(typeof self !== "undefined" ? self : this, (() => {'
_END, _END_ONCE = "}));", "})));"


def plotly_code() -> str:
    """Plotly's code, ready for a script element."""
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly is

    return compiled_once(only(get_plotlyjs(), TRACES))


def only(code: str, kinds: tuple[str, ...]) -> str:
    """A bundle that registers some kinds of traces alone.

    Args:
        code: plotly's bundle.
        kinds: plotly's names of them.

    Returns:
        The bundle; as it was if one of the kinds is not found in it.
    """
    registered = list(_REGISTERED.finditer(code))
    if len(registered) != 1:
        return code
    call = registered[0]
    names = [name.removesuffix("()") for name in call[1].split(",")]
    found = {_kind(code, name): name for name in names}
    if not set(kinds) <= set(found):
        return code
    kept = ",".join(f"{found[kind]}()" for kind in kinds)
    return f"{code[: call.start(1)]}{kept}{code[call.end(1) :]}"


def compiled_once(code: str) -> str:
    """A bundle whose factory stands in brackets; as it was if it looks different."""
    body = code.rstrip()
    if body.count(_HEAD) != 1 or not body.endswith(_END):
        return code
    return body.replace(_HEAD, _HEAD_ONCE).removesuffix(_END) + _END_ONCE


def _kind(code: str, name: str) -> str | None:
    """Which kind of traces a registered module hands on, if that can be read."""
    start = _after(code, name)
    handed = _HANDED_ON.match(code, start) if start is not None else None
    inner = _CALL.match(code, handed.end()) if handed else None
    start = _after(code, inner[1]) if inner else None
    if start is None:
        return None
    kind = _KIND.search(code, start, start + _MODULE_CHARACTERS)
    return kind[1] if kind else None


def _after(code: str, name: str) -> int | None:
    """Where the value of a variable begins."""
    head = f"var {name}="
    place = code.find(head)
    return None if place < 0 else place + len(head)
