"""The task of the project: train a spiking network, measure it, judge its silence.

Knows: how a proposal becomes a trained network and an evaluation. Must not know:
objectives, optimizers, journals. torch is imported by the first evaluation.

A trial has no checkpoint: a training of about a second is cheaper to run again, so
``context.preempted()`` is not asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moosnn.errors import ConfigError, nearest
from moosnn.snn.data import Dataset, Split, check_dataset, load_dataset
from moosnn.snn.genes import DEFAULTS, MAX_DEPTH, NAMES, Genes
from moosnn.snn.silence import Edge, Silence, SilenceWatch, silence_of
from moosnn.space import Params, Value
from moosnn.tasks.base import Context
from moosnn.trial import Evaluation, Proposal

if TYPE_CHECKING:
    import torch

    from moosnn.snn.learning.bptt import Fit
    from moosnn.snn.network import SpikingNetwork

# One stream of random numbers for each purpose, so that none shifts another.
_WEIGHTS, _TRAINING, _MEASURING = range(3)

_STAGES = tuple(range(1, MAX_DEPTH + 1))
_METRICS = (
    "accuracy",
    "loss",
    "spikes_per_sample",
    "firing_rate",
    "silence_margin",
    "silent_fraction",
    "work_saved",
    "parameters",
    "time_steps",
    *(f"spikes_per_sample.{k}" for k in _STAGES),
    *(f"silent_fraction.{k}" for k in _STAGES),
)


class SnnTask:
    """Trains by surrogate gradients and measures on real data.

    Args:
        data: name of a data set; ``"digits"`` ships with scikit-learn.
        split_seed: of train, validation and test; no study's seed changes it.
        fixed: values of parameters that the space does not search. What neither names
            has the value of `moosnn.snn.genes.DEFAULTS`.
        alpha: spikes below which a sample is silent in a stage, >= 1.
        beta: the share of silent samples that is still feasible, in [0, 1).
        min_updates: a training is not stopped as silent before, >= 0.
        stages: ``"all"``, or ``"last"`` = silence is judged before the read-out only.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:0"``, … or ``"auto"``.
        threads: of torch, >= 1; ``None`` = as many as the executor gave the trial.
            Equal seeds give equal bits with equal threads.

    Raises:
        ConfigError: an unknown name or a value outside of its range.
    """

    metrics: tuple[str, ...] = _METRICS
    parameters: frozenset[str] | None = NAMES

    def __init__(
        self,
        *,
        data: str = "digits",
        split_seed: int = 0,
        fixed: Mapping[str, Value] | None = None,
        alpha: int = 1,
        beta: float = 0.10,
        min_updates: int = 100,
        stages: str = "all",
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        check_dataset(data)
        _require_at_least("split_seed", split_seed, 0)
        _require_at_least("min_updates", min_updates, 0)
        _require_at_least("threads", 1 if threads is None else threads, 1)
        kinds = ("auto", "cpu", "cuda")
        if device.partition(":")[0] not in kinds:
            raise ConfigError(f"device: got {device!r}.{nearest(device, kinds)}")
        self._data = data
        self._split_seed = split_seed
        self._fixed = dict(fixed or {})
        self._edge = Edge(alpha=alpha, beta=beta, stages=stages)
        self._min_updates = min_updates
        self._device = device
        self._threads = threads
        self.check({})  # a bad value shows up now

    def check(self, params: Params) -> None:
        """Refuse values that no network has.

        Raises:
            ConfigError: with the nearest or the range.
        """
        Genes.from_params({**DEFAULTS, **self._fixed, **params})

    def fingerprint(self) -> Mapping[str, str]:
        """The sha256 of the data and its splits."""
        return {"data": self._load().fingerprint}

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Train on the train split and measure on the validation split.

        A network stopped as silent is judged on the last 256 training samples that it
        saw, with the weights it has then; it has no accuracy, loss, spikes or firing
        rate. A pruned one is measured in full.

        Raises:
            DivergedError: the training left the finite numbers.
            ConfigError: a parameter that no network has.
        """
        with _torch_threads(self._threads):
            return self._run(proposal, context, self._load().validation, "validation")

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        """Train with the proposal's seed and measure once on the test split.

        Raises as `evaluate`.
        """
        with _torch_threads(self._threads):
            return self._run(proposal, context, self._load().test, "test")

    def _load(self) -> Dataset:
        return load_dataset(self._data, self._split_seed)

    def _run(
        self, proposal: Proposal, context: Context, split: Split, name: str
    ) -> Evaluation:

        from moosnn.snn.learning.bptt import fit
        from moosnn.snn.network import SpikingNetwork

        start = time.perf_counter()
        device = self._torch_device()
        genes = Genes.from_params({**DEFAULTS, **self._fixed, **proposal.params})
        data = self._load()
        seed = proposal.seed
        network = SpikingNetwork(
            genes, data.features, data.classes, _generator(seed, _WEIGHTS)
        ).to(device)
        inputs, labels = _tensors(data.train, device)
        result = fit(
            network,
            inputs,
            labels,
            generator=_generator(seed, _TRAINING),
            watch=SilenceWatch(self._edge, self._min_updates),
            on_epoch=context.report,
        )
        if result.stopped == "silent":
            recent = result.recent.to(device)
            inputs, labels, name = inputs[recent], labels[recent], "train"
        else:
            inputs, labels = _tensors(split, device)
        metrics, sems = self._measured(network, inputs, labels, seed, result)
        self._save(context, network, proposal, name, result.stopped)
        return Evaluation(
            metrics=metrics,
            sems=sems,
            stopped=result.stopped,
            seconds=time.perf_counter() - start,
            device=str(device),
        )

    def _measured(
        self,
        network: SpikingNetwork,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        seed: int,
        result: Fit,
    ) -> tuple[dict[str, float], dict[str, float]]:
        from moosnn.snn.measure import measure, working_metrics

        seen = measure(
            network,
            inputs,
            labels,
            alpha=self._edge.alpha,
            generator=_generator(seed, _MEASURING),
        )
        metrics = {
            **_silence_metrics(silence_of(seen.spikes, seen.near, self._edge)),
            "work_saved": result.work_saved,
            "parameters": float(network.parameter_count()),
            "time_steps": float(network.genes.time_steps),
        }
        if result.stopped == "silent":
            return metrics, {}
        working, sems = working_metrics(seen, network.genes)
        return {**metrics, **working}, sems

    def _save(
        self,
        context: Context,
        network: SpikingNetwork,
        proposal: Proposal,
        measured_on: str,
        stopped: str | None,
    ) -> None:
        from moosnn import __version__
        from moosnn.snn.weights import save_network

        data = self._load()
        save_network(
            context.workdir,
            network,
            features=data.features,
            classes=data.classes,
            input_max=data.input_max,
            metadata={
                "moosnn": __version__,
                "number": proposal.number,
                "seed": proposal.seed,
                "data": data.name,
                "data_sha256": data.fingerprint,
                "measured_on": measured_on,
                "stopped": stopped,
            },
        )

    def _torch_device(self) -> torch.device:
        import torch

        available = torch.cuda.is_available()
        if self._device == "auto":
            return torch.device("cuda" if available else "cpu")
        if self._device.startswith("cuda") and not available:
            raise ConfigError(
                f"task.device: expected a CUDA device for {self._device!r}, torch sees "
                "none; use device=auto or device=cpu."
            )
        return torch.device(self._device)


def _require_at_least(name: str, value: object, low: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise ConfigError(f"{name}: expected a whole number >= {low}, got {value!r}.")


@contextmanager
def _torch_threads(count: int | None) -> Iterator[None]:
    """So many threads inside; a driver that runs trials itself keeps its own number."""
    import torch

    if count is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _generator(seed: int, purpose: int) -> torch.Generator:
    """An independent stream of a trial's random numbers."""
    import numpy as np
    import torch

    state = np.random.SeedSequence((seed, purpose)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def _tensors(split: Split, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    # torch.tensor copies: torch cannot share arrays that are read-only.
    return (
        torch.tensor(split.inputs, device=device),
        torch.tensor(split.labels, device=device),
    )


def _silence_metrics(silence: Silence) -> dict[str, float]:
    return {
        "silence_margin": silence.margin,
        "silent_fraction": silence.fraction,
        **{f"silent_fraction.{k}": f for k, f in enumerate(silence.fractions, 1)},
    }
