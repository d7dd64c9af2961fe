"""Silence: a network of three neurons by hand, then the definition by brute force."""

import math
import random

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn.silence import (
    BatchSilence,
    Edge,
    allowed_silent,
    batch_silence,
    dead_neurons,
    first_spike_steps,
    nearness,
    saturation,
    scores,
    silence_of,
)
from tests.snn.built import network, sequence


def three_neurons():
    """One input, three IF neurons of weights 1/2, 1/4, 3/2 and threshold 1, T = 4.

    Membrane before reset at the four steps, spikes marked by a star:

    ======  ==================  ====================  =====================  ======
    input   weight 1/2          weight 1/4            weight 3/2             spikes
    ======  ==================  ====================  =====================  ======
    1       .5  1*  .5  1*      .25  .5  .75  1*      1.5*  1.5*  1.5*  1.5*      7
    0.2     .1  .2  .3  .4      .05  .1  .15  .2      .3    .6    .9    1.2*      1
    0.1     .05 .1  .15 .2      .025 .05 .075 .1      .15   .3    .45   .6        0
    0       0   0   0   0       0    0   0    0       0     0     0     0         0
    ======  ==================  ====================  =====================  ======
    """
    net = network((1,), depth=1, width=3, neuron="if")
    with torch.no_grad():
        net.parts["linear_1"].weight[:, 0] = torch.tensor([0.5, 0.25, 1.5])
        net.parts["linear_1"].bias.zero_()
    inputs = torch.tensor([[1.0], [0.2], [0.1], [0.0]])
    return net.observe(inputs.expand(4, 4, 1))


@pytest.mark.parametrize(
    ("alpha", "near", "score"),
    [
        # spikes 7, 1, 0, 0: the largest membranes, then two silent samples
        (1, [1.5, 1.2, 0.6, 0.0], [math.log10(7), 0.0, math.log10(0.6), -2.0]),
        # the second largest over neurons and steps; one spike is now too few
        (
            2,
            [1.5, 0.9, 0.45, 0.0],
            [math.log10(3.5), math.log10(0.9), math.log10(0.45), -2.0],
        ),
    ],
)
def test_three_neurons_by_hand(alpha, near, score):
    activity = three_neurons()
    counts = activity.stage_counts()
    assert counts.flatten().tolist() == [7, 1, 0, 0]
    measured = activity.stage_nearness(alpha)
    assert measured.flatten().tolist() == pytest.approx(near, abs=1e-6)
    got = scores(counts, measured, alpha).flatten().tolist()
    assert got == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize(
    ("alpha", "beta", "fraction", "margin"),
    [
        (1, 0.5, 0.5, 0.0),  # two of four may be silent, and two are: just feasible
        (1, 0.25, 0.5, -math.log10(0.6)),
        (1, 0.0, 0.5, 2.0),
        (2, 0.5, 0.75, -math.log10(0.9)),  # ten per cent below the threshold
        (2, 0.75, 0.75, -math.log10(3.5)),
        (8, 0.75, 1.0, None),
    ],
)
def test_the_margin_of_three_neurons(alpha, beta, fraction, margin):
    activity = three_neurons()
    silence = silence_of(
        activity.stage_counts(),
        activity.stage_nearness(alpha),
        Edge(alpha=alpha, beta=beta),
    )
    assert silence.fraction == fraction
    if margin is None:
        assert silence.margin > 0
    else:
        assert silence.margin == pytest.approx(margin, abs=1e-6)


def test_a_stage_with_fewer_chances_than_alpha_is_as_silent_as_can_be():
    near = nearness(torch.full((2, 3, 2), 0.9), 1.0, 5)
    assert near.tolist() == [0.0, 0.0, 0.0]


def random_stages(rng, alpha):
    """Counts and nearness as a network could have them, many of them on the edge."""
    samples, stages = rng.randint(1, 24), rng.randint(1, 4)
    spikes, near = [], []
    for _ in range(samples):
        counts = [
            rng.choice([0, alpha - 1, alpha, alpha, rng.randint(0, 99)])
            for _ in range(stages)
        ]
        just_below = [rng.choice([-3.0, 0.0, 1e-9, 0.5, 1 - 6e-8, 1 - 2**-53])] * stages
        above = [rng.choice([1.0, 1.7])] * stages
        pairs = zip(counts, just_below, above, strict=True)
        near.append([a if c >= alpha else b for c, b, a in pairs])
        spikes.append(counts)
    return torch.tensor(spikes).float(), torch.tensor(near, dtype=torch.float64)


@pytest.mark.parametrize("alpha", [1, 2, 5])
@pytest.mark.parametrize("stages", ["all", "last"])
def test_margin_and_fraction_always_agree_on_feasibility(alpha, stages):
    rng = random.Random(alpha)
    verdicts = set()
    for _ in range(1500):
        spikes, near = random_stages(rng, alpha)
        beta = rng.choice([0.0, 0.05, 0.1, 0.25, 1 / 3, 0.5, 0.9, 0.99, rng.random()])
        silence = silence_of(spikes, near, Edge(alpha=alpha, beta=beta, stages=stages))
        columns = range(spikes.shape[1]) if stages == "all" else [-1]
        brute = max(
            sum(1 for row in spikes.tolist() if row[k] < alpha) / len(spikes)
            for k in columns
        )
        assert silence.fraction == brute
        assert (silence.margin <= 0) == (silence.fraction <= beta)
        assert silence.margin <= 2.0
        verdicts.add(silence.margin <= 0)
    assert verdicts == {True, False}


@pytest.mark.parametrize("alpha", [1, 2, 5])
def test_a_score_is_negative_exactly_when_the_sample_is_silent(alpha):
    rng = random.Random(alpha)
    for _ in range(300):
        spikes, near = random_stages(rng, alpha)
        score = scores(spikes, near, alpha)
        assert torch.equal(score < 0, spikes < alpha)
        assert bool((score >= -2).all())


@pytest.mark.parametrize("threshold", [0.1, 0.3, 1.0, 4.7])
def test_a_real_network_never_disagrees_with_itself(threshold):
    """Counts in single precision and membranes in double meet at the threshold."""
    for alpha in (1, 3):
        net = network((5,), depth=2, width_1=4, width_2=3, threshold=threshold)
        activity = net.observe(sequence((5,), steps=6, count=200))
        counts, near = activity.stage_counts(), activity.stage_nearness(alpha)
        silent = counts < alpha
        assert torch.equal(near < 1, silent)
        assert torch.equal(scores(counts, near, alpha) < 0, silent)


def test_the_number_that_may_be_silent_is_the_largest_share_within_beta():
    for count in range(1, 200):
        for beta in (0.0, 0.03, 0.1, 0.3, 0.7, 0.999):
            brute = max(m for m in range(count + 1) if m / count <= beta)
            assert allowed_silent(count, beta) == brute < count


def test_one_dead_layer_is_enough_unless_only_the_last_counts():
    spikes = torch.tensor([[0.0, 9.0], [0.0, 9.0]])
    near = torch.tensor([[0.1, 2.0], [0.1, 2.0]])
    every = silence_of(spikes, near, Edge())
    last = silence_of(spikes, near, Edge(stages="last"))
    assert every.fractions == last.fractions == (1.0, 0.0)
    assert (every.fraction, last.fraction) == (1.0, 0.0)
    assert every.margin == pytest.approx(1.0)
    assert last.margin == pytest.approx(-math.log10(9))


@pytest.mark.parametrize(
    "change",
    [{"alpha": 0}, {"alpha": 1.5}, {"beta": 1.0}, {"beta": -0.1}, {"stages": "first"}],
)
def test_an_impossible_edge_is_refused(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        Edge(**change)


class Activity:
    """Two stages as a batch showed them; says whether anybody asked for membranes."""

    def __init__(self, counts, near):
        self.counts = torch.tensor(counts)
        self.near = torch.tensor(near)
        self.asked = []

    def stage_counts(self):
        return self.counts

    def stage_nearness(self, alpha):
        self.asked.append(alpha)
        return self.near


NEAR = [[0.2, 1.5], [0.7, 1.2], [0.4, 1.9], [1.1, 1.3]]


def test_a_mostly_silent_batch_is_counted_and_its_peaks_are_those_of_the_best_sample():
    activity = Activity([[0.0, 9.0], [0.0, 2.0], [1.0, 2.0], [2.0, 3.0]], NEAR)
    assert batch_silence(activity, 2, peaks=True) == BatchSilence(
        samples=4, silent=(3, 0), peaks=(pytest.approx(1.1), pytest.approx(1.9))
    )
    assert activity.asked == [2]


def test_nobody_looks_at_membranes_of_a_half_silent_batch_or_without_need():
    half = Activity([[0.0, 9.0], [0.0, 2.0], [1.0, 2.0], [2.0, 3.0]], NEAR)
    assert batch_silence(half, 1, peaks=True).peaks == ()
    silent = Activity([[0.0, 0.0]] * 4, NEAR)
    assert batch_silence(silent, 1, peaks=False).peaks == ()
    assert half.asked == silent.asked == []


def test_of_a_batch_the_stages_that_count_are_judged_and_half_is_not_most():
    batch = BatchSilence(samples=4, silent=(3, 2))
    assert batch.judged(Edge()) == (3, 2)
    assert batch.judged(Edge(stages="last")) == (2,)
    assert (batch.mostly_silent(0), batch.mostly_silent(1)) == (True, False)


# T x N x C: three steps, two samples, four neurons; the last neuron is dead, the
# third fires only for the second sample, nothing fires at the first step.
SPIKES = torch.tensor(
    [
        [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]],
        [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]],
        [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
    ]
)


def test_a_neuron_that_fires_on_no_sample_is_dead():
    assert dead_neurons(SPIKES) == 0.25
    assert dead_neurons(SPIKES.sum(0)) == 0.25  # counts over time say the same
    assert dead_neurons(SPIKES[:, :1]) == 0.5
    assert dead_neurons(SPIKES[:1]) == 1.0
    assert dead_neurons(SPIKES.unflatten(2, (1, 2, 2))) == 0.25  # channels x places


def test_the_first_spike_of_a_stage_is_a_step_from_0_or_t():
    assert first_spike_steps(SPIKES).tolist() == [1, 2]
    assert first_spike_steps(SPIKES[:2]).tolist() == [1, 2]  # T = 2: never
    assert first_spike_steps(SPIKES.unflatten(2, (2, 2))).tolist() == [1, 2]
    assert first_spike_steps(torch.ones(3, 1, 1)).tolist() == [0]


@pytest.mark.parametrize(
    ("beta", "rate"), [(0.0, 0.9), (0.24, 0.9), (0.25, 0.8), (0.5, 0.5), (0.75, 0.1)]
)
def test_the_saturation_is_the_rate_that_at_most_beta_of_the_samples_exceed(beta, rate):
    rates = torch.tensor([[0.1, 0.9], [0.2, 0.5], [0.3, 0.1], [0.4, 0.8]])
    assert saturation(rates, beta) == pytest.approx(rate)


def test_saturation_by_brute_force():
    rng = random.Random(0)
    for _ in range(300):
        count, beta = rng.randint(1, 30), rng.random()
        rates = [[rng.choice([0.0, 0.1, 0.5, 1.0, rng.random()])] for _ in range(count)]
        met = [
            low
            for [low] in rates
            if sum(1 for [rate] in rates if rate > low) / count <= beta
        ]
        measured = saturation(torch.tensor(rates, dtype=torch.float64), beta)
        assert measured == min(met)
