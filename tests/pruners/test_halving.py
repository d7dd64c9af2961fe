"""Successive halving: who goes on at a rung, and that only the history decides."""

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.events import Event, Kind
from moosnn.history import HistoryBuilder
from moosnn.problem import Constraint, Objective, Problem
from moosnn.pruners.halving import MIN_UPDATES, MIN_WHOLE, Halving
from moosnn.space import Space
from tests.pruners.test_standing import dominated_by

SPACE = Space.from_config({"x": {"float": [0, 1]}, "epochs": {"int": [1, 27]}})
PROBLEM = Problem(
    space=SPACE,
    objectives=(
        Objective(metric="accuracy", goal="max", reference=0.2),
        Objective(metric="spikes", goal="min", reference=1000, scale="log"),
    ),
    constraints=(
        Constraint(metric="margin", upper=0.0, voids=True),
        Constraint(metric="size", upper=100),
    ),
)
LATE = 10 * MIN_UPDATES


class Rung:
    """Trials that report, one after the other."""

    def __init__(self, pruner=None, problem=PROBLEM):
        self.builder = HistoryBuilder()
        self.problem = problem
        self.pruner = pruner or Halving(min_whole=0)
        self.builder.append(Event(kind=Kind.STUDY))

    @property
    def history(self):
        return self.builder.history

    def add(self, kind, number, **data):
        self.builder.append(Event(kind=kind, number=number, attempt=1, data=data))

    def begin(self, epochs=27):
        number = self.history.proposals
        params = SPACE.canonical({"x": 0.5, "epochs": epochs})
        plain = {"params": params, "seed": 0, "origin": "t", "seen": 0}
        self.add(Kind.PROPOSED, number, **plain)
        self.add(Kind.SUBMITTED, number, job_id="j")
        return number

    def tell(self, number, step, **metrics):
        """Report and ask."""
        self.add(Kind.REPORTED, number, step=step, metrics=metrics)
        return self.pruner.stops(self.problem, self.history, number)

    def reach(self, step, accuracy=0.5, spikes=100.0, **more):
        """A new trial that comes to a rung; whether it ends there."""
        metrics = {"margin": -1.0, "size": 1.0, "updates": LATE, **more}
        metrics |= {"accuracy": accuracy, "spikes": spikes}
        return self.tell(self.begin(), step, **metrics)

    def finish(self, number, stopped=None, **metrics):
        told = {"metrics": {"margin": -1.0, "size": 1.0, **metrics}, "stopped": stopped}
        self.add(Kind.FINISHED, number, evaluation=told)


def test_the_best_third_goes_on():
    rung = Rung()
    accuracies = (0.5, 0.6, 0.7, 0.4, 0.65, 0.9, 0.8)
    # of 1, 2: too few to judge; of 3, 4, 5 the best, of 6, 7 the best two
    expected = [False, False, False, True, True, False, False]
    assert [rung.reach(3, accuracy=a) for a in accuracies] == expected


def test_nobody_ends_before_as_many_came_as_are_compared():
    rung = Rung(Halving(eta=4, min_whole=0))
    assert [rung.reach(4, accuracy=0.5 - k / 100) for k in range(4)] == [
        *[False] * 3,
        True,
    ]


def test_other_epochs_are_no_rungs():
    rung = Rung()
    for accuracy in (0.9, 0.9, 0.9, 0.3):
        assert not rung.reach(2, accuracy=accuracy)
    rung = Rung(Halving(first=2, min_whole=0))
    assert [rung.reach(6, accuracy=a) for a in (0.9, 0.9, 0.3)][-1]


def test_a_report_of_the_training_alone_is_not_judged():
    rung = Rung()
    for _ in range(5):
        rung.reach(1, accuracy=0.9)
    assert not rung.tell(rung.begin(), 1, train_accuracy=0.1)
    assert rung.reach(1, accuracy=0.3)


def test_an_answer_holds_until_the_next_rung():
    rung = Rung()
    for accuracy in (0.9, 0.8):
        rung.reach(1, accuracy=accuracy)
    assert rung.reach(1, accuracy=0.3)
    last = rung.history.proposals - 1
    assert rung.tell(last, 2, train_accuracy=0.5)
    for _ in range(9):  # it would be among the best of these
        rung.reach(1, accuracy=0.25)
    assert rung.tell(last, 2, train_accuracy=0.5)


def test_what_is_better_in_one_objective_is_not_behind():
    rung = Rung()
    points = [(0.9, 500.0), (0.3, 5.0), (0.6, 50.0)]
    points += [(a - 0.05, s * 1.1) for a, s in points] * 2
    answers = [rung.reach(1, accuracy=a, spikes=s) for a, s in points]
    assert answers[-1]
    # a fourth way, of nine others three are not dominated
    assert not rung.reach(1, accuracy=0.95, spikes=900.0)


def test_beyond_the_reference_comes_after_what_counts():
    """Of two that others dominate."""
    rung = Rung()
    for accuracy, spikes in ((0.5, 10.0), (0.1, 1.0), (0.4, 20.0), (0.3, 30.0)):
        rung.reach(1, accuracy=accuracy, spikes=spikes)
    assert rung.reach(1, accuracy=0.05, spikes=2.0)


def test_what_no_feasible_one_dominates_goes_on():
    """Even the quietest network, whose accuracy is worth nothing yet."""
    rung = Rung()
    for accuracy in (0.5, 0.4, 0.3):
        rung.reach(1, accuracy=accuracy, spikes=100.0)
    assert not rung.reach(1, accuracy=0.1, spikes=0.1)
    assert rung.reach(1, accuracy=0.1, spikes=0.2)
    assert not rung.reach(1, accuracy=0.11, spikes=0.2)
    assert rung.reach(1, accuracy=0.11, spikes=0.01, size=200.0)  # infeasible
    assert rung.reach(1, accuracy=0.11, spikes=0.01, margin=0.5)  # silent
    assert not rung.reach(1, accuracy=0.05, spikes=0.05)  # they dominate nobody


@pytest.mark.parametrize("seed", range(4))
def test_nobody_of_the_front_of_a_rung_is_stopped(seed):
    """Of those that have come there so far, by the definition of dominance."""
    rng, rung, come = np.random.default_rng(seed), Rung(), []
    stopped = 0
    for _ in range(40):
        accuracy, power = rng.uniform(0, 1), rng.uniform(-1, 3)
        come.append([-accuracy, power])
        ends = rung.reach(1, accuracy=accuracy, spikes=10**power)
        assert dominated_by(np.array(come), len(come) - 1) or not ends
        stopped += ends
    assert stopped > 10


def test_nobody_ends_before_it_is_known_what_a_report_is_worth():
    """Silent ones and those that were stopped do not tell."""

    def after(whole, step=1, margin=-1.0, **last):
        rung = Rung(Halving())
        for count in range(whole + 1):
            report, end = (step, margin), last
            if count < whole:
                report, end = (1, -1.0), {}
            assert not rung.reach(report[0], accuracy=0.9, margin=report[1])
            number = rung.history.proposals - 1
            rung.tell(number, 4, train_accuracy=0.5)
            rung.finish(number, **{"accuracy": 0.9, "spikes": 10.0, **end})
        return rung.reach(1, accuracy=0.3)

    assert after(MIN_WHOLE - 1)
    assert not after(MIN_WHOLE - 2)
    assert not after(MIN_WHOLE - 1, margin=0.5)
    assert not after(MIN_WHOLE - 1, step=2)
    assert not after(MIN_WHOLE - 1, step=3)
    assert not after(MIN_WHOLE - 1, stopped="pruned")
    assert not after(MIN_WHOLE - 1, stopped="silent")


def test_a_training_that_ended_at_a_rung_tells_nothing_of_those_that_go_on():
    rung = Rung(Halving(min_whole=1))
    for _ in range(3):
        number = rung.begin(epochs=3)
        for step in (1, 2, 3):
            rung.tell(number, step, train_accuracy=0.5)
        rung.finish(number, accuracy=0.9, spikes=10.0)
    assert not rung.reach(3, accuracy=0.3)


def test_who_ends_whole_later_does_not_change_an_answer():
    rung = Rung(Halving(min_whole=1))
    late = rung.begin()
    for accuracy in (0.9, 0.9, 0.3):
        assert not rung.reach(1, accuracy=accuracy)
    told = rung.history.proposals - 1
    rung.tell(late, 1, accuracy=0.9, spikes=9.0, margin=-1.0, size=1.0, updates=LATE)
    rung.tell(late, 2, train_accuracy=0.5)
    rung.finish(late, accuracy=0.9, spikes=10.0)
    assert not rung.tell(told, 2, train_accuracy=0.5)
    assert not Halving(min_whole=1).stops(PROBLEM, rung.history, told)
    assert rung.reach(1, accuracy=0.3)


def test_silent_networks_come_last():
    rung = Rung()
    for accuracy in (0.21, 0.22):
        rung.reach(1, accuracy=accuracy, spikes=999.0)
    rung.reach(1, accuracy=0.01, spikes=999.0, size=200.0)  # infeasible otherwise
    assert rung.reach(1, accuracy=0.99, spikes=0.1, margin=0.5)


def test_of_silent_networks_the_least_silent_goes_on():
    rung = Rung()
    margins = (2.0, 1.0, 0.5, 0.7)
    assert [rung.reach(1, margin=m) for m in margins] == [False, False, False, True]


def test_silence_before_learning_has_acted_is_no_evidence():
    rung = Rung()
    for accuracy in (0.9, 0.8, 0.7):
        rung.reach(1, accuracy=accuracy)
    early = {"margin": 1.0, "updates": MIN_UPDATES - 1.0}
    assert not rung.reach(1, **early)
    assert rung.reach(1, margin=1.0, updates=float(MIN_UPDATES))
    assert rung.reach(1, accuracy=0.3, updates=1.0)  # it spikes, so it is judged


def test_silent_networks_that_may_wake_are_nobodys_measure():
    """Else they would let the worst of the others go on."""
    rung = Rung()
    for accuracy in (0.9, 0.8):
        rung.reach(1, accuracy=accuracy)
    for _ in range(6):
        rung.reach(1, margin=1.0, updates=1.0)
    assert rung.reach(1, accuracy=0.3)


def test_a_training_that_ended_at_a_rung_was_there():
    def after(*, stopped):
        rung = Rung()
        for _ in range(2):
            number = rung.begin(epochs=3)
            for step in (1, 2, 3):
                rung.tell(number, step, train_accuracy=0.5)
            rung.finish(number, stopped, accuracy=0.9, spikes=10.0)
        return rung.reach(3, accuracy=0.3)

    assert after(stopped=None)
    assert not after(stopped="pruned")


def test_a_trial_at_its_last_epoch_goes_on():
    problem = Problem(
        space=SPACE,
        objectives=PROBLEM.objectives,
        constraints=PROBLEM.constraints,
        fidelity="epochs",
    )
    metrics = {"accuracy": 0.3, "spikes": 100.0, "margin": -1.0, "size": 1.0}
    for epochs, ends in ((3, False), (4, True)):
        rung = Rung(problem=problem)
        for _ in range(3):
            rung.reach(3, accuracy=0.9)
        assert rung.tell(rung.begin(epochs), 3, **metrics) is ends


@pytest.mark.parametrize("min_whole", [0, 3])
def test_the_same_history_gives_the_same_answer(min_whole):
    """Asked anew of every prefix, by a pruner that remembers nothing."""

    def anew():
        return Halving(min_whole=min_whole)

    rung, rng = Rung(anew()), np.random.default_rng(0)
    told = []
    running = {rung.begin(): 0 for _ in range(6)}
    for _ in range(150):
        number = int(rng.choice(list(running)))
        running[number] += 1
        accuracy, spikes = rng.random(), float(10 ** rng.uniform(0, 3))
        margin, updates = rng.normal(-1), float(rng.integers(300))
        metrics = {"accuracy": accuracy, "spikes": spikes, "margin": margin}
        answer = rung.tell(
            number, running[number], **metrics, size=1.0, updates=updates
        )
        told.append((len(rung.history), number, answer))
        if answer or running[number] == 9:
            stopped = "pruned" if answer else None
            rung.finish(number, stopped, accuracy=accuracy, spikes=spikes)
            del running[number]
            running[rung.begin()] = 0
    assert {answer for *_, answer in told} == {True, False}
    for length, number, answer in told:
        assert anew().stops(PROBLEM, rung.history.prefix(length), number) is answer
    pruner = anew()  # one that is asked backwards
    for length, number, answer in reversed(told):
        assert pruner.stops(PROBLEM, rung.history.prefix(length), number) is answer


def test_another_attempt_is_judged_anew():
    rung = Rung()
    for accuracy in (0.9, 0.8):
        rung.reach(1, accuracy=accuracy)
    assert rung.reach(1, accuracy=0.3)
    same = {"accuracy": 0.95, "spikes": 10.0, "margin": -1.0, "size": 1.0}
    assert not rung.tell(2, 1, **same)


def test_a_pruner_of_no_sense_is_refused():
    with pytest.raises(ConfigError, match=r"rungs\.eta: expected .* >= 2, got 1"):
        Halving(eta=1)
    with pytest.raises(ConfigError, match=r"rungs\.first: .* >= 1, got 0"):
        Halving(first=0)
    with pytest.raises(ConfigError, match=r"min_updates: .* >= 0, got 1\.5"):
        Halving(min_updates=1.5)
    with pytest.raises(ConfigError, match=r"min_whole: .* >= 0, got -1"):
        Halving(min_whole=-1)
