"""The task of the project: train a spiking network, measure it, judge its silence.

Knows: how a proposal becomes a trained network and an evaluation. Must not know:
objectives, optimizers, journals. torch is imported by the first evaluation.

A training that is interrupted goes on from the checkpoint of the attempt before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, nearest
from moosnn.rungs import Rungs
from moosnn.snn.data import DataSource
from moosnn.snn.data.digits import Digits
from moosnn.snn.gene_names import NAMES
from moosnn.snn.metrics import ALWAYS, METRICS, metrics_of
from moosnn.snn.robustness import Robustness, unasked
from moosnn.snn.silence import Edge, Watch
from moosnn.snn.stopping import watch_named
from moosnn.space import Params, Value
from moosnn.tasks.base import Context
from moosnn.tasks.snn_files import checkpoint_of, save
from moosnn.tasks.snn_points import Points
from moosnn.tasks.snn_rungs import AT_RUNGS, RungReports, first_measurable
from moosnn.tasks.torch_settings import (
    device_named,
    generator,
    torch_threads,
)
from moosnn.tasks.training_run import run_training
from moosnn.trial import Evaluation, Proposal

if TYPE_CHECKING:
    from moosnn.snn.learning.spent import Spent
    from moosnn.snn.learning.training import Fit, OnEpoch
    from moosnn.snn.network import SpikingNetwork
    from moosnn.snn.samples import Samples

# One stream of random numbers for each purpose, so that none shifts another.
_WEIGHTS, _TRAINING, _MEASURING, _CHIPS, _SHARE = range(5)


class SnnTask:
    """Trains by a learning rule and measures on real data.

    Args:
        data: where samples come from; ``None`` = the digits that ship with
            scikit-learn.
        fixed: values of parameters that the space does not search. What neither names
            has the value of `moosnn.snn.gene_names.defaults` under its learning rule.
        alpha: spikes below which a sample is silent in a stage, >= 1.
        beta: the share of silent samples that is still feasible, in [0, 1).
        stages: ``"all"``, or ``"last"`` = silence is judged before the read-out only.
        stop: the rule that ends a silent training early, see `moosnn.snn.stopping`.
        min_updates: a training is not stopped as silent before, >= 0; ``None`` = the
            rule's own number.
        max_parameters: larger networks are not tried; ``None`` = no limit.
        max_dense_ops: networks of more multiply-accumulates a sample, if every
            activation were nonzero, are not tried; ``None`` = no limit.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:0"``, … or ``"auto"``.
        checkpoint_s: seconds between two checkpoints of a training, >= 0.
        threads: of torch, >= 1; ``None`` = as many as the executor gave the trial.
            Equal seeds give equal bits with equal threads.
        robustness: which imperfect hardware is tried, a mapping of the attributes of
            `moosnn.snn.robustness.Robustness`; ``None`` = none.
        rungs: epochs after which a training tells how its network does on the
            validation split, the attributes of `moosnn.rungs.Rungs`; ``None`` = none.

    Attributes:
        unasked: of metrics that it could measure, what to set for them.
        at_rungs: the metrics that are told at rungs.
        reports_count: the parameter that says after how many reports a training ends.

    Raises:
        ConfigError: an unknown name or a value outside of its range.
    """

    metrics: tuple[str, ...] = METRICS
    always: tuple[str, ...] = ALWAYS
    parameters: frozenset[str] | None = NAMES
    at_rungs: tuple[str, ...] = AT_RUNGS
    reports_count = "epochs"

    def __init__(
        self,
        *,
        data: DataSource | None = None,
        fixed: Mapping[str, Value] | None = None,
        alpha: int = 1,
        beta: float = 0.10,
        stages: str = "all",
        stop: str = "drive",
        min_updates: int | None = None,
        max_parameters: int | None = None,
        max_dense_ops: int | None = None,
        device: str = "cpu",
        checkpoint_s: float = 60.0,
        threads: int | None = None,
        robustness: Mapping[str, object] | None = None,
        rungs: Mapping[str, int] | None = None,
    ) -> None:
        for name, value, low in (
            ("min_updates", min_updates, 0),
            ("max_parameters", max_parameters, 1),
            ("max_dense_ops", max_dense_ops, 1),
            ("threads", threads, 1),
        ):
            if value is not None:
                _require_at_least(name, value, low)
        kinds = ("auto", "cpu", "cuda")
        if device.partition(":")[0] not in kinds:
            raise ConfigError(f"device: got {device!r}.{nearest(device, kinds)}")
        self._source: DataSource = Digits() if data is None else data
        self._edge = Edge(alpha=alpha, beta=beta, stages=stages)
        self._stop = stop
        self._min_updates = min_updates
        if not (is_number(checkpoint_s) and checkpoint_s >= 0):
            raise ConfigError(
                f"checkpoint_s: expected seconds >= 0, got {checkpoint_s!r}."
            )
        self._checkpoint_s = checkpoint_s
        self._device = device
        self._threads = threads
        self._watch(planned=1, samples=1)  # a bad value shows up now
        limits = {"parameters": max_parameters, "dense_ops": max_dense_ops}
        self._points = Points(self._source, fixed or {}, limits)
        plan = self._robustness = Robustness.of(robustness)
        self.metrics = METRICS if plan is None else METRICS + plan.metrics
        self.unasked = unasked(plan)
        self._rungs = Rungs.of(rungs)

    def check(self, params: Params) -> None:
        """Refuse values that no network has, or none on these data.

        Raises as `moosnn.tasks.snn_points.Points.check`.
        """
        self._points.check(params)

    def refusal(self, params: Params) -> str | None:
        """Why a point makes no network, or one that is too large; else ``None``."""
        return self._points.refusal(params)

    def fingerprint(self) -> Mapping[str, str]:
        """The sha256 of the data and its splits."""
        return {"data": self._source.fingerprint()}

    def _watch(self, *, planned: int, samples: int) -> Watch:
        return watch_named(
            self._stop,
            self._edge,
            min_updates=self._min_updates,
            planned_updates=planned,
            samples_per_epoch=samples,
        )

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Train on the train split and measure on the validation split.

        A network stopped as silent is judged on the last 256 training samples that it
        saw, with the weights it has then; it has no accuracy and no loss. A pruned one
        is measured in full.

        Raises:
            DivergedError: the training left the finite numbers.
            ConfigError: a parameter that no network has.
        """
        with torch_threads(self._threads):
            return self._run(proposal, context, "validation", self._rungs)

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        """Train with the proposal's seed and measure once on the test split.

        Raises as `evaluate`.
        """
        with torch_threads(self._threads):
            return self._run(proposal, context, "test")

    def _run(
        self,
        proposal: Proposal,
        context: Context,
        split: str,
        rungs: Rungs | None = None,
    ) -> Evaluation:
        from moosnn.snn.learning.spent import resident_mb
        from moosnn.snn.learning.training import planned_updates
        from moosnn.snn.network import SpikingNetwork
        from moosnn.snn.raster import raster_of
        from moosnn.snn.samples import Samples

        start = time.perf_counter()
        device = device_named(self._device)
        genes, _ = self._points.plan(proposal.params)
        data = self._source.load(genes.time_steps, context.cache)
        train = Samples.of(data.train, data.input_max, device)
        if genes.training_share < 1:
            chosen = generator(proposal.seed, _SHARE)
            train = train.share(genes.training_share, chosen)
        shape, classes = data.description.shape, data.description.classes
        weights = generator(proposal.seed, _WEIGHTS)
        network = SpikingNetwork(genes, shape, classes, weights).to(device)
        code = partial(generator, proposal.seed, _MEASURING)
        report: OnEpoch = context.report
        if rungs is not None:
            judged = Samples.of(data.validation, data.input_max, device)
            report = RungReports(
                rungs=rungs,
                report=report,
                network=network,
                measure=lambda: metrics_of(
                    network, judged, self._edge, code(), answered=True
                )[0],
                epochs=genes.epochs,
                updates=planned_updates(len(train), genes.batch_size, 1),
                first=first_measurable(genes),
            )
        result, spent = self._trained(network, train, proposal, context, report)
        if result.stopped == "silent":
            split, samples = "train", train.only(result.recent)
        else:
            held_out = data.test if split == "test" else data.validation
            samples = Samples.of(held_out, data.input_max, device)
        answered = result.stopped != "silent"
        metrics, sems = metrics_of(
            network, samples, self._edge, code(), answered=answered
        )
        if self._robustness is not None and answered:
            chips = generator(proposal.seed, _CHIPS)
            lost, errors = self._robustness.measure(network, samples, code, chips)
            metrics, sems = {**metrics, **lost}, {**sems, **errors}
        save(
            context,
            network,
            data,
            raster_of(network, samples, code(), split) if answered else None,
            number=proposal.number,
            seed=proposal.seed,
            data_sha256=self._source.fingerprint(),
            measured_on=split,
            stopped=result.stopped,
        )
        return Evaluation(
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
            device=str(device),
        )

    def _trained(
        self,
        network: SpikingNetwork,
        train: Samples,
        proposal: Proposal,
        context: Context,
        report: OnEpoch,
    ) -> tuple[Fit, Spent]:
        """How the training of a new network went, and what it took."""
        from moosnn.snn.learning.rules import FITS
        from moosnn.snn.learning.training import Course, planned_updates

        genes = network.genes
        planned = planned_updates(len(train), genes.batch_size, genes.epochs)
        checkpoint = checkpoint_of(proposal, context, self._checkpoint_s)
        course = Course(
            generator=generator(proposal.seed, _TRAINING),
            watch=self._watch(planned=planned, samples=len(train)),
            on_epoch=report,
            checkpoint=checkpoint,
        )
        training = partial(FITS[genes.training], network, train, course)
        return run_training(training, checkpoint, train.device)


def _require_at_least(name: str, value: object, low: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise ConfigError(f"{name}: expected a whole number >= {low}, got {value!r}.")
