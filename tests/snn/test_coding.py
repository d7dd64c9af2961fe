"""Codings, each by its definition."""

from __future__ import annotations

import math

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn import coding
from tests.snn.built import genes

IMAGE = torch.tensor([[0.0, 0.01, 0.5, 0.75, 1.0]])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def encode(samples, name, steps, source=None, **changes):
    chosen = genes(coding=name, time_steps=steps, **changes)
    return coding.encode(samples, chosen, source or generator())


def test_direct_repeats_the_intensity_without_copying():
    coded = encode(IMAGE, "direct", 3)
    assert coded.shape == (3, 1, 5)
    assert coded.stride(0) == 0
    assert all(torch.equal(step, IMAGE) for step in coded)


def test_latency_is_one_spike_the_brighter_the_earlier_and_none_for_black():
    coded = encode(IMAGE, "latency", 5)
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
    assert encode(IMAGE, "latency", 1).tolist() == [[[0, 1, 1, 1, 1]]]


def test_rate_spikes_with_the_intensity_as_probability():
    coded = encode(IMAGE, "rate", 20_000)
    assert set(coded.unique().tolist()) == {0.0, 1.0}
    means = coded.mean((0, 1))
    assert means[0] == 0.0
    assert means[4] == 1.0
    # Five standard errors of a Bernoulli mean.
    tolerance = 5 * (IMAGE[0] * (1 - IMAGE[0]) / 20_000).sqrt() + 1e-9
    assert bool(((means - IMAGE[0]).abs() <= tolerance).all())


@pytest.mark.parametrize("name", ["rate", "population"])
def test_chance_comes_from_the_generator_alone(name):
    before = torch.get_rng_state()
    first, again = (encode(IMAGE, name, 50, generator(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, encode(IMAGE, name, 50, generator(2)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["direct", "latency", "frames"])
def test_codings_without_chance_leave_the_generator_alone(name):
    source = generator()
    before = source.get_state()
    encode(IMAGE, name, 4, source)
    assert torch.equal(source.get_state(), before)


def test_population_spikes_with_the_response_of_each_receptive_field():
    steps = 20_000
    coded = encode(IMAGE, "population", steps, population=3)
    assert coded.shape == (steps, 1, 15)
    # Centres 0, 1/2, 1; the width is 2/3 of their distance, i.e. 1/3.
    for pixel, x in enumerate(IMAGE[0].tolist()):
        for field, centre in enumerate((0.0, 0.5, 1.0)):
            rate = math.exp(-0.5 * ((x - centre) * 3) ** 2)
            seen = float(coded[:, 0, 3 * pixel + field].mean())
            assert abs(seen - rate) <= 5 * math.sqrt(rate * (1 - rate) / steps) + 1e-6


def test_population_of_an_image_makes_channels():
    images = torch.zeros(2, 3, 5, 4)
    images[:, 1] = 1.0
    coded = encode(images, "population", 6, population=2)
    assert coded.shape == (6, 2, 6, 5, 4)
    # Channel 1 is bright: of its two fields (channels 2, 3) only the second is sure.
    assert coded[:, :, 3].all()
    assert coded[:, :, (0, 4)].all()
    assert not coded[:, :, 2].all()


def test_frames_are_the_sequence_itself():
    frames = torch.arange(2 * 3 * 4.0).reshape(2, 3, 4)  # N x T x features
    coded = encode(frames, "frames", 3)
    assert coded.shape == (3, 2, 4)
    assert torch.equal(coded[1, 0], frames[0, 1])


def test_an_unknown_coding_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="Did you mean 'latency'"):
        encode(IMAGE, "latecy", 2)
