"""``replay`` and ``simulate``: a study's proposals again, or with other workers.

Knows: what each prints. Must not know: hydra, how anything is recomputed.

Only ``replay`` and ``simulate`` build what a config names.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moosnn.commands.printing import say, say_json
from moosnn.options import FOLDERS, Command, Parser, number, whole, wholes

if TYPE_CHECKING:
    from moosnn.replay import Replayed
    from moosnn.simulation import Simulated

_DIFFERS = 1  # the exit code of a replay that found a difference
_HOUR_S = 3600.0


def _replay_words(parser: Parser) -> None:
    parser.studies(1)
    for option, what in (
        ("--from", "the first trial (default: 0)"),
        ("--to", "the last trial (default: the last)"),
        ("--every", "each how manieth from there (default: 1)"),
    ):
        parser.value(option, metavar="N", what=what, kind=whole)
    parser.json()


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
    if options.json:
        say_json({"study": str(record.folder), **_replayed_json(replayed)})
    else:
        say(f"{record.folder}: {replayed}")
    return _DIFFERS if replayed.differences else 0


def _replayed_json(replayed: Replayed) -> dict[str, Any]:
    return {**asdict(replayed), "exact": replayed.exact}


def _show_progress(checked: int, count: int, differing: int) -> None:
    """A line that stays where it is, for whoever waits at a terminal."""
    if sys.stderr.isatty():
        end = "\r" if checked < count else "\r\033[K"
        text = f"replay: {checked} of {count}, {differing} differ"
        print(text, end=end, file=sys.stderr, flush=True)


def _simulate_words(parser: Parser) -> None:
    parser.studies(1)
    what = "numbers of workers, e.g. 8,64,512"
    parser.value("--workers", metavar="N,…", what=what, kind=wholes, required=True)
    what = "trials that end (default: those of the study)"
    parser.value("--budget", metavar="N", what=what, kind=whole)
    what = "another optimizer than the study's"
    parser.value("--optimizer", metavar="NAME", what=what)
    what = "mean seconds of a trial (default: as in the study)"
    parser.value("--mean", metavar="S", what=what, kind=number)
    what = "their log-normal spread (default: 0, all alike)"
    parser.value("--sigma", metavar="X", what=what, kind=number)
    what = "keep the journals of the simulated studies"
    parser.value("--out", metavar="FOLDER", what=what, kind=Path, offers=FOLDERS)
    parser.json()


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
    found = list(simulations(record, asked))
    if options.json:
        from moosnn.pareto.front import front_of

        own = front_of(record.problem, record.history.done).hypervolume
        say_json([_simulated_json(one, own) for one in found])
    else:
        say(table_of(record, found))


def _simulated_json(one: Simulated, own: float) -> dict[str, Any]:
    """A row of the table; ``own`` is the hypervolume of the study it follows."""
    from moosnn.simulation import NEARLY

    hours = one.hours_to(NEARLY * own) if own > 0 else None
    return {
        "workers": one.workers,
        "trials": one.trials,
        "makespan_s": one.makespan_s,
        "busy": one.busy,
        "busy_to_end": one.busy_to_end,
        "suggestion_s": one.suggestion_s,
        "hypervolume": one.hypervolume,
        "nearly_s": None if hours is None else hours * _HOUR_S,
    }


COMMANDS = (
    Command(
        name="replay",
        told="its proposals again: are they the same?",
        about="Recompute a study's proposals from what their optimizer had seen. "
        "Builds what its config names; writes nothing.",
        examples=("replay runs/nas-ehvi-s0", "replay runs/nas-ehvi-s0 --every 10"),
        codes=f"{_DIFFERS} a proposal differs",
        words=_replay_words,
        run=_replay,
    ),
    Command(
        name="simulate",
        told="what other numbers of workers would give",
        about="Say what other numbers of workers would have made of a study.",
        examples=("simulate runs/nas-ehvi-s0 --workers 64 --mean 600 --sigma 0.5",),
        words=_simulate_words,
        run=_simulate,
    ),
)
