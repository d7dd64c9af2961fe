"""The journal: what is written is read back, whatever happened in between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moosnn.errors import JournalError, StudyBusyError, StudyFolderError
from moosnn.events import Event, Kind
from moosnn.runtime import journal as journal_module
from moosnn.runtime.journal import NAME, TORN_NAME, Journal, read
from moosnn.runtime.lease import Lease
from moosnn.trial import Evaluation, Proposal

PROPOSAL = Proposal(number=0, params={"x": 1}, seed=3, origin="test", seen=1)


def proposed() -> dict[str, object]:
    raw = PROPOSAL.to_json()
    raw.pop("number")
    return raw


def write_study(folder: Path, trials: int = 3) -> list[Event]:
    """A journal of some finished trials."""
    with Lease.acquire(folder) as lease:
        journal = Journal(folder, lease, clock=lambda: 12.5)
        journal.append(Kind.STUDY, data={"digest": "d"})
        for number in range(trials):
            journal.append(Kind.PROPOSED, number, data=proposed())
            journal.append(Kind.SUBMITTED, number, 1, {"job_id": f"j{number}"})
            evaluation = Evaluation(metrics={"m": float(number)})
            data = {"evaluation": evaluation.to_json()}
            journal.append(Kind.FINISHED, number, 1, data)
        return list(journal.history)


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    written = write_study(tmp_path)
    contents = read(tmp_path / NAME)
    assert list(contents.history) == written
    assert (contents.ignored, contents.torn_bytes) == (0, 0)
    assert [t.evaluation.metrics["m"] for t in contents.history.done] == [0, 1, 2]  # type: ignore[union-attr]
    assert written[0].time == 12.5


def test_no_file_is_an_empty_journal(tmp_path: Path) -> None:
    assert len(read(tmp_path / NAME).history) == 0


def test_cut_at_any_byte_it_is_read_up_to_the_cut(tmp_path: Path) -> None:
    written = write_study(tmp_path, trials=2)
    whole = (tmp_path / NAME).read_bytes()
    path = tmp_path / "cut.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        contents = read(path)
        lines = whole[:cut].count(b"\n")
        assert list(contents.history) == written[:lines]
        assert contents.torn_bytes == cut - contents.whole_bytes
        assert whole[: contents.whole_bytes].count(b"\n") == lines


@pytest.mark.parametrize("cut", [1, 17, 60])
def test_a_torn_tail_is_put_aside_and_the_study_goes_on(
    tmp_path: Path, cut: int
) -> None:
    written = write_study(tmp_path)
    path = tmp_path / NAME
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    tail = whole[:-cut].rpartition(b"\n")[2]
    with Lease.acquire(tmp_path) as lease:
        journal = Journal(tmp_path, lease)
        assert journal.torn_bytes == len(tail)
        assert list(journal.history)[:-1] == written[:-1]
        assert journal.history[-1].kind is Kind.OPENED
        data = {"evaluation": Evaluation(metrics={"m": 9.0}).to_json()}
        journal.append(Kind.FINISHED, 2, 1, data)
    assert (tmp_path / TORN_NAME).read_bytes() == tail + b"\n"
    done = read(path).history.done
    assert [t.evaluation.metrics["m"] for t in done] == [0, 1, 9]  # type: ignore[union-attr]


def test_a_last_line_of_garbage_is_torn_not_damaged(tmp_path: Path) -> None:
    written = write_study(tmp_path)
    with (tmp_path / NAME).open("ab") as file:
        file.write(b"\0\0\0\0\n")
    contents = read(tmp_path / NAME)
    assert list(contents.history) == written
    assert contents.torn_bytes == 5


@pytest.mark.parametrize(
    "garbage", [b"{", b"[]", b"null", b'{"event":"finished"}', b"\xff\xfe"]
)
def test_damage_in_the_middle_names_the_line(tmp_path: Path, garbage: bytes) -> None:
    write_study(tmp_path)
    path = tmp_path / NAME
    lines = path.read_bytes().splitlines()
    lines[4] = garbage
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(JournalError, match=r"line 5 is damaged.*head -n 4"):
        read(path)


def test_a_trial_cannot_end_twice_and_nothing_is_written(tmp_path: Path) -> None:
    write_study(tmp_path)
    before = (tmp_path / NAME).read_bytes()
    with Lease.acquire(tmp_path) as lease:
        journal = Journal(tmp_path, lease)
        size = (tmp_path / NAME).stat().st_size
        data = {"evaluation": Evaluation(metrics={"m": 1.0}).to_json()}
        with pytest.raises(ValueError, match="finished of trial 0, which is done"):
            journal.append(Kind.FINISHED, 0, 2, data)
        assert (tmp_path / NAME).stat().st_size == size > len(before)


def test_lines_of_a_superseded_driver_are_ignored_and_counted(tmp_path: Path) -> None:
    write_study(tmp_path, trials=1)
    with Lease.acquire(tmp_path) as lease:
        journal = Journal(tmp_path, lease)
        journal.append(Kind.PROPOSED, 1, data=proposed())
    zombie = Event(kind=Kind.PROPOSED, number=2, epoch=1, data=proposed())
    with (tmp_path / NAME).open("a") as file:
        file.write(json.dumps(zombie.to_json()) + "\n")
    contents = read(tmp_path / NAME)
    assert contents.ignored == 1
    assert contents.history.proposals == 2


def test_a_superseded_driver_stops(tmp_path: Path) -> None:
    with Lease.acquire(tmp_path) as lease:
        journal = Journal(tmp_path, lease)
        journal.append(Kind.STUDY, data={})
        newer = tmp_path / "lease" / "000009.json"
        newer.write_text('{"released": true}')
        size = (tmp_path / NAME).stat().st_size
        with pytest.raises(StudyBusyError, match="another driver took this study over"):
            journal.append(Kind.ENDED)
        assert (tmp_path / NAME).stat().st_size == size


def test_a_number_that_is_not_finite_never_enters(tmp_path: Path) -> None:
    with Lease.acquire(tmp_path) as lease:
        journal = Journal(tmp_path, lease)
        with pytest.raises(ValueError, match="not JSON compliant"):
            journal.append(Kind.STUDY, data={"x": float("nan")})
    assert not (tmp_path / NAME).exists()


def test_a_full_disk_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_study(tmp_path)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with Lease.acquire(tmp_path) as lease:
        journal = Journal(tmp_path, lease)
        monkeypatch.setattr(journal_module.os, "write", full)
        with pytest.raises(
            StudyFolderError, match=r"No space left.*same command again"
        ):
            journal.append(Kind.ENDED)
    monkeypatch.undo()
    assert list(read(tmp_path / NAME).history)[:-1] == written


def test_a_long_journal_is_read_back(tmp_path: Path) -> None:
    raw = proposed()
    lines = []
    for number in range(20_000):
        for kind, data in (
            (Kind.PROPOSED, raw),
            (Kind.SUBMITTED, {"job_id": "j"}),
            (Kind.FINISHED, {"evaluation": Evaluation(metrics={"m": 1.0}).to_json()}),
        ):
            attempt = None if kind is Kind.PROPOSED else 1
            event = Event(kind=kind, number=number, attempt=attempt, data=data)
            lines.append(json.dumps(event.to_json()))
    (tmp_path / NAME).write_text("\n".join(lines) + "\n")
    history = read(tmp_path / NAME).history
    assert len(history) == 60_000
    assert len(history.done) == history.proposals == 20_000
