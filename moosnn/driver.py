"""Puts the parts of a study together and runs it.

Knows: which config key becomes which part, the study folder, what is printed around a
run. Must not know: hydra, how a config is composed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console as Terminal

from moosnn.errors import JournalError, StudyFolderError
from moosnn.events import Kind
from moosnn.forecast import forecaster_for
from moosnn.history import History
from moosnn.interruption import Interruption
from moosnn.logbook import with_identity
from moosnn.origins import PRUNER
from moosnn.parts import Parts, parts_of
from moosnn.runtime import files
from moosnn.runtime.header import first_difference, header, require_same
from moosnn.runtime.journal import NAME as JOURNAL
from moosnn.runtime.journal import Journal, read
from moosnn.runtime.lease import Lease
from moosnn.runtime.record import SIMULATED
from moosnn.settings import EXHAUSTED
from moosnn.stop_rules import HOURS, LEAST_GROWTH, STAGNATION, StopRules, is_finished
from moosnn.study import Study
from moosnn.tracking.advice import Advice
from moosnn.tracking.console import Console
from moosnn.tracking.feed import Feeds
from moosnn.tracking.front_table import print_front
from moosnn.tracking.results import FRONT_CSV, FRONT_PNG, HYPERVOLUME_PNG, Results
from moosnn.tracking.tracker import Tracker
from moosnn.warm_start import require_folders

# The driver's numbers depend on how many threads add them up, and on a small machine
# more than one only fight the trials for its cores.
DRIVER_THREADS = 1
_CODE = "code"  # the key of a header
_HUNDREDTHS = 100  # of an hour: half a minute is the least that is advised


def run(config: Mapping[str, Any], folder: Path, *, cancel: bool = False) -> None:
    """Run a study, or continue it, or show that it is finished.

    Everything that can be wrong with the config is found before anything is written.

    Args:
        config: resolved, plain data.
        folder: of the study; made if it does not exist.
        cancel: when interrupted, end what runs instead of leaving it to the next
            driver.

    Raises:
        MoosnnError: a mistake in the config, or trouble with the folder.
    """
    parts = parts_of(config, folder)
    require_folders(config["study"])
    settings, problem = parts.settings, parts.problem
    _pin_threads()
    _check_folder(folder)
    now = _header(config, parts)
    history = read(folder / JOURNAL).history
    for difference in _differences(folder, history, now):
        _say(f"note: this study was made with other {difference}")
    if is_finished(problem, history, settings):
        _show_finished(folder, parts, history)
        return
    _make_folder(folder)
    with Lease.acquire(folder) as lease:
        # Once more under the lease: another driver may have been faster.
        _differences(folder, read(folder / JOURNAL).history, now)
        journal = Journal(folder, lease)
        _write_config(folder, config)
        if not len(journal.history):
            for note in parts.notes:
                _say(note)
            journal.append(Kind.STUDY, data=now)
        _tell_repairs(journal)
        own: list[Tracker] = [
            Results(folder=folder, problem=problem),
            Advice(problem=problem, budget=settings.budget),
        ]
        interruption = Interruption()
        study = Study(
            problem=problem,
            optimizer=parts.optimizer,
            executor=parts.executor,
            journal=journal,
            trackers=[*own, *parts.trackers],
            settings=settings,
            pruner=parts.pruner,
            forecast=forecaster_for(parts.executor, problem.space),
            interruption=interruption,
        )
        with interruption:
            study.run(cancel=cancel)
            interruption.check()  # a signal that came after the last trial
    names = (FRONT_CSV, FRONT_PNG, HYPERVOLUME_PNG)
    found = [name for name in names if (folder / name).exists()]
    _say(f"results: {folder}: {', '.join(found)}")


def _header(config: Mapping[str, Any], parts: Parts) -> dict[str, Any]:
    plain = header(config, parts.task.fingerprint(), DRIVER_THREADS)
    # Of a user's own code, if the task is made of some: a study may go on with another.
    own: Mapping[str, str] = getattr(parts.task, "versions", dict)()
    plain |= {_CODE: own} if own else {}
    return with_identity(plain, parts.identity)


def _differences(folder: Path, history: History, now: Mapping[str, Any]) -> list[str]:
    """What differs from the study in the folder without making it another one.

    Raises:
        JournalError: it is another one.
    """
    if not len(history):
        return []
    then = history[0].data
    if SIMULATED in then:
        raise JournalError(
            f"{folder}: is a simulation, whose trials never ran; it cannot be "
            "continued: choose another study_dir=…."
        )
    study = [data.get("config", {}).get("study", {}) for data in (then, now)]
    if (difference := first_difference(study[0], study[1], "study")) is not None:
        difference = difference.replace(f"study.{PRUNER}", PRUNER, 1)
        raise JournalError(
            f"{folder}: was made by another config ({difference}); give the config it "
            "was made with, or another study_dir=…."
        )
    other = first_difference(then.get(_CODE, {}), now.get(_CODE, {}), _CODE)
    return [*require_same(folder, then, now), *([other] if other else [])]


def _tell_repairs(journal: Journal) -> None:
    """What opening the journal found and mended."""
    if journal.torn_bytes:
        _say(
            f"note: the journal's torn tail ({journal.torn_bytes} bytes) was set aside"
        )
    if journal.ignored:
        _say(
            f"note: {journal.ignored} journal lines of a superseded driver are ignored"
        )


def _show_finished(folder: Path, parts: Parts, history: History) -> None:
    """Show the front, and let trackers that are no terminal catch up."""
    print_front(Terminal(highlight=False, emoji=False), parts.problem, history)
    feeds = Feeds([t for t in parts.trackers if not isinstance(t, Console)])
    feeds.open()
    feeds.tell(history[-1], history)
    feeds.close()
    _say(f"{folder}: this study is finished. {_extension(parts, history)}")


def _extension(parts: Parts, history: History) -> str:
    """What stopped a study, and how it goes on."""
    if history.of_kind(Kind.ENDED)[-1].data["reason"] == EXHAUSTED:
        return (
            f"Its space holds no further point after {history.proposals} trials: start "
            "anew with a wider space and another study_dir=…."
        )
    return (
        f"{_longer(parts, history)}, or start anew with another seed=… or study_dir=…."
    )


def _longer(parts: Parts, history: History) -> str:
    """Which rule stopped a study, if one did, and the value that lets it go on."""
    settings, rules = parts.settings, StopRules(parts.problem, parts.settings)
    ended = len(history.done) + len(history.failed)
    reason = rules.reason(history) if ended < settings.budget else None
    if reason == HOURS:
        return (
            f"It ran for {rules.hours:.3g} hours (study.hours={settings.hours}). "
            f"Extend it with study.hours={_twice(rules.hours)} or study.hours=null"
        )
    if reason == STAGNATION:
        window = settings.stagnation or 0
        return (
            f"The last {window} trials added less than {LEAST_GROWTH:.1%} to its "
            f"hypervolume (study.stagnation={window}). Extend it with "
            f"study.stagnation={2 * window} or study.stagnation=null"
        )
    return f"Extend it with study.budget={2 * history.proposals}"


def _twice(hours: float) -> str:
    """At least double, to a hundredth of an hour."""
    hundredths = math.ceil(2 * hours * _HUNDREDTHS)
    return f"{max(hundredths, 1) / _HUNDREDTHS:g}"


def _check_folder(folder: Path) -> None:
    """Refuse a folder that lies at or under a file, or cannot lie anywhere.

    Raises:
        StudyFolderError: it does.
    """
    paths = (folder, *folder.absolute().parents)
    try:
        there = next(path for path in paths if path.exists())
    except OSError as error:
        raise StudyFolderError(
            f"study_dir={str(folder)[:60]}…: cannot be made ({error.strerror}); choose "
            "another."
        ) from error
    if not there.is_dir():
        raise StudyFolderError(
            f"study_dir={folder}: expected a folder, but {there} is a file; choose "
            "another."
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyFolderError(
            f"study_dir={folder}: cannot be made ({error.strerror}); choose another."
        ) from error


def _write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Keep the resolved config, from which jobs build their task."""
    path = folder / files.CONFIG_NAME
    temporary = path.with_name(f".{path.name}")
    try:
        temporary.write_text(yaml.safe_dump(dict(config), sort_keys=False))
        temporary.replace(path)
    except OSError as error:
        raise StudyFolderError(
            f"{path}: cannot be written ({error.strerror}); make room or mend the "
            "rights, then give the same command again."
        ) from error


def _say(text: str) -> None:
    """A line to whoever reads: a closed pipe or a full disk must not end a study."""
    with suppress(OSError):
        print(text, flush=True)


def _pin_threads() -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(DRIVER_THREADS)  # numpy's and scipy's linear algebra
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(DRIVER_THREADS)
