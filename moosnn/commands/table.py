"""All sub-commands by their names, in the order in which help lists them.

Knows: the families. Must not know: what a sub-command does.
"""

from __future__ import annotations

from itertools import chain

from moosnn.commands import (
    choosing,
    completing,
    exchanging,
    looking,
    machine,
    recomputing,
    reporting,
)
from moosnn.options import Command

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in chain(
        looking.COMMANDS,
        reporting.COMMANDS,
        exchanging.COMMANDS,
        recomputing.COMMANDS,
        machine.COMMANDS,
        choosing.COMMANDS,
        completing.COMMANDS,
    )
}
