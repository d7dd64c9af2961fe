"""The analytic task and its invented network against their own promises."""

from __future__ import annotations

import numpy as np
import pytest

from moosnn.errors import ConfigError, DivergedError
from moosnn.tasks.analytic import AnalyticTask, toy_snn
from moosnn.tasks.formulas import c2dtlz2, shifted_optima
from moosnn.trial import Proposal
from tests.helpers import QuietContext, load_problem, load_space, toy_problem


def proposal(params, seed=0) -> Proposal:
    return Proposal(number=0, params=params, seed=seed, origin="test", seen=0)


FORMULAS = ["branin_currin", "c2dtlz2", "disc_brake", "mixed_conditional", "toy_snn"]


@pytest.mark.parametrize("name", FORMULAS)
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


@pytest.mark.parametrize("shift", [False, True])
def test_twelve_variables_are_those_of_the_space_and_shifted_on_demand(shift) -> None:
    task, space = AnalyticTask("c2dtlz2", 12, shift=shift), load_space("c2dtlz2_12")
    assert task.parameters == frozenset(space)
    params = space.decode(np.random.default_rng(0).random(12).tolist())
    found = task.evaluate(proposal(params), QuietContext())
    optima = shifted_optima(11) if shift else [0.5] * 11
    assert dict(found.metrics) == c2dtlz2(list(params.values()), optima)


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
    with pytest.raises(ConfigError, match=r"task\.shift"):
        AnalyticTask("c2dtlz2", shift="yes")
