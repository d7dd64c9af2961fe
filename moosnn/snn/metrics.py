"""Everything that is measured of a trained network, by name.

Knows: the names; which of them a network has. Must not know: objectives, files.
torch is imported when something is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moosnn.snn.silence import Edge, Silence, silence_of

if TYPE_CHECKING:
    import torch

    from moosnn.snn.measure import Measurement
    from moosnn.snn.network import SpikingNetwork
    from moosnn.snn.samples import Samples

_ANSWERS = ("accuracy", "loss")
_LAYERS = tuple(range(1, 65))  # more than any architecture has
METRICS = (
    "accuracy",
    "loss",
    "spikes_per_sample",
    "firing_rate",
    "silence_margin",
    "silent_fraction",
    "firing_rate_min",
    "saturation_rate",
    "dead_fraction",
    "faded_fraction",
    "awake_fraction",
    "last_awake_update",
    "last_silent_update",
    "work_saved",
    "parameters",
    "footprint_bytes",
    "connection_sparsity",
    "connectivity",
    "activation_sparsity",
    "effective_acs",
    "effective_macs",
    "synops",
    "dense_ops",
    "membrane_updates",
    "energy_nj",
    "energy_moved_nj",
    "time_steps",
    "latency_steps",
    "training_s",
    "training_memory_mb",
    "resident_mb",
    *(f"spikes_per_sample.{k}" for k in _LAYERS),
    *(f"firing_rate.{k}" for k in _LAYERS),
    *(f"first_spike_step.{k}" for k in _LAYERS),
    *(f"silent_fraction.{k}" for k in _LAYERS),
    *(f"dead_fraction.{k}" for k in _LAYERS),
    *(f"saturation_rate.{k}" for k in _LAYERS),
    *(f"silent_steps.{k}" for k in _LAYERS),
    *(f"faded_fraction.{k}" for k in _LAYERS),
    *(f"step_rate_min.{k}" for k in _LAYERS),
    *(f"step_rate_max.{k}" for k in _LAYERS),
    *(f"awake_fraction.{k}" for k in _LAYERS),
    *(f"last_awake_update.{k}" for k in _LAYERS),
)
# What the machine says of a training: not the same twice.
CLOCKED = ("training_s", "training_memory_mb", "resident_mb")
# What a training tells once it has ended, not the network.
OF_TRAINING = (
    *CLOCKED,
    "work_saved",
    "awake_fraction",
    "last_awake_update",
    "last_silent_update",
)
# What every network has, of any depth, and one that was stopped as silent as well.
ALWAYS = tuple(m for m in METRICS if m not in _ANSWERS and "." not in m)

Metrics = dict[str, float]


def metrics_of(
    network: SpikingNetwork,
    samples: Samples,
    edge: Edge,
    generator: torch.Generator,
    *,
    answered: bool,
) -> tuple[Metrics, Metrics]:
    """Measure a network.

    Args:
        network: trained, on the device of the samples.
        samples: two or more.
        edge: what counts as silent.
        generator: of the input's code, on the CPU.
        answered: whether it learned to answer; one that was stopped as silent did not,
            and has no accuracy and no loss.

    Returns:
        Metrics, and the standard errors of those that are means over samples.

    Raises:
        DivergedError: a loss or a membrane is not finite.
    """
    from moosnn.snn.measure import measure

    seen = measure(network, samples, alpha=edge.alpha, generator=generator)
    return metrics_from(
        seen, edge, parameters=network.blueprint.parameters, answered=answered
    )


def metrics_from(
    seen: Measurement, edge: Edge, *, parameters: int, answered: bool
) -> tuple[Metrics, Metrics]:
    """What was seen of a network in numbers, see `metrics_of`."""
    from moosnn.snn.measure import edge_metrics, working_metrics

    working, sems = working_metrics(seen)
    if not answered:
        for name in _ANSWERS:
            del working[name]
            sems.pop(name, None)
    return {
        **_silence_metrics(silence_of(seen.stage_spikes, seen.near, edge)),
        **edge_metrics(seen, edge),
        "parameters": float(parameters),
        "time_steps": float(seen.time_steps),
        **working,
    }, sems


def _silence_metrics(silence: Silence) -> Metrics:
    return {
        "silence_margin": silence.margin,
        "silent_fraction": silence.fraction,
        **{f"silent_fraction.{k}": f for k, f in enumerate(silence.fractions, 1)},
    }
