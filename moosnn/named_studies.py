"""The study folders that somebody named on the command line.

Knows: records, what is said of those that cannot be read. Must not know: what is done
with them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from moosnn.errors import ConfigError, MoosnnError, StudyFolderError
from moosnn.runtime.record import Record, find_studies, read_record


def studies_in(folders: Sequence[Path]) -> list[Path]:
    """The study folders at or below some folders, each once.

    Raises:
        StudyFolderError: there is none, or a folder that cannot be read.
    """
    try:
        found = [study for folder in folders for study in find_studies(folder)]
    except OSError as error:
        raise StudyFolderError(
            f"{error.filename}: cannot be read ({error.strerror})."
        ) from error
    return list({study.resolve(): study for study in found}.values())


def records_of(studies: Sequence[Path]) -> list[Record]:
    """The studies that can be read; of the others a note, unless there is no other.

    Raises:
        MoosnnError: none can be read; of the first.
    """
    records: list[Record] = []
    errors: list[MoosnnError] = []
    for study in studies:
        try:
            records.append(read_record(study))
        except MoosnnError as error:
            errors.append(error)
    if not records:
        raise errors[0]
    for refused in errors:
        note(str(refused))
    for record in records:
        if record.damage:
            note(record.damage)
        if record.simulated:
            note(f"{record.folder}: is a simulation; its trials never ran.")
    return records


def note(text: str) -> None:
    """Say something beside the answer."""
    print(f"note: {text}", file=sys.stderr)


def one_record(name: str, folders: Sequence[Path]) -> Record:
    """The one study that a sub-command is about.

    Args:
        name: of the sub-command, for the message.
        folders: as `studies_in`.

    Raises:
        MoosnnError: there are several, or it cannot be read.
    """
    studies = studies_in(folders)
    if len(studies) > 1:
        raise ConfigError(
            f"{name}: {folders[0]} holds {len(studies)} studies; name one of "
            f"them, e.g. {studies[0]}."
        )
    return records_of(studies)[0]
