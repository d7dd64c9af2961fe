"""One training of a network, whatever it is, and what is measured of it.

Knows: splits, a watch, a checkpoint, rungs, the clock, what torch says of numbers too
large. Must not know: how a network is made, trained and measured, points of a search,
objectives. torch is imported when something is trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from moosnn.errors import DivergedError
from moosnn.rungs import Rungs
from moosnn.snn.data import Dataset
from moosnn.snn.metrics import Metrics
from moosnn.snn.silence import Edge
from moosnn.snn.silence_updates import over_training
from moosnn.tasks.base import Context
from moosnn.tasks.regime import Regime
from moosnn.tasks.snn_files import checkpoint_of
from moosnn.tasks.snn_rungs import RungReports
from moosnn.tasks.torch_settings import generator, left_the_numbers
from moosnn.trial import Evaluation, Proposal

if TYPE_CHECKING:
    import torch

    from moosnn.snn.activity import Network
    from moosnn.snn.learning.checkpoint import Checkpoint
    from moosnn.snn.learning.spent import Spent
    from moosnn.snn.learning.training import Course, Fit, OnEpoch
    from moosnn.snn.samples import Samples

# Streams of random numbers, one for each purpose, so that none shifts another.
WEIGHTS, TRAINING, MEASURING = range(3)


class Measure(Protocol):
    """Says everything of the network, see `moosnn.snn.metrics.metrics_of`."""

    def __call__(
        self,
        samples: Samples,
        edge: Edge,
        generator: torch.Generator,
        *,
        answered: bool,
    ) -> tuple[Metrics, Metrics]:
        """Metrics and standard errors."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a training.

    Attributes:
        evaluation: what was measured.
        samples: on which.
        split: of which: ``"train"`` of a network that was stopped as silent.
    """

    evaluation: Evaluation
    samples: Samples
    split: str

    @property
    def answers(self) -> bool:
        """Whether the network learned to answer."""
        return self.evaluation.stopped != "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training.

    Attributes:
        regime: of the study.
        network: new, on the device.
        fit: trains it.
        measure: says everything of it.
        data: the splits.
        train: what it learns from.
        proposal: that is tried.
        context: of the attempt.
        rungs: epochs after which it tells how it does on the validation split.
        first: the first epoch after which there is a network to measure.
        blind: whether it hides its membranes.
    """

    regime: Regime
    network: Network
    fit: Callable[[Samples, Course], Fit]
    measure: Measure
    data: Dataset
    train: Samples
    proposal: Proposal
    context: Context
    rungs: Rungs | None = None
    first: int = 1
    blind: bool = False

    def outcome(self, split: str) -> Outcome:
        """Train, then measure.

        A network stopped as silent is judged on the last 256 training samples that it
        saw, with the weights it has then; it has no accuracy and no loss. Of any other
        the spikes of one sample are kept, for a picture. A pruned one is measured in
        full.

        Args:
            split: ``"validation"`` or ``"test"``.

        Raises:
            DivergedError: the training left the finite numbers.
            ReleasedError: it had to make room; its checkpoint is written.
        """
        from moosnn.snn.learning.spent import resident_mb

        start = time.perf_counter()
        result, spent, told = self._trained()
        silent = result.stopped == "silent"
        samples = self.train.only(result.recent) if silent else self._held_out(split)
        metrics, sems = self.measure(
            samples, self.regime.edge, self.code(), answered=not silent
        )
        if not silent:
            self._draw(samples, split)
        evaluation = Evaluation(
            metrics={
                **metrics,
                **told,
                "work_saved": result.work_saved,
                "training_s": spent.seconds,
                "training_memory_mb": spent.memory_mb or 0.0,
                "resident_mb": resident_mb() or 0.0,
            },
            sems=sems,
            stopped=result.stopped,
            seconds=time.perf_counter() - start,
            training_s=spent.seconds,
            device=str(self.train.device),
        )
        return Outcome(
            evaluation=evaluation, samples=samples, split="train" if silent else split
        )

    def code(self) -> torch.Generator:
        """Of the code of whatever is measured: each time the same numbers."""
        return generator(self.proposal.seed, MEASURING)

    def _draw(self, samples: Samples, split: str) -> None:
        from moosnn.snn.raster import raster_of, save_raster

        raster = raster_of(self.network, samples, self.code(), split)
        save_raster(self.context.workdir, raster)

    def _held_out(self, split: str) -> Samples:
        from moosnn.snn.samples import Samples

        held_out = self.data.test if split == "test" else self.data.validation
        return Samples.of(held_out, self.data.input_max, self.train.device)

    def _trained(self) -> tuple[Fit, Spent, dict[str, float]]:
        """How the training went, what it took, what the watch saw."""
        from moosnn.snn.learning.training import Course, planned_updates

        genes, samples = self.network.genes, len(self.train)
        checkpoint = checkpoint_of(
            self.proposal, self.context, self.regime.checkpoint_s
        )
        watch = self.regime.watch(
            planned=planned_updates(samples, genes.batch_size, genes.epochs),
            samples=samples,
            blind=self.blind,
        )
        course = Course(
            generator=generator(self.proposal.seed, TRAINING),
            watch=watch,
            on_epoch=self._on_epoch(),
            checkpoint=checkpoint,
        )
        training = partial(self.fit, self.train, course)
        result, spent = run_training(training, checkpoint, self.train.device)
        return result, spent, over_training(watch.heard(), self.regime.edge).metrics()

    def _on_epoch(self) -> OnEpoch:
        from moosnn.snn.learning.training import planned_updates

        if self.rungs is None:
            return self.context.report
        held_out = self._held_out("validation")
        genes = self.network.genes
        return RungReports(
            rungs=self.rungs,
            report=self.context.report,
            network=self.network,
            measure=lambda: self.measure(
                held_out, self.regime.edge, self.code(), answered=True
            )[0],
            epochs=genes.epochs,
            updates=planned_updates(len(self.train), genes.batch_size, 1),
            first=self.first,
        )


def train_split(
    data: Dataset, share: float, device: torch.device, chosen: torch.Generator
) -> Samples:
    """What a network learns from.

    Args:
        data: the splits.
        share: of each class, in (0, 1].
        device: of the training.
        chosen: which of them.
    """
    from moosnn.snn.samples import Samples

    train = Samples.of(data.train, data.input_max, device)
    return train if share == 1 else train.share(share, chosen)


def run_training(
    fit: Callable[[], Fit], checkpoint: Checkpoint, device: torch.device
) -> tuple[Fit, Spent]:
    """Train to the end.

    Args:
        fit: trains.
        checkpoint: of the training; it is gone afterwards, but if it had to make room.
        device: that it is trained on.

    Returns:
        How it went, and what it took, earlier attempts included.

    Raises:
        DivergedError: it left the finite numbers.
        ReleasedError: it had to make room; its checkpoint is written.
    """
    from moosnn.snn.learning.spent import spending

    with spending(device) as spent:
        try:
            result = fit()
        except (ArithmeticError, RuntimeError) as error:
            if not left_the_numbers(error):
                raise
            checkpoint.remove()
            raise DivergedError(f"a number too large: {error}") from error
        except DivergedError:
            checkpoint.remove()
            raise
    spent.seconds += checkpoint.earlier_s
    checkpoint.remove()
    return result, spent
