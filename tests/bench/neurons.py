"""The time of one layer: forward and backward, against other libraries.

    python -m tests.bench.neurons

``Linear(512, 512)`` and a leaky integrate-and-fire neuron, 100 time steps, a batch of
16, one thread. The libraries take turns, so that a busy moment of the machine hits all
of them; the minimum of 9 turns counts. Neurons differ in their details between
libraries (decay, reset, firing rate), except ours and spikingjelly's, whose spikes are
compared first. A library that is not installed (snntorch, norse) is left out, and says
so. Prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor, nn

from moosnn.snn.layer import Neurons as NeuronGenes
from moosnn.snn.neuron import Neurons

TIME_STEPS, BATCH, WIDTH = 100, 16, 512
TURNS = 9
TAU_STEPS, SLOPE = 2.0, 2.0
OURS = "moosnn, fused"

Step = Callable[[Tensor], Tensor]  # T x N x C current to spikes


def ours() -> Step:
    genes = NeuronGenes(
        kind="lif",
        tau_mem_steps=TAU_STEPS,
        threshold=1.0,
        surrogate="atan",
        slope=SLOPE,
        tau_syn_steps=2.0,
        tau_adapt_steps=2.0,
        adaptation=0.0,
    )
    layer = Neurons(genes)
    return lambda current: layer(current)[0]


def _spikingjelly(mode: str) -> Step:
    from spikingjelly.activation_based import functional, neuron, surrogate

    layer = neuron.LIFNode(
        tau=TAU_STEPS,
        decay_input=False,
        v_reset=0.0,
        detach_reset=True,
        surrogate_function=surrogate.ATan(alpha=SLOPE),
        step_mode=mode,
    )

    def run(current: Tensor) -> Tensor:
        functional.reset_net(layer)
        if mode == "m":
            return layer(current)
        return torch.stack([layer(step) for step in current])

    return run


def snntorch_leaky() -> Step:
    import snntorch

    layer = snntorch.Leaky(beta=1.0 - 1.0 / TAU_STEPS, reset_mechanism="zero")

    def run(current: Tensor) -> Tensor:
        membrane, spikes = layer.init_leaky(), []
        for step in current:
            spike, membrane = layer(step, membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


def _norse(name: str) -> Step:
    import norse.torch

    cell = getattr(norse.torch, name)()

    def run(current: Tensor) -> Tensor:
        state, spikes = None, []
        for step in current:
            spike, state = cell(step, state)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


LAYERS: dict[str, Callable[[], Step]] = {
    OURS: ours,
    "spikingjelly LIF 'm'": lambda: _spikingjelly("m"),
    "spikingjelly LIF 's'": lambda: _spikingjelly("s"),
    "snnTorch Leaky": snntorch_leaky,
    "Norse LIFCell": lambda: _norse("LIFCell"),
    "Norse LIFBoxCell": lambda: _norse("LIFBoxCell"),
}


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    connection = nn.Linear(WIDTH, WIDTH)
    with torch.no_grad():
        connection.weight.mul_(4.0)  # so that a share of the neurons spikes
    inputs = torch.rand(TIME_STEPS, BATCH, WIDTH)
    layers: dict[str, Step] = {}
    for name, make in LAYERS.items():
        try:
            layers[name] = make()
        except ImportError as error:
            print(f"{name}: left out ({error})", file=sys.stderr)
    same = torch.equal(
        layers[OURS](connection(inputs)),
        layers["spikingjelly LIF 'm'"](connection(inputs)),
    )
    print(f"spikes equal spikingjelly's: {same}\n")
    best = {name: [math.inf, math.inf, math.inf] for name in layers}
    rates = {}
    for turn in range(TURNS + 1):  # the first warms up
        for name, layer in layers.items():
            times, rates[name] = _timed(connection, layer, inputs)
            if turn:
                best[name] = [*map(min, best[name], times)]
    alone = min(_linear_s(connection, inputs) for _ in range(TURNS))
    print(f"the linear connection alone, both ways: {1e3 * alone:.1f} ms\n")
    print("| ms | forward | both ways | times ours | neuron | times ours | rate |")
    print("|---|---|---|---|---|---|---|")
    ours_both, ours_alone = best[OURS][1:]
    for name, (forward, both, neuron) in best.items():
        cells = [f"{1e3 * forward:.1f}", f"{1e3 * both:.1f}", f"{both / ours_both:.2f}"]
        cells += [f"{1e3 * neuron:.1f}", f"{neuron / ours_alone:.2f}"]
        print(f"| {name} | {' | '.join(cells)} | {rates[name]:.3f} |")


def _timed(
    connection: nn.Linear, layer: Step, inputs: Tensor
) -> tuple[list[float], float]:
    """Seconds forward, both ways, and both ways of the neuron alone; firing rate."""
    connection.zero_grad()
    start = perf_counter()
    spikes = layer(connection(inputs))
    forward = perf_counter() - start
    spikes.mean().backward()
    both = perf_counter() - start
    current = connection(inputs).detach().requires_grad_()
    start = perf_counter()
    layer(current).mean().backward()
    alone = perf_counter() - start
    return [forward, both, alone], float(spikes.detach().mean())


def _linear_s(connection: nn.Linear, inputs: Tensor) -> float:
    connection.zero_grad()
    start = perf_counter()
    connection(inputs).mean().backward()
    return perf_counter() - start


if __name__ == "__main__":
    main()
