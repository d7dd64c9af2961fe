"""One training of somebody's network, and what is measured of it.

Knows: splits, a watch, a checkpoint, rungs. Must not know: factories, points of a
search, objectives. torch is imported when something is trained.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from moosnn.rungs import Rungs
from moosnn.snn.data import Dataset
from moosnn.snn.silence import Edge, Watch
from moosnn.snn.stopping import watch_named
from moosnn.tasks.base import Context
from moosnn.tasks.snn_files import checkpoint_of
from moosnn.tasks.snn_rungs import RungReports
from moosnn.tasks.torch_settings import generator
from moosnn.tasks.training_run import run_training
from moosnn.trial import Evaluation, Proposal

if TYPE_CHECKING:
    import torch

    from moosnn.snn.hooks_network import HookedNetwork
    from moosnn.snn.learning.spent import Spent
    from moosnn.snn.learning.training import Fit, OnEpoch
    from moosnn.snn.network import SpikingNetwork
    from moosnn.snn.samples import Samples

# One stream of random numbers for each purpose, so that none shifts another.
WEIGHTS, _TRAINING, _MEASURING, _SHARE = range(4)
_NEEDS_MEMBRANES = "drive"
_BLIND = "sequential"  # counts spikes only: for what does not show its membrane


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """What all trainings of a study have in common.

    Attributes:
        edge: what counts as silent.
        stop: the rule that ends a silent training, see `moosnn.snn.stopping`.
        min_updates: before which it does not; ``None`` = the rule's own.
        checkpoint_s: seconds between two checkpoints.
    """

    edge: Edge
    stop: str
    min_updates: int | None
    checkpoint_s: float

    def watch(self, *, blind: bool, planned: int, samples: int) -> Watch:
        """The rule for one training.

        Args:
            blind: whether the network hides its membranes.
            planned: updates.
            samples: of the training split.

        Raises:
            ConfigError: no rule has that name.
        """
        hidden = blind and self.stop == _NEEDS_MEMBRANES
        return watch_named(
            _BLIND if hidden else self.stop,
            self.edge,
            min_updates=self.min_updates,
            planned_updates=planned,
            samples_per_epoch=samples,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training.

    Attributes:
        regime: of the study.
        network: new, on the device.
        data: the splits.
        device: of the network.
        proposal: that is tried.
        context: of the attempt.
        rungs: epochs after which it tells how it does on the validation split.
    """

    regime: Regime
    network: HookedNetwork
    data: Dataset
    device: torch.device
    proposal: Proposal
    context: Context
    rungs: Rungs | None = None

    def evaluation(self, split: str) -> tuple[Evaluation, str]:
        """Train, then measure.

        A network stopped as silent is judged on the last 256 training samples that it
        saw; it has no accuracy and no loss.

        Args:
            split: ``"validation"`` or ``"test"``.

        Returns:
            What was measured, and on which split.

        Raises:
            DivergedError: the training left the finite numbers.
            ReleasedError: it had to make room; its checkpoint is written.
        """
        from moosnn.snn.hooks_measure import metrics_of
        from moosnn.snn.learning.spent import resident_mb

        start = time.perf_counter()
        train = self._train_split()
        result, spent = self._trained(train)
        silent = result.stopped == "silent"
        samples = train.only(result.recent) if silent else self._held_out(split)
        metrics, sems = metrics_of(
            self.network, samples, self.regime.edge, self._code(), answered=not silent
        )
        if not silent:
            self._draw(samples, split)
        found = Evaluation(
            metrics={
                **metrics,
                "work_saved": result.work_saved,
                "training_s": spent.seconds,
                "training_memory_mb": spent.memory_mb or 0.0,
                "resident_mb": resident_mb() or 0.0,
            },
            sems=sems,
            stopped=result.stopped,
            seconds=time.perf_counter() - start,
            training_s=spent.seconds,
            device=str(self.device),
        )
        return found, "train" if silent else split

    def _draw(self, samples: Samples, split: str) -> None:
        """Keep the spikes of one sample, for a picture."""
        from moosnn.snn.raster import raster_of, save_raster

        # Of a network it asks what it did, and the names of its layers.
        network = cast("SpikingNetwork", self.network)
        raster = raster_of(network, samples, self._code(), split)
        save_raster(self.context.workdir, raster)

    def _train_split(self) -> Samples:
        from moosnn.snn.samples import Samples

        train = Samples.of(self.data.train, self.data.input_max, self.device)
        share = self.network.genes.training_share
        if share == 1:
            return train
        return train.share(share, generator(self.proposal.seed, _SHARE))

    def _held_out(self, split: str) -> Samples:
        from moosnn.snn.samples import Samples

        held_out = self.data.test if split == "test" else self.data.validation
        return Samples.of(held_out, self.data.input_max, self.device)

    def _code(self) -> torch.Generator:
        return generator(self.proposal.seed, _MEASURING)

    def _trained(self, train: Samples) -> tuple[Fit, Spent]:
        """How the training went, and what it took."""
        from moosnn.snn.hooks_learning import fit
        from moosnn.snn.learning.training import Course, planned_updates

        genes = self.network.genes
        checkpoint = checkpoint_of(
            self.proposal, self.context, self.regime.checkpoint_s
        )
        course = Course(
            generator=generator(self.proposal.seed, _TRAINING),
            watch=self.regime.watch(
                blind=not self.network.knows_membranes(),
                planned=planned_updates(len(train), genes.batch_size, genes.epochs),
                samples=len(train),
            ),
            on_epoch=self._on_epoch(len(train)),
            checkpoint=checkpoint,
        )
        training = partial(fit, self.network, train, course)
        return run_training(training, checkpoint, train.device)

    def _on_epoch(self, samples: int) -> OnEpoch:
        from moosnn.snn.hooks_measure import metrics_of
        from moosnn.snn.learning.training import planned_updates

        if self.rungs is None:
            return self.context.report
        held_out = self._held_out("validation")
        genes, edge = self.network.genes, self.regime.edge
        return RungReports(
            rungs=self.rungs,
            report=self.context.report,
            network=self.network,
            measure=lambda: metrics_of(
                self.network, held_out, edge, self._code(), answered=True
            )[0],
            epochs=genes.epochs,
            updates=planned_updates(samples, genes.batch_size, 1),
        )
