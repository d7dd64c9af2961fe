"""Optuna's storages on disk: SQLite databases and journals.

Knows: Optuna's storages, which file is which. Must not know: trials, studies of ours.
Optuna is imported when a storage is opened.
"""

from __future__ import annotations

import json
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from moosnn.errors import ConfigError

if TYPE_CHECKING:
    from types import ModuleType

    from optuna.storages import BaseStorage

JOURNALS = (".log", ".journal")
_SQLITE = b"SQLite format 3\x00"
_URL = "sqlite:///"
_READ = "ro"


def library() -> ModuleType:
    """The package ``optuna``.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            f"optuna: expected the package optuna, got {error}; "
            "pip install 'moosnn[optuna]'."
        ) from None
    return optuna


@contextmanager
def quietly() -> Iterator[ModuleType]:
    """The package, without its log lines and warnings about what is experimental."""
    optuna = library()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def url_of(path: Path) -> str:
    """What Optuna's dashboard and `optuna.load_study` call a storage."""
    return str(path) if path.suffix in JOURNALS else f"{_URL}{path}"


class Journal:
    """A journal that is kept in memory until it is whole.

    It is what Optuna calls a journal backend. Its own one waits for the disk after
    every trial.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Take some more lines."""
        self._lines += [json.dumps(log, separators=(",", ":")) for log in logs]

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Every line from that number on."""
        for line in self._lines[log_number_from:]:
            yield json.loads(line)

    def save(self, path: Path) -> None:
        """Write it as a file that Optuna reads."""
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in self._lines)
            file.flush()
            os.fsync(file.fileno())


def database(path: Path, *, mode: str) -> Any:  # noqa: ANN401 -- optuna is optional
    """A SQLite storage; the path may have any characters, which a URL may not.

    Args:
        path: of the database.
        mode: SQLite's: ``rwc`` = made if it is not there, ``ro`` = only read, and
            nothing is checked or made in it.
    """
    from optuna.storages import RDBStorage

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(_uri(path, mode), uri=True, check_same_thread=False)

    is_read = mode == _READ
    return RDBStorage(
        _URL,
        engine_kwargs={"creator": connect},
        skip_compatibility_check=is_read,
        skip_table_creation=is_read,
    )


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def _journal(path: Path) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage: BaseStorage = JournalStorage(JournalFileBackend(str(path)))
    return storage


@contextmanager
def opened(path: Path) -> Iterator[BaseStorage]:
    """A storage that is only read.

    Raises:
        ConfigError: there is no such file, or it is no storage.
    """
    with quietly() as optuna, _explained(optuna, path):
        with path.open("rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
        if not is_database:
            yield _read_journal(path)
            return
        storage = _read_database(path)
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()


def refusals(optuna: ModuleType) -> tuple[type[Exception], ...]:
    """What is raised where a database cannot be read or written."""
    from sqlalchemy.exc import SQLAlchemyError

    return optuna.exceptions.OptunaError, SQLAlchemyError, sqlite3.Error


@contextmanager
def _explained(optuna: ModuleType, path: Path) -> Iterator[None]:
    """What a missing or damaged file, or one of another version, makes of readers."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from error
    except refusals(optuna) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ConfigError(
            f"{path}: Optuna {optuna.__version__} cannot read it: {reason}; of an "
            "older version, upgrade a copy with `optuna storage upgrade`."
        ) from error


def _read_database(path: Path) -> Any:  # noqa: ANN401 -- optuna is optional
    """Raises ConfigError if it is not one of Optuna's; nothing is created in it."""
    try:
        with closing(sqlite3.connect(_uri(path, _READ), uri=True)) as base:
            found = {row[0] for row in base.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise ConfigError(
            f"{path}: a database that cannot be read: {error}."
        ) from error
    if not {"studies", "trials"} <= found:
        raise ConfigError(f"{path}: a database, but not one of Optuna's.")
    return database(path, mode=_READ)


def _read_journal(path: Path) -> BaseStorage:
    """Raises ConfigError if the file is none."""
    try:
        return _journal(path)
    except (
        ValueError,
        KeyError,
        TypeError,
        AssertionError,
        RecursionError,
    ) as error:
        # Whatever other text makes of its reader.
        raise ConfigError(
            f"{path}: expected a CSV file (.csv), a SQLite database or a journal of "
            "Optuna's, got neither."
        ) from error
