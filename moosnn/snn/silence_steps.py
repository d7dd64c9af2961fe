"""Silence over the time steps: how a stage's rate runs, and where it stops spiking.

Knows: the spikes of each stage at each step. Must not know: layers, data, learning.

A stage that spikes at first and then no more passes for awake: its samples have spikes.
What comes after it is without input for the rest of the steps all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moosnn.snn.silence import Edge

if TYPE_CHECKING:  # tensors are only used by their methods: importing this is cheap
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSteps:
    """What a stage does over the time steps.

    Attributes:
        rates: spikes of a neuron at each step, mean over samples, ``T`` in [0, 1].
        silent_steps: the share of a sample's steps at which the stage does not spike,
            mean over samples, in [0, 1].
        faded: the share of samples in which it spikes, but not once in the later half
            of the steps (the last ``T // 2``; none fades at T = 1), in [0, 1].
    """

    rates: tuple[float, ...]
    silent_steps: float
    faded: float

    @property
    def first_step(self) -> int:
        """The first at which it spikes in any sample, from 0; T if it never does."""
        return next((t for t, rate in enumerate(self.rates) if rate), len(self.rates))


def over_steps(counts: Tensor, neurons: Sequence[int]) -> tuple[StageSteps, ...]:
    """What each stage does over the time steps.

    Args:
        counts: spikes of each stage at each step, ``n x T x stages``; n, T >= 1.
        neurons: of each stage, >= 1.
    """
    fired = counts > 0
    late = fired[:, counts.shape[1] - counts.shape[1] // 2 :]
    # Of T = 1 the later half is empty, and `any` of nothing would call it faded.
    faded = fired.any(1) & ~late.any(1) if late.shape[1] else fired[:, 0] & False
    rates = counts.double().mean(0).T.tolist()
    silent = (~fired).double().mean((0, 1)).tolist()
    shares = faded.double().mean(0).tolist()
    return tuple(
        StageSteps(
            rates=tuple(spikes / size for spikes in rate),
            silent_steps=silent_steps,
            faded=share,
        )
        for rate, silent_steps, share, size in zip(
            rates, silent, shares, neurons, strict=True
        )
    )


def step_metrics(stages: Sequence[StageSteps], edge: Edge) -> dict[str, float]:
    """By name.

    Args:
        stages: of a network, in order, at least one.
        edge: the stages that count.

    Returns:
        ``silent_steps.k`` and ``faded_fraction.k`` of the k-th stage, the smallest and
        the largest of its rates as ``step_rate_min.k`` and ``step_rate_max.k``; and
        ``faded_fraction``, the largest of the stages that count.
    """
    judged = stages if edge.stages == "all" else stages[-1:]
    found = {"faded_fraction": max(stage.faded for stage in judged)}
    for k, stage in enumerate(stages, 1):
        found[f"silent_steps.{k}"] = stage.silent_steps
        found[f"faded_fraction.{k}"] = stage.faded
        found[f"step_rate_min.{k}"] = min(stage.rates)
        found[f"step_rate_max.{k}"] = max(stage.rates)
    return found
