"""The task of the project: train a spiking network, measure it, judge its silence.

Knows: how a proposal becomes a trained network and an evaluation. Must not know:
objectives, optimizers, journals. torch is imported by the first evaluation.

A training that is interrupted goes on from the checkpoint of the attempt before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from moosnn.rungs import Rungs
from moosnn.snn.data import DataSource
from moosnn.snn.data.digits import Digits
from moosnn.snn.gene_names import NAMES
from moosnn.snn.metrics import ALWAYS, METRICS, metrics_of
from moosnn.snn.robustness import Robustness, unasked
from moosnn.snn.silence import Edge
from moosnn.space import Params, Value
from moosnn.tasks.base import Abilities, Context
from moosnn.tasks.regime import Regime, require_at_least
from moosnn.tasks.snn_files import save
from moosnn.tasks.snn_points import Points
from moosnn.tasks.snn_rungs import AT_RUNGS, first_measurable
from moosnn.tasks.torch_settings import (
    device_named,
    generator,
    torch_threads,
)
from moosnn.tasks.training_run import MEASURING, WEIGHTS, Run, train_split
from moosnn.trial import Evaluation, Proposal

_CHIPS, _SHARE = range(MEASURING + 1, MEASURING + 3)


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

    Raises:
        ConfigError: an unknown name or a value outside of its range.
    """

    metrics: tuple[str, ...] = METRICS
    always: tuple[str, ...] = ALWAYS
    parameters: frozenset[str] | None = NAMES

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
        require_at_least("max_parameters", max_parameters, 1)
        require_at_least("max_dense_ops", max_dense_ops, 1)
        self._source: DataSource = Digits() if data is None else data
        self._regime = Regime(
            edge=Edge(alpha=alpha, beta=beta, stages=stages),
            stop=stop,
            min_updates=min_updates,
            checkpoint_s=checkpoint_s,
            device=device,
            threads=threads,
        )
        limits = {"parameters": max_parameters, "dense_ops": max_dense_ops}
        self._points = Points(self._source, fixed or {}, limits)
        plan = self._robustness = Robustness.of(robustness)
        self.metrics = METRICS if plan is None else METRICS + plan.metrics
        self.abilities = Abilities(
            unasked=unasked(plan),
            at_rungs=AT_RUNGS,
            reports_count="epochs",
            on_gpus=self._regime.on_gpus,
        )
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

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Train on the train split and measure on the validation split.

        See `moosnn.tasks.training_run.Run`.

        Raises:
            DivergedError: the training left the finite numbers.
            ConfigError: a parameter that no network has.
        """
        with torch_threads(self._regime.threads):
            return self._run(proposal, context, "validation", self._rungs)

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        """Train with the proposal's seed and measure once on the test split.

        Raises as `evaluate`.
        """
        with torch_threads(self._regime.threads):
            return self._run(proposal, context, "test")

    def _run(
        self,
        proposal: Proposal,
        context: Context,
        split: str,
        rungs: Rungs | None = None,
    ) -> Evaluation:
        from moosnn.snn.learning.rules import FITS
        from moosnn.snn.network import SpikingNetwork

        seed = proposal.seed
        device = device_named(self._regime.device)
        genes, _ = self._points.plan(proposal.params)
        data = self._source.load(genes.time_steps, context.cache)
        chosen = generator(seed, _SHARE)
        train = train_split(data, genes.training_share, device, chosen)
        shape, classes = data.description.shape, data.description.classes
        weights = generator(seed, WEIGHTS)
        network = SpikingNetwork(genes, shape, classes, weights).to(device)
        run = Run(
            regime=self._regime,
            network=network,
            fit=partial(FITS[genes.training], network),
            measure=partial(metrics_of, network),
            data=data,
            train=train,
            proposal=proposal,
            context=context,
            rungs=rungs,
            first=first_measurable(genes),
        )
        outcome = run.outcome(split)
        found = outcome.evaluation
        if self._robustness is not None and outcome.answers:
            chips = generator(seed, _CHIPS)
            lost, errors = self._robustness.measure(
                network, outcome.samples, run.code, chips
            )
            found = replace(
                found,
                metrics={**found.metrics, **lost},
                sems={**found.sems, **errors},
            )
        save(
            context,
            network,
            data,
            number=proposal.number,
            seed=seed,
            data_sha256=self._source.fingerprint(),
            measured_on=outcome.split,
            stopped=found.stopped,
        )
        return found
