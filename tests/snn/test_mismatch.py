"""Unequal neurons against neurons whose constants were really changed."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from moosnn.snn import layer
from moosnn.snn.connections import built
from moosnn.snn.fixed import Population
from moosnn.snn.mismatch import Spread, UnequalNeurons, factors
from moosnn.snn.rules.base import KINDS
from moosnn.snn.rules.slayer import AdaptiveCubaConstants, SrmConstants
from tests.snn.built import blueprint, lif

STEPS, SAMPLES = 40, 10
EXACTLY_ONE = 1e-300  # a deviation so small that every factor is 1

CONSTANTS: dict[str, Any] = {
    "srm": SrmConstants(tau_s_steps=3.0, tau_ref_steps=1.5, scale_ref=2.0),
    "cuba_adaptive": AdaptiveCubaConstants(
        current_decay=0.5,
        voltage_decay=0.2,
        threshold_decay=0.1,
        refractory_decay=0.5,
        threshold_step=0.3,
    ),
    "diehl_cook": Population(size=1, refractory=2, adapts=True, theta_plus=0.1),
}
ALL = [*layer.NEURONS, *CONSTANTS]


def genes(kind: str, **changes: Any) -> layer.Neurons:
    return lif(kind=kind, constants=CONSTANTS.get(kind), tau_mem_steps=4.0, **changes)


def module(own: layer.Neurons) -> nn.Module:
    """The module that a network has for such neurons."""
    node = replace(blueprint((1, 2, 2)).layers[0], op=own)
    part = built(node, blueprint((1, 2, 2)), 1, torch.Generator())
    assert part is not None
    if own.kind == "diehl_cook" and part._own.adapts:
        part.get_buffer("theta").fill_(0.4)
    return part.double().eval()


def spread(shape: tuple[int, ...], seed: int = 0, **sds: float) -> Spread:
    return Spread(
        shape=shape,
        threshold_sd=sds.get("threshold_sd", 0.0),
        tau_sd=sds.get("tau_sd", 0.0),
        generator=torch.Generator().manual_seed(seed),
        like=torch.zeros((), dtype=torch.float64),
    )


def currents(*shape: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = (STEPS, SAMPLES, *(shape or (1,)))
    return torch.randn(size, generator=generator, dtype=torch.float64) * 0.6 + 0.2


def drawn(sd: float, count: int, seed: int) -> list[float]:
    """The factors that a layer of one neuron draws: its threshold's comes first."""
    generator = torch.Generator().manual_seed(seed)
    return [float(factors((1,), sd, generator)) for _ in range(count)]


@pytest.mark.parametrize("sd", [0.05, 0.2, 0.6])
def test_factors_are_positive_with_mean_one_and_the_deviation(sd: float) -> None:
    """Within 5 standard errors; a log-normal's fourth moment widens the second."""
    count = 200_000
    found = factors((count,), sd, torch.Generator().manual_seed(0))
    assert float(found.min()) > 0
    assert abs(float(found.mean()) - 1.0) < 5 * sd / math.sqrt(count)
    w = 1 + sd**2
    kurtosis = w**4 + 2 * w**3 + 3 * w**2 - 3
    error = sd / 2 * math.sqrt((kurtosis - 1) / count)
    assert abs(float(found.std()) - sd) < 5 * error
    logs = found.log()
    assert float(logs.mean()) == pytest.approx(-math.log(w) / 2, abs=5 * sd / 447)
    assert float(logs.std()) == pytest.approx(math.sqrt(math.log(w)), rel=0.01)


def test_no_deviation_is_a_factor_of_exactly_one() -> None:
    assert torch.equal(
        factors((5,), 0.0, torch.Generator()), torch.ones(5, dtype=torch.float64)
    )


def test_every_type_of_neurons_may_be_unequal() -> None:
    known = {*itertools.chain(*KINDS.values()), "diehl_cook"}
    assert known <= set(ALL)
    with pytest.raises(TypeError, match="lfi: how such neurons differ"):
        UnequalNeurons(nn.Identity(), lif(kind="lfi"), spread((1,)))


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_one_neuron_is_as_if_its_threshold_were_changed(kind: str, reset: str) -> None:
    if kind == "izhikevich" and reset == "soft":
        pytest.skip("has no soft reset")
    for seed in range(6):
        (factor,) = drawn(0.3, 1, seed)
        own = genes(kind, reset=reset)
        unequal = UnequalNeurons(module(own), own, spread((1,), seed, threshold_sd=0.3))
        really = module(replace(own, threshold=own.threshold * factor))
        spikes, membrane = unequal(currents())
        expected, shown = really(currents())
        assert torch.equal(spikes, expected)
        assert torch.allclose(membrane, shown, rtol=1e-6, atol=1e-9)
        assert 0 < float(spikes.mean()) < 1


@pytest.mark.parametrize("kind", [*layer.NEURONS, "srm"])
def test_a_threshold_twice_as_high_is_half_the_current(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly, since nothing is rounded when a number of base 2 is halved."""
    own = genes(kind, threshold=0.75)
    twice = torch.full((1,), 2.0, dtype=torch.float64)
    monkeypatch.setattr(Spread, "thresholds", lambda _, theta: theta * twice)
    spikes, membrane = UnequalNeurons(module(own), own, spread((1,)))(currents())
    expected, halved = UnequalNeurons.forward(
        _equal(own, monkeypatch), currents() / 2.0
    )
    assert torch.equal(spikes, expected)
    assert torch.equal(membrane, halved * 2.0)


def _equal(own: layer.Neurons, monkeypatch: pytest.MonkeyPatch) -> UnequalNeurons:
    one = torch.ones(1, dtype=torch.float64)
    monkeypatch.setattr(Spread, "thresholds", lambda _, theta: theta * one)
    return UnequalNeurons(module(own), own, spread((1,)))


def _slower(own: layer.Neurons, f: list[float]) -> layer.Neurons:
    """The layer of one neuron whose time constants are really these times as long.

    ``f``: in the order in which they are drawn, the threshold's factor first.
    """
    constants = own.constants
    if isinstance(constants, SrmConstants):
        constants = replace(
            constants,
            tau_s_steps=constants.tau_s_steps * f[1],
            tau_ref_steps=constants.tau_ref_steps * f[2],
        )
    if isinstance(constants, AdaptiveCubaConstants):  # a decay d is 1 / tau
        constants = replace(
            constants,
            current_decay=min(constants.current_decay / f[1], 1.0),
            voltage_decay=min(constants.voltage_decay / f[2], 1.0),
            refractory_decay=min(constants.refractory_decay / f[3], 1.0),
            threshold_decay=min(constants.threshold_decay / f[4], 1.0),
        )
    mem, adapt = (2, 3) if own.kind == "izhikevich" else (1, 2)
    return replace(
        own,
        constants=constants,
        tau_mem_steps=own.tau_mem_steps * f[mem],
        tau_syn_steps=own.tau_syn_steps * f[2],
        tau_adapt_steps=own.tau_adapt_steps * f[adapt],
    )


@pytest.mark.parametrize("kind", [k for k in ALL if k != "if"])
def test_one_neuron_is_as_if_its_time_constants_were_changed(kind: str) -> None:
    changed = 0
    for seed in range(6):
        own = genes(kind)
        really = module(_slower(own, drawn(0.2, 5, seed)))
        unequal = UnequalNeurons(module(own), own, spread((1,), seed, tau_sd=0.2))
        spikes, membrane = unequal(currents())
        expected, shown = really(currents())
        assert torch.equal(spikes, expected)
        assert torch.allclose(membrane, shown, rtol=1e-5, atol=1e-5)
        changed += int(not torch.equal(expected, module(own)(currents())[0]))
    assert changed >= 3


def test_a_neuron_without_a_leak_has_no_time_constant() -> None:
    own = genes("if")
    spikes, _ = UnequalNeurons(module(own), own, spread((7,), tau_sd=0.5))(currents(7))
    assert torch.equal(spikes, module(own)(currents(7))[0])


def test_a_layer_of_lif_neurons_is_a_loop_over_neurons_in_plain_python() -> None:
    own, count = genes("lif"), 5
    sds = {"threshold_sd": 0.3, "tau_sd": 0.3}
    spikes, _ = UnequalNeurons(module(own), own, spread((count,), 4, **sds))(
        currents(count)
    )
    generator = torch.Generator().manual_seed(4)
    high = factors((count,), 0.3, generator).tolist()
    slow = factors((count,), 0.3, generator).tolist()
    inputs = currents(count).tolist()
    for sample, k in itertools.product(range(3), range(count)):
        membrane = 0.0
        for step in range(STEPS):
            kept = max(1.0 - 1.0 / (4.0 * slow[k]), 0.0)
            membrane = kept * membrane + inputs[step][sample][k]
            fired = membrane >= 1.0 * high[k]
            assert bool(spikes[step, sample, k]) == fired
            membrane = 0.0 if fired else membrane


def test_a_time_constant_below_a_step_forgets_at_once() -> None:
    kept = spread((50,), tau_sd=0.9).kept(0.2)
    assert float(kept.min()) == 0.0
    assert float(spread((50,), tau_sd=0.9).taus(1.2).min()) == 1.0


@pytest.mark.parametrize("kind", [*layer.NEURONS, "diehl_cook"])
def test_factors_of_one_change_no_bit(kind: str) -> None:
    own, equal = genes(kind), module(genes(kind)).float()
    sds = {"threshold_sd": EXACTLY_ONE, "tau_sd": EXACTLY_ONE}
    narrow = replace(spread((1,), **sds), like=torch.zeros(()))
    spikes, membrane = UnequalNeurons(equal, own, narrow)(currents().float())
    expected, shown = equal(currents().float())
    assert torch.equal(spikes, expected)
    assert torch.equal(membrane, shown)


def test_neurons_of_images_have_a_constant_at_each_pixel() -> None:
    own = genes("lif")
    unequal = UnequalNeurons(module(own), own, spread((2, 3, 3), threshold_sd=0.5))
    inputs = torch.linspace(0.0, 2.0, STEPS, dtype=torch.float64)
    spikes, _ = unequal(inputs[:, None, None, None, None].expand(-1, 1, 2, 3, 3))
    first = spikes.argmax(0).flatten()
    assert len(first.unique()) > 6


def test_the_first_alone_spikes_if_only_the_first_may() -> None:
    own = replace(
        genes("diehl_cook"),
        constants=Population(size=6, refractory=0, first_only=True),
    )
    sds = {"threshold_sd": 0.4}
    spikes, membrane = UnequalNeurons(module(own), own, spread((6,), 2, **sds))(
        currents(6)
    )
    high = factors((6,), 0.4, torch.Generator().manual_seed(2))
    assert float(spikes.sum(2).max()) == 1.0
    above = membrane - high
    fires = above.amax(2) >= 0
    assert torch.equal(spikes.sum(2) == 1, fires)
    assert torch.equal(spikes.argmax(2)[fires], above.argmax(2)[fires])
