"""Reading a user's files, and wording what is wrong with one.

Knows: files, offsets, one-line errors. Must not know: formats, numpy.

Nothing here opens a file for writing. Whatever the operating system refuses becomes a
`DataError` that names the file.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from moosnn.errors import ConfigError, DataError

COPY_AGAIN = "copy or unpack the file again"


def told(path: Path) -> str:
    """A path as one line of text, whatever its names hold."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def bad_file(
    path: Path, expected: str, got: str, *, offset: int | None = None, todo: str = ""
) -> DataError:
    """Word what is wrong with a file.

    Args:
        path: the file.
        expected: what should be there.
        got: what is.
        offset: of the first byte that is wrong, from 0; of a compressed file, counted
            in what it holds.
        todo: what to do; by default to get the file again.

    Returns:
        The error, one line, to be raised.
    """
    where = "" if offset is None else f"byte {offset}: "
    return DataError(
        f"{told(path)}: {where}expected {expected}, got {got}; {todo or COPY_AGAIN}."
    )


def checked_root(root: object) -> Path | None:
    """The folder of ``data.root`` with ``~`` expanded; ``None`` = not set.

    Raises:
        ConfigError: it is no text.
    """
    if root is None:
        return None
    number = isinstance(root, int | float) and not isinstance(root, bool)
    if number:
        raise ConfigError(
            f"data.root: expected a folder, got the number {root!r}; if a folder is "
            f"called so, write data.root=./{root}."
        )
    if not isinstance(root, str | Path) or str(root) == "":
        raise ConfigError(
            f"data.root: expected a folder, got {root!r}; write data.root=FOLDER."
        )
    try:
        return Path(root).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"data.root: got {str(root)!r}, but that user has no home here; write the "
            "whole path."
        ) from error


def is_folder(path: Path) -> bool:
    """Whether there is a folder.

    Raises:
        DataError: it cannot be told, e.g. for want of permission.
    """
    with reading(path):
        try:
            return stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return False  # ValueError: a NUL in the name


def check_folder(path: Path, holding: str) -> None:
    """Refuse what is no folder.

    Args:
        path: that should be one.
        holding: e.g. ``expected one with a.bin``.

    Raises:
        DataError: it is a file, is not there or cannot be looked at.
    """
    if is_folder(path):
        return
    with reading(path):
        what = "a file, not a folder" if path.exists() else "no such folder"
    raise DataError(f"{told(path)}: {what}; {holding}.")


def find_root(root: Path | None, tree: str, candidates: Sequence[str]) -> Path:
    """The folder that holds the first file of a data set.

    Args:
        root: of `checked_root`.
        tree: the files that should lie there, for people; one line.
        candidates: relative paths of that first file or folder, best first.

    Returns:
        The first of the candidates that exists.

    Raises:
        DataError: none does, with the tree.
    """
    if root is None:
        raise DataError(
            f"data.root: expected the folder of the data set, got nothing; set "
            f"data.root=FOLDER, which holds {tree}."
        )
    check_folder(root, f"expected one with {tree}")
    for candidate in candidates:
        with reading(root / candidate):
            if (root / candidate).exists():
                return root / candidate
    raise DataError(
        f"{told(root)}: expected {tree}, got {_shown(root)}; set data.root to the "
        "folder that holds them."
    )


def _shown(folder: Path) -> str:
    """What a folder holds, in a few words."""
    names = names_in(folder)
    if not names:
        return "an empty folder"
    more = ", …" if len(names) > 3 else ""
    return ", ".join(told(Path(name)) for name in names[:3]) + more


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the system's refusals into a `DataError` that names the file."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{told(path)}: cannot be read ({error.strerror or error}); check that it "
            "is there and that you may read it."
        ) from error


def size_of(path: Path) -> int:
    """The bytes of a file.

    Raises:
        DataError: it is not there, or no plain file.
    """
    with reading(path):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DataError(
            f"{told(path)}: expected a file, got a folder or a device; {COPY_AGAIN}."
        )
    return status.st_size


def read_bytes(path: Path) -> bytes:
    """All of a file that is not empty.

    Raises:
        DataError: it is not there, cannot be read or is empty.
    """
    if size_of(path) == 0:
        raise bad_file(path, "data", "an empty file")
    with reading(path):
        return path.read_bytes()


def read_text(path: Path) -> str:
    """All of a UTF-8 file that is not empty.

    Raises:
        DataError: as `read_bytes`, or it is not UTF-8, with the offset.
    """
    raw = read_bytes(path)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = f"0x{raw[error.start]:02x}"
        raise bad_file(path, "UTF-8 text", wrong, offset=error.start) from error


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted, without hidden ones.

    Raises:
        DataError: it cannot be read.
    """
    with reading(folder):
        return sorted(n for n in os.listdir(folder) if not n.startswith("."))


def holds(folder: Path, pattern: str) -> bool:
    """Whether something below a folder matches a pattern such as ``train/*/*.bin``.

    Not `Path.glob`, which passes over what may not be read.

    Raises:
        DataError: a folder on the way cannot be read.
    """
    first, _, rest = pattern.partition("/")
    names = [name for name in names_in(folder) if fnmatchcase(name, first)]
    if not rest:
        return bool(names)
    return any(is_folder(folder / n) and holds(folder / n, rest) for n in names)


def class_files(folder: Path, classes: Sequence[str], ending: str) -> list[list[Path]]:
    """The files of each class, one folder a class.

    Args:
        folder: that of a split, e.g. ``Train``.
        classes: names of its folders.
        ending: of the files' names, e.g. ``.bin``.

    Returns:
        One sorted list a class, none empty.

    Raises:
        DataError: a class has no folder or no file, or a folder is no class.
    """
    there = names_in(folder)
    for name in there:
        if name not in classes and is_folder(folder / name):
            raise bad_file(
                folder,
                f"only the classes {', '.join(classes[:12])}",
                f"a folder {name!r} as well",
                todo="move it elsewhere",
            )
    found = []
    for name in classes:
        if name not in there:
            raise bad_file(folder, f"a folder {name!r}", "none")
        files = [n for n in names_in(folder / name) if n.endswith(ending)]
        if not files:
            raise bad_file(folder / name, f"*{ending} files", "none")
        found.append([folder / name / n for n in files])
    return found


def fingerprint_of(root: Path, files: Sequence[Path], *more: bytes | str) -> str:
    """A sha256 of the names and sizes of files, and of what else is given.

    Args:
        root: what the names are relative to.
        files: each of them read for its size only.
        more: e.g. the labels, and how the samples are split.
    """
    digest = hashlib.sha256()
    for path in files:
        name = os.fsencode(os.path.relpath(path, root))
        digest.update(b"%s\0%d\0" % (name, size_of(path)))
    for part in more:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(b"%d\0" % len(raw) + raw)
    return digest.hexdigest()
