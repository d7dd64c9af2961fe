"""Codings, each by its definition."""

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn.coding import encode

IMAGE = torch.tensor([[0.0, 0.01, 0.5, 0.75, 1.0]])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_direct_repeats_the_intensity_without_copying():
    coded = encode(IMAGE, "direct", 3, generator())
    assert coded.shape == (3, 1, 5)
    assert coded.stride(0) == 0
    assert all(torch.equal(step, IMAGE) for step in coded)


def test_latency_is_one_spike_the_brighter_the_earlier_and_none_for_black():
    coded = encode(IMAGE, "latency", 5, generator())
    #        x:  0     0.01            0.5            0.75           1
    # step 4(1-x): -   3.96 -> 4       2              1              0
    expected = [
        [0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
    ]
    assert coded[:, 0].tolist() == expected


def test_latency_with_one_step_spikes_for_all_but_black():
    assert encode(IMAGE, "latency", 1, generator()).tolist() == [[[0, 1, 1, 1, 1]]]


def test_rate_spikes_with_the_intensity_as_probability():
    coded = encode(IMAGE, "rate", 20_000, generator())
    assert set(coded.unique().tolist()) == {0.0, 1.0}
    means = coded.mean((0, 1))
    assert means[0] == 0.0
    assert means[4] == 1.0
    # Five standard errors of a Bernoulli mean.
    tolerance = 5 * (IMAGE[0] * (1 - IMAGE[0]) / 20_000).sqrt() + 1e-9
    assert bool(((means - IMAGE[0]).abs() <= tolerance).all())


def test_rate_depends_on_its_generator_alone():
    first, again = (encode(IMAGE, "rate", 50, generator(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, encode(IMAGE, "rate", 50, generator(2)))


@pytest.mark.parametrize("coding", ["direct", "latency"])
def test_codings_without_chance_leave_the_generator_alone(coding):
    source = generator()
    before = source.get_state()
    encode(IMAGE, coding, 4, source)
    assert torch.equal(source.get_state(), before)


def test_an_unknown_coding_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="Did you mean 'latency'"):
        encode(IMAGE, "latecy", 2, generator())
