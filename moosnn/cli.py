"""The sub-commands that only look at studies and data.

Knows: what each does, where their files go. Must not know: hydra, how a study is run.

Only ``replay`` builds what a config names; only ``report`` writes, into its own folder,
and ``edge``, a picture. Whatever costs time to import waits until a sub-command needs
it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moosnn.errors import ConfigError, StudyFolderError, nearest
from moosnn.options import REPORT, SUBCOMMANDS, parser_of

if TYPE_CHECKING:
    from moosnn.runtime.record import Record


def run(words: Sequence[str]) -> int:
    """Run a sub-command.

    Args:
        words: its name and what follows.

    Returns:
        The exit code: 0, or 1 if a replay found a difference, or the doctor something
        that stops a study.

    Raises:
        MoosnnError: a user's mistake, or trouble with a folder; one line.
    """
    name = words[0] if words else ""
    if name not in SUBCOMMANDS:
        raise ConfigError(f"unknown sub-command {name!r}.{nearest(name, SUBCOMMANDS)}")
    parser = parser_of(name)
    try:
        options, rest = parser.parse_known_args(words[1:])
    except SystemExit:  # --help
        return 0
    parser.refuse(rest)
    commands: Mapping[str, Callable[[argparse.Namespace], int | None]] = {
        "status": _status,
        "front": _front,
        "edge": _edge,
        "report": _report,
        "replay": _replay,
        "data": _data,
        "doctor": _doctor,
        "simulate": _simulate,
    }
    code = None
    try:
        code = commands[name](options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, such as head, has enough. Nor may Python complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code or 0


def _say(*lines: object) -> None:
    """Print to a terminal of any width; tables fit themselves, lines are not broken."""
    from rich.console import Console as Terminal

    terminal = Terminal(highlight=False)
    for line in lines:
        terminal.print(line, markup=False, soft_wrap=isinstance(line, str))


def _say_json(data: object) -> None:
    print(json.dumps(data, allow_nan=False, indent=2))


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
        _say_json([overview_json(study) for study in overviews])
    elif len(overviews) == 1:
        _say(*overview_lines(overviews[0]))
    else:
        _say(overview_table(overviews))


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
        _say_json(front_json(record.problem, history))
    else:
        print_front(Terminal(highlight=False), record.problem, history)


def _edge(options: argparse.Namespace) -> None:
    from rich.console import Console as Terminal

    from moosnn.named_studies import one_record
    from moosnn.tracking.edge_look import look

    record = one_record("edge", options.folders)
    lines = look(
        record.folder,
        record.problem,
        record.history,
        names=options.parameters and options.parameters.split(","),
        number=options.member,
        width=Terminal().width,
    )
    _say(*lines)


def _length_at(record: Record, count: int) -> int:
    """How many events a journal had when so many trials had ended."""
    from moosnn.history import Kind

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


def _report(options: argparse.Namespace) -> None:
    from moosnn.named_studies import records_of, studies_in
    from moosnn.tracking.comparison import compared
    from moosnn.tracking.comparison_tables import groups_table
    from moosnn.tracking.grouping import group
    from moosnn.tracking.report import write_comparison, write_study

    studies = studies_in(options.folders)
    records = [r for r in records_of(studies) if _has_ended(r)]
    if not records:
        raise StudyFolderError(
            f"{', '.join(map(str, options.folders))}: no trial has ended yet; there is "
            "nothing to report."
        )
    folder = options.out
    if folder is None:
        one = studies if len(studies) == 1 else options.folders
        folder = one[0] / REPORT if len(one) == 1 else Path(REPORT)
    groups = group(
        [
            compared(str(r.folder), r.config, r.problem, r.history, r.budget)
            for r in records
        ]
    )
    if len(studies) == 1:
        names = write_study(folder, records[0].history, groups)
    else:
        _say(groups_table(groups))
        names = write_comparison(folder, groups)
    print(f"report: {folder}: {', '.join(names)}")


def _replay(options: argparse.Namespace) -> int:
    from moosnn.named_studies import note, one_record
    from moosnn.replay import Sample, replay

    given = vars(options)
    named = {"first": given["from"], "last": given["to"], "every": given["every"]}
    sample = Sample(**{key: n for key, n in named.items() if n is not None})
    record = one_record("replay", options.folders)
    replayed = replay(record, sample, on_checked=_show_progress)
    for difference in replayed.elsewhere:
        note(f"this study was made with other {difference}")
    _say(f"{record.folder}: {replayed}")
    return 1 if replayed.differences else 0


def _show_progress(checked: int, count: int, differing: int) -> None:
    """A line that stays where it is, for whoever waits at a terminal."""
    if sys.stderr.isatty():
        end = "\r" if checked < count else "\r\033[K"
        text = f"replay: {checked} of {count}, {differing} differ"
        print(text, end=end, file=sys.stderr, flush=True)


def _simulate(options: argparse.Namespace) -> None:
    from moosnn.named_studies import one_record
    from moosnn.what_if import WhatIf, simulations, table_of

    asked = WhatIf(
        workers=options.workers,
        budget=options.budget,
        optimizer=options.optimizer,
        mean_s=options.mean,
        sigma=options.sigma,
        out=options.out,
    )
    record = one_record("simulate", options.folders)
    _say(table_of(record, list(simulations(record, asked))))


def _doctor(options: argparse.Namespace) -> int:
    from moosnn.runtime.doctor import DEFAULT_FOLDER, examine, verdict

    checks = []
    for check in examine(options.folder or DEFAULT_FOLDER, slurm=options.slurm):
        checks.append(check)
        print(check, flush=True)  # the next one may take its time
    told, code = verdict(checks)
    print(told)
    return code


def _data(options: argparse.Namespace) -> None:
    from moosnn.data_check import check

    _say(*check(options.folder))


def _has_ended(record: Record) -> bool:
    from moosnn.named_studies import note

    ended = bool(record.history.done or record.history.failed)
    if not ended:
        note(f"{record.folder}: no trial has ended yet; left out.")
    return ended
