"""Plain convolutional networks, drawn and computed by hand."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F

from moosnn.errors import ConfigError
from moosnn.exchange.nir import to_nir
from moosnn.snn.blueprint import Conv, Pool
from moosnn.snn.connections import Convolution
from moosnn.snn.operations import fan_out
from tests.snn.built import blueprint, drawn, network, samples

IMAGE = (2, 7, 5)
KERNELS = [1, 2, 3, 4, 5, 6, 12]


def cnn(**changes):
    given = {"architecture": "cnn", "depth": 1, "filters": 3, "pool_size": 1}
    return {**given, **changes}


def test_convolution_neurons_and_pooling_in_turn_then_dense_layers():
    assert drawn(IMAGE, **cnn(depth=2, pool_size_1=2, dense=2)) == [
        "conv_1 < input",
        "neurons_1 < conv_1",
        "pool_1 < neurons_1",
        "conv_2 < pool_1",
        "neurons_2 < conv_2",
        "linear_1 < neurons_2",
        "neurons_3 < linear_1",
        "linear_2 < neurons_3",
        "neurons_4 < linear_2",
    ]


def test_sizes_are_of_layers():
    plan = blueprint(
        (1, 12, 12),
        **cnn(
            depth=2,
            filters_2=5,
            kernel_2=6,
            pool_size_1=3,
            pool_kind_1="average",
            pool_size_2=2,
            dense=1,
            dense_width=9,
            threshold_3=2.5,
        ),
    )
    convs = [n.op for n in plan.nodes if isinstance(n.op, Conv)]
    pools = [n.op for n in plan.nodes if isinstance(n.op, Pool)]
    assert [(c.channels, c.kernel, c.norm) for c in convs] == [
        (3, 3, False),
        (5, 6, False),
    ]
    assert [(p.kind, p.kernel, p.stride) for p in pools] == [
        ("average", 3, 3),
        ("max", 2, 2),
    ]
    assert [n.shape for n in plan.layers] == [(3, 12, 12), (5, 4, 4), (9,)]
    assert [n.op.threshold for n in plan.layers] == [1.0, 1.0, 2.5]


def test_parameters_are_weights_of_convolutions_and_weights_and_biases_of_the_rest():
    net = network((1, 4, 4), **cnn(kernel=2, dense=1, dense_width=6))
    # 3 filters of 1 x 2 x 2; 48 pixels to 6 and to 3 classes
    expected = 3 * 4 + (48 * 6 + 6) + (6 * 3 + 3)
    assert net.blueprint.parameters == net.parameter_count() == expected


def test_a_window_larger_than_the_image_pools_all_of_it():
    plan = blueprint(IMAGE, **cnn(pool_size=40))
    (pool,) = [n for n in plan.nodes if isinstance(n.op, Pool)]
    assert (pool.op.kernel, pool.shape) == (5, (3, 1, 1))
    assert "pool_1 < neurons_1" not in drawn((1, 1, 6), **cnn(pool_size=4))


@pytest.mark.parametrize("kernel", KERNELS)
def test_images_keep_their_size_and_even_windows_reach_further_up_and_left(kernel):
    net = network(IMAGE, **cnn(kernel=kernel))
    part = net.parts["conv_1"]
    assert isinstance(part, Convolution)
    images = samples(IMAGE)
    # a window of k centred at 0 covers -(k // 2) to k - 1 - k // 2
    before, after = kernel // 2, kernel - 1 - kernel // 2
    padded = F.pad(images, [before, after, before, after])
    assert torch.allclose(part(images), F.conv2d(padded, part.conv.weight), atol=1e-6)
    weights, biases = part.folded()
    assert torch.equal(weights[0], part.conv.weight)
    assert torch.equal(biases, torch.zeros(1, 3))


@pytest.mark.parametrize("kernel", KERNELS)
def test_operations_are_the_pairs_of_an_input_and_a_window(kernel):
    net = network(IMAGE, **cnn(kernel=kernel))
    before, after = kernel // 2, kernel - 1 - kernel // 2
    pairs = torch.tensor(
        [
            [
                sum(y - before <= i <= y + after for y in range(7))
                * sum(x - before <= j <= x + after for x in range(5))
                for j in range(5)
            ]
            for i in range(7)
        ]
    )
    counted = fan_out(net)["conv_1"].reshape(IMAGE)
    assert torch.equal(counted, (3.0 * pairs).expand(IMAGE).double())
    assert net.blueprint.dense_ops_a_step(net.blueprint.nodes[0]) == 2 * 3 * pairs.sum()


def test_a_kernel_of_48_runs_on_a_small_image():
    net = network((1, 8, 8), **cnn(kernel=48))
    assert net(samples((1, 8, 8))[None]).shape == (4, 3)


def test_a_spike_reaches_one_window_whatever_is_pooled():
    for kind in ("max", "average"):
        plan = blueprint((1, 8, 8), **cnn(pool_size=2, pool_kind=kind))
        assert plan.fan_out("neurons_1") == 3  # one of 4 x 4 x 3 entries to 3 classes


@pytest.mark.skipif(find_spec("nir") is None, reason="nir is optional")
@pytest.mark.parametrize("kernel", KERNELS)
def test_nir_has_the_same_convolution_with_an_odd_window(kernel):
    net = network(IMAGE, **cnn(kernel=kernel))
    node = next(n for name, n in to_nir(net).nodes.items() if name.endswith("conv_1"))
    images = samples(IMAGE)
    current = F.conv2d(
        images,
        torch.tensor(node.weight),
        torch.tensor(node.bias),
        padding=tuple(int(p) for p in node.padding),
    )
    assert torch.allclose(net.parts["conv_1"](images), current, atol=1e-6)


def test_more_than_three_dense_layers_are_refused():
    with pytest.raises(ConfigError, match="dense: expected 0 to 3, got 4"):
        blueprint(IMAGE, **cnn(dense=4))


def test_a_line_of_features_is_no_image():
    with pytest.raises(ConfigError, match="got 64 inputs; use architecture=mlp"):
        blueprint((64,), **cnn())


def test_batches_of_one_sample_need_no_norm():
    plan = blueprint((1, 1, 1), **cnn(batch_size=1))
    assert plan.layers[0].shape == (3, 1, 1)
