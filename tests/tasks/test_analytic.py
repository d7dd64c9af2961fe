"""The analytic tasks against BoTorch's formulas and their own promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moosnn.errors import ConfigError, DivergedError
from moosnn.tasks.analytic import AnalyticTask, branin_currin, c2dtlz2, toy_snn
from moosnn.trial import Proposal
from tests.helpers import QuietContext, load_problem, load_space, toy_problem

# linear_operator, which BoTorch imports, compiles in a way that torch 2.13 deprecates.
importing_botorch = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script` is deprecated:DeprecationWarning"
)


def proposal(params, seed=0) -> Proposal:
    return Proposal(number=0, params=params, seed=seed, origin="test", seen=0)


@importing_botorch
def test_branin_currin_is_botorchs() -> None:
    from botorch.test_functions.multi_objective import ConstrainedBraninCurrin

    oracle = ConstrainedBraninCurrin()
    for point in np.random.default_rng(0).random((20, 2)).tolist():
        found = branin_currin(point)
        x = torch.tensor([point], dtype=torch.double)
        assert [found["branin"], found["currin"]] == pytest.approx(
            oracle(x)[0].tolist()
        )
        slack = float(oracle.evaluate_slack(x))
        assert 50 - found["disk"] == pytest.approx(slack)


@importing_botorch
@pytest.mark.parametrize("dim", [3, 4, 12])
def test_c2dtlz2_is_botorchs(dim) -> None:
    from botorch.test_functions.multi_objective import C2DTLZ2

    oracle = C2DTLZ2(dim=dim)
    for point in np.random.default_rng(dim).random((20, dim)).tolist():
        found = c2dtlz2(point)
        x = torch.tensor([point], dtype=torch.double)
        assert [found["f1"], found["f2"]] == pytest.approx(oracle(x)[0].tolist())
        assert -found["c2"] == pytest.approx(float(oracle.evaluate_slack(x)))


def test_branin_currin_at_the_edge() -> None:
    assert branin_currin([0.5, 0.0])["currin"] == pytest.approx(
        branin_currin([0.5, 1e-9])["currin"]
    )


@pytest.mark.parametrize("name", ["branin_currin", "c2dtlz2", "toy_snn"])
def test_a_task_measures_what_it_says_of_its_own_space(name) -> None:
    task, space = AnalyticTask(name), load_space(name)
    problem = toy_problem() if name == "toy_snn" else load_problem(name)
    problem.check_task(task.metrics)
    assert task.parameters == frozenset(space)
    assert dict(task.fingerprint()) == {}
    for point in np.random.default_rng(0).random((40, len(space))).tolist():
        params = space.decode(point)
        try:
            evaluation = task.evaluate(proposal(params), QuietContext())
        except DivergedError:
            continue
        assert problem.check_evaluation(evaluation) is None
        assert set(evaluation.metrics) <= set(task.metrics)
        assert task.confirm(proposal(params), QuietContext()) == evaluation


def test_toy_snn_has_every_outcome_in_fair_shares() -> None:
    space, kinds = load_space("toy_snn"), []
    for seed, point in enumerate(np.random.default_rng(0).random((500, 9)).tolist()):
        try:
            evaluation = toy_snn(space.decode(point), seed)
        except DivergedError:
            kinds.append("diverged")
            continue
        kinds.append(evaluation.stopped or "trained")
        silent = evaluation.metrics["silence_margin"] > 0
        assert silent == (evaluation.stopped == "silent")
        assert silent == ("accuracy" not in evaluation.metrics)
    shares = {kind: kinds.count(kind) / len(kinds) for kind in set(kinds)}
    assert set(shares) == {"trained", "silent", "diverged"}
    assert min(shares.values()) > 0.1


def test_toy_snn_depends_on_point_and_seed_only() -> None:
    params = load_space("toy_snn").decode([0.3] * 9)
    assert toy_snn(params, 1) == toy_snn(params, 1)
    assert toy_snn(params, 1) != toy_snn(params, 2)


def test_toy_snn_falls_silent_as_the_threshold_rises() -> None:
    params = load_space("toy_snn").decode([0.3] * 9)
    margins = [
        toy_snn({**params, "threshold": t}, 0).metrics["silence_margin"]
        for t in (0.3, 0.8, 2.0, 4.0)
    ]
    assert margins == sorted(margins)
    assert margins[0] < 0 < margins[-1]


def test_unknown_functions_and_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="branin_currin"):
        AnalyticTask("branin_curin")
    with pytest.raises(ConfigError, match=r"task\.dim"):
        AnalyticTask("c2dtlz2", dim=1)
