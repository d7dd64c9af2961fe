"""Networks as people write them: each trains as it should, or says what is wrong."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import pytest
import snntorch
import snntorch.utils
import torch
from safetensors.torch import load_file
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from moosnn.__main__ import main
from moosnn.errors import ConfigError
from moosnn.snn.hooks_network import HookedNetwork
from moosnn.tasks.module import ModuleTask
from tests.tasks import own_nets
from tests.tasks.test_module import context, proposal
from tests.tasks.test_module_hooks import genes, hooked, seen

HERE = "tests.tasks.test_module_networks"
SHORT = {"epochs": 1, "batch_size": 256, "time_steps": 3}


class Block(nn.Module):
    """A layer with all that is between layers."""

    def __init__(self, inputs: int, outputs: int, lif: nn.Module) -> None:
        super().__init__()
        self.fc = nn.LazyLinear(outputs) if inputs == 0 else nn.Linear(inputs, outputs)
        self.norm, self.drop = nn.BatchNorm1d(outputs), nn.Dropout(0.2)
        self.lif = lif

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.drop(self.lif(self.norm(self.fc(x))))
        return out


def nested() -> nn.Module:
    """Blocks in a sequence, the first of them lazy; a step a call."""
    make = functools.partial(snntorch.Leaky, beta=0.5, init_hidden=True)
    blocks = nn.Sequential(Block(0, 16, make()), nn.Sequential(Block(16, 16, make())))
    return nn.Sequential(nn.Flatten(1), blocks, nn.Linear(16, 10))


class Resetting(nn.Module):
    """It brings its neurons to rest by itself, before or after."""

    def __init__(self, jelly: bool) -> None:
        super().__init__()
        self.fc, self.read = nn.Linear(64, 16), nn.Linear(16, 10)
        leaky = functools.partial(snntorch.Leaky, beta=0.5, init_hidden=True)
        self.lif = own_nets.lif(step_mode="s") if jelly else leaky()
        self.jelly = jelly

    def forward(self, x: Tensor) -> Any:
        if not self.jelly:
            snntorch.utils.reset(self)
        answers = [self.read(self.lif(self.fc(step.flatten(1)))) for step in x]
        if self.jelly:
            functional.reset_net(self)
        return torch.stack(answers), None


def resets_jelly() -> nn.Module:
    """Spikingjelly's way."""
    return Resetting(jelly=True)


def resets_torch() -> nn.Module:
    """snnTorch's way."""
    return Resetting(jelly=False)


def trained_before() -> nn.Module:
    """Weights that are not drawn: each is a tenth."""
    net = own_nets.jelly(hidden=8)
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(0.1)
    return net


def half_frozen() -> nn.Module:
    """The first layer stays as it is."""
    net = trained_before()
    net[1].requires_grad_(False)  # type: ignore[index]  # it is a Sequential
    return net


@pytest.mark.parametrize(
    ("factory", "step"),
    [
        ("nested", True),
        ("resets_jelly", False),
        ("resets_torch", False),
        ("half_frozen", False),
    ],
)
def test_networks_of_many_kinds_are_trained_and_measured(
    factory: str, step: bool, tmp_path: Path
) -> None:
    task = ModuleTask(factory=f"{HERE}.{factory}", step=step, fixed=SHORT)
    task.check({})
    found = task.evaluate(proposal({}), context(tmp_path))
    assert found.metrics["spikes_per_sample"] > 0
    assert found.metrics["synops"] > 0
    weights = load_file(tmp_path / "module.safetensors")
    if factory == "nested":
        assert weights["1.0.norm.num_batches_tracked"] > 0
        assert weights["1.0.fc.weight"].shape == (16, 64)
    if factory == "half_frozen":
        assert torch.equal(weights["1.weight"], torch.full((8, 64), 0.1))
        assert not torch.equal(weights["4.weight"], torch.full((10, 8), 0.1))


def test_training_goes_on_from_the_weights_that_a_factory_returns(
    tmp_path: Path,
) -> None:
    task = ModuleTask(
        factory=f"{HERE}.trained_before", fixed={**SHORT, "learning_rate": 1e-9}
    )
    task.evaluate(proposal({}), context(tmp_path))
    weights = load_file(tmp_path / "module.safetensors")
    assert torch.allclose(weights["1.weight"], torch.tensor(0.1), atol=1e-6)


_KEPT = own_nets.jelly(hidden=4)


def the_same() -> nn.Module:
    """One network for all trials."""
    return _KEPT


def test_one_network_for_several_trials_is_refused(tmp_path: Path) -> None:
    task = ModuleTask(factory=f"{HERE}.the_same", fixed=SHORT)
    task.evaluate(proposal({}), context(tmp_path / "1"))
    with pytest.raises(ConfigError, match="expected a new one for each trial"):
        task.evaluate(proposal({}), context(tmp_path / "2"))


def all_frozen() -> nn.Module:
    """Nothing to train."""
    return own_nets.jelly(hidden=4).requires_grad_(False)


def test_a_network_without_anything_to_train_is_refused(tmp_path: Path) -> None:
    task = ModuleTask(factory=f"{HERE}.all_frozen", fixed=SHORT)
    with pytest.raises(ConfigError, match="there is nothing to train"):
        task.evaluate(proposal({}), context(tmp_path))


class Leaking(nn.Module):
    """A neuron of one's own with a state, which nobody brings to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.v: Tensor | float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        self.v = 0.5 * self.v + x
        spikes = (self.v > 0.2).to(x.dtype)
        self.v = self.v * (1 - spikes)
        return spikes


class Resting(Leaking):
    """The same with a method for it."""

    def reset(self) -> None:
        """To rest."""
        self.v = 0.0


def test_a_state_that_survives_a_call_is_found(tmp_path: Path) -> None:
    def network(neurons: nn.Module) -> HookedNetwork:
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Flatten(1), nn.Linear(64, 16), neurons, nn.Linear(16, 10)
        )
        return hooked(net, (1, 8, 8), 10, step=True, taught=[f"{HERE}.Leaking"])

    with pytest.raises(ConfigError, match=r"give the spiking module .* a method reset"):
        network(Leaking()).require_rest()
    network(Resting()).require_rest()
    for make in (nested, own_nets.norse_cells, own_nets.torch_stepwise):
        HookedNetwork(make(), genes(), (1, 8, 8), 10, step=True).require_rest()


class Inexact(nn.Module):
    """The usual trick for a gradient, which rounds the spikes."""

    def forward(self, x: Tensor) -> Tensor:
        soft = torch.sigmoid(x)
        return (x > 0.1).to(x.dtype) + soft - soft.detach()


def test_spikes_that_are_rounded_are_refused_with_the_way_out() -> None:
    net = nn.Sequential(Inexact(), nn.Linear(50, 2))
    network = hooked(net, (50,), 2, taught=[f"{HERE}.Inexact"])
    with pytest.raises(ConfigError, match=r"gave (0\.9999|1\.0000)\d+: .*soft\.det"):
        seen(network, [torch.linspace(0, 5, 50).tolist()])


def test_nothing_of_a_network_that_was_tried_stays_behind() -> None:
    before = len(snntorch.SpikingNeuron.instances)
    net = own_nets.Torch()
    heard = HookedNetwork(net, genes(), (1, 8, 8), 10)
    heard.forget()
    assert len(snntorch.SpikingNeuron.instances) == before
    assert not any(module._forward_hooks for module in net.modules())
    ModuleTask(factory="tests.tasks.own_nets.Torch").check({})
    assert len(snntorch.SpikingNeuron.instances) == before


def needy(hidden: int, threshold: float, epochs: int) -> nn.Module:
    """A factory without defaults."""
    return own_nets.jelly(hidden, threshold)


@pytest.mark.parametrize(
    ("space", "lacking"),
    [
        ("{hidden: {int: [8, 64]}}", "threshold"),
        ("{learning_rate: {float: [0.001, 0.01]}}", "hidden, threshold"),
        (
            "{hidden: {int: [8, 64]}, training_share: {choice: [0.5, 1]}, "
            "threshold: {float: [0.1, 1], when: {training_share: 1}}}",
            "threshold",
        ),
    ],
    ids=["one", "two", "sometimes"],
)
def test_what_a_factory_needs_is_missed_before_anything_runs(
    space: str,
    lacking: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    words = ["task=module", f"task.factory={HERE}.needy", "tracker=none"]
    assert main([*words, f"space={space}"]) == 2
    said = capsys.readouterr().err
    assert f"needy has no default for {lacking}: give each point" in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_factory_has_all_that_it_needs_of_space_fixed_and_training() -> None:
    task = ModuleTask(factory=f"{HERE}.needy", fixed={"threshold": 1.0})
    task.check({"hidden": 8})
    with pytest.raises(ConfigError, match="no default for hidden:"):
        task.check({})


def attentive() -> nn.Module:
    """A network whose operations are not known."""
    from tests.tasks.test_module_operations import Attentive

    return Attentive()


def test_a_search_without_operations_has_no_metric_of_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ConfigError, match=r"task\.operations=false"):
        ModuleTask(factory=f"{HERE}.attentive").check({})
    task = ModuleTask(factory=f"{HERE}.attentive", operations=False, fixed=SHORT)
    task.check({})
    found = task.evaluate(proposal({}), context(tmp_path))
    assert set(task.always) <= found.metrics.keys()
    assert "synops" not in task.metrics
    assert "spikes_per_sample" in task.always
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    words = ["task=module", f"task.factory={HERE}.attentive", "task.operations=false"]
    space = "space={learning_rate: {float: [0.001, 0.01]}}"
    assert main([*words, space, "problem=accuracy_synops", "tracker=none"]) == 2
    assert "synops" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": 0}, "threads: expected a whole number >= 1, got 0"),
        ({"min_updates": -1}, "min_updates: expected a whole number >= 0"),
        ({"operations": "no"}, "operations: expected true or false, got 'no'"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ModuleTask(factory="tests.tasks.own_nets.jelly", **settings)


def mapping() -> nn.Module:
    """It returns a mapping."""

    class Named(Resetting):
        def forward(self, x: Tensor) -> Any:
            return {"logits": super().forward(x)[0]}

    return Named(jelly=True)


def test_an_answer_of_another_kind_is_named() -> None:
    with pytest.raises(ConfigError, match="first entry is one, got dict"):
        hooked(mapping(), (1, 8, 8), 10)
