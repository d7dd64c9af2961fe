"""A journal that is followed: always what `journal.read` says, without its cost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from moosnn.events import Event, Kind
from moosnn.runtime.follow import JournalFollower
from moosnn.runtime.journal import NAME, read


def line(kind: Kind, number: int | None = None, epoch: int = 1, **data: object) -> str:
    event = Event(kind=kind, number=number, time=0.0, epoch=epoch, data=data)
    return json.dumps(event.to_json()) + "\n"


def proposed(number: int, epoch: int = 1) -> str:
    data = {"params": {"x": 1}, "seed": 0, "origin": "t", "seen": 0, "repeats": None}
    return line(Kind.PROPOSED, number, epoch, **data)


HEADER = line(Kind.STUDY, study="a")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / NAME


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def kinds(follower: JournalFollower) -> list[str]:
    return [str(event.kind) for event, _ in follower.read()]


def test_only_what_was_appended_is_told(path: Path) -> None:
    follower = JournalFollower(path)
    append(path, HEADER + proposed(0))
    told = follower.read()
    assert [len(history) for _, history in told] == [1, 2]
    assert follower.read() == []
    append(path, proposed(1))
    assert kinds(follower) == ["proposed"]
    assert list(follower.history) == list(read(path).history)
    assert follower.begun == 1


def test_a_journal_that_is_not_there_yet_is_waited_for(path: Path) -> None:
    follower = JournalFollower(path)
    assert follower.read() == []
    path.write_text("")
    assert follower.read() == []
    append(path, HEADER)
    assert kinds(follower) == ["study"]
    assert follower.begun == 1


def test_a_line_that_is_being_written_is_waited_for_at_every_byte(path: Path) -> None:
    path.write_text(HEADER)
    follower = JournalFollower(path)
    assert kinds(follower) == ["study"]
    text = proposed(0)
    for byte in text[:-1]:
        append(path, byte)
        assert follower.read() == []
        assert follower.damage is None
    append(path, text[-1])
    assert kinds(follower) == ["proposed"]


def test_a_torn_tail_that_is_put_aside_makes_no_new_beginning(path: Path) -> None:
    path.write_text(HEADER + proposed(0) + '{"event": "subm')
    follower = JournalFollower(path)
    assert len(follower.read()) == 2
    os.truncate(path, len(HEADER + proposed(0)))
    append(path, line(Kind.OPENED, epoch=2))
    assert kinds(follower) == ["opened"]
    assert follower.begun == 1


def test_lines_of_a_superseded_driver_are_passed_over(path: Path) -> None:
    path.write_text(HEADER + line(Kind.OPENED, epoch=2))
    follower = JournalFollower(path)
    follower.read()
    append(path, proposed(0, epoch=1) + proposed(0, epoch=2))
    assert kinds(follower) == ["proposed"]
    assert follower.ignored == read(path).ignored == 1
    assert list(follower.history) == list(read(path).history)


def test_a_truncated_file_is_begun_anew(path: Path) -> None:
    path.write_text(HEADER + proposed(0) + proposed(1))
    follower = JournalFollower(path)
    follower.read()
    path.write_text(HEADER + proposed(0))
    told = follower.read()
    assert [len(history) for _, history in told] == [1, 2]
    assert follower.begun == 2
    assert follower.history.proposals == 1


@pytest.mark.parametrize("in_place", [True, False])
def test_another_journal_in_its_place_is_begun_anew(path: Path, in_place: bool) -> None:
    path.write_text(HEADER + proposed(0))
    follower = JournalFollower(path)
    follower.read()
    other = line(Kind.STUDY, study="b") + proposed(0) + proposed(1) + proposed(2)
    if in_place:
        path.write_text(other)
    else:
        path.with_name("new").write_text(other)
        os.replace(path.with_name("new"), path)
    assert len(follower.read()) == 4
    assert follower.begun == 2
    assert follower.history[0].data["study"] == "b"


def test_a_deleted_journal_is_forgotten(path: Path) -> None:
    path.write_text(HEADER)
    follower = JournalFollower(path)
    follower.read()
    path.unlink()
    assert follower.read() == []
    assert len(follower.history) == 0
    assert follower.begun == 2


def test_what_follows_a_damaged_line_waits_until_it_is_mended(path: Path) -> None:
    path.write_text(HEADER + "{\n" + proposed(0))
    follower = JournalFollower(path)
    assert kinds(follower) == ["study"]
    assert follower.damage is not None
    assert read(path, up_to_damage=True).damage is not None
    path.write_text(HEADER + proposed(0))
    assert kinds(follower) == ["proposed"]
    assert follower.damage is None
