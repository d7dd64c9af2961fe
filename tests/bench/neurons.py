"""The time of one layer: forward and backward, against other libraries.

    python -m tests.bench.neurons

``Linear(512, 512)`` and a leaky integrate-and-fire neuron, 100 time steps, a batch of
16, one thread. The libraries take turns, so that a busy moment of the machine hits all
of them; the minimum of 9 turns counts, in seconds of this thread: other processes may
take the core away, which is not the layer's fault. Neurons differ in their details
between libraries (decay, reset, firing rate), except ours and spikingjelly's, whose
spikes are compared first. A library that is not installed (snntorch, norse) is left
out, and says so.

The connection is the same ``Linear`` for all. Each library gets it once for all time
steps, which is the faster way for every one of them; the rows *step by step* call it
inside of the loop over time, as the tutorials of snnTorch and Norse do. The connection
alone is timed in the same turns: no neuron can make a layer faster than that. Then
small layers, as a search on digits trains them. Prints Markdown for
docs/benchmarks.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from time import thread_time

import torch
from torch import Tensor, nn

from moosnn.snn.layer import Neurons as NeuronGenes
from moosnn.snn.neuron import Neurons

TIME_STEPS, BATCH, WIDTH = 100, 16, 512
TURNS = 9
TAU_STEPS, SLOPE = 2.0, 2.0
SMALL = ((4, 64), (4, 256), (16, 64), (16, 256))  # time steps, neurons
SMALL_BATCH, SMALL_INPUTS = 64, 64
SMALL_TURNS = 100  # of half a millisecond each
# Multiply-accumulates count as two; forwards, and back to the weights alone.
FLOPS = 2 * 2 * TIME_STEPS * BATCH * WIDTH * WIDTH
OURS, STEPPED, THEIRS = "moosnn, fused", "moosnn, a step at a time", "spikingjelly 'm'"

Step = Callable[[Tensor], Tensor]  # T x N x C current to spikes
Layer = Callable[[nn.Module, Tensor], Tensor]  # connection, T x N x C inputs to spikes


def _neurons() -> Neurons:
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
    return Neurons(genes)


def ours() -> Layer:
    layer = _neurons()
    return at_once(lambda current: layer(current)[0])


def ours_stepped() -> Layer:
    layer = _neurons()

    def run(current: Tensor) -> Tensor:
        state, spikes = (), []
        for step in current:
            spike, _, state = layer.step(step, state)
            spikes.append(spike)
        return torch.stack(spikes)

    return at_once(run)


def at_once(neurons: Step) -> Layer:
    """The connection once for all time steps."""
    return lambda connection, inputs: neurons(connection(inputs))


def _spikingjelly(mode: str) -> Layer:
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

    return at_once(run)


def _stepwise(cell: Callable[..., tuple[Tensor, object]], *, inside: bool) -> Layer:
    """A cell of current and state, and the connection once or inside of the loop."""

    def run(connection: nn.Module, inputs: Tensor) -> Tensor:
        state, spikes = None, []
        for step in inputs if inside else connection(inputs):
            spike, state = cell(connection(step) if inside else step, state)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


def _snntorch(*, inside: bool = False) -> Layer:
    import snntorch

    layer = snntorch.Leaky(beta=1.0 - 1.0 / TAU_STEPS, reset_mechanism="zero")

    def cell(current: Tensor, membrane: Tensor | None) -> tuple[Tensor, Tensor]:
        return layer(current, layer.init_leaky() if membrane is None else membrane)

    return _stepwise(cell, inside=inside)


def _norse(name: str, *, inside: bool = False) -> Layer:
    import norse.torch

    return _stepwise(getattr(norse.torch, name)(), inside=inside)


LAYERS: dict[str, Callable[[], Layer]] = {
    OURS: ours,
    "spikingjelly LIF 'm'": lambda: _spikingjelly("m"),
    "spikingjelly LIF 's'": lambda: _spikingjelly("s"),
    "snnTorch Leaky": _snntorch,
    "Norse LIFCell": lambda: _norse("LIFCell"),
    "Norse LIFBoxCell": lambda: _norse("LIFBoxCell"),
    "snnTorch Leaky, step by step": lambda: _snntorch(inside=True),
    "Norse LIFCell, step by step": lambda: _norse("LIFCell", inside=True),
    "Norse LIFBoxCell, step by step": lambda: _norse("LIFBoxCell", inside=True),
}


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    connection = _connection(WIDTH, WIDTH)
    inputs = torch.rand(TIME_STEPS, BATCH, WIDTH)
    layers: dict[str, Layer] = {}
    for name, make in LAYERS.items():
        try:
            layers[name] = make()
        except ImportError as error:
            print(f"{name}: left out ({error})", file=sys.stderr)
    same = torch.equal(
        layers[OURS](connection, inputs),
        layers["spikingjelly LIF 'm'"](connection, inputs),
    )
    print(f"spikes equal spikingjelly's: {same}")
    best = {name: [math.inf, math.inf, math.inf] for name in layers}
    rates, alone = {}, [math.inf, math.inf]
    for turn in range(TURNS + 1):  # the first warms up
        for name, layer in layers.items():
            times, rates[name] = _timed(connection, layer, inputs)
            linear = _both(connection, at_once(nn.Identity()), inputs)[:2]
            if turn:
                best[name] = [*map(min, best[name], times)]
                alone = [*map(min, alone, linear)]
    _print(best, rates, alone)
    small()


def _connection(inputs: int, outputs: int) -> nn.Linear:
    connection = nn.Linear(inputs, outputs)
    with torch.no_grad():
        connection.weight.mul_(4.0)  # so that a share of the neurons spikes
    return connection


def _print(
    best: dict[str, list[float]], rates: dict[str, float], alone: list[float]
) -> None:
    forward, limit = alone
    print(
        f"the linear connection alone: {1e3 * forward:.1f} ms forward, "
        f"{1e3 * limit:.1f} ms both ways, {FLOPS / limit / 1e9:.0f} GFLOP/s\n"
    )
    print("| ms | forward | both ways | times ours | at most | neuron | times ours |")
    print("|---" * 7 + "|")
    ours_both, ours_alone = best[OURS][1:]
    for name, (forward, both, neuron) in best.items():
        cells = [f"{1e3 * forward:.1f}", f"{1e3 * both:.1f}", f"{both / ours_both:.2f}"]
        cells += [f"{both / limit:.2f}"]
        once = "step by step" not in name  # else the neuron is that of another row
        cells += [f"{1e3 * neuron:.1f}", f"{neuron / ours_alone:.2f}"] if once else "--"
        print(f"| {name} | {' | '.join(cells)} |")
    print("\nfiring rates:", ", ".join(f"{n} {r:.3f}" for n, r in rates.items()))


def _timed(
    connection: nn.Linear, layer: Layer, inputs: Tensor
) -> tuple[list[float], float]:
    """Seconds forward, both ways, and both ways of the neuron alone; firing rate."""
    forward, both, spikes = _both(connection, layer, inputs)
    current = connection(inputs).detach().requires_grad_()
    _, alone, _ = _both(nn.Identity(), layer, current)
    return [forward, both, alone], float(spikes.mean())


def _both(
    connection: nn.Module, layer: Layer, inputs: Tensor
) -> tuple[float, float, Tensor]:
    """Seconds forward and both ways, and the spikes."""
    connection.zero_grad()
    start = thread_time()
    spikes = layer(connection, inputs)
    forward = thread_time() - start
    spikes.mean().backward()
    return forward, thread_time() - start, spikes.detach()


def small() -> None:
    """Layers of the size that a search on digits trains."""
    layers = {OURS: ours(), STEPPED: ours_stepped(), THEIRS: _spikingjelly("m")}
    print(f"\n| ms, both ways | {' | '.join(layers)} | connection |")
    print("|---" * (len(layers) + 2) + "|")
    for steps, width in SMALL:
        connection = _connection(SMALL_INPUTS, width)
        inputs = torch.rand(steps, SMALL_BATCH, SMALL_INPUTS)
        run = [*layers.values(), at_once(nn.Identity())]
        best = [math.inf] * len(run)
        for _ in range(SMALL_TURNS):
            times = [_both(connection, layer, inputs)[1] for layer in run]
            best = [*map(min, best, times)]
        cells = " | ".join(f"{1e3 * seconds:.2f}" for seconds in best)
        print(f"| T = {steps}, {width} neurons | {cells} |")


if __name__ == "__main__":
    main()
