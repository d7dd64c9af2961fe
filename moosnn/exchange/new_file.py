"""A file or folder that appears whole or not at all, and never in another's place.

Knows: drafts beside the target, what the file system says. Must not know: what is
written.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moosnn.errors import ConfigError, StudyFolderError

# What a file system answers that has no hard links.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def require_new(path: Path) -> None:
    """Refuse to write where something is already.

    Raises:
        ConfigError: there is something.
    """
    if os.path.lexists(path):
        raise ConfigError(
            f"{path}: exists already, and nothing is overwritten; name another file "
            "with --out, or move this one."
        )


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A draft that becomes ``path`` if all goes well, and is deleted if not.

    Args:
        path: of a file or a folder, of which nothing exists yet. Its own folder is made
            if that lacks; what that lies in has to be there.

    Yields:
        The draft's path, in the same folder; nothing exists there yet.

    Raises:
        ConfigError: there is something at ``path``, now or in the end.
        StudyFolderError: it cannot be written: no such folder, no right, no space.
    """
    require_new(path)
    # The same ending: some libraries go by it.
    draft = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        path.parent.mkdir(exist_ok=True)
        yield draft
        _publish(draft, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StudyFolderError(f"{path}: cannot be written: {reason}.") from error
    finally:
        if draft.is_dir():
            shutil.rmtree(draft)
        with suppress(OSError):  # why it could not be made is said already
            draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    if draft.is_dir():
        require_new(path)
        draft.rename(
            path
        )  # a folder is not put into another's place, only an empty one's
        return
    try:
        os.link(draft, path)
    except FileExistsError:
        require_new(path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        require_new(path)
        draft.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a new text file.

    Raises:
        ConfigError, StudyFolderError: as `new_file`.
    """
    with new_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
