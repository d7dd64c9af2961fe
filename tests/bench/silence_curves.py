"""What early stopping on silence pays and how often it errs: three rules, replayed.

    python -m tests.bench.silence_curves FOLDER [DATA…]

Networks of ``space=nas`` are trained in full, once, on the digits and on generated
data sets of 500 updates an epoch, while a watch that never stops writes down how silent
every batch was. Then every rule of `moosnn.snn.stopping` is replayed over these
recordings, so that all are judged on the same networks and nothing about a stop is
guessed. Recordings lie in FOLDER and are not made again, but for those that a killed
process left empty: delete these; several processes may work on one folder. Prints
Markdown for docs/silence.md and docs/benchmarks.md, each seed for itself and all seeds
together, and writes FOLDER/silence-rules.png of all seeds. The constants of ``drive``
were chosen on seed 0; on seed 1 nothing was.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta as beta_distribution

from moosnn.snn.counting import Firmin, Sequential
from moosnn.snn.silence import Edge, allowed_silent
from moosnn.snn.stopping import WAIT_SHARE, Drive, Rule
from tests.bench.silence_figure import draw
from tests.bench.silence_recordings import (
    EDGE,
    SETTINGS,
    Recording,
    record,
    recordings,
)

CONFIDENCE = 0.95
RESAMPLES = 2000  # of the networks, for the interval of the cost
SEED_OF_RESAMPLES = 0


def last_awake(recording: Recording) -> int:
    """The last update at which no stage had too many silent samples; 0 if none."""
    working = (
        updates
        for updates, batch in enumerate(recording.batches, 1)
        if max(batch.silent) <= allowed_silent(batch.samples, EDGE.beta)
    )
    return max(working, default=0)


def stopped_after(recording: Recording, rule: Rule) -> int:
    """Updates that the training would have done under a rule."""
    for updates, batch in enumerate(recording.batches, 1):
        if rule.update(batch):
            return updates
    return recording.planned


Make = Callable[[Recording], Rule]


def drive(wait: float) -> Make:
    return lambda r: Drive(EDGE, min_updates=int(wait), planned_updates=r.planned)


def drive_after(share: float) -> Make:
    """Waits for a share of the training; by itself `WAIT_SHARE`."""
    return lambda r: drive(round(share * r.planned))(r)


def sequential(wait: float) -> Make:
    return lambda _: Sequential(EDGE, min_updates=int(wait))


def firmin(share: float) -> Make:
    """Of the samples; theirs is beta itself."""
    edge = Edge(beta=share)
    return lambda r: Firmin(edge, min_updates=0, samples_per_epoch=r.samples)


# name: (what is varied, its values, the rule)
RULES: Mapping[str, tuple[str, tuple[float, ...], Callable[[float], Make]]] = {
    "drive": ("min_updates", (0, 20, 50, 100, 200, 400), drive),
    "drive, waiting": ("share", (0.02, WAIT_SHARE, 0.1, 0.15, 0.2), drive_after),
    "sequential": ("min_updates", (0, 50, 100, 150, 170, 200, 400, 800), sequential),
    "firmin": ("beta", (0.1, 0.3, 0.5, 0.7, 0.9), firmin),
}


@dataclass(frozen=True)
class Point:
    """What a rule did to some networks.

    Attributes:
        stopped: networks that it stopped.
        false: of them, those that would have ended feasible.
        cost: share of their planned updates that the networks which end silent paid;
            all networks together.
        cost_low: of its 95 % bootstrap interval over networks.
        cost_high: the same.
        missed: networks that end silent and were trained in full.
        ended: all networks that end silent.
    """

    stopped: int
    false: int
    cost: float
    cost_low: float
    cost_high: float
    missed: int
    ended: int

    def false_interval(self) -> tuple[float, float]:
        """Of the share of false stops: Clopper & Pearson (1934)."""
        tail = (1 - CONFIDENCE) / 2
        wrong, right = self.false, self.stopped - self.false
        low = beta_distribution.ppf(tail, wrong, right + 1) if wrong else 0.0
        high = beta_distribution.ppf(1 - tail, wrong + 1, right) if right else 1.0
        return float(low), float(high)


def replay(networks: Sequence[Recording], make: Make) -> list[int]:
    """The updates that each network is given under a rule."""
    return [stopped_after(network, make(network)) for network in networks]


def point(networks: Sequence[Recording], updates: Sequence[int]) -> Point:
    """What a rule did that gave networks so many updates."""
    paid = np.array(updates)
    planned = np.array([r.planned for r in networks])
    silent = np.array([r.silent for r in networks])
    stopped = paid < planned
    ours, full = paid[silent], planned[silent]
    rng = np.random.default_rng(SEED_OF_RESAMPLES)
    drawn = rng.integers(0, len(ours), (RESAMPLES, len(ours)))
    costs = ours[drawn].sum(1) / full[drawn].sum(1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(costs, [tail, 1 - tail])
    return Point(
        stopped=int(stopped.sum()),
        false=int((stopped & ~silent).sum()),
        cost=float(ours.sum() / full.sum()),
        cost_low=float(low),
        cost_high=float(high),
        missed=int((silent & ~stopped).sum()),
        ended=int(silent.sum()),
    )


Curves = dict[str, dict[float, Point]]
Replays = dict[tuple[str, float], list[int]]


def replays(networks: Sequence[Recording]) -> Replays:
    return {
        (name, value): replay(networks, make(value))
        for name, (_, values, make) in RULES.items()
        for value in values
    }


def curves(networks: Sequence[Recording], updates: Replays) -> Curves:
    return {
        name: {value: point(networks, updates[name, value]) for value in values}
        for name, (_, values, _) in RULES.items()
    }


def table(networks: Sequence[Recording], found: Curves) -> str:
    """Markdown."""
    silent = [r for r in networks if r.silent]
    planned = [r.planned for r in networks]
    least = sum(map(last_awake, silent)) / sum(r.planned for r in silent)
    lines = [
        f"{len(networks)} networks, {len(silent)} end silent; planned updates "
        f"{min(planned)} to {max(planned)}, mean {np.mean(planned):.0f}. Those that "
        f"end silent were last awake after {100 * least:.1f} % of their training.",
        "",
        "| rule | setting | stopped | false stops, % (95 %) | training paid, % (95 %) "
        "| silent, not stopped |",
        "|---|---|---|---|---|---|",
    ]
    for name, points in found.items():
        for value, point in points.items():
            low, high = (100 * share for share in point.false_interval())
            rate = 100 * point.false / max(point.stopped, 1)
            lines.append(
                f"| {name} | {RULES[name][0]}={value:g} | {point.stopped} "
                f"| {rate:.1f} ({low:.1f} to {high:.1f}) | {100 * point.cost:.1f} "
                f"({100 * point.cost_low:.1f} to {100 * point.cost_high:.1f}) "
                f"| {point.missed} of {point.ended} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    panels = {}
    for chosen in SETTINGS:
        if not sys.argv[2:] or chosen.name in sys.argv[2:]:
            record(chosen, target / chosen.name)
        together: list[Recording] = []
        paid: Replays = {}
        for used in chosen.networks:
            trained = recordings(target / chosen.name, used)
            if not trained:
                continue
            own = replays(trained)
            print(f"\n{chosen.name}, seed {used}: ", end="")
            print(table(trained, curves(trained, own)), flush=True)
            together += trained
            paid = {key: paid.get(key, []) + given for key, given in own.items()}
        if together:
            panels[chosen.name] = curves(together, paid)
        if len(chosen.networks) > 1 and together:
            print(f"\n{chosen.name}, all seeds: {table(together, panels[chosen.name])}")
    draw(panels, target)
