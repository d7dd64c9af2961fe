"""The rules that count silent samples, against scipy's test and by hand."""

from __future__ import annotations

import random

import pytest
from scipy.stats import binomtest

from moosnn.snn.counting import Firmin, Sequential
from moosnn.snn.silence import BatchSilence, Edge

LAST = Edge(stages="last")


def batch(*silent, samples=10):
    return BatchSilence(samples=samples, silent=silent)


def stops_at(rule, batches):
    return next((k for k, b in enumerate(batches, 1) if rule.update(b)), None)


def test_the_sequential_test_is_the_one_sided_binomial_test():
    rng = random.Random(0)
    answers = set()
    for _ in range(40):
        beta = rng.choice([0.0, 0.05, 0.1, 0.5])
        rule = Sequential(Edge(beta=beta), min_updates=0)
        seen = silent = 0
        for _ in range(5):
            samples = rng.randint(1, 40)
            here = rng.randint(0, samples // 3)
            seen, silent = seen + samples, silent + here
            test = binomtest(silent, seen, beta, alternative="greater")
            expected = silent > 0 and test.pvalue < 1 - 0.99
            assert rule.update(batch(here, samples=samples)) == expected
            answers.add(expected)
    assert answers == {True, False}


def test_the_waiting_time_is_not_counted():
    batches = [batch(10)] * 5 + [batch(0)] * 20 + [batch(10)] * 20
    assert stops_at(Sequential(Edge(), min_updates=5), batches) == 29
    # 20 working batches, then the fourth silent one: 40 of 240 samples
    assert binomtest(40, 240, 0.1, alternative="greater").pvalue < 0.01
    assert binomtest(30, 230, 0.1, alternative="greater").pvalue > 0.01


def test_a_higher_confidence_waits_longer():
    batches = [batch(3)] * 30
    ends = [
        stops_at(Sequential(Edge(), min_updates=0, confidence=c), batches)
        for c in (0.9, 0.99, 0.99999)
    ]
    assert ends == sorted(set(ends))


def test_the_rule_of_firmin_stops_beyond_beta_of_the_training_set_not_at_it():
    rule = Firmin(Edge(), min_updates=0, samples_per_epoch=100)
    assert stops_at(rule, [batch(5), batch(5), batch(0), batch(1)]) == 4


def test_the_rule_of_firmin_begins_anew_with_every_epoch():
    rule = Firmin(Edge(), min_updates=0, samples_per_epoch=25)
    epoch = [batch(1), batch(1), batch(0, samples=5)]
    assert stops_at(rule, epoch * 20) is None
    assert stops_at(rule, [*epoch, batch(1), batch(1), batch(1, samples=5)]) == 6


@pytest.mark.parametrize("make", ["sequential", "firmin"])
def test_the_worst_stage_that_counts_decides(make):
    def rule(edge):
        if make == "sequential":
            return Sequential(edge, min_updates=0)
        return Firmin(edge, min_updates=0, samples_per_epoch=50)

    assert stops_at(rule(Edge()), [batch(10, 0)] * 4) == 1
    assert stops_at(rule(LAST), [batch(10, 0)] * 4) is None
    assert stops_at(rule(LAST), [batch(0, 10)] * 4) == 1


def test_stages_are_summed_apart():
    rule = Firmin(Edge(), min_updates=0, samples_per_epoch=100)
    assert stops_at(rule, [batch(4, 0), batch(0, 4), batch(4, 4)]) is None
