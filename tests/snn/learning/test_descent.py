"""A training that is interrupted and goes on is the training that was not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from moosnn.errors import ReleasedError
from moosnn.snn.data import Split
from moosnn.snn.learning.bptt import fit
from moosnn.snn.learning.checkpoint import NAME, Checkpoint
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import BatchSilence, Edge, Seen, Watch
from moosnn.snn.stopping import watch_named
from tests.snn.built import genes

SHAPE, CLASSES, COUNT = (2, 4, 4), 2, 90
EPOCHS, BATCHES = 4, 3
CONV: dict[str, Any] = {
    "architecture": "conv",
    "channels": 4,
    "depth": 2,
    "coding": "rate",
    "dropout": 0.2,
    "threshold": 0.3,
    "time_steps": 3,
    "batch_size": 30,
    "epochs": EPOCHS,
}


class Told:
    """What a training told its caller, and when that preempts it."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, Mapping[str, float]]] = []
        self.released_at = 0

    def on_epoch(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        self.heard.append((epoch, dict(metrics)))
        return False

    def preempted(self) -> bool:
        """Yes, once after every epoch."""
        ended = len(self.heard)
        if ended > self.released_at:
            self.released_at = ended
            return True
        return False


class StopsAt:
    """A watch that stops at an update, and remembers as those that ship do."""

    def __init__(self, update: int) -> None:
        self._update = update
        self._heard: list[BatchSilence] = []

    def update(self, seen: Seen) -> bool:
        counts = seen.stage_counts()
        silent = tuple(int(n) for n in (counts == 0).sum(0))
        peaks = (float(counts.max()),)
        one = BatchSilence(samples=len(counts), silent=silent, peaks=peaks)
        self._heard.append(one)
        return len(self._heard) == self._update

    def agrees(self, seen: Seen) -> bool:
        return True

    def heard(self) -> list[BatchSilence]:
        return list(self._heard)

    def hear_again(self, batches: Any) -> None:
        self._heard.extend(batches)


def samples() -> Samples:
    """Two classes: the brighter of the two channels decides."""
    inputs = np.random.default_rng(0).random((COUNT, *SHAPE), dtype=np.float32)
    first, second = inputs.reshape(COUNT, 2, 16).sum(2).T
    split = Split(inputs=inputs, labels=(first > second).astype(np.int64))
    return Samples.of(split, 1.0, torch.device("cpu"))


def attempt(
    watch: Watch, told: Told, checkpoint: Checkpoint, **changes: Any
) -> tuple[SpikingNetwork, Fit]:
    """One attempt, from a network and a generator as they are at the beginning."""
    generator = torch.Generator().manual_seed(1)
    chosen = genes(**{**CONV, **changes})
    net = SpikingNetwork(chosen, SHAPE, CLASSES, generator)
    course = Course(
        generator=generator,
        watch=watch,
        on_epoch=told.on_epoch,
        checkpoint=checkpoint,
    )
    return net, fit(net, samples(), course)


def interrupted(
    folder: Path, make_watch: Any, **changes: Any
) -> tuple[SpikingNetwork, Fit, Told, int]:
    """Attempts that are preempted after every epoch, until one comes to the end."""
    told = Told()
    for number in range(1, 2 * EPOCHS):
        (folder / str(number)).mkdir()
        checkpoint = Checkpoint(
            folder / str(number) / NAME,
            [folder / str(number - 1) / NAME],
            every_s=1e9,
            preempted=told.preempted,
        )
        try:
            net, result = attempt(make_watch(), told, checkpoint, **changes)
        except ReleasedError:
            continue
        return net, result, told, number
    raise AssertionError("it never ends")


def shipped(rule: str, min_updates: int | None = None) -> Watch:
    return watch_named(
        rule,
        Edge(alpha=1, beta=0.1, stages="all"),
        min_updates=min_updates,
        planned_updates=EPOCHS * BATCHES,
        samples_per_epoch=COUNT,
    )


def never() -> Watch:
    return shipped("none")


def drive() -> Watch:
    """So soon that what it judges by spans an interruption."""
    return shipped("drive", min_updates=5)


def state_of(net: SpikingNetwork) -> dict[str, Tensor]:
    return dict(net.state_dict())


def assert_same(tmp_path: Path, make_watch: Any, **changes: Any) -> tuple[Fit, int]:
    """The same weights, statistics, end and told metrics; the end and the attempts."""
    whole_told = Told()
    whole, expected = attempt(make_watch(), whole_told, Checkpoint(), **changes)
    net, found, told, attempts = interrupted(tmp_path, make_watch, **changes)
    assert state_of(net).keys() == state_of(whole).keys()
    for name, tensor in state_of(whole).items():
        assert torch.equal(state_of(net)[name], tensor), name
    assert (found.updates, found.planned) == (expected.updates, expected.planned)
    assert found.stopped == expected.stopped
    assert torch.equal(found.recent, expected.recent)
    assert told.heard == whole_told.heard
    return found, attempts


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dropout": 0.0, "coding": "direct"},
        {"architecture": "mlp", "coding": "rate", "neuron_1": "plif"},
        {"architecture": "sew", "coding": "latency", "activity_penalty": 0.1},
    ],
)
def test_a_training_interrupted_after_every_epoch_is_the_same(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    found, attempts = assert_same(tmp_path, never, **changes)
    assert (found.updates, found.stopped) == (EPOCHS * BATCHES, None)
    assert attempts == EPOCHS  # nothing is left to be preempted after the last epoch


def test_a_batch_norm_and_a_dropout_are_there_to_be_restored() -> None:
    net, _ = attempt(never(), Told(), Checkpoint(), epochs=1)
    assert any(name.endswith("norm.variance") for name in state_of(net))
    assert net.genes.dropout > 0


@pytest.mark.parametrize("update", [2, 7, 9])
def test_a_watch_stops_at_the_same_update(tmp_path: Path, update: int) -> None:
    found, _ = assert_same(tmp_path, lambda: StopsAt(update))
    assert (found.updates, found.stopped) == (update, "silent")


def test_the_drive_rule_stops_a_silent_training_at_the_same_update(
    tmp_path: Path,
) -> None:
    silent = {"architecture": "mlp", "threshold": 1e3, "depth": 1, "width_1": 16}
    found, attempts = assert_same(tmp_path, drive, **silent)
    assert found.stopped == "silent"
    assert BATCHES < found.updates < EPOCHS * BATCHES
    assert attempts > 1


def test_an_attempt_that_was_not_asked_to_go_goes_on_from_its_last_checkpoint(
    tmp_path: Path,
) -> None:
    """Killed in the third epoch: what came after the checkpoint is done again."""

    class Killed(Exception):  # noqa: N818 -- it is no error of the training
        pass

    class Kills(Told):
        def on_epoch(self, epoch: int, metrics: Mapping[str, float]) -> bool:
            super().on_epoch(epoch, metrics)
            if epoch == 3:
                raise Killed
            return False

    first, second, whole_told = Kills(), Told(), Told()
    path = tmp_path / NAME
    with pytest.raises(Killed):
        attempt(never(), first, Checkpoint(path, every_s=0))
    net, found = attempt(never(), second, Checkpoint(earlier=[path]))
    whole, expected = attempt(never(), whole_told, Checkpoint())
    assert [epoch for epoch, _ in second.heard] == [3, 4]
    assert first.heard[:2] + second.heard == whole_told.heard
    assert found.updates == expected.updates
    for name, tensor in state_of(whole).items():
        assert torch.equal(state_of(net)[name], tensor), name
