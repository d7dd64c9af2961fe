"""What the networks of a front do: rates of their stages, spikes of one sample.

Knows: the metrics of stages, the rasters that trainings leave. Must not know: torch,
how a network is built; nothing is trained or run.

A stage is a set of neurons that every path from the input to the read-out crosses; the
`k`-th has the metrics ``firing_rate.k``, ``dead_fraction.k``, ``silent_fraction.k``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from moosnn.history import History
from moosnn.snn.raster import Raster, Stage, read_raster
from moosnn.tracking.page.plain import evenly, plain, plains
from moosnn.trial import Trial

MOST_RASTERS = 12  # members, spread along the front
# Spikes of a stage; of more, fewer neurons are shown. More would be a grey field.
MOST_SPIKES = 3000


def networks_json(
    folder: Path, history: History, shown: Sequence[Trial], front: Sequence[int]
) -> dict[str, Any]:
    """The networks of a front as the page has them, by trial number.

    Args:
        folder: of the study.
        history: of the study.
        shown: every trial by number, with means where it was repeated.
        front: the members' numbers, by ascending first loss.
    """
    chosen = {front[place] for place in evenly(len(front), MOST_RASTERS)}
    found = {}
    for number in front:
        raster = _raster_of(folder, history, number) if number in chosen else None
        evaluation = shown[number].evaluation
        assert evaluation is not None, "on the front"
        network = _network(evaluation.metrics, raster)
        if network is not None:
            found[str(number)] = network
    return found


def _raster_of(folder: Path, history: History, number: int) -> Raster | None:
    attempt = history.trial(number).attempt
    return read_raster(folder / "trials" / f"{number:06d}" / str(attempt))


def _network(
    metrics: Mapping[str, float], raster: Raster | None
) -> dict[str, Any] | None:
    """One network; ``None`` if its task does not measure stages."""
    stages = sum(
        1 for _ in takewhile(lambda k: f"firing_rate.{k}" in metrics, count(1))
    )
    if not stages:
        return None
    if raster is not None and len(raster.stages) != stages:
        raster = None

    def column(metric: str) -> list[float | int | None]:
        return plains(metrics.get(f"{metric}.{k}") for k in range(1, stages + 1))

    return {
        "stages": (
            [stage.name for stage in raster.stages]
            if raster
            else [str(k) for k in range(1, stages + 1)]
        ),
        "neurons": [stage.neurons for stage in raster.stages] if raster else None,
        "rates_per_step": column("firing_rate"),
        "dead": column("dead_fraction"),
        "silent": column("silent_fraction"),
        "first_spike_step": column("first_spike_step"),
        "raster": _raster_json(raster) if raster else None,
    }


def _raster_json(raster: Raster) -> dict[str, Any]:
    return {
        "steps": max(len(stage.fired) for stage in raster.stages),
        "sample": raster.sample,
        "split": raster.split,
        "class": raster.truth,
        "answer": raster.answer,
        "stages": [_stage_json(stage) for stage in raster.stages],
    }


def _stage_json(stage: Stage) -> dict[str, Any]:
    """The spikes of as many evenly chosen neurons as `MOST_SPIKES` allow."""
    kept = list(range(len(stage.shown)))
    while stage.fired[:, kept].sum() > MOST_SPIKES and len(kept) > 1:
        kept = [kept[place] for place in evenly(len(kept), len(kept) // 2)]
    steps, places = stage.fired[:, kept].nonzero()
    return {
        "name": stage.name,
        "neurons": stage.neurons,
        "shown": len(kept),
        "spikes": stage.spikes,
        "rate": plain(stage.spikes / (stage.neurons * len(stage.fired))),
        "t": steps.tolist(),
        "i": [stage.shown[kept[place]] for place in places],
    }
