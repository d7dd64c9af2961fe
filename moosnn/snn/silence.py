"""Silence: the edge between a quiet network and one that has stopped working.

Knows: which samples are silent in which stage, how far a network is from the edge, and
the other edge, saturation. Must not know: layers, data, optimizers, problems, when to
stop a training (`moosnn.snn.stopping`).

A sample is silent in a stage that emits fewer than alpha spikes over all neurons and
steps. ``silent_fraction`` is the largest share over stages. Most networks have exactly
0 or 1 there, from which nothing can be learned, so the same edge also has a graded
form, ``silence_margin``. The idea of silent networks, alpha and beta are those of
Firmin, Boulet & Talbi, "Parallel Hyperparameter Optimization of Spiking Neural
Networks" (Neurocomputing 2024, arXiv 2403.00450); stages and margin are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from moosnn.errors import ConfigError, nearest

if TYPE_CHECKING:  # tensors are only used by their methods: importing this is cheap
    from torch import Tensor

STAGES = ("all", "last")
SCORE_MIN = -2.0  # a membrane of a hundredth of the threshold or less
SCORE_SILENT_MAX = -1e-12  # rounding of the logarithm must not make a silent sample 0
COUNTS_DIMENSIONS = 2  # samples x neurons: spikes already summed over time


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Where quiet ends and silent begins.

    Attributes:
        alpha: spikes below which a sample is silent in a stage, >= 1.
        beta: the share of silent samples that is still feasible, in [0, 1).
        stages: ``"all"``, or ``"last"`` = only the stage before the read-out.

    Raises:
        ConfigError: a value outside of its range.
    """

    alpha: int = 1
    beta: float = 0.10
    stages: str = "all"

    def __post_init__(self) -> None:
        if isinstance(self.alpha, bool) or not (
            isinstance(self.alpha, int) and self.alpha >= 1
        ):
            raise ConfigError(
                f"alpha: expected a whole number of spikes >= 1, got {self.alpha!r}."
            )
        if not (isinstance(self.beta, int | float) and 0 <= self.beta < 1):
            raise ConfigError(f"beta: expected a share in [0, 1), got {self.beta!r}.")
        if self.stages not in STAGES:
            raise ConfigError(
                f"stages: got {self.stages!r}.{nearest(str(self.stages), STAGES)}"
            )

    def judged(self, per_stage: Tensor) -> Tensor:
        """The columns of ``n x stages`` that count."""
        return per_stage if self.stages == "all" else per_stage[:, -1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """How silent a network was on some samples.

    Attributes:
        fractions: share of silent samples of every stage, in order, each in [0, 1].
        fraction: the largest share over the stages that count.
        margin: <= 0 exactly when ``fraction <= beta``; at most 2.
    """

    fractions: tuple[float, ...]
    fraction: float
    margin: float


def nearness(membrane: Tensor, threshold: float, alpha: int) -> Tensor:
    """How near each sample came to its alpha-th spike in a stage.

    Every neuron and step is one chance for a spike. Of a sample with fewer than alpha
    spikes, fewer than alpha entries of the membrane reached the threshold: the
    alpha-th largest entry, over neurons *and* steps, is the one that was missing. (The
    alpha-th largest over neurons would not exist in a stage of fewer neurons.)

    Args:
        membrane: ``T x N x …`` before reset.
        threshold: > 0.
        alpha: >= 1.

    Returns:
        ``N`` ratios of that entry to the threshold, float64; 0 if ``T C < alpha``.
    """
    entries = membrane.transpose(0, 1).flatten(1)
    if entries.shape[1] < alpha:
        return entries.new_zeros(len(entries)).double()
    top = entries.amax(1) if alpha == 1 else entries.topk(alpha, dim=1).values[:, -1]
    return top.double() / threshold


def scores(spikes: Tensor, near: Tensor, alpha: int) -> Tensor:
    """Each sample's signed distance from silence in each stage, in decades.

    ``log10(spikes / alpha)`` if it spiked at least alpha times, else ``log10(near)``
    clamped to -2 from below. Negative exactly when silent.

    Args:
        spikes: ``n x stages`` counts.
        near: ``n x stages``, see `nearness`.
        alpha: >= 1.

    Returns:
        ``n x stages`` float64.
    """
    loud = (spikes.double().clamp(min=alpha) / alpha).log10()
    quiet = near.double().clamp(min=10.0**SCORE_MIN).log10()
    quiet = quiet.clamp(min=SCORE_MIN, max=SCORE_SILENT_MAX)
    return loud.where(spikes >= alpha, quiet)


def allowed_silent(count: int, beta: float) -> int:
    """The largest m with ``m / count <= beta`` in floating point, < count.

    Args:
        count: samples, >= 1.
        beta: in [0, 1).
    """
    allowed = int(beta * count)
    while (allowed + 1) / count <= beta:
        allowed += 1
    while allowed / count > beta:
        allowed -= 1
    return allowed


def silence_of(spikes: Tensor, near: Tensor, edge: Edge) -> Silence:
    """Judge a network by what some samples did in it.

    The margin of a stage is minus the (m + 1)-th smallest score, where m samples may
    be silent (`allowed_silent`): an order statistic, without interpolation. It is
    > 0 exactly when more than m scores are negative, i.e. when ``fraction > beta``.

    Args:
        spikes: ``n x stages`` counts, n >= 1.
        near: ``n x stages``, see `nearness`.
        edge: alpha, beta and the stages that count.
    """
    fractions = silent_fractions(spikes, edge.alpha)
    kept = edge.judged(fractions[None, :])
    ordered = edge.judged(scores(spikes, near, edge.alpha)).sort(dim=0).values
    quantile = ordered[allowed_silent(len(spikes), edge.beta)]
    return Silence(
        fractions=tuple(fractions.tolist()),
        fraction=float(kept.max()),
        margin=0.0 - float(quantile.min()),  # 0.0 - x: never the number -0.0
    )


def silent_fractions(spikes: Tensor, alpha: int) -> Tensor:
    """The silent share of each stage, float64, from ``n x stages`` spike counts."""
    return (spikes < alpha).sum(0).double() / len(spikes)


def dead_neurons(spikes: Tensor) -> float:
    """The share of a stage's neurons that never fired.

    Args:
        spikes: ``T x N x ...``, each 0 or 1; or their ``N x C`` sums over time.

    Returns:
        In [0, 1]; a neuron is dead if it fired on none of the N samples.
    """
    if spikes.dim() > COUNTS_DIMENSIONS:
        spikes = spikes.sum(0)
    return float((spikes.sum(0) == 0).double().mean())


def saturation(rates: Tensor, beta: float) -> float:
    """The other edge: the firing rate that at most beta of the samples exceed.

    The counterpart of the silent fraction, with the same share: of n samples, m may
    exceed it (`allowed_silent`), so it is the (m + 1)-th largest rate, an order
    statistic without interpolation.

    Args:
        rates: ``n x stages``: spikes of a neuron and step in each stage that counts, in
            [0, 1]; n >= 1.
        beta: in [0, 1).

    Returns:
        Of the busiest stage, in [0, 1]; 1 = every neuron fires at every step.
    """
    allowed = allowed_silent(len(rates), beta)
    return float(rates.sort(dim=0, descending=True).values[allowed].max())


def first_spike_steps(spikes: Tensor) -> Tensor:
    """When a stage first spikes, counted from step 0.

    Args:
        spikes: ``T x N x ...`` of a stage, each 0 or 1.

    Returns:
        ``N`` int64 steps; T for a sample on which the stage never spikes.
    """
    fired = spikes.flatten(2).sum(2) > 0  # T x N
    return (fired.cumsum(0) == 0).sum(0)


class Seen(Protocol):
    """What a batch made a network do, as far as silence goes."""

    def stage_counts(self) -> Tensor:
        """Spikes of each sample in each stage, ``n x stages``."""
        ...

    def stage_nearness(self, alpha: int) -> Tensor:
        """See `nearness`, ``n x stages``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSilence:
    """How silent one batch was.

    Attributes:
        samples: of the batch, >= 1.
        silent: silent samples of each stage, from the input to the read-out.
        peaks: peak drive of each stage: the largest `nearness` of the batch, >= 1 if a
            sample is not silent. Empty unless most samples are silent in some stage.
    """

    samples: int
    silent: tuple[int, ...]
    peaks: tuple[float, ...] = ()

    def judged(self, edge: Edge) -> tuple[int, ...]:
        """The silent samples of the stages that count."""
        return self.silent if edge.stages == "all" else self.silent[-1:]

    def mostly_silent(self, stage: int) -> bool:
        """Whether more than half of the samples are silent in a stage."""
        return 2 * self.silent[stage] > self.samples


def batch_silence(seen: Seen, alpha: int, *, peaks: bool) -> BatchSilence:
    """Count what a batch did.

    Args:
        seen: of the batch.
        alpha: spikes below which a sample is silent.
        peaks: whether to look at the membranes, of a mostly silent batch only: a
            working network pays nothing.
    """
    counts = seen.stage_counts()
    silent = tuple((counts < alpha).sum(0).tolist())
    if not peaks or 2 * max(silent) <= len(counts):
        return BatchSilence(samples=len(counts), silent=silent)
    drive = tuple(seen.stage_nearness(alpha).amax(0).tolist())
    return BatchSilence(samples=len(counts), silent=silent, peaks=drive)


class Watch(Protocol):
    """A rule that says when a training will stay silent."""

    @property
    def alpha(self) -> int:
        """The alpha of which it asks for the nearness, >= 1."""

    def update(self, seen: Seen) -> bool:
        """Hear of one more update.

        Args:
            seen: of the batch.

        Returns:
            True: stop, the network is silent.
        """
        ...

    def agrees(self, seen: Seen) -> bool:
        """Whether what a network did is silence, beyond the edge.

        Args:
            seen: of a batch, as it is measured: nothing dropped out.
        """
        ...

    def heard(self) -> list[BatchSilence]:
        """What it kept of all updates."""
        ...

    def hear_again(self, batches: Sequence[BatchSilence]) -> None:
        """Take up where another watch of the same training was."""
        ...
