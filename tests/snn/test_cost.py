"""Energies by hand."""

import math

import pytest
import torch

from moosnn.snn.cost import (
    ACCESS_PJ,
    Cost,
    Hardware,
    per_sample_metrics,
    static_metrics,
    word_pj,
)


def test_a_word_costs_what_horowitz_says_and_never_more_or_less():
    for size, access_pj in ACCESS_PJ:
        assert word_pj(size) == pytest.approx(access_pj / 2)
    assert word_pj(0) == word_pj(8192) == pytest.approx(5.0)
    assert word_pj(1 << 30) == pytest.approx(50.0)
    assert word_pj(16 << 10) == pytest.approx(5.0 * math.sqrt(2))


def test_energies_by_hand():
    hardware = Hardware(
        dense_ops=50,
        membrane_updates=40,
        state_updates=80,
        states=20,
        weights=10,
        zero_weights=4,
        footprint_bytes=100,
    )
    cost = Cost(
        acs=torch.tensor([100.0, 0.0], dtype=torch.float64),
        macs=torch.tensor([10.0, 0.0], dtype=torch.float64),
        hardware=hardware,
    )
    assert cost.energy_nj().tolist() == pytest.approx([0.136, 0.0])  # 90 + 46 pJ
    # 3 words of 5 pJ an operation, 2 an update of a state: 1650 + 800 pJ
    assert cost.energy_moved_nj().tolist() == pytest.approx([2.586, 0.8])
    assert per_sample_metrics(cost)["synops"].tolist() == [110.0, 0.0]
    assert static_metrics(hardware)["connection_sparsity"] == 0.4
    assert static_metrics(hardware)["connectivity"] == 0.6
    assert hardware.memory_bytes == 180
