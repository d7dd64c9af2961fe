"""Spike-element-wise residual networks, drawn by hand."""

from __future__ import annotations

import torch

from tests.snn.built import blueprint, drawn, network, sequence

IMAGE = (1, 8, 8)


def sew(**changes):
    return {"architecture": "sew", "depth": 1, "channels": 4, **changes}


def test_a_block_adds_spikes_to_spikes():
    assert drawn(IMAGE, **sew()) == [
        "conv_1 < input",
        "neurons_1 < conv_1",
        "conv_2 < neurons_1",
        "neurons_2 < conv_2",
        "conv_3 < neurons_2",
        "neurons_3 < conv_3",
        "sum_1 < neurons_3 neurons_1",
        "mean_1 < sum_1",
    ]


def test_a_new_stage_halves_both_ways():
    lines = drawn(IMAGE, **sew(depth=2, channels_2=6))
    assert lines[7:] == [
        "conv_4 < sum_1",
        "neurons_4 < conv_4",
        "conv_5 < sum_1",
        "neurons_5 < conv_5",
        "conv_6 < neurons_5",
        "neurons_6 < conv_6",
        "sum_2 < neurons_6 neurons_4",
        "mean_1 < sum_2",
    ]
    plan = blueprint(IMAGE, **sew(depth=2, channels_2=6))
    assert [n.shape for n in plan.layers[3:]] == [(6, 4, 4)] * 3


def test_the_stride_is_that_of_the_first_block_of_a_stage():
    plan = blueprint((1, 7, 5), **sew(depth=3, blocks=2))
    strides = [n.op.stride for n in plan.nodes if n.name.startswith("conv")]
    assert strides == [1, *[1] * 4, *[2, 2, 1, 1, 1], *[2, 2, 1, 1, 1]]
    assert plan.layers[-1].shape == (4, 2, 2)  # 7 x 5, 4 x 3, 2 x 2


def test_equal_channels_still_need_a_way_where_the_image_halves():
    assert "neurons_6 < conv_6" in drawn(IMAGE, **sew(depth=2))


def test_blocks_and_neurons_are_of_stages():
    plan = blueprint(IMAGE, **sew(depth=2, blocks_1=2, neuron_2="if"))
    kinds = [n.op.kind for n in plan.layers]
    assert kinds == ["lif"] * 5 + ["if"] * 3


def test_the_last_stage_of_silence_is_what_the_classifier_reads():
    plan = blueprint(IMAGE, **sew(blocks=2))
    assert plan.stages[-1] == ("neurons_1", "neurons_3", "neurons_5")


def test_sums_of_spikes_may_be_two():
    net = network(IMAGE, **sew(threshold=0.05)).eval()
    heard = {}
    net.observe(sequence(IMAGE), lambda node, source: heard.update({node.name: source}))
    spikes = net.observe(sequence(IMAGE)).spikes
    total = (spikes[0] + spikes[2]).mean((3, 4))
    assert torch.allclose(heard["linear_1"], total)
    assert (spikes[0] + spikes[2]).max() == 2
