"""Frames in a memory-mapped file that the trials of a study share.

Knows: one file format (.npy), atomic replacement. Must not know: where events come
from, what a user's folder is.

A file appears whole, by a rename. Nothing keeps several processes from building the
same one at once, each in a draft of its own that takes as much room: the last rename
wins, and all of them wrote the same bytes. A file of the wrong size, as a crash of the
machine or a copy may leave, is built anew. The draft of a process that was killed is
deleted `ABANDONED_S` after its last write, by whoever asks for frames then.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moosnn.errors import DataError

VERSION = 1  # of the frames' content: another one never meets an older cache
Frames = npt.NDArray[np.uint8]
Blocks = Iterable[tuple[int, Frames]]
ABANDONED_S = 6 * 3600.0
_DRAFTS = ".frames-*.npy.*"
_GB = 1e9


def frames_key(fingerprint: str, time_steps: int, framing: str) -> str:
    """A name for the frames of a source; equal names have equal frames."""
    text = f"{VERSION} {fingerprint} {time_steps} {framing}"
    return hashlib.sha256(text.encode()).hexdigest()


def cached_frames(
    cache: Path, key: str, shape: tuple[int, ...], build: Callable[[], Blocks]
) -> Frames:
    """The frames of all samples; built if they are not there.

    Args:
        cache: a folder; made if it lacks.
        key: of `frames_key`.
        shape: ``n x T x …``.
        build: yields every row once, as (first row, ``k x T x …``), in any order.

    Returns:
        ``shape``, read-only, memory-mapped.

    Raises:
        DataError: the cache cannot be written, e.g. for want of space; or of ``build``.
    """
    path = cache / f"frames-{key[:32]}.npy"
    size = int(np.prod(shape))
    _clear_abandoned(cache)
    try:
        found = _opened(path, shape)
        if found is not None:
            return found
        cache.mkdir(parents=True, exist_ok=True)
        _write(path, shape, build())
        found = _opened(path, shape)
    except OSError as error:
        raise DataError(
            f"{cache}: cannot keep {size / _GB:.3g} GB of frames there "
            f"({error.strerror or error}); make room, or take fewer samples or time "
            "steps."
        ) from error
    if found is None:
        raise DataError(
            f"{path}: was changed while it was written; delete {cache} and continue."
        )
    return found


def _header(shape: tuple[int, ...]) -> bytes:
    """What a .npy file of bytes begins with (numpy's format, version 1.0)."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape!r}, }}"
    begin = b"\x93NUMPY\x01\x00"
    padded = text.ljust(-(len(begin) + 2 + len(text) + 1) % 64 + len(text)) + "\n"
    return begin + len(padded).to_bytes(2, "little") + padded.encode()


def _opened(path: Path, shape: tuple[int, ...]) -> Frames | None:
    """The file if it is whole and of that shape, else ``None``."""
    header = _header(shape)
    try:
        with path.open("rb") as file:
            whole = os.fstat(file.fileno()).st_size == len(header) + np.prod(shape)
            if not whole or file.read(len(header)) != header:
                return None
            return np.asarray(np.memmap(file, np.uint8, "r", len(header), shape))
    except FileNotFoundError:
        return None


def _write(path: Path, shape: tuple[int, ...], blocks: Blocks) -> None:
    header = _header(shape)
    row_bytes = int(np.prod(shape[1:]))
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        # Not through a mapping: there a full disk is a SIGBUS instead of an error.
        with draft.open("xb") as file:
            file.write(header)
            for row, frames in blocks:
                file.seek(len(header) + row * row_bytes)
                file.write(np.ascontiguousarray(frames).data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _clear_abandoned(cache: Path) -> None:
    """Delete the drafts, of any frames, of processes that were killed long ago."""
    with contextlib.suppress(OSError):  # tidying is no reason to stop a trial
        for draft in cache.glob(_DRAFTS):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > ABANDONED_S:
                    draft.unlink()
