"""What is lost on imperfect hardware: what is tried, how losses are put together."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn import robustness
from moosnn.snn.chip import Chip
from moosnn.snn.measure import measure
from moosnn.snn.robustness import (
    CONDITIONS,
    Robustness,
    lost,
    names_of,
    standard_error,
    unasked,
)
from tests.snn.test_chip import COUNT, dice, samples, trained

FEW = Robustness(samples=2)


def measured(plan: Robustness = FEW, seed: int = 7, **genes: Any) -> tuple[Any, Any]:
    network = trained(**genes)
    return plan.measure(network, samples(), dice, dice(seed))


def test_the_losses_of_some_accuracies_by_hand() -> None:
    found = lost(
        0.9, {"pcm_day": [0.8, 0.7, 0.9], "mismatch": [0.5, 0.9, 0.7], "bits_4": [0.95]}
    )
    assert found == pytest.approx(
        {
            "accuracy_lost.pcm_day": 0.1,
            "accuracy_lost_worst.pcm_day": 0.2,
            "accuracy_lost.mismatch": 0.2,
            "accuracy_lost_worst.mismatch": 0.4,
            "accuracy_lost.bits_4": -0.05,
            "accuracy_lost_worst.bits_4": -0.05,
            "accuracy_lost": 0.25 / 3,
            "accuracy_lost_worst": 0.4,
        }
    )


def test_the_names_are_those_of_what_is_found() -> None:
    plan = Robustness(samples=1, conditions=("bits_6", "mismatch"))
    metrics, _ = measured(plan)
    assert set(metrics) == set(plan.metrics) == set(names_of(["bits_6", "mismatch"]))


def test_the_standard_error_by_hand() -> None:
    """Two samples, three chips, a condition without chance beside one with it."""
    clean = torch.tensor([True, True])
    chips = [[True, True], [False, True], [False, False]]
    tried = {
        "mismatch": [torch.tensor(chip) for chip in chips],
        "bits_4": [torch.tensor([True, False])],
    }
    # Losses, the mean of both conditions: a row a sample, a column a chip.
    rows = [[0.0, 0.5, 0.5], [0.5, 0.5, 1.0]]
    means = [sum(row) / 3 for row in rows]
    columns = [0.25, 0.5, 0.75]
    of_samples = (means[0] - means[1]) ** 2 / 2  # the variance of two numbers
    of_chips = (0.25**2 + 0.25**2) / 2
    expected = math.sqrt(of_samples / 2 + of_chips / 3)
    assert [sum(c) / 2 for c in zip(*rows, strict=True)] == columns
    assert standard_error(clean, tried) == pytest.approx(expected)


def test_the_standard_error_is_what_repeated_draws_show() -> None:
    """Samples and chips of random difficulty: the error covers both, with some room."""
    generator = dice()
    clean = torch.ones(60, dtype=torch.bool)
    found, claimed = [], []
    for _ in range(300):
        of_sample = torch.randn(60, 1, generator=generator)
        of_chip = torch.randn(1, 8, generator=generator) * 0.5
        noise = torch.randn(60, 8, generator=generator)
        right = of_sample + of_chip + noise > -1.0
        tried = {"mismatch": list(right.T)}
        found.append(float((~right).double().mean()))
        claimed.append(standard_error(clean, tried))
    spread = float(torch.tensor(found).std())  # known to 4 %, from 300 of them
    error = math.sqrt(sum(c**2 for c in claimed) / len(claimed))
    assert 0.9 * spread < error < 1.25 * spread


@pytest.mark.parametrize(
    ("changes", "has"),
    [
        ({}, True),
        ({"samples": 1}, False),
        ({"samples": 1, "conditions": ("bits_4", "bits_8")}, True),
        ({"samples": 1, "conditions": ("bits_4", "mismatch")}, False),
    ],
)
def test_one_chip_does_not_tell_how_chips_differ(
    changes: dict[str, Any], has: bool
) -> None:
    _, sems = measured(replace(FEW, **changes))
    assert set(sems) == ({"accuracy_lost"} if has else set())


@pytest.mark.parametrize("coding", ["direct", "rate"])
def test_without_deviations_neurons_lose_nothing_and_many_bits_hardly(
    coding: str,
) -> None:
    plan = Robustness(
        samples=2, conditions=("mismatch", "bits_8"), threshold_sd=0.0, tau_sd=0.0
    )
    metrics, _ = measured(plan, coding=coding)
    assert metrics["accuracy_lost.mismatch"] == 0.0
    assert metrics["accuracy_lost_worst.mismatch"] == 0.0
    assert abs(metrics["accuracy_lost.bits_8"]) < 0.15


def test_the_clean_accuracy_is_that_of_the_measurement() -> None:
    network = trained(coding="rate")
    seen: list[float] = []

    def noted(clean: float, accuracies: Any) -> dict[str, float]:
        seen.append(clean)
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robustness, "lost", noted)
        FEW.measure(network, samples(), dice, dice(3))
    right = measure(network, samples(), alpha=1, generator=dice()).correct
    assert seen == [int(right.sum()) / COUNT]


def test_equal_seeds_give_equal_bits_and_others_others() -> None:
    before = torch.get_rng_state()
    plan = Robustness(samples=3, threshold_sd=0.5, tau_sd=0.5)
    assert measured(plan) == measured(plan)
    assert measured(plan)[0] != measured(plan, seed=8)[0]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_is_tried_beside_a_condition_shifts_nothing(condition: str) -> None:
    plan = Robustness(samples=2, threshold_sd=0.5, tau_sd=0.5)
    alone, _ = measured(replace(plan, conditions=(condition,)))
    every, _ = measured(plan)
    for name in ("accuracy_lost", "accuracy_lost_worst"):
        assert alone[f"{name}.{condition}"] == every[f"{name}.{condition}"]
        assert alone[name] == alone[f"{name}.{condition}"]


def test_each_condition_tries_so_many_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    own: Callable[[Chip], Any] = Chip.correct
    monkeypatch.setattr(Chip, "correct", lambda chip: asked.append(1) or own(chip))
    measured(Robustness(samples=3, conditions=("pcm_hour", "pcm_month", "bits_4")))
    assert len(asked) == 1 + 3 + 3 + 1  # the clean one first


def test_all_are_tried_eight_times_by_default() -> None:
    assert Robustness() == Robustness(samples=8, conditions=CONDITIONS)
    assert Robustness.of({}) == Robustness()
    assert Robustness.of(None) is None
    given = {"samples": 4, "conditions": ["pcm_day", "bits_4"], "tau_sd": 0}
    plan = Robustness(samples=4, conditions=("pcm_day", "bits_4"), tau_sd=0)
    assert Robustness.of(given) == plan
    assert plan.metrics == (
        "accuracy_lost",
        "accuracy_lost_worst",
        "accuracy_lost.pcm_day",
        "accuracy_lost.bits_4",
        "accuracy_lost_worst.pcm_day",
        "accuracy_lost_worst.bits_4",
    )


MISTAKES: dict[str, tuple[Any, str]] = {
    "key": ({"sample": 3}, r"unknown key 'sample'. Did you mean 'samples'\?"),
    "no mapping": (True, "expected null or a mapping of samples, conditions"),
    "condition": (
        {"conditions": ["pcm_year"]},
        r"conditions: got 'pcm_year'. Did you mean 'pcm_day'\?|Known: bits_4",
    ),
    "twice": ({"conditions": ["bits_4", "bits_4"]}, "'bits_4' is there twice"),
    "none": ({"conditions": []}, r"expected a list such as \[pcm_day, mismatch\]"),
    "text": ({"conditions": "pcm_day"}, "expected a list such as"),
    "number": ({"conditions": [4]}, "got 4. Known: bits_4"),
    "no sample": ({"samples": 0}, "samples: expected a whole number >= 1, got 0"),
    "true": ({"samples": True}, "samples: expected a whole number >= 1, got True"),
    "half": ({"samples": 2.5}, "samples: expected a whole number >= 1, got 2.5"),
    "below": ({"tau_sd": -0.1}, r"tau_sd: expected a number in \[0, 1\], got -0.1"),
    "above": ({"threshold_sd": 1.5}, "threshold_sd: expected a number in"),
    "words": ({"tau_sd": "1e-1"}, "YAML reads '1e-1' as text"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_says_where_and_what_to_do(name: str) -> None:
    raw, message = MISTAKES[name]
    with pytest.raises(ConfigError, match=f"^task.robustness.*({message})"):
        Robustness.of(raw)


def test_what_was_not_asked_for_says_what_to_set() -> None:
    assert set(unasked(None)) == set(names_of(CONDITIONS))
    plan = Robustness(conditions=("bits_4",))
    assert set(unasked(plan)) == set(names_of(CONDITIONS)) - set(plan.metrics)
    advice = unasked(plan)["accuracy_lost.mismatch"]
    assert advice == "task.robustness.conditions=[bits_4,mismatch]"
    assert "problem=" in unasked(None)["accuracy_lost"]
    assert unasked(None)["accuracy_lost.bits_4"] == "task.robustness.samples=8"
    assert not unasked(Robustness())


def test_torch_waits_until_something_is_measured() -> None:
    code = "import sys, moosnn.snn.robustness; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
