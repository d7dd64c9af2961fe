"""Values of settings in few characters."""

from __future__ import annotations

import json

import pytest

from moosnn.tracking.setting_text import LONGEST, is_long, short_text

PATH = "/a/rather/long/folder/of/somebody/on/a/disk/with/data-1.npz"


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("a.lr", "0.1", "0.1"),
        ("a.lr", "null", "null"),
        ("space.lr.float", "[0.1,1e-3]", "[0.1,0.001]"),
        ("space.training.choice", '["bptt","ssgd"]', "[bptt,ssgd]"),
        ("a.words", "[not json", "[not json"),
        ("study.enqueue", "[]", "[]"),
        ("study.enqueue", '[{"lr":1}]', "1 point"),
        ("study.enqueue", '[{"lr":1},{"lr":2}]', "2 points"),
        ("a.layers", '[{"lr":1},{"lr":2}]', "2 values"),
        ("a.b", json.dumps(["abcdefg"] * 6), "[abcdefg,abcdefg,abcdefg,abcdefg,…]"),
        ("a.b", "x" * LONGEST, "x" * LONGEST),
        ("data.path", PATH, "/a/rather/long/fold…disk/with/data-1.npz"),
        ("a.b", json.dumps([PATH, "b"]), "[/a/rather/long/fol…k/with/data-1.npz,b]"),
        ("a.b", json.dumps([PATH[:35], "b" * 9]), f"[{PATH[:35]},…]"),
    ],
)
def test_what_is_told_of_a_value(key: str, text: str, told: str) -> None:
    assert short_text(key, text) == told
    assert len(told) <= LONGEST
    assert is_long(text) == ("…" in told or "point" in told or "value" in told)
