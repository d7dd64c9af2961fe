"""Parameters, conditions and spaces: round trips, canonical points, every refusal."""

import copy
import json
import math
import operator
import pickle
import random
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import yaml

from moosnn.conditions import Condition
from moosnn.errors import SpaceError
from moosnn.parameters import parameter_from_config
from moosnn.space import Choice, Float, Int, Space

PARAMETERS = {
    "float": "{float: [0, 1]}",
    "float negative": "{float: [-3.5, -0.25]}",
    "float log": "{float: [1.0e-5, 0.1], log: true}",
    "float log wide": "{float: [1.0e-150, 1.0e+149], log: true}",
    "float tiny": "{float: [1, 1.0000000001]}",
    "float step": "{float: [0, 0.3], step: 0.1}",
    "float step odd": "{float: [0.05, 1], step: 0.3}",
    "float step rounded up": "{float: [0, 1], step: 0.33333334}",
    "float step far": "{float: [1.0e+9, 1000000001], step: 0.1}",
    "float step log": "{float: [0.1, 12.8], step: 0.1, log: true}",
    "float step log wide": "{float: [1.0e-6, 1], step: 0.1, log: true}",
    "float step whole": "{float: [-2, 2], step: 4}",
    "int": "{int: [1, 4]}",
    "int two": "{int: [0, 1]}",
    "int negative": "{int: [-7, -2]}",
    "int step": "{int: [3, 20], step: 4}",
    "int log": "{int: [1, 256], log: true}",
    "int log step": "{int: [8, 100], log: true, step: 8}",
    "int log coarse": "{int: [1, 101], log: true, step: 10}",
    "int far": "{int: [1000000000000000, 1000000000000010]}",
    "int far log": "{int: [1000000000000000, 1000000000000010], log: true}",
    "int huge": "{int: [-5, 1099511627770]}",
    "int huge log": "{int: [1, 1099511627776], log: true}",
    "int huge step": "{int: [-9007199254740993, 9007199254740993], step: 999999}",
    "choice": "{choice: [if, lif, plif]}",
    "choice mixed": "{choice: [true, 0, 2.5, '1']}",
    "choice bool": "{choice: [false, true]}",
}

NESTED = """
depth:     {int: [1, 4]}
width_2:   {int: [8, 256], log: true, when: {depth: {min: 2}}}
neuron_2:  {choice: [if, lif, plif], when: {depth: [2, 3, 4]}}
tau_2:     {float: [1.05, 20], log: true, when: {neuron_2: [lif, plif]}}
skip:      {choice: [false, true], when: {depth: {min: 2, max: 3}}}
skip_gain: {float: [0, 1], step: 0.1, when: {skip: true, neuron_2: lif}}
learn:     {choice: [bptt, stdp]}
rate:      {float: [1.0e-5, 1], log: true, when: [{learn: bptt}, {skip: true}]}
gain_fine: {float: [0, 1], when: {skip_gain: 0.3}}
"""


def parameter(name):
    return parameter_from_config(yaml.safe_load(PARAMETERS[name]))


def space(text):
    return Space.from_config(yaml.safe_load(text))


def coordinates(rng, count):
    """Random ones, the corners, and the edges of many a grid."""
    yield from (0.0, 1.0, 0.5, math.nextafter(1.0, 0.0), math.nextafter(0.0, 1.0))
    yield from (k / n for n in (2, 3, 4, 10, 31) for k in range(n + 1))
    yield from (rng.random() for _ in range(count))


def is_active(raw, name, point):
    """The sentence of the docs, recursively, straight from the YAML."""
    when = raw[name].get("when")
    if when is None:
        return True

    def holds(other, test):
        value = point[other]
        if not is_active(raw, other, point):
            return False
        if isinstance(test, dict):
            return test.get("min", value) <= value <= test.get("max", value)
        return value in (test if isinstance(test, list) else [test])

    alternatives = when if isinstance(when, list) else [when]
    return any(all(holds(*item) for item in a.items()) for a in alternatives)


# -- one parameter ----------------------------------------------------------------


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_value_survives_its_coordinate(name):
    subject = parameter(name)
    for coordinate in coordinates(random.Random(1), 3000):
        value = subject.decode(coordinate)
        back = subject.encode(value)
        assert 0 <= back <= 1
        assert subject.spell(value) == value
        assert type(subject.spell(value)) is type(value)
        if isinstance(subject, Float) and subject.step is None:
            assert subject.low <= value <= subject.high
            assert math.isclose(subject.decode(back), value, rel_tol=1e-12)
        else:
            assert subject.decode(back) == value


@pytest.mark.parametrize("name", [n for n in PARAMETERS if "choice" not in n])
def test_larger_coordinates_never_give_smaller_values(name):
    subject = parameter(name)
    values = [subject.decode(k / 999) for k in range(1000)]
    assert all(a <= b for a, b in pairwise(values))
    assert values[0] == subject.low
    assert values[-1] <= subject.high


@pytest.mark.parametrize("name", [n for n in PARAMETERS if "huge" not in n])
def test_values_are_all_that_can_be_decoded(name):
    subject = parameter(name)
    if subject.count is None:
        assert isinstance(subject, Float)
        assert list(subject.values()) == []
        return
    values = list(subject.values())
    decoded = {subject.decode((k + 0.5) / 10_000) for k in range(10_000)}
    assert len(values) == subject.count
    assert {(v, type(v)) for v in values} >= {(v, type(v)) for v in decoded}
    assert [subject.decode(subject.encode(v)) for v in values] == values


@pytest.mark.parametrize("name", ["float", "float negative", "float log", "float tiny"])
def test_the_ends_of_a_float_are_the_ends_of_the_interval(name):
    subject = parameter(name)
    assert (subject.decode(0.0), subject.decode(1.0)) == (subject.low, subject.high)
    assert (subject.encode(subject.low), subject.encode(subject.high)) == (0, 1)


def test_a_log_float_is_uniform_in_the_logarithm():
    subject = Float(low=1e-4, high=1.0, log=True)
    values = [subject.decode(k / 4) for k in range(5)]
    assert values == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


@pytest.mark.parametrize(
    ("subject", "values"),
    [
        (Int(low=1, high=7), [1, 2, 3, 4, 5, 6, 7]),
        (Int(low=-7, high=-2), [-7, -6, -5, -4, -3, -2]),
        (Int(low=3, high=20, step=4), [3, 7, 11, 15, 19]),
        (Float(low=0, high=0.3, step=0.1), [0.0, 0.1, 0.2, 0.3]),
        (Float(low=0.05, high=1, step=0.3), [0.05, 0.35, 0.65, 0.95]),
        (Float(low=0, high=1, step=1 / 11), None),
        (Choice(options=("if", "lif", "plif")), ["if", "lif", "plif"]),
    ],
)
def test_every_value_has_an_equal_share_of_the_interval(subject, values):
    samples = 30_000
    hits = Counter(subject.decode((k + 0.5) / samples) for k in range(samples))
    if values is None:  # computed rather than written: both ends are there all the same
        assert len(hits) == 12
        assert max(hits) == 1
        values = sorted(hits)
    assert sorted(hits) == sorted(values)
    share = samples / len(values)
    assert all(abs(count - share) <= 1 for count in hits.values())


@pytest.mark.parametrize(
    ("subject", "values"),
    [
        (Int(low=1, high=16, log=True), range(1, 17)),
        (Int(low=8, high=100, log=True, step=8), range(8, 97, 8)),
        (Int(low=1, high=101, log=True, step=10), range(1, 102, 10)),
        (Float(low=0.5, high=4, log=True, step=0.5), [0.5 * k for k in range(1, 9)]),
    ],
)
def test_every_value_on_a_log_grid_has_its_share_of_the_logarithm(subject, values):
    samples = 30_000
    hits = Counter(subject.decode((k + 0.5) / samples) for k in range(samples))
    assert sorted(hits) == list(values)
    half = subject.step / 2
    lowest = max(values[0] - half, values[0] / 2)
    width = math.log((values[-1] + half) / lowest)
    for value in values:
        share = math.log((value + half) / max(value - half, lowest)) / width
        assert abs(hits[value] - samples * share) <= 2


def test_a_stepped_float_gives_what_a_person_would_write():
    subject = Float(low=0.1, high=0.9, step=0.1)
    values = [subject.decode((k + 0.5) / 9) for k in range(9)]
    assert [repr(v) for v in values] == [f"0.{k}" for k in range(1, 10)]
    assert subject.spell(0.1 + 0.2) == 0.3


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3), np.uint8(3)])
def test_an_int_spells_whole_numbers_of_any_type(value):
    spelled = Int(low=1, high=4).spell(value)
    assert (spelled, type(spelled)) == (3, int)


@pytest.mark.parametrize("value", [1, 1.0, np.int32(1), np.float64(1)])
def test_a_float_spells_numbers_of_any_type(value):
    for subject in (Float(low=0, high=2), Float(low=0, high=2, step=0.5)):
        spelled = subject.spell(value)
        assert (spelled, type(spelled)) == (1.0, float)


def test_a_choice_gives_its_own_option_and_keeps_true_apart_from_1():
    subject = Choice(options=("lif", 1, 2.5))
    assert type(subject.spell(np.str_("lif"))) is str
    assert type(subject.spell(np.int64(1))) is int
    assert type(subject.spell(1.0)) is int
    with pytest.raises(SpaceError, match=r"expected one of .* got True\.$"):
        subject.spell(True)
    with pytest.raises(SpaceError, match="got 1"):
        Choice(options=(True, False)).spell(1)


@pytest.mark.parametrize(
    ("subject", "value", "message"),
    [
        (Float(low=0, high=1), 1.5, r"a number in \[0.0, 1.0\], got 1.5"),
        (Float(low=0, high=1), True, "got True"),
        (Float(low=0, high=1), math.nan, "got nan"),
        (Float(low=0, high=1), None, "got None"),
        (Float(low=0, high=1), 10**400, "got 1000"),
        (Float(low=0, high=1), "1e-3", r"YAML reads '1e-3' as text: write 1.0e-3\."),
        (Float(low=0, high=1), "0.5", r"'0.5' is text: write 0.5 without quotes\."),
        (Float(low=0, high=1, step=0.25), 0.3, r"0.0 \+ k \* 0.25 up to 1.0, got 0.3"),
        (Float(low=0, high=1, step=0.25), 1.25, "up to 1.0, got 1.25"),
        (Float(low=0, high=1, step=0.25), -0.25, "got -0.25"),
        (Float(low=0, high=1, step=0.25), math.inf, "got inf"),
        (Int(low=1, high=4), 5, r"a whole number in \[1, 4\], got 5"),
        (Int(low=1, high=4), 2.5, "got 2.5"),
        (Int(low=1, high=4), True, "got True"),
        (Int(low=1, high=4), "2", "write 2 without quotes"),
        (Int(low=1, high=9, step=4), 4, r"in \[1, 9\] in steps of 4, got 4"),
        (Int(low=1, high=10**10), 5e9 + 0.4, "got 5000000000.4"),
        (Choice(options=("if", "lif")), "lfi", r"got 'lfi'\. Did you mean 'lif'\?"),
        (Choice(options=("if", 2)), "2", r"expected one of \['if', 2\], got '2'"),
        (Choice(options=("if", "lif")), [], r"expected one of .*, got \[\]"),
    ],
)
def test_a_value_that_is_not_one_is_refused(subject, value, message):
    for refuse in (subject.spell, subject.encode):
        with pytest.raises(SpaceError, match=message):
            refuse(value)


# -- the YAML form ------------------------------------------------------------------


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_survives_yaml_json_pickle_and_copies(name):
    subject = parameter(name)
    config = subject.to_config()
    for read in (
        parameter_from_config(config),
        parameter_from_config(json.loads(json.dumps(config))),
        parameter_from_config(yaml.safe_load(yaml.safe_dump(config))),
        pickle.loads(pickle.dumps(subject)),
        copy.deepcopy(subject),
        copy.copy(subject),
    ):
        assert read == subject
        assert hash(read) == hash(subject)
        assert read.decode(0.3) == subject.decode(0.3)


def test_a_space_survives_yaml_json_pickle_and_copies():
    subject = space(NESTED)
    config = subject.to_config()
    for read in (
        Space.from_config(config),
        Space.from_config(json.loads(json.dumps(config))),
        Space.from_config(yaml.safe_load(yaml.safe_dump(config, sort_keys=False))),
        pickle.loads(pickle.dumps(subject)),
        copy.deepcopy(subject),
    ):
        assert read == subject
        assert hash(read) == hash(subject)
        assert read.decode([0.3] * 9) == subject.decode([0.3] * 9)


def test_the_order_of_the_parameters_is_part_of_a_space():
    one, other = Int(low=1, high=2), Int(low=3, high=4)
    assert Space({"a": one, "b": other}) != Space({"b": other, "a": one})
    assert list(Space({"b": other, "a": one})) == ["b", "a"]


def test_a_space_does_not_follow_the_mapping_it_was_made_of():
    raw = {"a": Int(low=1, high=2)}
    subject = Space(raw)
    raw["b"] = Int(low=1, high=2)
    assert list(subject) == ["a"]
    with pytest.raises(TypeError):
        subject.parameters["b"] = raw["b"]


FLAWED = [
    ("[]", "space: expected a mapping of parameters"),
    ("{}", "space: expected at least one parameter, got none"),
    ("yes: {int: [1, 2]}", "expected names as text, got True; put it in quotes"),
    ("'': {int: [1, 2]}", "expected names as text, got ''"),
    ("a: 3", "space.a: expected e.g. {float: [0, 1]}, got 3"),
    ("a: {}", "space.a: expected exactly one of float, int, choice in {}"),
    ("a: {log: true}", "space.a: expected exactly one of float, int, choice"),
    ("a: {flaot: [0, 1]}", "space.a: unknown key 'flaot'. Did you mean 'float'?"),
    ("a: {int: [0, 1], float: [0, 1]}", "expected exactly one of float, int, choice"),
    ("a: {int: [0, 1], lgo: true}", "int: unknown key 'lgo'. Did you mean 'log'?"),
    ("a: {choice: [x, y], log: true}", "choice: unknown key 'log'. Known: choice,"),
    ("a: {float: 3}", "float: expected a list, got 3"),
    ("a: {choice: lif}", "choice: expected a list, got 'lif'"),
    ("a: {float: [0, 1, 2]}", "float: expected [low, high], got [0, 1, 2]"),
    ("a: {float: [0, 1e-3]}", "got '1e-3'. YAML reads '1e-3' as text: write 1.0e-3."),
    ("a: {int: [0, '8']}", "got '8'. '8' is text: write 8 without quotes."),
    ("a: {float: [0, .nan]}", "float: expected two finite numbers, got nan"),
    ("a: {float: [-.inf, 0]}", "float: expected two finite numbers, got -inf"),
    ("a: {float: [false, true]}", "float: expected two finite numbers, got False"),
    ("a: {float: [null, 1]}", "float: expected two finite numbers, got None"),
    ("a: {float: [1, 0]}", "float: expected low < high, got [1.0, 0.0]"),
    ("a: {int: [2, 2]}", "got [2, 2]; a fixed value belongs into task.fixed"),
    ("a: {float: [9007199254740992, 9007199254740993]}", "expected low < high"),
    ("a: {float: [-1.0e+308, 1.0e+308]}", "float: the range [-1e+308, 1e+308] is too"),
    ("a: {float: [1.0e-200, 1.0e+200], log: true}", "is too wide"),
    ("a: {int: [1.5, 3]}", "int: expected a whole low, got 1.5"),
    ("a: {float: [0, 1], log: true}", "float: a log scale needs low > 0, got low=0.0"),
    ("a: {int: [-1, 1], log: true}", "int: a log scale needs low > 0, got low=-1"),
    ("a: {int: [1, 2], log: 1}", "int: expected true or false for log, got 1"),
    ("a: {float: [0, 1], step: 0}", "float: expected 0 < step <= 1.0, got 0.0"),
    ("a: {float: [0, 1], step: -0.1}", "float: expected 0 < step <= 1.0, got -0.1"),
    ("a: {float: [0, 1], step: 1.5}", "float: expected 0 < step <= 1.0, got 1.5"),
    ("a: {float: [0, 1], step: .nan}", "float: expected 0 < step <= 1.0, got nan"),
    ("a: {float: [0, 1], step: true}", "float: expected 0 < step <= 1.0, got True"),
    ("a: {float: [0, 1], step: 1e-3}", "YAML reads '1e-3' as text: write 1.0e-3."),
    ("a: {float: [0, 1], step: 1.0e-13}", "10000000000001 values are more than"),
    ("a: {float: [0, 1], step: 1.0e-300}", "values are more than 1099511627776"),
    ("a: {int: [0, 9], step: 0}", "int: expected 0 < step <= 9, got 0"),
    ("a: {int: [0, 9], step: 10}", "int: expected 0 < step <= 9, got 10"),
    ("a: {int: [0, 9], step: 1.5}", "int: expected a whole step, got 1.5"),
    ("a: {int: [0, 9], step: true}", "int: expected a whole step, got True"),
    ("a: {int: [0, 1099511627776]}", "int: 1099511627777 values are more than"),
    ("a: {choice: []}", "choice: expected one or more options, got []"),
    ("a: {choice: [x, y, x]}", "choice: an option is twice in ['x', 'y', 'x']"),
    ("a: {choice: [true, 1]}", "an option is twice in [True, 1] (1, 1.0 and true"),
    (
        "a: {choice: [x, null]}",
        "expected strings, finite numbers or booleans, got None",
    ),
    ("a: {choice: [x, [y]]}", "strings, finite numbers or booleans, got ['y']"),
    ("a: {choice: [0, .nan]}", "strings, finite numbers or booleans, got nan"),
]

FLAWED_CONDITIONS = [
    ("3", "when: expected a mapping or a list of them, got 3"),
    ("depth", "when: expected a mapping or a list of them, got 'depth'"),
    ("{}", "when: expected a mapping such as {depth: {min: 3}}, got {}"),
    ("[]", "when: expected a mapping such as {depth: {min: 3}}, got []"),
    ("[{depth: 2}, {}]", "when: expected a mapping such as {depth: {min: 3}}, got {}"),
    ("[depth]", "when: expected a mapping such as {depth: {min: 3}}, got 'depth'"),
    ("{dept: 2}", "space.a.when: no parameter 'dept'. Did you mean 'depth'?"),
    ("{depth: {mni: 2}}", "when: depth: expected min and/or max, one value or a list"),
    ("{depth: {}}", "when: depth: expected min and/or max, one value or a list"),
    ("{depth: {min: null}}", "when: depth: expected min and/or max, one value or"),
    ("{depth: {min: '2'}}", "expected a number for min and max, got '2'. '2' is text"),
    ("{depth: {max: .inf}}", "expected a number for min and max, got inf"),
    ("{depth: {min: true}}", "expected a number for min and max, got True"),
    ("{depth: {min: 3, max: 2}}", "expected min <= max, got min=3, max=2"),
    ("{depth: []}", "when: depth: expected one or more values, got none"),
    ("{depth: null}", "expected strings, finite numbers or booleans, got None"),
    ("{depth: [[1]]}", "expected strings, finite numbers or booleans, got [1]"),
    ("{depth: 5}", "space.a.when: depth: expected a whole number in [1, 4], got 5"),
    ("{depth: true}", "depth: expected a whole number in [1, 4], got True"),
    ("{neuron: [lif, plfi]}", "neuron: got 'plfi'. Did you mean 'plif'?"),
    ("{neuron: {min: 1}}", "neuron is a choice: expected one value or a list"),
    ("{gain: 0.25}", "gain: expected 0.0 + k * 0.1 up to 1.0, got 0.25"),
    ("{a: 1}", "space: the when conditions make a cycle: a -> a."),
    ("{b: 1}", "space: the when conditions make a cycle: a -> b -> a."),
]


@pytest.mark.parametrize(("text", "message"), FLAWED)
def test_a_flawed_space_is_refused_with_a_reason(text, message):
    with pytest.raises(SpaceError) as caught:
        space(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("space")


@pytest.mark.parametrize(("when", "message"), FLAWED_CONDITIONS)
def test_a_flawed_condition_is_refused_with_a_reason(when, message):
    with pytest.raises(SpaceError) as caught:
        space(
            "depth: {int: [1, 4]}\n"
            "neuron: {choice: [if, lif, plif]}\n"
            "gain: {float: [0, 1], step: 0.1}\n"
            f"a: {{int: [0, 1], when: {when}}}\n"
            "b: {int: [0, 1], when: {a: 1}}\n"
        )
    # Two parameters that test each other: the circle may start at either.
    turned = message.replace("a -> b -> a", "b -> a -> b")
    assert message in str(caught.value) or turned in str(caught.value)
    assert str(caught.value).startswith("space")


@pytest.mark.parametrize(
    ("when", "exists"),
    [
        ("{depth: {min: 3}}", False),
        ("{depth: {max: 0}}", False),
        ("{depth: {min: 0}}", True),
        ("{depth: {max: 9}}", True),
    ],
)
def test_a_range_may_be_narrowed_until_a_condition_never_or_always_holds(when, exists):
    subject = space(f"depth: {{int: [1, 2]}}\na: {{int: [0, 9], when: {when}}}")
    points = [subject.decode([x / 9, y / 9]) for x in range(10) for y in range(10)]
    assert {"a" in subject.active(point) for point in points} == {exists}
    assert len({point["a"] for point in points}) == (10 if exists else 1)
    assert Space.from_config(subject.to_config()) == subject


def test_a_condition_is_bounds_or_values():
    with pytest.raises(SpaceError, match="expected min and/or max, one value or"):
        Condition(parameter="a", min=1, values=(1,))
    assert not Condition(parameter="a", min=0).holds(True)
    assert not Condition(parameter="a", min=0).holds("1")
    assert not Condition(parameter="a", values=(1,)).holds(True)


# -- points of a space --------------------------------------------------------------


def test_points_survive_the_unit_cube():
    subject, raw = space(NESTED), yaml.safe_load(NESTED)
    rng = random.Random(2)
    seen_active = Counter()
    for _ in range(3000):
        point = subject.decode([rng.random() for _ in subject])
        assert list(point) == list(subject)
        assert json.loads(json.dumps(point)) == point
        assert subject.canonical(point) == point
        coordinates = subject.encode(point)
        assert all(0 <= c <= 1 for c in coordinates)
        for name, value in subject.decode(coordinates).items():
            same = math.isclose if isinstance(value, float) else operator.eq
            assert same(value, point[name])
        active = subject.active(point)
        assert list(active) == [n for n in raw if is_active(raw, n, point)]
        seen_active.update(active)
    assert set(seen_active) == set(subject)


def test_points_that_differ_only_in_what_is_inactive_are_one_point():
    subject = space(NESTED)
    rng = random.Random(3)
    for _ in range(1000):
        point = subject.decode([rng.random() for _ in subject])
        active = subject.active(point)
        noise = {n: p.decode(rng.random()) for n, p in subject.parameters.items()}
        assert subject.canonical({**noise, **active}) == point
        assert subject.canonical(active) == point
        wrong = dict.fromkeys(set(subject) - set(active), "nonsense")
        assert subject.canonical({**active, **wrong}) == point
        for name in set(subject) - set(active):
            assert point[name] == subject.parameters[name].decode(0.5)


def test_a_canonical_point_is_made_of_plain_values():
    subject = space("a: {int: [1, 4]}\nb: {float: [0, 1]}\nc: {choice: [x, 1]}")
    given = {"c": np.int64(1), "b": np.float32(0.5), "a": np.float64(3)}
    point = subject.canonical(given)
    assert list(point.items()) == [("a", 3), ("b", 0.5), ("c", 1)]
    assert [type(v) for v in point.values()] == [int, float, int]


def test_a_value_is_spelled_before_conditions_look_at_it():
    subject = space(
        "gain: {float: [0, 1], step: 0.1}\nfine: {int: [1, 9], when: {gain: 0.3}}"
    )
    point = subject.canonical({"gain": 0.1 + 0.2, "fine": 2})
    assert point == {"gain": 0.3, "fine": 2}
    assert subject.canonical(point) == point


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"depht": 1}, r"no parameter 'depht'\. Did you mean 'depth'\?"),
        ({}, "parameter 'depth' is active but has no value"),
        ({"depth": 2, "learn": "stdp"}, "parameter 'width_2' is active but has no"),
        ({"depth": 9, "learn": "stdp"}, "parameter 'depth': expected a whole number"),
        ({"depth": 1, "learn": "sdtp"}, r"'learn': got 'sdtp'\. Did you mean 'stdp'"),
        ({"depth": 1, "learn": "bptt", "rate": "1e-3"}, "'rate': .* write 1.0e-3"),
    ],
)
def test_a_point_outside_of_the_space_is_refused(params, message):
    subject = space(NESTED)
    for refuse in (subject.canonical, subject.encode):
        with pytest.raises(SpaceError, match=message):
            refuse(params)


def test_what_depends_on_a_missing_value_is_not_active():
    assert space(NESTED).active({"width_2": 8, "learn": "stdp"}) == {"learn": "stdp"}


def test_coordinates_are_clipped_and_checked():
    subject = space("a: {int: [1, 4]}\nb: {float: [0, 1]}")
    assert subject.decode([-1, 1.5]) == {"a": 1, "b": 1.0}
    assert subject.decode(np.array([0.99, 0.25])) == {"a": 4, "b": 0.25}
    for flawed in ([0.5], [0.5] * 3, [0.5, math.nan], [math.inf, 0.5]):
        with pytest.raises(SpaceError, match="expected 2 finite coordinates, got"):
            subject.decode(flawed)


def test_a_long_chain_of_conditions_in_any_order():
    links = 2000
    raw = {
        f"p{k}": {"int": [0, 1]} | ({"when": {f"p{k - 1}": 1}} if k else {})
        for k in reversed(range(links))
    }
    subject = Space.from_config(raw)
    assert len(subject.active(subject.decode([1.0] * links))) == links
    assert list(subject.active(subject.decode([0.0] * links))) == ["p0"]
