"""Silence over the time steps: spike trains by hand, then by brute force."""

import random

import pytest
import torch

from moosnn.snn.silence import Edge
from moosnn.snn.silence_steps import StageSteps, over_steps, step_metrics


def trains(*stages):
    """Counts ``n x T x stages`` of each stage's samples, each a text of digits."""
    tables = [[[int(c) for c in sample] for sample in stage] for stage in stages]
    return torch.tensor(tables, dtype=torch.float32).permute(1, 2, 0)


def test_a_burst_that_ends_by_hand():
    burst = ["2400", "2000", "0000", "0001"]
    found, other = over_steps(trains(burst, ["1111"] * 4), [2, 1])
    assert found == StageSteps(
        rates=(4 / 8, 4 / 8, 0.0, 1 / 8),
        silent_steps=(2 + 3 + 4 + 3) / 16,
        faded=2 / 4,  # the third never spiked, the last does in the end
    )
    assert other == StageSteps(rates=(1.0,) * 4, silent_steps=0.0, faded=0.0)


@pytest.mark.parametrize(
    ("train", "faded"),
    [
        ("1", 0.0),  # of one step there is no later half
        ("0", 0.0),
        ("10", 1.0),
        ("01", 0.0),
        ("110", 1.0),  # the later half of three steps is the last
        ("100", 1.0),
        ("010", 1.0),
        ("001", 0.0),
        ("11000", 1.0),
        ("11100", 1.0),  # and of five the last two
        ("00010", 0.0),
        ("00000", 0.0),  # silent, not faded
    ],
)
def test_a_stage_fades_that_spikes_in_the_earlier_half_of_the_steps_only(train, faded):
    (found,) = over_steps(trains([train]), [1])
    assert found.faded == faded


def test_the_first_step_is_that_of_any_sample():
    def first(*samples):
        return over_steps(trains(samples), [1])[0].first_step

    assert first("0010", "0100") == 1
    assert first("1000", "0000") == 0
    assert first("0000", "0000") == 4


def test_random_trains_by_brute_force():
    rng = random.Random(0)
    for _ in range(100):
        samples, steps, stages = (rng.randint(1, 6) for _ in range(3))
        sizes = [rng.randint(1, 5) for _ in range(stages)]
        often = rng.random()
        counts = torch.tensor(
            [
                [
                    [rng.randint(1, size) * (rng.random() < often) for size in sizes]
                    for _ in range(steps)
                ]
                for _ in range(samples)
            ]
        )
        for k, found in enumerate(over_steps(counts, sizes)):
            table = [
                [int(counts[n, t, k]) for t in range(steps)] for n in range(samples)
            ]
            assert found.rates == pytest.approx(
                [
                    sum(row[t] for row in table) / samples / sizes[k]
                    for t in range(steps)
                ]
            )
            zeros = sum(row.count(0) for row in table)
            assert found.silent_steps == pytest.approx(zeros / samples / steps)
            faded = 0
            for row in table:
                fired = [t for t, spikes in enumerate(row) if spikes]
                half = steps - steps // 2
                faded += bool(fired) and steps > 1 and max(fired) < half
            assert found.faded == pytest.approx(faded / samples)


def test_the_metrics_of_stages_and_the_largest_of_those_that_count():
    stages = over_steps(trains(["2000", "2000"], ["0011", "1100"]), [2, 1])
    metrics = step_metrics(stages, Edge())
    assert metrics == pytest.approx(
        {
            "faded_fraction": 1.0,
            "faded_fraction.1": 1.0,
            "faded_fraction.2": 0.5,
            "silent_steps.1": 0.75,
            "silent_steps.2": 0.5,
            "step_rate_min.1": 0.0,
            "step_rate_min.2": 0.5,
            "step_rate_max.1": 1.0,
            "step_rate_max.2": 0.5,
        }
    )
    assert step_metrics(stages, Edge(stages="last"))["faded_fraction"] == 0.5
