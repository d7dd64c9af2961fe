"""Virtual workers against hand counts and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.runtime.executors import Ended
from moosnn.runtime.simulator import Durations, Outcome, Simulator, VirtualClock
from moosnn.trial import Evaluation, Failure, Proposal, Trial


def proposal(number: int) -> Proposal:
    return Proposal(number=number, params={"x": 0.5}, seed=0, origin="test", seen=0)


class Lengths:
    """Attempts of given lengths."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, proposal: Proposal, attempt: int) -> Outcome:
        seconds = self.seconds[proposal.number]
        return Outcome(Evaluation(metrics={"f": 1.0}, seconds=seconds), seconds)


def simulator(workers: int, *seconds: float) -> tuple[Simulator, VirtualClock]:
    clock = VirtualClock(100.0)
    found = Simulator(
        workers=workers, measure=Lengths(*seconds), clock=clock, charge_driver=False
    )
    return found, clock


def numbers(happened: list[object]) -> list[int]:
    assert all(isinstance(item, Ended) for item in happened)
    return [item.number for item in happened if isinstance(item, Ended)]


def test_a_poll_moves_time_to_the_next_end() -> None:
    workers, clock = simulator(3, 5.0, 2.0, 2.0)
    for number in range(3):
        workers.submit(proposal(number), 1, workers.reserve())
    assert (workers.free(), clock()) == (0, 100.0)
    assert numbers([*workers.poll()]) == [1, 2]
    assert (workers.free(), clock()) == (2, 102.0)
    assert numbers([*workers.poll()]) == [0]
    assert clock() == 105.0
    assert workers.poll() == []
    assert clock() == 105.0


def test_a_poll_stops_where_somebody_wants_to_be_woken() -> None:
    workers, clock = simulator(1, 5.0)
    workers.submit(proposal(0), 1, workers.reserve())
    clock.wake_at = 101.5
    assert workers.poll() == []
    assert clock() == 101.5
    assert numbers([*workers.poll()]) == [0]
    assert clock() == 105.0


def test_an_answer_that_came_while_the_driver_worked_is_not_slept_over() -> None:
    spent = iter([0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0])
    clock = VirtualClock()
    workers = Simulator(
        workers=1, measure=Lengths(9.0), clock=clock, cpu_s=lambda: next(spent)
    )
    workers.attach([])
    workers.submit(proposal(0), 1, workers.reserve())
    clock.wake_at = 1.0
    assert workers.poll() == []
    assert clock() == 2.0
    # Nobody takes it: time goes on.
    assert numbers([*workers.poll()]) == [0]
    assert clock() == 9.0


def test_each_job_is_a_worker_that_holds_nothing() -> None:
    workers, _ = simulator(2, 1.0, 2.0, 3.0)
    for number, name in enumerate(("0", "1")):
        assert workers.reserve() == name
        workers.submit(proposal(number), 1, name)
    workers.poll()
    assert workers.reserve() == "0"


def test_how_busy_workers_were_is_counted_by_hand() -> None:
    workers, clock = simulator(2, 4.0, 1.0, 2.0)
    for number in (0, 1):
        workers.submit(proposal(number), 1, workers.reserve())
    workers.poll()
    workers.submit(proposal(2), 1, workers.reserve())
    assert workers.busy(100.0) == 0.0
    assert workers.busy(101.0) == 1.0
    # Until 104: 4 of the first, 1 + 2 of the second worker, of 8.
    assert workers.busy(104.0) == pytest.approx(7 / 8)
    assert clock() == 101.0


def test_what_the_driver_computes_passes_on_the_clock() -> None:
    spent = iter([0.0, 0.0, 1.0, 1.5, 4.0])
    clock = VirtualClock()
    workers = Simulator(
        workers=2, measure=Lengths(2.0, 10.0), clock=clock, cpu_s=lambda: next(spent)
    )
    workers.attach([])
    workers.submit(proposal(0), 1, workers.reserve())  # measured from 1.0 to 1.5
    assert numbers([*workers.poll()]) == [0]  # ended while the driver was at work
    assert workers.driver_s == pytest.approx(3.5)
    assert clock() == pytest.approx(3.5)


def test_what_an_earlier_driver_gave_out_is_lost() -> None:
    workers, _ = simulator(1)
    workers.attach([Trial(proposal=proposal(4), attempt=2, job_id="0")])
    (ended,) = workers.poll()
    assert isinstance(ended, Ended)
    assert isinstance(ended.result, Failure)
    assert (ended.number, ended.attempt, ended.result.kind) == (4, 2, "lost")


@pytest.mark.parametrize(
    ("distribution", "deviation"),
    [("log-normal", 30 * math.sqrt(math.e - 1)), ("exponential", 30), ("constant", 0)],
)
def test_durations_have_the_mean_and_deviation_of_their_distribution(
    distribution: str, deviation: float
) -> None:
    durations = Durations(mean_s=30.0, sigma=1.0, distribution=distribution)
    drawn = np.array([durations(number, 1) for number in range(20_000)])
    assert drawn.mean() == pytest.approx(30.0, rel=0.03)
    assert drawn.std() == pytest.approx(deviation, rel=0.1)
    assert durations(7, 1) == drawn[7]
    assert (durations(7, 2) == drawn[7]) == (distribution == "constant")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"mean_s": 0.0}, "mean seconds > 0"),
        ({"mean_s": 1.0, "sigma": -1.0}, "sigma from 0"),
        ({"mean_s": 1.0, "distribution": "normal"}, "log-normal"),
    ],
)
def test_durations_that_cannot_be_are_refused(
    wrong: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        Durations(**wrong)  # type: ignore[arg-type] - wrong on purpose


def test_no_workers_are_refused() -> None:
    with pytest.raises(ConfigError, match="1 worker or more, got 0"):
        simulator(0)
