"""The cache: whole or not there, memory-mapped, one build."""

from __future__ import annotations

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from moosnn.errors import DataError
from moosnn.snn.data import frames_cache
from moosnn.snn.data.frames_cache import (
    ABANDONED_S,
    Blocks,
    cached_frames,
    frames_key,
)

SHAPE = (6, 2, 3)
FRAMES = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
KEY = frames_key("f" * 64, 2, "time")


def blocks() -> Blocks:
    """Rows in another order, in blocks of different sizes."""
    yield 4, FRAMES[4:]
    yield 0, FRAMES[:1]
    yield 1, FRAMES[1:4]


def unneeded() -> Blocks:
    raise AssertionError("built again")


def test_frames_are_built_once_and_mapped_read_only(tmp_path: Path) -> None:
    cache = tmp_path / "study" / "cache"
    first = cached_frames(cache, KEY, SHAPE, blocks)
    again = cached_frames(cache, KEY, SHAPE, unneeded)
    assert np.array_equal(first, FRAMES)
    assert np.array_equal(again, FRAMES)
    assert isinstance(again.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        again[0, 0, 0] = 1
    (file,) = cache.iterdir()
    assert np.array_equal(np.load(file), FRAMES)  # numpy reads what we wrote by hand


def test_the_name_depends_on_all_that_the_frames_depend_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = {
        frames_key("a", 2, "time"),
        frames_key("b", 2, "time"),
        frames_key("a", 3, "time"),
        frames_key("a", 2, "count"),
    }
    assert len(keys) == 4
    monkeypatch.setattr(frames_cache, "VERSION", frames_cache.VERSION + 1)
    assert frames_key("a", 2, "time") not in keys


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_torn_file_is_built_anew(tmp_path: Path, kept: int) -> None:
    cached_frames(tmp_path, KEY, SHAPE, blocks)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:kept])
    assert np.array_equal(cached_frames(tmp_path, KEY, SHAPE, blocks), FRAMES)
    assert np.array_equal(np.load(file), FRAMES)


def test_a_file_of_another_shape_is_built_anew(tmp_path: Path) -> None:
    cached_frames(tmp_path, KEY, SHAPE, blocks)
    (file,) = tmp_path.iterdir()
    np.save(file, np.zeros((2, 6, 3), dtype=np.uint8))
    assert np.array_equal(cached_frames(tmp_path, KEY, SHAPE, blocks), FRAMES)


def test_several_may_build_it_at_once(tmp_path: Path) -> None:
    def slow() -> Blocks:
        for block in blocks():
            time.sleep(0.01)
            yield block

    with ThreadPoolExecutor(8) as pool:
        futures = [
            pool.submit(cached_frames, tmp_path, KEY, SHAPE, slow) for _ in range(8)
        ]
        found = [future.result() for future in futures]
    assert all(np.array_equal(frames, FRAMES) for frames in found)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_reader_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def bad() -> Blocks:
        yield 0, FRAMES[:1]
        raise DataError("a.bin: byte 5: no")

    with pytest.raises(DataError, match=r"^a\.bin: byte 5: no$"):
        cached_frames(tmp_path, KEY, SHAPE, bad)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("found", [False, True])
def test_what_was_abandoned_long_ago_is_deleted(tmp_path: Path, found: bool) -> None:
    """Of whatever frames, and also by whoever finds the finished file."""
    if found:
        cached_frames(tmp_path, KEY, SHAPE, blocks)
    own, other, young, foreign = (
        tmp_path / name
        for name in (
            f".frames-{KEY[:32]}.npy.dead",
            f".frames-{'0' * 32}.npy.dead",
            f".frames-{KEY[:32]}.npy.alive",
            "other.npy",
        )
    )
    now = time.time()
    for path, age_s in (
        (own, ABANDONED_S + 60),
        (other, ABANDONED_S + 60),
        (young, ABANDONED_S - 60),
        (foreign, 1e9),
    ):
        path.touch()
        os.utime(path, (now - age_s, now - age_s))
    cached_frames(tmp_path, KEY, SHAPE, unneeded if found else blocks)
    assert [path.exists() for path in (own, other)] == [False, False]
    assert [path.exists() for path in (young, foreign)] == [True, True]


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(frames_cache.os, "fsync", full)
    with pytest.raises(DataError) as caught:
        cached_frames(tmp_path, KEY, SHAPE, blocks)
    assert str(caught.value).startswith(f"{tmp_path}: cannot keep 3.6e-08 GB of frames")
    assert "(No space left on device); make room" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        DataError, match=r"file/cache: cannot keep .*\(Not a directory\)"
    ):
        cached_frames(tmp_path / "file" / "cache", KEY, SHAPE, blocks)
