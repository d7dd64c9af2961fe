"""``export`` and ``import``: a study in the files of others, and theirs in ours.

Knows: the words, what is printed. Must not know: hydra, what such a file holds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from moosnn.commands.printing import say_json
from moosnn.exporting import FOLDER, FORMATS
from moosnn.options import FILES, Command, Parser, whole


def _export_words(parser: Parser) -> None:
    parser.studies(1)
    parser.choice("--to", "FORMAT", ", ".join(FORMATS), FORMATS)
    what = f"where to write (default: a file in DIR/{FOLDER} named after the format)"
    parser.value("--out", metavar="PATH", what=what, kind=Path, offers=FILES)
    what = "the front member (nir and weights need one)"
    parser.value("--trial", metavar="N", what=what, kind=whole)
    parser.json("print what was written as JSON")


def _export(options: argparse.Namespace) -> None:
    from moosnn.exporting import export
    from moosnn.named_studies import one_record

    record = one_record("export", options.folders)
    exported = export(record, options.to, options.out, options.trial)
    if options.json:
        say_json(exported.to_json())
    else:
        print(*exported.lines, sep="\n")


def _import_words(parser: Parser) -> None:
    what = "a CSV file, or an Optuna storage (SQLite or a journal)"
    parser.value("source", metavar="SOURCE", what=what, offers=FILES)
    parser.value("--study", metavar="NAME", what="of the study in an Optuna storage")
    what = "write the points there instead of printing them"
    parser.value("--out", metavar="FILE", what=what, kind=Path, offers=FILES)
    parser.json("print what was found as JSON; the points, without --out")


def _import(options: argparse.Namespace) -> None:
    from moosnn.importing import import_points

    imported = import_points(options.source, options.study, options.out)
    if options.json and options.out is not None:
        say_json(imported.to_json())
    else:
        print(*imported.lines, sep="\n")


COMMANDS = (
    Command(
        name="export",
        told="csv, parquet, json, optuna, nir, weights",
        about="Write a study, or a network of its front, in another format.",
        examples=(
            "export runs/nas-ehvi-s0 --to optuna",
            "export runs/nas-ehvi-s0 --to nir --trial 12",
        ),
        words=_export_words,
        run=_export,
    ),
    Command(
        name="import",
        told="points of an Optuna study or a CSV file",
        about="Turn an Optuna study or a CSV file into points to try first.",
        examples=("import trials.csv --out points.yaml",),
        words=_import_words,
        run=_import,
    ),
)
