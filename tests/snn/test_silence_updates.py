"""Silence over a training: a few updates by hand, then by brute force."""

import random

import pytest

from moosnn.snn.silence import BatchSilence, Edge
from moosnn.snn.silence_updates import OverTraining, Waking, over_training


def batch(*silent, samples=10):
    return BatchSilence(samples=samples, silent=silent)


# Of ten samples one may be silent: the first stage wakes after the second update and
# falls silent at the fifth, the last stage is never awake.
HEARD = [batch(9, 10), batch(2, 10), batch(1, 10), batch(0, 10), batch(2, 10)]


def test_five_updates_by_hand():
    first = Waking(heard=5, awake=2, last_awake=4, last_silent=5)
    last = Waking(heard=5, awake=0, last_awake=0, last_silent=5)
    found = over_training(HEARD, Edge())
    assert found == OverTraining(network=last, stages=(first, last))
    assert found.metrics() == {
        "awake_fraction": 0.0,
        "last_awake_update": 0.0,
        "last_silent_update": 5.0,
        "awake_fraction.1": 0.4,
        "last_awake_update.1": 4.0,
        "awake_fraction.2": 0.0,
        "last_awake_update.2": 0.0,
    }


def test_a_network_is_awake_where_every_stage_that_counts_is():
    heard = [batch(0, 0), batch(10, 0), batch(0, 10)]
    assert over_training(heard, Edge()).network == Waking(
        heard=3, awake=1, last_awake=1, last_silent=3
    )
    assert over_training(heard, Edge(stages="last")).network == Waking(
        heard=3, awake=2, last_awake=2, last_silent=3
    )


def test_one_that_was_always_awake_was_never_silent():
    found = over_training([batch(0)] * 4, Edge()).network
    assert (found.last_awake, found.last_silent, found.fraction) == (4, 0, 1.0)


def test_of_a_training_that_was_not_heard_nothing_is_known():
    found = over_training([], Edge())
    assert found == OverTraining(
        network=Waking(heard=0, awake=0, last_awake=0, last_silent=0), stages=()
    )
    assert found.metrics()["awake_fraction"] == 0.0


def test_random_trainings_by_brute_force():
    rng = random.Random(0)
    for _ in range(100):
        beta, stages = rng.choice([0.0, 0.1, 0.3, rng.random()]), rng.randint(1, 4)
        heard = []
        for _ in range(rng.randint(1, 30)):
            size = rng.choice([7, 10])
            few = [rng.choice([0, 1, rng.randint(0, size)]) for _ in range(stages)]
            heard.append(batch(*few, samples=size))
        found = over_training(heard, Edge(beta=beta))
        whole = []
        for k in range(stages):
            shares = [b.silent[k] / b.samples for b in heard]
            awake = [u for u, share in enumerate(shares, 1) if share <= beta]
            silent = [u for u, share in enumerate(shares, 1) if share > beta]
            whole.append(set(awake))
            assert found.stages[k] == Waking(
                heard=len(heard),
                awake=len(awake),
                last_awake=max(awake, default=0),
                last_silent=max(silent, default=0),
            )
        both = set.intersection(*whole)
        assert found.network.last_awake == max(both, default=0)
        assert found.network.fraction == pytest.approx(len(both) / len(heard))
