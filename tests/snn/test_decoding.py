"""Decoders by hand, on a raster of four neurons."""

from __future__ import annotations

import itertools

import pytest
import torch

from moosnn.snn.decoding import NOBODY, Decoder, Responses, ngrams

NEURONS, CLASSES, STEPS = 4, 3, 6


def raster(*orders):
    """Samples whose neurons spike in these orders, one a step."""
    spikes = torch.zeros(STEPS, len(orders), NEURONS)
    for sample, order in enumerate(orders):
        for step, neuron in enumerate(order):
            spikes[step, sample, neuron] = 1
    return spikes


def taught(kind, *batches):
    decoder = Decoder(kind, NEURONS, CLASSES)
    responses = Responses(decoder, torch.device("cpu"))
    for orders, labels in batches:
        responses.add(raster(*orders), torch.tensor(labels))
    decoder.assign(responses)
    return decoder


# Of class 0 two samples, so that it has more spikes of neuron 1, but a smaller mean.
RATES = (([[0, 1], [0, 0, 1, 1]], [0, 0]), ([[1, 1, 2]], [2]))


def test_a_neuron_stands_for_the_class_of_its_largest_mean_response():
    # Mean spikes of neuron 1: class 0 (1 + 2) / 2, class 2 2; of neuron 0: 1.5 and 0.
    decoder = taught("all", *RATES)
    assert decoder.assignments.tolist() == [0, 2, 2, NOBODY]


def test_all_is_the_mean_and_vote_the_sum_over_the_neurons_of_a_class():
    seen = raster([0, 1, 1, 2, 3], [3, 3])
    every = taught("all", *RATES)(seen)
    assert every.tolist() == [[1.0, 0.0, 1.5], [0.0, 0.0, 0.0]]
    votes = taught("vote", *RATES)(seen)
    assert votes.tolist() == [[1.0, 0.0, 3.0], [0.0, 0.0, 0.0]]


def test_pairs_tell_the_order_of_spikes():
    decoder = taught(
        "2gram", ([[0, 1, 2], [2, 1, 0]], [0, 1]), ([[0, 1], [2, 3]], [0, 2])
    )
    scores = decoder(raster([0, 1], [1, 0], [0, 1, 0], [0], [3, 2], [2, 3, 0, 1]))
    assert scores.tolist() == [
        [2, 0, 0],
        [0, 1, 0],
        [2, 1, 0],
        [0, 0, 0],  # no pair
        [0, 0, 0],  # a pair that nobody saw
        [2, 0, 1],
    ]


def test_triples_tell_more_than_pairs():
    decoder = taught("3gram", ([[0, 1, 2, 3], [1, 2, 0, 1]], [0, 1]))
    scores = decoder(raster([0, 1, 2], [1, 2, 0], [2, 0, 1, 2], [0, 1]))
    assert scores.tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_ngrams_are_those_of_brute_force(length):
    dice = torch.Generator().manual_seed(length)
    spikes = (torch.rand(8, 5, NEURONS, generator=dice) < 0.2).float()
    expected = []
    for sample in range(5):
        order = [
            n for t in range(8) for n in range(NEURONS) if spikes[t, sample, n] > 0
        ]
        windows = zip(*(order[k:] for k in range(length)), strict=False)
        for window in windows:
            key = 0
            for neuron in window:
                key = key * NEURONS + neuron
            expected.append((key, sample))
    keys, samples = ngrams(spikes, length)
    assert list(zip(keys.tolist(), samples.tolist(), strict=True)) == expected
    assert expected


@pytest.mark.parametrize("kind", ["all", "vote", "2gram", "3gram"])
def test_a_decoder_that_was_taught_nothing_answers_nothing(kind):
    everything = [list(order) for order in itertools.permutations(range(NEURONS))]
    scores = Decoder(kind, NEURONS, CLASSES)(raster(*everything))
    assert scores.shape == (len(everything), CLASSES)
    assert not scores.any()
    silent = taught(kind, ([[], []], [0, 1]))
    assert not silent(raster(*everything)).any()


@pytest.mark.parametrize("kind", ["all", "2gram", "3gram"])
def test_what_was_taught_is_in_the_state(kind):
    decoder = taught(kind, ([[0, 1, 2], [3, 2, 1, 0]], [0, 1]))
    fresh = Decoder(kind, NEURONS, CLASSES)
    fresh.load_state_dict(decoder.state_dict())
    seen = raster([0, 1, 2, 3], [3, 2, 1])
    assert torch.equal(fresh(seen), decoder(seen))
    assert decoder(seen).any()
