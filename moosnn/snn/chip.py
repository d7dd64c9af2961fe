"""A trained network on imperfect hardware, chip by chip.

Knows: which weights a chip stores, how hardware changes a copy of a network, which
samples it still gets right. Must not know: what is lost by that, tasks, files.

A chip stores weights with the batch norm of their convolution folded in, a tensor for
each connection. On a loop through time a norm has statistics of each step: then what is
stored are the weights of the last step, and the gain of another step relative to it, a
number a channel, is digital. So are all biases, strengths of connections that have one
strength only, decoders, the code of the input and a read-out that does not spike.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from moosnn.errors import DivergedError
from moosnn.snn import layer, pcm
from moosnn.snn.connections import Convolution
from moosnn.snn.measure import measure
from moosnn.snn.mismatch import Spread, UnequalNeurons
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.quantisation import quantised
from moosnn.snn.samples import Samples

Stored = dict[str, Tensor]  # of each connection, float64 on the CPU
Code = Callable[[], torch.Generator]


class Chip:
    """A copy of a network whose weights and neurons can be replaced.

    Attributes:
        network: the copy, in evaluation mode.
        stored: the weights as they were trained, batch norms folded in.

    Args:
        network: is not changed.
        samples: it is asked about, on the device of the network.
        code: gives the generator of the input's code, always the same one.
    """

    def __init__(self, network: SpikingNetwork, samples: Samples, code: Code) -> None:
        # What says how a network is built never changes, and is not copied.
        plan = network.blueprint
        fixed = (network.genes, network.pairs, plan, *plan.nodes)
        self.network = copy.deepcopy(network, {id(one): one for one in fixed}).eval()
        self._samples = samples
        self._code = code
        self._places = _places(self.network)
        self._trained = {name: w.clone() for name, (w, _) in self._places.items()}
        self.stored: Stored = {
            name: weight.double().cpu() * gain
            for name, (weight, gain) in self._places.items()
        }
        self._layers = {
            node.name: (self.network.parts[node.name], node.op, node.shape)
            for node in self.network.blueprint.layers
        }

    def correct(self) -> Tensor:
        """Which samples it gets right, ``n`` booleans.

        A chip whose numbers are no longer finite gets none right.
        """
        try:
            seen = measure(self.network, self._samples, alpha=1, generator=self._code())
        except DivergedError:
            return torch.zeros(len(self._samples), dtype=torch.bool)
        return seen.correct

    @torch.no_grad()
    def store(self, weights: Mapping[str, Tensor]) -> None:
        """Replace the weights of some connections, each as in `stored`."""
        for name in weights:
            weight, gain = self._places[name]
            # A channel of gain 0 says nothing, whatever is stored.
            trained = self._trained[name]
            given = (weights[name] / gain).to(trained)
            weight.copy_(torch.where((gain != 0).to(weight.device), given, trained))

    @torch.no_grad()
    def vary(
        self, threshold_sd: float, tau_sd: float, generator: torch.Generator
    ) -> None:
        """Replace the neurons by unequal ones, see `moosnn.snn.mismatch`.

        Nothing is replaced where both deviations are 0.
        """
        if threshold_sd == tau_sd == 0.0:
            return
        some = next(self.network.parameters())
        for name, (part, genes, shape) in self._layers.items():
            assert isinstance(genes, layer.Neurons)
            spread = Spread(
                shape=shape,
                threshold_sd=threshold_sd,
                tau_sd=tau_sd,
                generator=generator,
                like=some,
            )
            self.network.parts[name] = UnequalNeurons(part, genes, spread)

    @torch.no_grad()
    def restore(self) -> None:
        """Make it the trained network again, to the bit."""
        for name, (weight, _) in self._places.items():
            weight.copy_(self._trained[name])
        for name, (part, _, _) in self._layers.items():
            self.network.parts[name] = part


def quantise(chip: Chip, bits: int) -> None:
    """Store weights of a few bits."""
    chip.store({name: quantised(w, bits) for name, w in chip.stored.items()})


class Crossbar:
    """The weights of a chip, written once into phase-change memory.

    A connection of which every weight is 0 needs no devices, and has none: there is no
    weight that would say what their noise is worth.

    Args:
        chip: whose weights.
        generator: of the writing, on the CPU.
    """

    def __init__(self, chip: Chip, generator: torch.Generator) -> None:
        self._chip = chip
        self._pairs = {
            name: pcm.Pairs.written(weights, generator)
            for name, weights in chip.stored.items()
            if weights.any()
        }

    def read(self, seconds: float, generator: torch.Generator) -> None:
        """Let the chip work with what is read so many seconds after writing."""
        self._chip.store(
            {
                name: pairs.aged(seconds).noisy(generator).weights()
                for name, pairs in self._pairs.items()
            }
        )


def _places(network: SpikingNetwork) -> dict[str, tuple[Tensor, Tensor]]:
    """Of each connection its trained weight, and the gain of its norm, float64."""
    places: dict[str, tuple[Tensor, Tensor]] = {}
    for name, part in network.parts.items():
        if isinstance(part, nn.Linear):
            places[name] = part.weight.detach(), torch.ones((), dtype=torch.float64)
        elif isinstance(part, Convolution):
            places[name] = part.conv.weight.detach(), _gain(part)
    return places


def _gain(part: Convolution) -> Tensor:
    """``out x 1 x 1 x 1``, of evaluation mode and the last step."""
    norm = part.norm
    if norm is None:
        return torch.ones((), dtype=torch.float64)
    variance = norm.get_buffer("variance")[-1].double().cpu()
    scale = norm.scale.detach().double().cpu()
    return (scale * (variance + norm.EPSILON).rsqrt())[:, None, None, None]
