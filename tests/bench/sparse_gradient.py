"""Sparse against dense gradients of one layer: time and memory.

    python -m tests.bench.sparse_gradient [--turns 9] [--gpu]

A linear connection and LIF neurons with a soft reset, fed by spikes of a layer like
itself; the band is set so that a wanted share of entries is active. One thread. The
ways to compute it take turns, so that a busy moment of the machine hits all of them;
the minimum of all turns counts, in seconds of the processor.

- ``sparse``: ours, `moosnn.snn.sparse`;
- ``moosnn dense``: ours, ``backend=dense``;
- ``spikingjelly``: its multi-step ``LIFNode``;
- ``unbound``: a loop over ``current.unbind(0)`` that torch differentiates;
- ``naive``: the same loop over ``current[:, t]``, whose backward pass is quadratic in
  the time steps: the dense baseline of Perez-Nieves & Goodman 2021.

A *fair* dense baseline is the faster one of spikingjelly and unbound. They know nothing
of a band, so their time does not depend on the activity. The gradients of all ways but
spikingjelly's, whose surrogate has no band, are compared first.

Memory: the peak of one step in a process of its own, above what it held before.

``--gpu`` runs the paper's shapes on a CUDA device. Writes results/sparse_gradient.json
and prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import torch
from torch import Tensor, nn

from moosnn.snn.fused import fire
from moosnn.snn.layer import Neurons
from moosnn.snn.sparse import Layer, is_active, run
from moosnn.snn.surrogate import surrogate_derivative

RESULTS = Path(__file__).parent / "results" / "sparse_gradient.json"
TAU, SLOPE, RATE = 10.0, 10.0, 0.02  # RATE: spikes of an input and step
DECAY = 1.0 - 1.0 / TAU
FAIR = ("spikingjelly", "unbound")
QUANTILE_ENTRIES = 1_000_000  # so many tell the band of a share
NAIVE_STEPS_MAX = 100  # on a CPU: beyond it takes seconds, and grows quadratically


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    steps: int
    batch: int
    inputs: int
    outputs: int
    share: float

    def title(self) -> str:
        return f"T={self.steps} B={self.batch} {self.inputs}→{self.outputs}"


CPU_CASES = [
    Case(steps=t, batch=b, inputs=n, outputs=n, share=share)
    for t, b, n in ((100, 64, 200), (300, 32, 200), (500, 32, 200), (250, 32, 800))
    for share in (0.005, 0.01, 0.02, 0.05, 0.10)
]
GPU_CASES = [
    Case(steps=t, batch=128, inputs=n, outputs=n, share=share)
    for t in (100, 300, 500)
    for n in (200, 400, 600, 800, 1000)
    for share in (0.01, 0.02)
]
# b_th itself, at one shape: the share of the threshold
BANDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


class Scene:
    """One case with its tensors.

    Args:
        case: sizes and the share of active entries.
        device: where.
        band: instead of the share, the band; in thresholds.
        look: whether to look how many entries are active, which takes memory.
    """

    def __init__(
        self, case: Case, device: str, band: float | None = None, *, look: bool = True
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (case.steps, case.batch, case.inputs)
        self.case = case
        inputs = (torch.rand(shape, generator=generator) < RATE).float()
        self.linear = nn.Linear(case.inputs, case.outputs)
        spread = 0.5 / math.sqrt(RATE * case.inputs)
        with torch.no_grad():
            self.linear.weight.normal_(0.0, spread, generator=generator)
        upstream = torch.randn((*shape[:2], case.outputs), generator=generator)
        # The layer before has the same share of active entries.
        self.linear.to(device)
        self.inputs = inputs.to(device).requires_grad_()
        self.upstream = upstream.to(device)
        self.decay = torch.tensor(DECAY)
        self.share = case.share
        if look:
            band = self._looked(band)
        assert band is not None
        self.genes = _genes(band)
        draws = torch.rand(self.inputs.numel(), generator=generator)
        self.wanted = (draws < self.share).nonzero().view(-1).to(device)

    def _looked(self, band: float | None) -> float:
        """The band of the wanted share; then the share that it has."""
        with torch.no_grad():
            _, membrane = fire(self.linear(self.inputs), self.decay, _genes(1.0))
        if band is None:
            distances = (membrane - 1.0).abs().flatten()
            some = distances[:: -(-len(distances) // QUANTILE_ENTRIES)]
            band = float(some.quantile(self.case.share))
        self.share = float(is_active(membrane, _genes(band)).float().mean())
        return band

    def sparse(self) -> Tensor:
        layer = Layer(genes=self.genes, decay=DECAY, choose=False)
        return run(self.inputs, self.linear, self.wanted, layer)[0]

    def auto(self) -> Tensor:
        layer = Layer(genes=self.genes, decay=DECAY, choose=True)
        return run(self.inputs, self.linear, self.wanted, layer)[0]

    def dense(self) -> Tensor:
        return fire(self.linear(self.inputs), self.decay, self.genes)[0]

    def spikingjelly(self) -> Tensor:
        from spikingjelly.activation_based import neuron, surrogate

        node = neuron.LIFNode(
            tau=TAU,
            decay_input=False,
            v_reset=None,
            detach_reset=True,
            surrogate_function=surrogate.SuperSpike(1.0),
            step_mode="m",
        )
        spikes: Tensor = node(self.linear(self.inputs))
        return spikes

    def unbound(self) -> Tensor:
        return self._looped(self.linear(self.inputs).unbind(0))

    def naive(self) -> Tensor:
        current = self.linear(self.inputs.transpose(0, 1))  # samples first, as theirs
        return self._looped([current[:, t] for t in range(self.case.steps)])

    def _looped(self, steps: object) -> Tensor:
        membrane: Tensor | float = 0.0
        spikes = []
        for current in steps:  # type: ignore[attr-defined]  # tensors
            membrane = DECAY * membrane + current
            spike = _Step.apply(membrane - 1.0, self.genes)
            spikes.append(spike)
            membrane = membrane - spike.detach()
        return torch.stack(spikes)


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, distance, genes):
        ctx.save_for_backward(distance)
        ctx.genes = genes
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, grad):
        (distance,) = ctx.saved_tensors
        return surrogate_derivative(distance, ctx.genes) * grad, None


def _genes(band: float) -> Neurons:
    return Neurons(
        kind="lif",
        tau_mem_steps=TAU,
        threshold=1.0,
        surrogate="fast_sigmoid",
        slope=SLOPE,
        tau_syn_steps=2.0,
        tau_adapt_steps=2.0,
        adaptation=0.0,
        reset="soft",
        band=band,
    )


def ways(scene: Scene, device: str) -> dict[str, Callable[[], Tensor]]:
    known = {
        "sparse": scene.sparse,
        "auto": scene.auto,
        "moosnn dense": scene.dense,
        "spikingjelly": scene.spikingjelly,
        "unbound": scene.unbound,
    }
    if device != "cpu" or scene.case.steps <= NAIVE_STEPS_MAX:
        known["naive"] = scene.naive
    return known


def compared(scene: Scene) -> float:
    """The largest difference of a weight gradient from the unbound loop's, relative."""
    found = []
    for way in (scene.unbound, scene.sparse, scene.dense):
        scene.linear.zero_grad()
        way().backward(scene.upstream)
        assert scene.linear.weight.grad is not None
        found.append(scene.linear.weight.grad.clone())
    scale = float(found[0].abs().max())
    return max(float((f - found[0]).abs().max()) / scale for f in found[1:])


def timed(scene: Scene, turns: int, device: str) -> dict[str, list[float]]:
    """Of each way the least milliseconds forwards, backwards and both."""

    def now() -> float:
        if device == "cpu":
            return process_time()
        torch.cuda.synchronize()
        return perf_counter()

    best: dict[str, list[float]] = {}
    for turn in range(turns + 1):  # the first warms up
        for name, way in ways(scene, device).items():
            scene.linear.zero_grad()
            scene.inputs.grad = None
            start = now()
            spikes = way()
            middle = now()
            spikes.backward(scene.upstream)
            end = now()
            del spikes
            times = [1e3 * t for t in (middle - start, end - middle, end - start)]
            if turn:
                best[name] = [*map(min, best.get(name, times), times)]
    return best


def ratios(best: dict[str, list[float]]) -> dict[str, float]:
    fair = [min(best[name][k] for name in FAIR) for k in range(3)]
    sparse = best["sparse"]
    found = {
        "backward": fair[1] / sparse[1],
        "step": fair[2] / sparse[2],
        "own_backward": best["moosnn dense"][1] / sparse[1],
        "own_step": best["moosnn dense"][2] / sparse[2],
        "auto_step": fair[2] / best["auto"][2],
    }
    if "naive" in best:
        found["naive_backward"] = best["naive"][1] / sparse[1]
        found["naive_step"] = best["naive"][2] / sparse[2]
    return found


def measured(
    case: Case, turns: int, device: str, band: float | None = None
) -> dict[str, object]:
    scene = Scene(case, device, band)
    difference = compared(scene)
    best = timed(scene, turns, device)
    row: dict[str, object] = {
        "steps": case.steps,
        "batch": case.batch,
        "inputs": case.inputs,
        "outputs": case.outputs,
        "share": scene.share,
        "band": scene.genes.band,
        "difference": difference,
        "milliseconds": best,
        "ratios": ratios(best),
    }
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def peak_mb(way: str, case: Case, band: float) -> float:
    """The peak memory of one training step above that of its tensors, on Linux."""
    code = f"""
import torch, spikingjelly.activation_based.neuron
from tests.bench.sparse_gradient import Case, Scene, status_mb
torch.set_num_threads(1)
scene = Scene({case!r}, "cpu", {band}, look=False)
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = status_mb("VmRSS")
scene.{way}().backward(scene.upstream)
print(status_mb("VmHWM") - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def status_mb(name: str) -> float:
    """What Linux says of the memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith(name))


def memory(case: Case) -> dict[str, float]:
    band = Scene(case, "cpu").genes.band
    assert band is not None
    names = ("sparse", "dense", "spikingjelly", "unbound")
    return {name: peak_mb(name, case, band) for name in names}


def table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| layer | b_th | active | backward, ms: fair dense | sparse | fair / sparse "
        "| step: fair / sparse | own dense / sparse | fair / auto "
        "| backward: naive / sparse | step: naive / sparse |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        r, ms = row["ratios"], row["milliseconds"]
        fair = min(ms[name][1] for name in FAIR)
        title = f"T={row['steps']} B={row['batch']} {row['inputs']}→{row['outputs']}"
        naive = [
            f"{r[k]:.1f}" if k in r else "" for k in ("naive_backward", "naive_step")
        ]
        lines.append(
            f"| {title} | {row['band']:.3f} | {100 * row['share']:.1f} % "
            f"| {fair:.1f} | {ms['sparse'][1]:.1f} | **{r['backward']:.1f}** "
            f"| **{r['step']:.1f}** | {r['own_step']:.1f} | {r['auto_step']:.1f} "
            f"| {naive[0]} | {naive[1]} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.gpu and not torch.cuda.is_available():
        sys.exit("--gpu: there is no CUDA device here.")
    device = "cuda" if options.gpu else "cpu"
    cases = GPU_CASES if options.gpu else CPU_CASES
    rows = [measured(case, options.turns, device) for case in cases]
    report: dict[str, object] = {"device": device, "shares": rows}
    print(table(rows))
    if not options.gpu:
        shape = Case(steps=300, batch=32, inputs=200, outputs=200, share=0.0)
        bands = [measured(shape, options.turns, device, band) for band in BANDS]
        report["bands"] = bands
        print("\n" + table(bands))
        large = Case(steps=500, batch=32, inputs=400, outputs=400, share=0.01)
        report["memory_mb"] = memory(large)
        cells = " | ".join(f"{k} {v:.0f}" for k, v in report["memory_mb"].items())
        print(f"\nPeak memory of a step, MB, {large.title()}, 1 % active: {cells}")
    name = "sparse_gradient_gpu.json" if options.gpu else RESULTS.name
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.with_name(name).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
