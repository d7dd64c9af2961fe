"""Looks at studies while they run, from any machine that sees their folders.

Knows: study folders, what is shown of them. Must not know: how it is shown, how a study
is run. Nothing is written and nothing locked; a look costs what was appended since the
last one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from moosnn.errors import StudyFolderError
from moosnn.runtime.crew import Crew
from moosnn.runtime.files import CONFIG_NAME
from moosnn.runtime.follow import JournalFollower
from moosnn.runtime.journal import NAME as JOURNAL
from moosnn.runtime.lease import holder
from moosnn.runtime.record import (
    Record,
    budget_of,
    find_studies,
    problem_of_header,
)
from moosnn.tracking.overview import (
    FINISHED,
    Driver,
    Overview,
    Worker,
    overview,
    overview_of,
)
from moosnn.tracking.tally import Tally
from moosnn.tracking.watch import View

# A sweep's next study begins so soon after the last one's end.
LINGER_S = 5.0


def driver_of(folder: Path) -> Driver | None:
    """Who holds a study and seems to be alive."""
    process = holder(folder)
    if process is None:
        return None
    seen = process.is_alive() is not None
    return Driver(host=process.host, pid=process.pid, seen=seen)


def workers_of(crew: Crew) -> list[Worker]:
    """The workers of a study."""
    return [
        Worker(name=h.name, host=h.host, alive=h.alive, silent_s=h.silent_s)
        for h in crew.look()
    ]


def overview_now(record: Record) -> Overview:
    """Where a study stands that was read as a whole."""
    return overview(
        str(record.folder),
        record.problem,
        record.history,
        budget=record.budget,
        driver=driver_of(record.folder),
        now=time.time(),
        damaged=record.damage is not None,
        workers=workers_of(Crew(record.folder)),
    )


class Watched:
    """One study folder that is looked at again and again."""

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        """Prepare; nothing is read.

        Args:
            folder: of the study; it may not be there yet.
            note: is told what is wrong with the journal, once.
        """
        self._folder = folder
        self._note = note
        self._journal = JournalFollower(folder / JOURNAL)
        self._crew = Crew(folder)
        self._tally: Tally | None = None
        self._begun = self._journal.begun
        self._config: tuple[int, int] | None = None
        self._budget: int | None = None
        self._damage: str | None = None

    def look(self) -> Overview | None:
        """Where the study stands now; ``None`` if none has begun there.

        Raises:
            JournalError: the journal's first line is not the header of a study.
            StudyFolderError: the folder is there and cannot be read.
        """
        for event, history in self._journal.read():
            if len(history) == 1:
                problem = problem_of_header(self._folder, event)
                self._tally = Tally.of(problem, history)
            elif self._tally is not None:
                self._tally.add(event, history)
        if self._journal.begun != self._begun and not len(self._journal.history):
            self._tally = None  # it was deleted, or another one is not there yet
        self._begun = self._journal.begun
        self._tell_damage()
        if self._tally is None:
            return None
        return overview_of(
            str(self._folder),
            self._tally,
            budget=self._budget_now(),
            driver=driver_of(self._folder),
            now=time.time(),
            damaged=self._journal.damage is not None,
            workers=workers_of(self._crew),
        )

    def _tell_damage(self) -> None:
        damage = self._journal.damage
        if damage is not None and damage != self._damage:
            self._note(f"{self._folder / JOURNAL}: a line is damaged ({damage}).")
        self._damage = damage

    def _budget_now(self) -> int | None:
        """A new driver may bring another one; YAML is read only if it changed."""
        try:
            status = (self._folder / CONFIG_NAME).stat()
        except OSError:
            return self._budget
        state = (status.st_mtime_ns, status.st_size)
        if state != self._config:
            self._config, self._budget = state, budget_of(self._folder)
        return self._budget


def watch(
    folders: Sequence[Path],
    view: View,
    *,
    every_s: float,
    note: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show studies until all of them are finished.

    Args:
        folders: of studies, or folders of studies; they may not be there yet.
        view: shows them.
        every_s: seconds between two looks, > 0.
        note: is told, once each, what a person should know beside that.
        sleep: as `time.sleep`.

    Raises:
        JournalError: a journal's first line is not the header of a study.
        StudyFolderError: a folder cannot be read.
    """
    watched: dict[Path, Watched] = {}
    finished_s, waits = 0.0, False
    with view:
        while True:
            found = list(dict.fromkeys(s for f in folders for s in _studies_in(f)))
            for study in found:
                watched.setdefault(study, Watched(study, note))
            looks = [watched[study].look() for study in found]
            studies = [study for study in looks if study is not None]
            if not studies and not waits:
                note(f"{', '.join(map(str, folders))}: no study yet; waiting for one.")
            waits = not studies
            several = found != list(folders) or len(found) > 1
            view.show(studies, several=several)
            if not studies or any(study.state != FINISHED for study in studies):
                finished_s = 0.0
            elif not several or finished_s >= LINGER_S:
                return
            else:
                finished_s += every_s
            sleep(every_s)


def _studies_in(folder: Path) -> list[Path]:
    """The studies at or below a folder; none if there is none yet.

    Raises:
        StudyFolderError: it cannot be read.
    """
    try:
        return find_studies(folder)
    except StudyFolderError:
        return []
    except OSError as error:
        raise StudyFolderError(
            f"{error.filename}: cannot be read ({error.strerror})."
        ) from error
