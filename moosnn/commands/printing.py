"""How sub-commands print: lines, tables, JSON.

Knows: the terminal. Must not know: what is printed.
"""

from __future__ import annotations

import json


def say(*lines: object) -> None:
    """Print to a terminal of any width; tables fit themselves, lines are not broken."""
    from rich.console import Console as Terminal

    terminal = Terminal(highlight=False)
    for line in lines:
        terminal.print(line, markup=False, soft_wrap=isinstance(line, str))


def say_json(data: object) -> None:
    """Print strict JSON."""
    print(json.dumps(data, allow_nan=False, indent=2))
