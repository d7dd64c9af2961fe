"""Read-outs, each by its definition."""

from __future__ import annotations

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn.readout import integrate, read

# T = 4 steps of one sample and two classes.
MEMBRANE = torch.tensor([[1.0, -2.0], [3.0, 0.0], [-1.0, 5.0], [1.0, 1.0]]).unsqueeze(1)


def spikes(*trains):
    return torch.tensor(trains, dtype=torch.float32).T.unsqueeze(1).requires_grad_()


def test_mean_sum_and_max_of_the_membrane():
    assert read(MEMBRANE, "mean").tolist() == [[1.0, 1.0]]
    assert read(MEMBRANE, "sum").tolist() == [[4.0, 4.0]]
    assert read(MEMBRANE, "max").tolist() == [[3.0, 5.0]]


def test_rate_is_spikes_a_step():
    assert read(spikes([1, 0, 1, 0], [0, 0, 0, 0]), "rate").tolist() == [[0.5, 0.0]]


def test_the_first_spike_counts_the_earlier_the_more_and_later_ones_nothing():
    trains = spikes([1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0])
    assert read(trains, "first_spike").tolist() == [[1.0, 0.5, 0.25, 0.0]]


def test_classes_that_spike_at_the_same_step_are_equal():
    logits = read(spikes([0, 1, 0], [0, 1, 1]), "first_spike")
    assert logits[0, 0] == logits[0, 1]


def test_only_steps_up_to_the_first_spike_learn():
    trains = spikes([0, 1, 0, 1], [0, 0, 0, 0])
    read(trains, "first_spike").sum().backward()
    assert trains.grad[:, 0, 0].tolist() == [1.0, 0.75, 0.0, 0.0]
    assert trains.grad[:, 0, 1].tolist() == [1.0, 0.75, 0.5, 0.25]


def test_the_read_out_leaks():
    current = torch.tensor([1.0, 0.0, 2.0]).reshape(3, 1, 1)
    assert integrate(current, 2.0).flatten().tolist() == [1.0, 0.5, 2.25]
    assert integrate(current, 4.0).flatten().tolist() == [1.0, 0.75, 2.5625]


def test_with_a_time_constant_of_one_the_membrane_is_the_current():
    assert integrate(MEMBRANE, 1.0) is MEMBRANE


def test_an_unknown_read_out_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="Did you mean 'first_spike'"):
        read(MEMBRANE, "first_spikes")
