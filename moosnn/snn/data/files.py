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
    if not isinstance(root, str | Path) or str(root) == "":
        raise ConfigError(f"data.root: expected a folder, got {root!r}.")
    try:
        return Path(root).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"data.root: got {str(root)!r}: {error}.") from error


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
    with reading(root):
        try:
            is_folder = stat.S_ISDIR(root.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            is_folder = False
        if not is_folder:
            raise DataError(f"{told(root)}: no such folder; expected one with {tree}.")
        for candidate in candidates:
            if (root / candidate).exists():
                return root / candidate
    raise DataError(f"{told(root)}: expected {tree}, got {_shown(root)}.")


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
        raise DataError(f"{told(path)}: expected a file, got a folder or a device.")
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
        if name not in classes and (folder / name).is_dir():
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
