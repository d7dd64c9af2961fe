"""Chains of blocks, drawn by hand."""

from __future__ import annotations

import pytest

from moosnn.errors import ConfigError
from moosnn.snn.blueprint import Conv
from tests.snn.built import blueprint, drawn

IMAGE = (1, 8, 8)
STEM = ["conv_1 < input", "neurons_1 < conv_1"]


def conv(**changes):
    given = {"architecture": "conv", "depth": 1, "stem_channels": 4, "channels": 4}
    return {**given, **changes}


def test_a_spiking_convolution_block_is_convolution_and_neurons_twice():
    assert drawn(IMAGE, **conv(block="conv_3")) == [
        *STEM,
        "conv_2 < neurons_1",
        "neurons_2 < conv_2",
        "conv_3 < neurons_2",
        "neurons_3 < conv_3",
    ]


def test_a_residual_block_adds_what_entered_it_to_the_second_current():
    assert drawn(IMAGE, **conv(block="residual_5")) == [
        *STEM,
        "conv_2 < neurons_1",
        "neurons_2 < conv_2",
        "conv_3 < neurons_2",
        "sum_1 < conv_3 neurons_1",
        "neurons_3 < sum_1",
    ]


def test_other_channels_are_reached_by_a_convolution_of_one_pixel():
    lines = drawn(IMAGE, **conv(block="residual_3", channels=5))
    assert lines[-3:] == [
        "conv_4 < neurons_1",
        "sum_1 < conv_3 conv_4",
        "neurons_3 < sum_1",
    ]
    kernels = [
        n.op.kernel
        for n in blueprint(IMAGE, **conv(block="residual_3", channels=5)).nodes
        if isinstance(n.op, Conv)
    ]
    assert kernels == [3, 3, 3, 1]


def test_a_skip_is_nothing_whatever_its_channels():
    assert drawn(IMAGE, **conv(block="skip")) == STEM
    assert drawn(IMAGE, **conv(block="skip", channels=6)) == STEM
    shorter = drawn(IMAGE, **conv(depth=2, block_2="conv_5"))
    longer = conv(depth=3, block_2="skip", channels_2=9, block_3="conv_5")
    assert drawn(IMAGE, **longer) == shorter


def test_a_block_may_be_followed_by_pooling_even_if_it_is_a_skip():
    assert drawn(IMAGE, **conv(block="skip", pool=True)) == [
        *STEM,
        "pool_1 < neurons_1",
    ]


def test_images_halve_until_they_cannot():
    plan = blueprint(IMAGE, **conv(depth=5, pool=True, pool_2=False))
    sizes = [n.shape[1:] for n in plan.layers]
    assert sizes == [
        *[(8, 8)] * 3,  # stem and block 1
        *[(4, 4)] * 4,  # blocks 2 and 3
        *[(2, 2)] * 2,
        *[(1, 1)] * 2,
    ]
    assert plan.parameters > 0


def test_kernels_channels_and_neurons_are_of_blocks():
    plan = blueprint(
        IMAGE,
        **conv(depth=2, block_2="conv_5", channels_2=7, neuron_1="if", neuron_2="plif"),
    )
    convs = [n.op for n in plan.nodes if isinstance(n.op, Conv)]
    assert [(c.channels, c.kernel) for c in convs] == [
        (4, 3),
        (4, 3),
        (4, 3),
        (7, 5),
        (7, 5),
    ]
    assert [n.op.kind for n in plan.layers] == ["if", "if", "if", "plif", "plif"]


def test_a_line_of_features_is_no_image():
    with pytest.raises(ConfigError, match="got 64 inputs; use architecture=mlp"):
        blueprint((64,), **conv())
