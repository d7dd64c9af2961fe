"""The shipped spaces of networks search nothing that would have no effect."""

from __future__ import annotations

import pytest

from moosnn.parameters import Choice
from moosnn.space import Space
from tests.helpers import CONF, load_space

FILES = sorted(f for f in (CONF / "space").rglob("*.yaml") if f.stem != "own")
SPACES = [str(f.relative_to(CONF / "space").with_suffix("")) for f in FILES]
WITHOUT_LEAK = "if"
CORNERS = (0.0, 0.5, 1.0)


def points(space: Space, **chosen: object) -> list[dict[str, object]]:
    """Three points of a space, with some values chosen."""
    found = [space.decode([at] * len(space)) for at in CORNERS]
    return [space.active({**point, **chosen}) for point in found]


@pytest.mark.parametrize("name", SPACES)
def test_neurons_without_a_leak_have_no_time_constant(name: str) -> None:
    space = load_space(name)
    for neuron, parameter in space.parameters.items():
        if not neuron.startswith("neuron") or not isinstance(parameter, Choice):
            continue
        constant = neuron.replace("neuron", "tau_mem_steps")
        if constant in space and WITHOUT_LEAK in parameter.options:
            for point in points(space, **{neuron: WITHOUT_LEAK}):
                assert constant not in point


@pytest.mark.parametrize("name", SPACES)
def test_an_output_that_is_not_counted_has_no_wanted_rates(name: str) -> None:
    space = load_space(name)
    if {"loss", "target_true"} <= {*space}:
        for point in points(space, loss="spike_max"):
            assert not {"target_true", "target_false"} & {*point}


def test_where_nothing_is_pooled_there_is_no_kind_of_pooling() -> None:
    space = load_space("nas_cnn")
    for depth in (1, 2, 3):
        sizes = {f"pool_size_{k}": 1 for k in (1, 2, 3)}
        for point in points(space, depth=depth, **sizes):
            assert "pool_kind" not in point
        # Windows beyond the depth do not count, those within do.
        for k in (1, 2, 3):
            for point in points(space, depth=depth, **{**sizes, f"pool_size_{k}": 2}):
                assert ("pool_kind" in point) == (k <= depth)
