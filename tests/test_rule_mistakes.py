"""What a person is told who combines learning rules with what they do not have."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.compose import Job, compose
from moosnn.errors import ConfigError
from moosnn.parts import Parts, parts_of


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["moosnn"])


def parts(line: str) -> Parts:
    found: list[Parts] = []

    def keep(job: Job) -> None:
        found.append(parts_of(job.config, job.folder))

    compose(shlex.split(line), keep, keep)
    return found[0]


MISTAKES = {
    # The choice is wrong, or a condition; each is blamed for its own.
    "+experiment=rules space.training.choice=[bptt,sldyer]": (
        "space: training: got 'sldyer'. Did you mean 'slayer'?"
    ),
    "+experiment=rules space.b_th.when={training:ssgg}": (
        "space.b_th.when: training: got 'ssgg'. Did you mean 'ssgd'?"
    ),
    "+experiment=rules space.training.choice=[bptt,slayer] "
    "space.slope.when={training:[bptt,sgd]}": (
        "space.slope.when: training: got 'sgd'. Did you mean 'ssgd'?"
    ),
    "+experiment=smoke space.tau_steps.when={neuron:[lfi,plif]}": (
        "space.tau_steps.when: neuron: expected one of ['if', 'lif', 'plif'], got "
        "'lfi', which looks like 'lif'; correct one of them."
    ),
    # Values that leave options without a network.
    "+experiment=rules task.fixed.coding=direct": (
        "space.training.choice: no point with training=stdp may be tried, e.g.: "
        "coding: training=stdp learns from spikes of the input, which coding=direct "
        "has not; use coding=rate, latency or population; or leave that out: "
        "space.training.choice=[bptt,ssgd,slayer,hybrid]."
    ),
    "+experiment=rules task.fixed.loss=spike_count": (
        "space.training.choice: no point with training=bptt, ssgd, hybrid or stdp may "
        "be tried, e.g.: loss: spike_count is of training=slayer"
    ),
    "+experiment=rules training=ssgd": (
        "task.fixed.training: the space searches training, so that training=ssgd "
        "beside it has no meaning; leave it out, or narrow space.training.choice."
    ),
    # Where the value stands.
    "+experiment=hpo task.fixed.b_th=0.1": (
        "task.fixed.b_th: training=bptt has no such gene; take it out, or use "
        "training=ssgd."
    ),
    "+experiment=hpo task.fixed.training=5": "task.fixed.training: got 5. Known: bptt,",
    "+experiment=hpo task.fixed.training=[ssgd]": "task.fixed.training: got ['ssgd'].",
    "+experiment=hpo task.fixed.training=sldyer": (
        "task.fixed.training: got 'sldyer'. Did you mean 'slayer'?"
    ),
    "+experiment=hpo task.fixed.slope_1=-1": (
        "task.fixed.slope_1: expected a finite number > 0, got -1."
    ),
    "+experiment=hpo task.fixed.treshold=1": (
        "task.fixed: no parameter 'treshold'. Did you mean 'threshold'?"
    ),
    # Neurons of other rules.
    "+experiment=nas training=ssgd": (
        "space: neuron_1: training=ssgd has neurons if or lif, got 'plif'; use one of "
        "these (space=ssgd has them), or training=bptt, grad_r, mutation or supernet."
    ),
    "training=slayer task.fixed.neuron=lif": (
        "task.fixed.neuron: training=slayer has neurons srm or cuba_adaptive, got "
        "'lif'; use one of these (space=slayer has them), or training=bptt, ssgd, "
        "hybrid, grad_r, eprop, mutation or supernet."
    ),
    "training=hybrid task.fixed.neuron=izhikevich": (
        "task.fixed.neuron: training=hybrid has neurons if or lif, got 'izhikevich'"
    ),
    "+experiment=hpo task.fixed.neuron=srm": "'srm'; use one of these, or training=sla",
    "training=slayer task.fixed.neuron=smr": (
        "task.fixed.neuron: got 'smr'. Did you mean 'srm'? Known: cuba_adaptive, srm."
    ),
    # Genes and architectures of other rules.
    "+experiment=nas training=slayer": (
        "space: tau_mem_steps: training=slayer has no such gene; take it out "
        "(~space.tau_mem_steps), use space=slayer, or use training=bptt, ssgd, "
        "hybrid, grad_r, eprop, mutation or supernet."
    ),
    "+experiment=nas training=stdp": (
        "space: depth: training=stdp has no such gene; take it out (~space.depth), use "
        "space=stdp, or use training=bptt, ssgd, slayer, hybrid, grad_r, eprop, "
        "mutation or supernet."
    ),
    "training=stdp task.fixed.architecture=conv": (
        "task.fixed.architecture: training=stdp learns architecture=diehl_cook only, "
        "got conv; take it out, or use another training."
    ),
    "training=hybrid task.fixed.architecture=conv": (
        "task.fixed.architecture: training=hybrid learns architecture=mlp or cnn only, "
        "got conv; take it out, or use another training."
    ),
    "training=eprop task.fixed.loss=cross_entropy": (
        "task.fixed.loss: training=eprop needs loss=tet, an error at each step, got "
        "cross_entropy; take it out, or use another training."
    ),
    "training=eprop task.fixed.readout=rate": (
        "task.fixed.readout: training=eprop needs readout=mean, sum or max, an output "
        "that does not spike, got rate; take it out, or use another training."
    ),
    "+experiment=hpo task.fixed.training=grad_r task.fixed.target_sparsity=1.0": (
        "task.fixed.target_sparsity: expected a share in [0.5, 1), got 1.0."
    ),
    "space=paths space.path_1.choice=[ab,ba]": (
        "path_1: expected letters of modules, each at most once and in order, such as "
        "ac, or all, got 'ba'."
    ),
    "+experiment=nas task.fixed.architecture=sew": (
        "space: width_1: architecture=sew has no such gene; take it out "
        "(~space.width_1), or set task.fixed.architecture to mlp."
    ),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_with_its_place_and_a_way_out(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("moosnn: ")
    assert err.count("\n") == 1
    assert MISTAKES[line] in err
    assert list(tmp_path.iterdir()) == []


def test_rules_can_be_left_out_of_their_comparison() -> None:
    found = parts("+experiment=rules 'space.training.choice=[ssgd,slayer]'")
    whole = parts("+experiment=rules")
    own = {"training", "time_steps", "batch_size", "epochs"}
    of_layers = {"depth", "width_1", "width_2", "learning_rate", "activity_penalty"}
    of_ssgd = {"tau_mem_steps", "slope", "b_th"}
    of_slayer = {"tau_s_steps", "tau_ref_steps", "tau_rho"}
    space = found.problem.space
    assert set(space) == own | of_layers | {"threshold"} | of_ssgd | of_slayer
    assert [p["training"] for p in found.identity["enqueue"]] == ["ssgd", "slayer"]
    assert [p["training"] for p in whole.identity["enqueue"]] == [
        *("bptt", "ssgd", "slayer", "hybrid", "stdp")
    ]
    gone, points = found.notes
    assert gone.startswith("space: without training=bptt, training=hybrid or training=")
    assert gone.endswith("theta_plus or strength_inh.")
    assert points == (
        "study.enqueue: 3 of 5 points are of options that the space does not have, and "
        "are not tried."
    )
    assert whole.notes == ()


@pytest.mark.parametrize("options", ["if,lif", "if,plif", "lif,plif"])
def test_options_that_look_alike_can_be_left_out(options: str) -> None:
    found = parts(f"+experiment=nas 'space.neuron_1.choice=[{options}]'")
    assert found.notes == ()
    assert "tau_mem_steps" in found.problem.space


def test_what_a_fixed_rule_does_not_have_can_be_left_out() -> None:
    """It was right to leave plif out: the rule that is fixed has no such neurons."""
    found = parts("+experiment=nas_conv training=ssgd space.neuron.choice=[if,lif]")
    assert "tau_mem_steps" in found.problem.space
    with pytest.raises(ConfigError, match=r"neuron: got 'lfi'. Did you mean 'lif'"):
        parts("+experiment=nas_conv training=ssgd space.neuron.choice=[if,lfi]")


def test_a_mistyped_enqueued_point_is_not_passed_over() -> None:
    point = "{depth: 1, width: 64, neuron: fi}"
    with pytest.raises(ConfigError, match=r"study.enqueue\[0\]: parameter 'neuron'"):
        parts(f"+experiment=smoke 'study.enqueue=[{point}]'")


def test_a_tight_limit_refuses_no_option() -> None:
    """Of four layers hardly any network is so small; that says nothing of neurons."""
    found = parts("+experiment=nas task.max_parameters=1500")
    assert found.notes == ()
