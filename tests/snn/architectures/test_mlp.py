"""Fully connected networks, drawn by hand."""

from __future__ import annotations

from moosnn.snn.blueprint import Linear
from tests.snn.built import blueprint, drawn


def test_a_chain():
    assert drawn((6,), depth=2) == [
        "linear_1 < input",
        "neurons_1 < linear_1",
        "linear_2 < neurons_1",
        "neurons_2 < linear_2",
    ]


def test_a_layer_with_skip_and_recurrence_hears_three_things():
    lines = drawn((6,), depth=3, skip=True, recurrent_3=True)
    assert lines == [
        "linear_1 < input",
        "neurons_1 < linear_1",
        "linear_2 < neurons_1",
        "linear_3 < input",  # two below the second layer is the input
        "sum_1 < linear_2 linear_3",
        "neurons_2 < sum_1",
        "linear_4 < neurons_2",
        "linear_5 < neurons_1",
        "delay_1 < neurons_3",
        "linear_6 < delay_1",
        "sum_2 < linear_4 linear_5 linear_6",
        "neurons_3 < sum_2",
    ]


def test_a_layer_has_one_bias_however_many_it_hears():
    plan = blueprint((6,), depth=2, skip_2=True, recurrent_2=True)
    layers = [n.op.bias for n in plan.nodes if isinstance(n.op, Linear)]
    assert layers == [True, True, False, False, True]  # the last is the read-out


def test_the_first_layer_has_nothing_to_skip():
    assert drawn((6,), depth=1, skip_1=True) == drawn((6,), depth=1)


def test_widths_are_of_layers_and_images_are_flattened():
    plan = blueprint((2, 4, 3), depth=3, width=10, width_2=5)
    assert [n.shape for n in plan.layers] == [(10,), (5,), (10,)]
    assert plan.parameters == (24 + 1) * 10 + 11 * 5 + 6 * 10 + 11 * 3
