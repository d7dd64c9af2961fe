"""What a terminal is told, and with which characters. Must not know: what is shown."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

# The metric that says which share of the samples leaves a network silent.
SILENT_FRACTION = "silent_fraction"
# Beside a front member that fell silent when it was trained again with a new seed.
FELL_MARK = "o"

# Colours that read well on black and on white.
BAR_STYLE = "color(32)"
GOOD_STYLE = "color(28)"
BAD_STYLE = "bold color(160)"
NUMBER_STYLE = "bold"
HEADING_STYLE = "bold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The characters that not every terminal has."""

    done: str = "━"
    left: str = "─"
    more: str = "…"
    plus_minus: str = "±"


ASCII = Signs(done="#", left="-", more="...", plus_minus="+-")


def fitted(line: Text, width: int, signs: Signs) -> Text:
    """A line cut to a width, with a sign that it was cut."""
    line.no_wrap = True
    if line.cell_len > width:
        sign = signs.more[:width]
        line.truncate(width - len(sign), overflow="crop")
        line.append(sign)
    return line


def share_text(share: float) -> str:
    """A share in [0, 1] for a table."""
    return f"{share:.3f}"


def printable(text: str, encoding: str) -> str:
    """A text with question marks for what a terminal's encoding lacks."""
    return text.encode(encoding, "replace").decode(encoding)
