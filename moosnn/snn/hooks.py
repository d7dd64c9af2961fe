"""Spiking modules of other libraries: how they are told, read and reset.

Knows: the neurons of spikingjelly 2, snnTorch 1 and Norse 1 by the names of their
classes; none of the libraries is imported. Must not know: whole networks, data,
learning, silence.

What is read of a neuron beside its spikes is the membrane. Libraries show it after the
reset, except snnTorch, which resets at the next step. That is enough: of a sample that
lacks spikes, only neurons and steps without a spike are asked how near they came, and
there nothing was reset.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Library -> classes whose subclasses spike.
SPIKING: dict[str, tuple[str, ...]] = {
    "spikingjelly": (
        "BaseNode",
        "SimpleBaseNode",
        "PSN",
        "MaskedPSN",
        "SlidingPSN",
        "GatedLIFNode",
        "DSRIFNode",
        "DSRLIFNode",
        "FlexSN",
    ),
    "snntorch": ("SpikingNeuron",),
    "norse": ("SNN", "SNNCell", "SNNRecurrent", "SNNRecurrentCell"),
}
# Subclasses of them that leak and never spike.
_SILENT = {"norse": ("LI", "LICell", "LIBoxCell")}
# How a library brings a module to rest; Norse's have no state of their own.
_RESETS = {"spikingjelly": "reset", "snntorch": "reset_mem"}
# Classes whose every call is one step, whatever it is given.
_STEPPING = {
    "snntorch": (
        "Leaky",
        "RLeaky",
        "Synaptic",
        "RSynaptic",
        "Alpha",
        "Lapicque",
        "SLSTM",
        "SConv2dLSTM",
    ),
    "norse": ("SNNCell", "SNNRecurrentCell"),
}
_MEMORIES = ("mem", "syn", "syn_exc", "syn_inh")  # snnTorch's state variables


def lineage(module: nn.Module) -> list[tuple[str, str]]:
    """Package and name of a module's class and of all that it derives from."""
    classes = type(module).__mro__
    return [(c.__module__.partition(".")[0], c.__name__) for c in classes]


def library_of(module: nn.Module) -> str | None:
    """The library whose spiking neurons a module derives from, if any."""
    line = lineage(module)
    for library, names in SPIKING.items():
        if any((library, name) in line for name in _SILENT.get(library, ())):
            continue
        if any((library, name) in line for name in names):
            return library
    return None


def is_spiking(module: nn.Module, taught: Iterable[str]) -> bool:
    """Whether a module is one of spiking neurons.

    Args:
        module: of a network.
        taught: dotted names of further classes.
    """
    if library_of(module) is not None:
        return True
    names = {f"{c.__module__}.{c.__qualname__}" for c in type(module).__mro__}
    return not names.isdisjoint(taught)


def makes_one_step(module: nn.Module) -> bool:
    """Whether each call of a module is one step, as far as that is known."""
    library = library_of(module)
    if library == "spikingjelly":
        return getattr(module, "step_mode", "m") == "s"
    line = lineage(module)
    return any((library, name) in line for name in _STEPPING.get(str(library), ()))


def looked_for(taught: Sequence[str]) -> str:
    """What `is_spiking` looks for, in words."""
    words = [f"{library}'s {', '.join(names)}" for library, names in SPIKING.items()]
    return "; ".join([*words, *taught])


def membrane_of(module: nn.Module, output: object, spikes: Tensor) -> Tensor | None:
    """The membrane after a call of a module that makes one step; no gradient.

    Args:
        module: of spiking neurons.
        output: what the call returned.
        spikes: of the step, ``N x …``.

    Returns:
        ``N x …``; ``None`` if the module does not show it.
    """
    library = library_of(module)
    if library == "norse":
        state = output[1] if isinstance(output, tuple) and len(output) > 1 else None
        membrane = getattr(state, "v", None)
    else:
        membrane = getattr(module, "mem" if library == "snntorch" else "v", None)
    if not isinstance(membrane, Tensor) or membrane.shape != spikes.shape:
        return None
    return membrane.detach()


@torch.no_grad()
def membranes_again(
    module: Any,  # noqa: ANN401 -- of a library, with attributes of its own
    given: tuple[Any, ...],
) -> Tensor | None:
    """The membranes of a module that runs a whole sequence in one call.

    Libraries keep only the last one, for speed: the module is run again.

    Args:
        module: of spiking neurons; its state is that of the sequence's end.
        given: what it was called with, ``T x N x …`` first.

    Returns:
        ``T x N x …``; ``None`` if the module does not show it.
    """
    library = library_of(module)
    if library == "norse" and hasattr(module, "record_states"):
        kept = module.record_states
        module.record_states = True
        try:
            membranes = getattr(module.forward(*given)[1], "v", None)
        finally:
            module.record_states = kept
        return membranes if isinstance(membranes, Tensor) else None
    if library == "spikingjelly" and hasattr(module, "v"):
        return _stepwise(module, given[0])
    return None


def _stepwise(module: Any, sequence: Tensor) -> Tensor | None:  # noqa: ANN401 -- of a library without types
    """A spikingjelly neuron, step by step in place of all at once."""
    mode = module.step_mode
    module.reset()
    module.step_mode = "s"
    membranes = []
    try:
        for step in sequence:
            module.forward(step)
            membranes.append(module.v)
    finally:
        module.step_mode = mode
    whole = all(isinstance(v, Tensor) for v in membranes)
    return torch.stack(membranes) if whole else None


def threshold_of(module: nn.Module) -> Tensor | float | None:
    """At which membrane it spikes; ``None`` if it does not say."""
    library = library_of(module)
    found: object = None
    if library == "norse":
        found = getattr(getattr(module, "p", None), "v_th", None)
    elif library == "snntorch":
        found = getattr(module, "threshold", None)
    else:
        found = getattr(module, "v_threshold", None)
    if isinstance(found, Tensor):
        return found.detach()
    return float(found) if isinstance(found, int | float) else None


def states_of(module: nn.Module, output: object) -> int:
    """How many variables a neuron of a module keeps from step to step, >= 1.

    Args:
        module: of spiking neurons.
        output: what a call returned.
    """
    library = library_of(module)
    if library == "snntorch":
        count = sum(hasattr(module, name) for name in _MEMORIES)
    elif library == "norse" and isinstance(output, tuple):
        fields = getattr(output[1], "_fields", ())
        count = sum(name != "z" for name in fields)  # its last spikes
    else:
        count = len(getattr(module, "_memories", ()))
    return max(count, 1)


def reset(network: nn.Module, spiking: Iterable[nn.Module]) -> None:
    """Bring all neurons to rest: no state survives from batch to batch.

    Args:
        network: whose modules of libraries have a method for it.
        spiking: modules of its neurons, of which others may have ``reset`` as well.
    """
    for module in spiking:
        rest = getattr(module, "reset", None)
        if library_of(module) is None and callable(rest):
            rest()
    for module in network.modules():
        packages = {package for package, _ in lineage(module)}
        for package, method in _RESETS.items():
            rest = getattr(module, method, None)
            if package in packages and callable(rest):
                rest()


def forget(network: nn.Module) -> None:
    """Let go of a network: snnTorch keeps every neuron that was ever made."""
    own = {id(module) for module in network.modules()}
    for module in network.modules():
        for kind in type(module).__mro__:
            kept = vars(kind).get("instances")
            if kind.__name__ == "SpikingNeuron" and isinstance(kept, list):
                kept[:] = [one for one in kept if id(one) not in own]
