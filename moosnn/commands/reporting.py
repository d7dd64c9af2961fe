"""``report``: the page of a study, or of several side by side, with its tables.

Knows: which studies can be reported together, where the files go. Must not know: hydra,
what a page or a picture shows.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from moosnn.commands.printing import say, say_json
from moosnn.errors import StudyFolderError
from moosnn.options import FOLDERS, Command, Parser

if TYPE_CHECKING:
    from moosnn.runtime.record import Record
    from moosnn.tracking.comparison import Group
    from moosnn.tracking.page.data import Source

REPORT = "report"  # the folder of a report's files
PAGE = "report.html"


def _words(parser: Parser) -> None:
    parser.studies("+")
    where = f"where to write (default: {REPORT} in DIR; of several DIRs: ./{REPORT})"
    parser.value("--out", metavar="FOLDER", what=where, kind=Path, offers=FOLDERS)
    parser.flag("--static", "pictures as well, PNG and SVG")
    parser.json("print the files that were written as JSON")


def _report(options: argparse.Namespace) -> None:
    with _nothing_collected():
        _look_back(options)


def _look_back(options: argparse.Namespace) -> None:
    from moosnn.named_studies import records_of, studies_in

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
    many = len(studies) > 1
    groups = _groups(records)
    if many and not options.json:
        from moosnn.tracking.comparison_tables import groups_table

        say(groups_table(groups))
    names = _write(folder, records, groups, many=many, static=options.static)
    if options.json:
        say_json({"page": str(folder / PAGE), "files": [PAGE, *names]})
    else:
        print(f"report: {folder / PAGE}; beside it {', '.join(names)}")


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Look for no garbage meanwhile: hardly any is made, and all that was read stays.

    Of 10,000 trials the collector would take a sixth of the time and free nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _groups(records: Sequence[Record]) -> list[Group]:
    from moosnn.tracking.comparison import compared
    from moosnn.tracking.grouping import group

    return group(
        [
            compared(str(r.folder), r.config, r.problem, r.history, r.budget)
            for r in records
        ]
    )


def _write(
    folder: Path,
    records: Sequence[Record],
    groups: Sequence[Group],
    *,
    many: bool,
    static: bool,
) -> list[str]:
    """Write everything; the names of what lies beside the page.

    Raises:
        StudyFolderError: the folder cannot be written.
    """
    from moosnn.tracking.page.data import page_data
    from moosnn.tracking.page.static import write_static
    from moosnn.tracking.page.write import write_page
    from moosnn.tracking.report import write_comparison, write_study

    if many:
        names = write_comparison(folder, groups)
    else:
        names = write_study(folder, records[0].history, groups)
    sources = [_source(record) for record in records]
    data = page_data(sources, groups)
    try:
        write_page(folder / PAGE, data)
    except OSError as error:
        raise StudyFolderError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder "
            "with --out FOLDER."
        ) from error
    return [*names, *(write_static(folder, data, sources, groups) if static else ())]


def _source(record: Record) -> Source:
    from moosnn.tracking.page.data import Source

    return Source(
        name=str(record.folder),
        folder=record.folder,
        config=record.config,
        problem=record.problem,
        history=record.history,
        budget=record.budget,
    )


def _has_ended(record: Record) -> bool:
    from moosnn.named_studies import note

    ended = bool(record.history.done or record.history.failed)
    if not ended:
        note(f"{record.folder}: no trial has ended yet; left out.")
    return ended


COMMANDS = (
    Command(
        name="report",
        told="one HTML page of a study, or of several",
        about="Make a page to look at a study in a browser, or to compare several, and "
        "tables beside it. The page is one file and needs no network.",
        examples=(
            "report runs/nas-ehvi-s0",
            "report runs/a runs/b --out abc --static",
        ),
        words=_words,
        run=_report,
    ),
)
