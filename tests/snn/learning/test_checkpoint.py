"""A checkpoint is whole or not there, and costs a training nothing but itself."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from moosnn.errors import ReleasedError
from moosnn.snn.learning import checkpoint
from moosnn.snn.learning.checkpoint import NAME, Checkpoint, Saved

FACTS = {"epoch": 3, "heard": [{"silent": [1, 2], "peaks": [0.5]}]}
FULL = OSError(errno.ENOSPC, "No space left on device")


def state(value: float = 1.0) -> Saved:
    """Tensors of several kinds, one of them not contiguous."""
    weights = torch.full((3, 2), value).t()
    weights[0, 1] = -value
    number, empty = torch.tensor(7), torch.empty(0, dtype=torch.int64)
    return Saved(tensors={"w": weights, "n": number, "e": empty}, facts=FACTS)


def unasked() -> Saved:
    raise AssertionError("a state that is not written is not asked for")


def assert_equal(one: Saved | None, other: Saved) -> None:
    assert one is not None
    assert one.facts == other.facts
    assert set(one.tensors) == set(other.tensors)
    for name, tensor in other.tensors.items():
        assert one.tensors[name].dtype == tensor.dtype
        assert torch.equal(one.tensors[name], tensor)


def written(path: Path, saved: Saved) -> None:
    Checkpoint(path, every_s=0).offer(lambda: saved)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / NAME
    written(path, state())
    assert_equal(Checkpoint(earlier=[path]).saved(), state())
    assert os.listdir(tmp_path) == [NAME]


def test_the_last_state_counts(tmp_path: Path) -> None:
    one = Checkpoint(tmp_path / NAME, every_s=0)
    for value in (1.0, 2.0):
        one.offer(lambda value=value: state(value))  # type: ignore[misc]  # mypy has no type for a default of a lambda
    assert_equal(Checkpoint(earlier=[tmp_path / NAME]).saved(), state(2.0))


@pytest.mark.parametrize("read", [None, Path("absent"), Path()])
def test_without_an_earlier_attempt_there_is_nothing(
    read: Path | None, tmp_path: Path
) -> None:
    paths = () if read is None else (tmp_path / read,)
    assert Checkpoint(earlier=paths).saved() is None


def test_a_checkpoint_without_a_file_keeps_nothing(tmp_path: Path) -> None:
    one = Checkpoint(every_s=0)
    one.offer(unasked)
    one.remove()
    assert one.saved() is None


def test_any_file_that_is_cut_off_means_to_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / NAME
    written(path, state())
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert Checkpoint(earlier=[path]).saved() is None


@pytest.mark.parametrize("metadata", [None, {"else": "{}"}, {"facts": "{"}])
def test_a_file_of_something_else_means_to_begin_anew(
    metadata: dict[str, str] | None, tmp_path: Path
) -> None:
    path = tmp_path / NAME
    checkpoint.save_file({"w": torch.ones(2)}, path, metadata=metadata)
    assert Checkpoint(earlier=[path]).saved() is None


@pytest.mark.parametrize("error", [FULL, SafetensorError("No space left on device")])
@pytest.mark.parametrize("where", ["save_file", "os.replace"])
def test_a_full_disk_costs_the_new_checkpoint_and_not_the_old_one(
    where: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / NAME
    written(path, state())

    def fails(first: Any, second: Path, **more: Any) -> None:
        if where == "save_file":
            second.write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(f"moosnn.snn.learning.checkpoint.{where}", fails)
    one = Checkpoint(path, every_s=0)
    one.offer(lambda: state(2.0))
    assert_equal(Checkpoint(earlier=[path]).saved(), state())
    assert os.listdir(tmp_path) == [NAME]


def test_another_mistake_is_not_hidden(tmp_path: Path) -> None:
    wrong = Saved(tensors={}, facts={"loss": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        written(tmp_path / NAME, wrong)


def test_it_is_written_every_so_many_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("moosnn.snn.learning.checkpoint.time.monotonic", lambda: now[0])
    one, written_at = Checkpoint(tmp_path / NAME, every_s=60), []

    def asked() -> Saved:
        written_at.append(now[0])
        return state()

    for now[0] in (100.0, 159.0, 160.0, 161.0, 219.0, 225.0, 284.0, 285.0):
        one.offer(asked)
    assert written_at == [160.0, 225.0, 285.0]


def test_one_that_makes_room_writes_whatever_the_time(tmp_path: Path) -> None:
    asked = iter((False, True))
    one = Checkpoint(tmp_path / NAME, every_s=1e9, preempted=lambda: next(asked))
    one.offer(unasked)
    with pytest.raises(ReleasedError):
        one.offer(state)
    assert_equal(Checkpoint(earlier=[tmp_path / NAME]).saved(), state())


def test_one_that_keeps_nothing_makes_room_as_well() -> None:
    with pytest.raises(ReleasedError):
        Checkpoint(preempted=lambda: True).offer(unasked)


def test_when_a_training_has_ended_nothing_is_left_of_it(tmp_path: Path) -> None:
    mine, earlier = tmp_path / "2" / NAME, tmp_path / "1" / NAME
    for path in (mine, earlier):
        path.parent.mkdir()
        written(path, state())
    one = Checkpoint(mine, [earlier])
    one.remove()
    one.remove()
    assert not mine.exists()
    assert not earlier.exists()


def test_a_checkpoint_of_another_training_is_neither_read_nor_removed(
    tmp_path: Path,
) -> None:
    """Retrainings with other seeds are attempts of the same trial."""
    paths = [tmp_path / str(k) / NAME for k in (1, 2, 3)]
    for path, owner, value in zip(paths, ("a", "b", "a"), (1.0, 2.0, 3.0), strict=True):
        path.parent.mkdir()
        one = Checkpoint(path, owner=owner, every_s=0)
        one.offer(lambda value=value: state(value))  # type: ignore[misc]  # mypy has no type for a default of a lambda
    third = Checkpoint(earlier=paths[1::-1], owner="a")
    assert_equal(third.saved(), state(1.0))
    assert Checkpoint(earlier=paths, owner="c").saved() is None
    third.remove()
    assert [path.is_file() for path in paths] == [False, True, True]


def test_where_the_newest_is_damaged_the_one_before_counts(tmp_path: Path) -> None:
    paths = [tmp_path / str(k) / NAME for k in (2, 1)]
    for path, value in zip(paths, (2.0, 1.0), strict=True):
        path.parent.mkdir()
        written(path, state(value))
    paths[0].write_bytes(paths[0].read_bytes()[:100])
    assert_equal(Checkpoint(earlier=paths).saved(), state(1.0))


def test_the_seconds_of_all_attempts_add_up(tmp_path: Path) -> None:
    paths = [tmp_path / str(k) / NAME for k in (1, 2)]
    for path in paths:
        path.parent.mkdir()
    first = Checkpoint(paths[0], every_s=0.0)
    time.sleep(0.05)
    first.offer(state)
    second = Checkpoint(paths[1], paths[:1], every_s=0.0)
    assert second.earlier_s == 0.0
    second.saved()
    assert 0.05 <= second.earlier_s < 5.0
    time.sleep(0.05)
    second.offer(state)
    third = Checkpoint(earlier=[paths[1]])
    third.saved()
    assert second.earlier_s + 0.05 <= third.earlier_s < 5.0
