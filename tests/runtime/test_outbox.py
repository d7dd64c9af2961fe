"""What workers published: read once, kept until it is journaled."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosnn.runtime import files
from moosnn.runtime.attempt import result_to_json
from moosnn.runtime.outbox import Outbox
from moosnn.trial import Evaluation, Failure


def publish(folder: Path, name: str, content: dict[str, object]) -> Path:
    path = folder / files.OUTBOX / name
    path.parent.mkdir(exist_ok=True)
    files.write_json(path, content)
    return path


def test_names_are_sorted_by_the_attempt_that_they_are_of(tmp_path) -> None:
    result, first = files.message_name(3, 1), files.report_name(3, 1, 4)
    other = files.message_name(3, 2)
    for name in (result, first, other, "notes.txt"):
        publish(tmp_path, name, {})
    found = Outbox(tmp_path, look_s=0.0).published(at_once=True)
    assert {key: sorted(names) for key, names in found.items()} == {
        (3, 1): sorted([result, first]),
        (3, 2): [other],
    }


def test_what_was_read_stays_until_it_may_go(tmp_path) -> None:
    name = files.message_name(0, 1)
    message = tmp_path / "message"
    message.touch()
    evaluation = Evaluation(metrics={"y": 1.5})
    path = publish(tmp_path, name, result_to_json(evaluation))
    outbox = Outbox(tmp_path, look_s=0.0)
    assert outbox.result(name, message) == evaluation
    assert path.exists()
    assert message.exists()
    outbox.delete_read()
    assert not path.exists()
    assert not message.exists()


def test_a_torn_result_is_a_failure(tmp_path) -> None:
    name = files.message_name(0, 1)
    publish(tmp_path, name, {}).write_text('{"metr')
    assert isinstance(Outbox(tmp_path, look_s=0.0).result(name), Failure)


def test_reports_come_in_the_order_of_their_steps_and_garbage_not_at_all(
    tmp_path,
) -> None:
    names = [files.report_name(0, 1, step) for step in (10, 9, 11)]
    for name, content in zip(names, ({"y": 1.0}, {"y": 2}, None), strict=True):
        publish(tmp_path, name, {"metrics": content})
    outbox = Outbox(tmp_path, look_s=0.0)
    told = outbox.reports([*names, files.message_name(0, 1)])
    assert [(r.step, r.metrics) for r in told] == [(9, {"y": 2.0}), (10, {"y": 1.0})]
    outbox.delete_read()
    assert files.listing(tmp_path / files.OUTBOX) == []


@pytest.mark.parametrize("own", [True, False])
def test_a_result_of_another_study_is_deleted(tmp_path, own) -> None:
    name, message = files.message_name(0, 1), tmp_path / "message"
    files.write_json(message, {files.TOKEN: "ours"})
    path = publish(tmp_path, name, {files.ANSWERS: "ours" if own else "theirs"})
    assert Outbox(tmp_path, look_s=0.0).answers(name, message) is own
    assert path.exists() is own


def test_between_two_looks_there_is_a_pause_unless_it_is_urgent(tmp_path) -> None:
    publish(tmp_path, files.message_name(0, 1), {})
    outbox = Outbox(tmp_path, look_s=1000.0)
    assert outbox.published(at_once=False)
    assert not outbox.published(at_once=False)
    assert outbox.published(at_once=True)
