"""The recordings of tests/bench/silence_curves.py: networks trained in full, watched.

A recording is a file of FOLDER/DATA; an empty one is in work. Networks are Sobol points
of ``space=nas``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.stats import qmc

from moosnn.errors import DivergedError
from moosnn.snn.data.random_manifolds import RandomManifolds
from moosnn.snn.silence import BatchSilence, Edge, Seen
from moosnn.space import Space
from moosnn.tasks.snn import SnnTask
from moosnn.trial import Proposal
from tests.helpers import load_yaml

EDGE = Edge()
NO_CHECKPOINT_S = 1e9  # a training that is cut off is made again


@dataclass(frozen=True, kw_only=True)
class Setting:
    """On which data, which networks.

    Attributes:
        name: of the folder.
        networks: of each seed.
        task: arguments of `SnnTask`, made when needed.
        space: changes to ``space=nas``; ``None`` takes a parameter out.
    """

    name: str
    networks: Mapping[int, int]
    task: Callable[[], dict[str, Any]]
    space: Mapping[str, Any] = field(default_factory=dict)


def manifolds() -> dict[str, Any]:
    """32,000 training samples: 500 updates an epoch at the one batch size."""
    source = RandomManifolds(samples_per_class=5000)
    return {"data": source, "fixed": {"coding": "frames", "batch_size": 64}}


def long_manifolds() -> dict[str, Any]:
    """16,000 training samples: 500 updates an epoch at the smallest batch of `nas`."""
    source = RandomManifolds(samples_per_class=2500)
    return {"data": source, "fixed": {"coding": "frames", "batch_size": 32}}


def _width(layer: int) -> dict[str, Any]:
    """A quarter of the widest: a training of 2,000 updates in seconds."""
    body: dict[str, Any] = {"int": [8, 64], "log": True}
    return body if layer == 1 else {**body, "when": {"depth": {"min": layer}}}


SETTINGS = (
    Setting(name="digits", networks={0: 700, 1: 700}, task=dict),
    Setting(
        name="manifolds",
        networks={0: 150},
        task=manifolds,
        space={
            **{f"width_{k}": _width(k) for k in range(1, 5)},
            "coding": None,
            "batch_size": None,
            "time_steps": {"int": [2, 6]},
            "epochs": {"int": [2, 4]},
        },
    ),
    Setting(  # widths and epochs are those of `nas`: 1,000 to 7,500 updates
        name="manifolds-long",
        networks={1: 256},
        task=long_manifolds,
        # At one step all samples of this set are alike: each unit spikes once in each.
        space={"coding": None, "batch_size": None, "time_steps": {"int": [2, 6]}},
    ),
)


@dataclass(frozen=True)
class Recording:
    """One network, trained in full.

    Attributes:
        batches: of every update but the last, at which nothing is left to stop.
        silent: whether it ended beyond the edge, on the validation split.
        samples: of an epoch.
    """

    batches: tuple[BatchSilence, ...]
    silent: bool
    samples: int

    @property
    def planned(self) -> int:
        return len(self.batches) + 1


class Recorder:
    """A watch that never stops and remembers."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.rows: list[tuple[int, list[int], list[float]]] = []

    def update(self, seen: Seen) -> bool:
        counts = seen.stage_counts()
        silent = (counts < EDGE.alpha).sum(0).tolist()
        peaks = seen.stage_nearness(EDGE.alpha).amax(0).tolist()
        self.rows.append((len(counts), silent, peaks))
        return False

    def heard(self) -> list[BatchSilence]:
        return []  # of what is told at the end of a training, nothing is recorded


class Context:
    """A worker that never interferes."""

    attempt = 1

    def __init__(self, folder: Path) -> None:
        self.workdir = folder
        self.cache = folder / "cache"

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        return False

    def preempted(self) -> bool:
        return False


def record(setting: Setting, folder: Path) -> None:
    """Train what has no recording yet."""
    folder.mkdir(parents=True, exist_ok=True)
    body = {**load_yaml("space/nas"), **setting.space}
    space = Space.from_config({k: v for k, v in body.items() if v is not None})
    task = SnnTask(threads=1, checkpoint_s=NO_CHECKPOINT_S, **setting.task())
    for seed, count in setting.networks.items():
        engine = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(seed))
        for number in range(count):
            params = space.decode(engine.random(1)[0])
            path = folder / f"{seed}-{number:05d}.npz"
            if not _claimed(path):
                _save(path, _train(task, params, seed * 100_000 + number, folder))


def _claimed(path: Path) -> bool:
    """Whether somebody has it; an empty file says so while it is being trained."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return True
    return False


def _train(
    task: SnnTask, params: Mapping[str, Any], seed: int, folder: Path
) -> dict[str, Any]:
    """A full training; without rows if it diverged."""
    made: list[Recorder] = []

    def recorder(*_: object, samples_per_epoch: int, **__: object) -> Recorder:
        made.append(Recorder(samples_per_epoch))
        return made[-1]

    proposal = Proposal(number=0, params=params, seed=seed, origin="bench", seen=0)
    context = Context(folder)
    try:
        with patch("moosnn.tasks.regime.watch_named", recorder):
            done = task.evaluate(proposal, context)
    except DivergedError:
        return {"rows": [], "params": params}
    return {
        "rows": made[-1].rows,
        "params": params,
        "metrics": dict(done.metrics),
        "seconds": done.seconds,
        "samples": made[-1].samples,
    }


def _save(path: Path, found: dict[str, Any]) -> None:
    rows = found.pop("rows")
    fresh = path.with_suffix(f".{os.getpid()}.tmp.npz")
    np.savez_compressed(
        fresh,
        about=json.dumps(found),
        sizes=np.array([row[0] for row in rows], dtype=np.int32),
        silent=np.array([row[1] for row in rows], dtype=np.int32),
        peaks=np.array([row[2] for row in rows], dtype=np.float32),
    )
    fresh.replace(path)


def recordings(folder: Path, seed: int) -> list[Recording]:
    """What was trained; diverged networks and those in work are left out."""
    found = []
    for path in sorted(folder.glob(f"{seed}-?????.npz")):  # no half-written one
        if path.stat().st_size == 0:
            continue
        with np.load(path) as arrays:
            about = json.loads(str(arrays["about"]))
            columns = [arrays[name].tolist() for name in ("sizes", "silent", "peaks")]
        batches = tuple(
            BatchSilence(samples=size, silent=tuple(silent), peaks=tuple(peaks))
            for size, silent, peaks in zip(*columns, strict=True)
        )
        if batches:
            ended = about["metrics"]["silent_fraction"] > EDGE.beta
            found.append(Recording(batches, ended, about["samples"]))
    return found
