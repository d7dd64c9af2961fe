"""When a training is stopped: by hand, by other libraries' fits and tests."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from scipy.stats import linregress

from moosnn.errors import ConfigError
from moosnn.snn.silence import BatchSilence, Edge
from moosnn.snn.stopping import (
    Drive,
    Never,
    highest_drive,
    lowest_share,
    share_window_of,
    watch_named,
    window_of,
)

LAST = Edge(stages="last")


def batch(*peaks, samples=10, silent=None):
    """Peak drives of the stages; one below 1 is silent in all samples."""
    if silent is None:
        silent = tuple(samples if peak < 1 else 0 for peak in peaks)
    return BatchSilence(samples=samples, silent=silent, peaks=peaks)


def stops_at(rule, batches):
    """The update at which a rule stops, from 1; ``None`` if it does not."""
    return next((k for k, b in enumerate(batches, 1) if rule.update(b)), None)


def drive(edge=None, planned=100, min_updates=0):
    return Drive(edge or Edge(), min_updates=min_updates, planned_updates=planned)


def falling(count=40, start=0.9, by=0.01):
    return [start - by * k for k in range(count)]


# --- the drive


def test_the_fit_is_that_of_scipy():
    rng = random.Random(0)
    rises = set()
    for _ in range(50):
        peaks = [rng.gauss(0.5 - 0.001 * k, 0.01) for k in range(rng.randint(3, 30))]
        left = rng.randint(0, 500)
        fit = linregress(np.arange(len(peaks)), peaks)
        slope = fit.slope + 2 * fit.stderr
        level = max(peaks[-1], fit.intercept + fit.slope * (len(peaks) - 1))
        rise = max(10 * slope * left, 0)
        rises.add(rise > 0)
        assert highest_drive(peaks, left) == pytest.approx(level + rise)
    assert rises == {True, False}


@pytest.mark.parametrize(
    ("peaks", "left", "highest"),
    [
        ([0.5] * 10, 1000, 0.5),  # what stands still for certain stays
        ([0.5, 0.4, 0.3], 10, 0.3),  # what falls is as high as it will be
        ([0.3, 0.4, 0.5], 10, 10.5),  # ten times a tenth an update
        ([0.3, 0.4, 0.5], 0, 0.5),
        ([0.5, 0.3, 0.4], 0, 0.4),  # the fit ends at 0.35, the batch at 0.4
    ],
)
def test_how_high_the_drive_may_come_by_hand(peaks, left, highest):
    assert highest_drive(peaks, left) == pytest.approx(highest)


def test_a_noisy_drive_that_may_rise_is_not_called_falling():
    noisy = [0.5, 0.6] * 5
    assert np.polyfit(range(10), noisy, 1)[0] > 0
    assert highest_drive(noisy, 100) > 1
    assert highest_drive(noisy[::-1], 100) > 1  # falls, but not by two errors


@pytest.mark.parametrize(
    ("planned", "window"), [(1, 10), (109, 10), (250, 25), (500, 50), (7000, 50)]
)
def test_the_window_is_a_tenth_of_the_training_from_10_to_50(planned, window):
    assert window_of(planned) == window


def test_a_stage_whose_drive_falls_is_stopped_after_a_window():
    assert stops_at(drive(), [batch(p) for p in falling()]) == 10
    assert stops_at(drive(planned=300), [batch(p) for p in falling()]) == 30


def test_a_stage_in_which_a_sample_still_spikes_is_not_stopped_however_it_falls():
    """It may turn, and from where it is it sends spikes on."""
    dying = [batch(p, samples=10, silent=(9,)) for p in falling(89, start=1.605)]
    assert stops_at(drive(planned=450), dying) == 62  # 1.605 - 0.61 is below 1


def test_no_stop_before_the_updates_asked_for():
    batches = [batch(p) for p in falling()]
    assert stops_at(drive(min_updates=17), batches) == 17
    assert stops_at(drive(min_updates=10_000), batches) is None


def test_a_stage_whose_drive_rises_to_the_threshold_in_time_is_not_stopped():
    rising = [batch(0.1 + 0.01 * k) for k in range(99)]
    assert stops_at(drive(planned=100), rising) is None


def test_a_rise_that_comes_too_late_is_stopped_near_the_end():
    """0.1 + 10 * 0.002 * left < 1 - what it rose until then."""
    rising = [batch(0.1 + 0.002 * k) for k in range(99)]
    slow = stops_at(drive(planned=60), rising)
    # 0.1 + 0.002 (u - 1) + 0.02 (60 - u) < 1, the smallest whole u
    assert slow == math.floor((0.1 - 0.002 + 1.2 - 1) / 0.018) + 1


def test_a_working_network_is_never_stopped_and_needs_no_membranes():
    working = BatchSilence(samples=10, silent=(1, 0))
    assert stops_at(drive(), [working] * 99) is None


def test_a_stage_behind_a_silent_one_says_nothing():
    """It lacks its input; the first one rises, and so may it."""
    batches = [batch(0.3 + 0.01 * k, p) for k, p in enumerate(falling())]
    assert stops_at(drive(), batches) is None
    assert stops_at(drive(), [batch(1.2, p) for p in falling()]) == 10


def test_the_window_begins_anew_when_another_stage_is_the_first_silent_one():
    first = [batch(p, p) for p in falling(6)]
    assert stops_at(drive(), first + [batch(1.2, p) for p in falling()]) == 16


def test_a_batch_that_is_at_most_half_silent_breaks_the_window():
    half = batch(0.9, samples=10, silent=(5,))
    falls = [batch(p) for p in falling()]
    assert stops_at(drive(), [*falls[:9], half, *falls]) == 20


def test_what_beta_allows_is_not_suspect():
    most = [batch(p, samples=10, silent=(8,)) for p in falling()]
    assert stops_at(drive(), most) == 10
    assert stops_at(drive(Edge(beta=0.8)), most) is None


def test_if_only_the_last_stage_counts_it_must_stay_silent_too():
    dead_first = [batch(p, 1.2) for p in falling()]
    assert stops_at(drive(LAST), dead_first) is None  # its bias keeps it firing
    assert stops_at(drive(LAST), [batch(p, 0.3 + p / 2) for p in falling()]) == 10
    rising = [batch(p, 0.2 + 0.01 * k) for k, p in enumerate(falling())]
    assert stops_at(drive(LAST), rising) is None
    # The first silent stage is asked as well, though it does not count.
    waking = [batch(0.2 + 0.01 * k, p) for k, p in enumerate(falling())]
    assert stops_at(drive(LAST), waking) is None


# --- the share


def partly(*counts, samples=10):
    """Batches of one stage in which so many samples are silent, others spike."""
    return [BatchSilence(samples=samples, silent=(c,), peaks=(1.5,)) for c in counts]


def test_the_fit_of_the_share_is_that_of_scipy():
    rng = random.Random(0)
    falls = set()
    for _ in range(50):
        shares = [rng.gauss(0.5 - 0.001 * k, 0.01) for k in range(rng.randint(3, 30))]
        left = rng.randint(0, 500)
        fit = linregress(np.arange(len(shares)), shares)
        fall = min(10 * (fit.slope - 2 * fit.stderr) * left, 0)
        falls.add(fall < 0)
        end = fit.intercept + fit.slope * (len(shares) - 1)
        assert lowest_share(shares, left) == pytest.approx(end + fall)
    assert falls == {True, False}


@pytest.mark.parametrize(
    ("planned", "window"), [(1, 20), (104, 20), (250, 50), (500, 100), (7000, 1400)]
)
def test_the_window_of_the_share_is_a_fifth_of_the_training_and_20_at_least(
    planned, window
):
    assert share_window_of(planned) == window


def test_a_share_that_stands_still_is_stopped_after_a_fifth_of_the_training():
    """Half of the samples spike: no drive tells it, and it may waver to the end."""
    assert stops_at(drive(planned=200), partly(*[4] * 199)) == 40
    assert stops_at(drive(planned=200, min_updates=70), partly(*[4] * 199)) == 70
    assert stops_at(drive(planned=200), partly(*range(300), samples=900)) == 92 + 40 - 1


def test_a_share_that_may_fall_to_what_beta_allows_in_time_is_not_stopped():
    # 240 - u - 10 (200 - u) > 40 of 400 samples: for no u < 200
    easing = partly(*(240 - u for u in range(1, 200)), samples=400)
    assert stops_at(drive(planned=200), easing) is None
    slow = partly(*(900 - u for u in range(1, 450)), samples=1000)
    # 900 - u - 10 (450 - u) > 100, the smallest whole u
    assert stops_at(drive(planned=450), slow) == (4500 + 100 - 900) // 9 + 1


def test_a_batch_without_a_spike_or_with_enough_begins_the_share_anew():
    for other in (10, 1):
        batches = partly(*[4] * 30, other, *[4] * 168)
        assert stops_at(drive(planned=200), batches) == 31 + 40


def test_the_share_is_that_of_the_first_silent_stage_or_of_the_last_if_that_counts():
    changing = [BatchSilence(samples=10, silent=(4, 4), peaks=(1.5, 1.5))] * 30
    changing += [BatchSilence(samples=10, silent=(0, 4), peaks=(1.5, 1.5))] * 169
    assert stops_at(drive(planned=200), changing) == 30 + 40
    assert stops_at(drive(LAST, planned=200), changing) == 40
    awake = [BatchSilence(samples=10, silent=(4, 0), peaks=(1.5, 1.5))] * 199
    assert stops_at(drive(LAST, planned=200), awake) is None


def test_what_beta_allows_is_no_share_to_stop_at():
    assert stops_at(drive(Edge(beta=0.4), planned=200), partly(*[4] * 199)) is None


def test_membranes_that_are_no_numbers_stop_nothing():
    for peak in (math.nan, math.inf):
        broken = [batch(peak, silent=(10,))] * 40
        assert stops_at(drive(), broken) is None


def test_never_is_never():
    assert stops_at(Never(), [batch(-1.0)] * 50) is None


# --- by name


class Activity:
    """Ten samples, silent in one stage, whose drive falls."""

    def __init__(self, update):
        self._near = 0.9 - 0.01 * update

    def stage_counts(self):
        return torch.zeros(10, 1)

    def stage_nearness(self, alpha):
        return torch.full((10, 1), self._near)


@pytest.mark.parametrize(
    ("rule", "min_updates", "stop"),
    [
        ("drive", None, 10),
        ("drive", 13, 13),
        ("sequential", None, 201),
        ("sequential", 0, 1),
        ("firmin", None, 6),  # 60 of 500 samples are more than a tenth
        ("firmin", 9, 9),
        ("none", None, None),
        ("none", 0, None),
    ],
)
def test_every_name_has_its_rule_and_its_own_wait(rule, min_updates, stop):
    watch = watch_named(
        rule,
        Edge(),
        min_updates=min_updates,
        planned_updates=100,
        samples_per_epoch=500,
    )
    assert stops_at(watch, map(Activity, range(1, 230))) == stop


@pytest.mark.parametrize(("min_updates", "stop"), [(None, 100), (0, 50), (300, 300)])
def test_drive_waits_for_a_twentieth_of_a_long_training(min_updates, stop):
    watch = watch_named(
        "drive",
        Edge(),
        min_updates=min_updates,
        planned_updates=2000,
        samples_per_epoch=500,
    )
    assert stops_at(watch, map(Activity, range(1, 400))) == stop


def test_an_unknown_rule_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"stop: got 'drve'\. Did you mean 'drive'\?"):
        watch_named(
            "drve", Edge(), min_updates=None, planned_updates=1, samples_per_epoch=1
        )
