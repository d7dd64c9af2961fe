"""Overrides and parameters. The oracle is Hydra: it lists what a sweep runs through."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_plugins.moosnn_sweeper._overrides import (
    read_overrides,
    with_conditions,
    words_of,
)
from moosnn.errors import ConfigError
from moosnn.space import Space


class Options:
    """Stands for Hydra's loader: knows the options of one group."""

    def get_group_options(self, group, results_filter=None):
        return {"db": ["mysql", "postgres", "sqlite"]}.get(group, [])


def read(*words, params=None):
    return read_overrides(params, list(words), Options())


def parameter(word):
    (found,) = read(word).space.values()
    return dict(found)


def value_of(word):
    return OverridesParser.create().parse_overrides([word])[0].value()


@pytest.mark.parametrize(
    "word",
    [
        "x=1,2,3",
        "x=adam,sgd",
        "x=choice(true,false)",
        "x=choice('hello world','a:b',plain)",
        "x=choice([1,2],[3])",
        "x=choice({a:1,b:c},{a:2})",
        "x=range(1,4)",
        "x=range(10,1,step=-3)",
        "x=range(-5.5,5.5,step=0.5)",
        "x=range(0,1,step=0.1)",
        "x=range(0.1,0.7,step=0.2)",
        "x=range(5)",
        "x=range(1)",
        "x=choice(only)",
        "x=shuffle(range(1,5))",
        "x=sort(3,1,2)",
        "x=tag(log,range(1,9))",
        "x=choice(a/b.yaml,${oc.env:HOME},a:b)",
        "+x=1,2",
        "++a.b.c=1,2",
        "db@source=mysql,postgres",
        "db=glob(*)",
        "db=glob(*,exclude=s*)",
        "x=choice(inf,1.5)",
    ],
)
def test_jobs_get_the_values_that_hydra_lists(word):
    override = OverridesParser.create(config_loader=Options()).parse_overrides([word])[
        0
    ]
    key = override.get_key_element()
    listed = [value_of(f"{key}={text}") for text in override.sweep_string_iterator()]
    space = Space.from_config(read(word).space)
    values = space.parameters[key].values()
    given = [words_of(space, {key: value}) for value in values]
    assert all(len(words) == 1 for words in given)
    found = [value_of(word) for (word,) in given]
    if isinstance(listed[0], float):
        assert sorted(found) == pytest.approx(sorted(listed), rel=1e-12)
    else:
        assert sorted(found, key=str) == sorted(listed, key=str)
    assert all(word.startswith(f"{key}=") for (word,) in given)


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("x=interval(1,5)", {"float": [1, 5]}),
        ("x=int(interval(1,5))", {"int": [1, 5]}),
        ("x=tag(log,interval(1,5))", {"float": [1, 5], "log": True}),
        ("x=tag(log,int(interval(1,5)))", {"int": [1, 5], "log": True}),
        ("x=interval(-1e-3,2e5)", {"float": [-0.001, 200_000]}),
        ("x=range(0.5,5.5,step=1)", {"float": [0.5, 4.5], "step": 1.0}),
        ("x=range(2,20,step=4)", {"int": [2, 18], "step": 4}),
        ("x=1.5,true", {"choice": [1.5, True]}),
        ("x=choice('a','1')", {"choice": ["a", "'1'"]}),
    ],
)
def test_a_sweep_becomes_a_parameter(word, form):
    assert parameter(word) == form


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("x=choice('1','true','null')", ["1", "true", "null"]),
        ("x='1','2'", ["1", "2"]),
        ("x=choice('it\\'s',\"a=b\")", ["it's", "a=b"]),
        ("x=choice('','a,b')", ["", "a,b"]),
        ("x=choice('[1,2]',[1,2])", ["[1,2]", [1, 2]]),
        ("x=choice('${y}','$z')", ["${y}", "$z"]),
    ],
)
def test_text_in_quotes_stays_text(word, values):
    """Hydra's own sweeper makes numbers of them, or words that it cannot read."""
    space = Space.from_config(read(word).space)
    options = space.parameters["x"].values()
    assert [value_of(*words_of(space, {"x": option})) for option in options] == values


@pytest.mark.parametrize("value", [1e-05, 0.1, 123456789.125, 1e22, -3.0])
def test_no_digit_of_a_number_is_lost(value):
    space = Space.from_config({"x": {"float": [-1e30, 1e30]}})
    (word,) = words_of(space, {"x": value})
    assert value_of(word) == value


def test_what_is_no_sweep_stays_as_it_was_written():
    words = ["a.b='x y'", "~c", "~d=3", "+e={k:[1,2]}", "f=null", "g=[1,2]", "h="]
    found = read(*words, "x=1,2")
    assert found.fixed == tuple(words)
    assert list(found.space) == ["x"]


def test_params_hold_overrides_too_and_nested_ones_are_dotted():
    params = {
        "model": {"lr": "interval(0,1)", "name": "mlp"},
        "+w": "1,2",
        "layers": [1, 2],
        "flag": True,
        "nothing": None,
        "three": 3,
    }
    found = read(params=params)
    assert list(found.space) == ["model.lr", "+w"]
    fixed = {word.partition("=")[0]: value_of(word) for word in found.fixed}
    assert fixed == {
        "model.name": "mlp",
        "layers": [1, 2],
        "flag": True,
        "nothing": None,
        "three": 3,
    }


@pytest.mark.parametrize("word", ["x=3", "+x=3", "~x"])
def test_the_command_line_replaces_what_params_say(word):
    found = read(word, params={"x": "interval(0,1)", "y": "1,2"})
    assert found.fixed == (word,)
    assert list(found.space) == ["y"]


def test_the_command_line_searches_what_params_fix():
    found = read("x=1,2", params={"x": 3})
    assert found.fixed == ()
    assert found.space == {"x": {"choice": [1, 2]}}


def test_a_parameter_that_does_not_exist_has_no_override():
    forms = with_conditions(
        read("kind=sgd,adam", "+momentum=interval(0,1)").space,
        {"momentum": {"kind": "sgd"}},
    )
    space = Space.from_config(forms)
    assert words_of(space, {"kind": "adam", "+momentum": 0.5}) == ["kind=adam"]
    assert words_of(space, {"kind": "sgd", "+momentum": 0.5}) == [
        "kind=sgd",
        "+momentum=0.5",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x=interval(1,0)"], "x: float: expected low < high"),
        (["x=tag(lgo,interval(0,1))"], "x: tag: got 'lgo'. Did you mean 'log'?"),
        (["x=tag(log,interval(0,1))"], "x: float: a log scale needs low > 0"),
        (["x=range(3,1)"], "x: range: there is nothing from 3 to 1 by 1"),
        (["x=range(1,3,step=0)"], "x: range: there is nothing"),
        (["x=1,1.0"], "x: choice: an option is twice"),
        (["db=glob(z*)"], "db: choice: nothing matches"),
        (["x=choice(1"], "cannot read 'x=choice(1'"),
        (["x"], "cannot read 'x'"),
    ],
)
def test_a_mistake_names_the_override(words, message):
    with pytest.raises(ConfigError) as error:
        read(*words)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"momentun": {"kind": "sgd"}}, "'momentun' is not searched. Did you mean"),
        ({"momentum": {"knid": "sgd"}}, "'knid' is not searched. Did you mean 'kind'"),
        ([1], "hydra.sweeper.when: expected e.g."),
    ],
)
def test_a_condition_names_what_is_searched(when, message):
    forms = read("kind=sgd,adam", "momentum=interval(0,1)").space
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.when") as error:
        with_conditions(forms, when)
    assert message in str(error.value)


def test_params_that_are_no_mapping_are_refused():
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.params: expected e\.g\."):
        read(params=["x=1,2"])
