"""The error tree and the wording helpers."""

import inspect

import pytest
import yaml

from moosnn import errors
from moosnn.errors import MoosnnError, nearest, number_hint


def test_everything_but_the_two_signals_is_shown_to_the_user():
    members = [m for m in vars(errors).values() if inspect.isclass(m)]
    raised = [c for c in members if issubclass(c, Exception)]
    outside = {c.__name__ for c in raised if not issubclass(c, MoosnnError)}
    assert outside == {"DivergedError", "ReleasedError"}


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("accuracey", ["accuracy", "spikes"], "'accuracy'? Known: accuracy, spikes."),
        ("LIF", ["if", "lif"], " Did you mean 'lif'? Known: if, lif."),
        ("lif", ["LIF"], " Did you mean 'LIF'? Known: LIF."),
        ("zzz", ["b", "a", "a"], " Known: a, b."),
        ("zzz", [], " None are known."),
    ],
)
def test_nearest(name, known, expected):
    assert nearest(name, known).endswith(expected)


def test_a_long_list_does_not_bury_the_hint():
    names = [f"width_{k:02}" for k in range(31)]
    hint = " Did you mean 'width_07'?"
    assert nearest("widht_07", names) == hint
    assert nearest("widht_07", names[:30]).startswith(f"{hint} Known: width_00, ")
    listed = nearest("zzz", names)
    assert listed == f" Known: {', '.join(names[:30])}, …"
    assert nearest("zzz", names[:30]) == f" Known: {', '.join(names[:30])}."


@pytest.mark.parametrize("text", ["1e-3", "1e3", "2.5E4", ".5e-1", "-1e5", "12", " 7 "])
def test_a_number_hint_says_what_yaml_reads_as_that_number(text):
    assert isinstance(yaml.safe_load(repr(text)), str)
    hint = number_hint(text)
    words = hint.rstrip(".").split()
    written = words[-3] if hint.endswith("without quotes.") else words[-1]
    assert yaml.safe_load(written) == float(text)


@pytest.mark.parametrize("value", ["lif", "", "nan", "inf", None, 3, 0.5, ["1e-3"]])
def test_no_number_hint_for_anything_else(value):
    assert number_hint(value) == ""
