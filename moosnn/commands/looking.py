"""``status``, ``front`` and ``edge``: a look at studies.

Knows: what each prints. Must not know: hydra, how a study is run.

They instantiate nothing of a config; only ``edge`` writes, a picture.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from moosnn.commands.printing import say, say_json
from moosnn.errors import ConfigError
from moosnn.options import Command, Parser, seconds, whole

if TYPE_CHECKING:
    from moosnn.runtime.record import Record

WATCH_S = 2.0  # between two looks of status --watch


def _status_words(parser: Parser) -> None:
    parser.studies("+")
    parser.json()
    parser.value(
        "--watch",
        metavar="SECONDS",
        what=f"look again each so many seconds ({WATCH_S:g}) until all are finished",
        kind=seconds,
        nargs="?",
        const=WATCH_S,
    )


def _status(options: argparse.Namespace) -> None:
    if options.watch is not None:
        _watch(options)
        return
    from moosnn.named_studies import records_of, studies_in
    from moosnn.tracking.overview import overview_json
    from moosnn.tracking.overview_text import overview_lines, overview_table
    from moosnn.watching import overview_now

    records = records_of(studies_in(options.folders))
    overviews = [overview_now(record) for record in records]
    if options.json:
        say_json([overview_json(study) for study in overviews])
    elif len(overviews) == 1:
        say(*overview_lines(overviews[0]))
    else:
        say(overview_table(overviews))


def _watch(options: argparse.Namespace) -> None:
    from rich.console import Console as Terminal

    from moosnn.named_studies import note
    from moosnn.tracking.console import can_be_live
    from moosnn.tracking.watch import Lines, Screen
    from moosnn.watching import watch

    terminal = Terminal(highlight=False)
    live = can_be_live(terminal) and not options.json
    view = Screen(terminal) if live else Lines(terminal, as_json=options.json)
    watch(options.folders, view, every_s=options.watch, note=note)


def _front_words(parser: Parser) -> None:
    parser.studies(1)
    parser.json()
    what = "the front when N trials had ended, as it was known then"
    parser.value("--at", metavar="N", what=what, kind=whole)


def _front(options: argparse.Namespace) -> None:
    from rich.console import Console as Terminal

    from moosnn.named_studies import one_record
    from moosnn.tracking.front_table import print_front
    from moosnn.tracking.summary import front_json

    record = one_record("front", options.folders)
    history = record.history
    if options.at is not None:
        history = history.prefix(_length_at(record, options.at))
    if options.json:
        say_json(front_json(record.problem, history))
    else:
        print_front(Terminal(highlight=False), record.problem, history)


def _length_at(record: Record, count: int) -> int:
    """How many events a journal had when so many trials had ended."""
    from moosnn.events import Kind

    ended = 0
    for position, event in enumerate(record.history):
        ended += event.kind in (Kind.FINISHED, Kind.FAILED)
        if ended == count > 0:
            return position + 1
    raise ConfigError(
        f"front: --at: expected 1 <= N <= {ended}, how many trials of {record.folder} "
        f"have ended, got {count}."
        if ended
        else f"front: --at: no trial of {record.folder} has ended yet."
    )


def _edge_words(parser: Parser) -> None:
    parser.studies(1)
    what = "two numeric parameters to draw it over (default: the most telling two)"
    parser.value("--parameters", metavar="A,B", what=what)
    what = "the front member to draw it around (default: the median one)"
    parser.value("--member", metavar="N", what=what, kind=whole)
    parser.json()


def _edge(options: argparse.Namespace) -> None:
    from rich.console import Console as Terminal

    from moosnn.named_studies import one_record
    from moosnn.tracking.edge_look import look

    record = one_record("edge", options.folders)
    found = look(
        record.folder,
        record.problem,
        record.history,
        names=options.parameters and options.parameters.split(","),
        number=options.member,
        width=Terminal().width,
    )
    if options.json:
        say_json({"study": str(record.folder), **found.to_json()})
    else:
        say(*found.lines)


COMMANDS = (
    Command(
        name="status",
        told="how far studies are",
        about="Show where studies stand. Nothing is written.",
        examples=(
            "status runs/nas-ehvi-s0",
            "status runs --watch",
            "status runs/nas-ehvi-s0 --json",
        ),
        words=_status_words,
        run=_status,
    ),
    Command(
        name="front",
        told="the front of a study",
        about="Show the front of a study. Nothing is written.",
        examples=("front runs/nas-ehvi-s0", "front runs/nas-ehvi-s0 --at 50 --json"),
        words=_front_words,
        run=_front,
    ),
    Command(
        name="edge",
        told="how far its front is from silence",
        about="Show how far the front is from the edge; write edge.png into DIR.",
        examples=(
            "edge runs/nas-ehvi-s0",
            "edge runs/nas-ehvi-s0 --parameters threshold,tau_mem_steps",
        ),
        words=_edge_words,
        run=_edge,
    ),
)
