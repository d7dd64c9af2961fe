"""Signs, scales, masks and voids: the one place where they are decided."""

import copy
import json
import math
import pickle
import random
import sys

import numpy as np
import pytest

from moosnn.errors import ProblemError
from moosnn.problem import Constraint, Objective, Problem
from moosnn.space import Int, Space
from moosnn.trial import Evaluation, Failure, Proposal, Status, Trial

SPACE = Space({"depth": Int(low=1, high=4)})
ACCURACY = Objective(metric="accuracy", goal="max", reference=0.25)
SPIKES = Objective(
    metric="spikes", goal="min", reference=1e4, scale="log", floor=10.0, unit="1"
)
SILENCE = Constraint(metric="silence_margin", voids=True)
ENERGY = Constraint(metric="energy_nj", upper=50.0, unit="nJ")


def refuses_deep(params):
    """An ``admissible``."""
    return "too deep" if params["depth"] > 2 else None


def problem(**changes):
    fields = {"objectives": (ACCURACY, SPIKES), "constraints": (SILENCE, ENERGY)}
    return Problem(**{"space": SPACE, **fields, **changes})


def trial(number=0, stopped=None, **metrics):
    return Trial(
        proposal=Proposal(
            number=number, params={"depth": 1}, seed=0, origin="sobol", seen=0
        ),
        status=Status.DONE,
        evaluation=Evaluation(metrics=metrics, stopped=stopped),
    )


def unfinished(number=0, failure=None):
    status = Status.PENDING if failure is None else Status.FAILED
    return Trial(proposal=trial(number).proposal, status=status, failure=failure)


GOOD = {"accuracy": 0.9, "spikes": 1e3, "silence_margin": -0.5, "energy_nj": 40.0}


# -- axes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "scale", "value", "loss"),
    [
        ("min", "linear", 0.3, 0.3),
        ("max", "linear", 0.3, -0.3),
        ("min", "linear", -7.0, -7.0),
        ("min", "log", 1000.0, 3.0),
        ("max", "log", 1000.0, -3.0),
        ("min", "log", 0.1, -1.0),
        ("min", "log", 0.001, -2.0),  # the floor
        ("min", "log", 0.0, -2.0),
        ("min", "log", -5.0, -2.0),
        ("max", "log", 0.0, 2.0),
    ],
)
def test_the_loss_of_a_value(goal, scale, value, loss):
    axis = Objective(metric="a", goal=goal, reference=1.0, scale=scale, floor=0.01)
    assert axis.loss(value) == pytest.approx(loss, abs=1e-12)
    floored = max(value, axis.floor) if scale == "log" else value
    assert axis.value(axis.loss(value)) == pytest.approx(floored, rel=1e-12)


@pytest.mark.parametrize("goal", ["min", "max"])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_better_is_a_smaller_loss(goal, scale):
    axis = Objective(metric="a", goal=goal, reference=1.0, scale=scale, floor=1e-6)
    rng = random.Random(1)
    for _ in range(500):
        a, b = rng.uniform(1e-3, 10), rng.uniform(1e-3, 10)
        better = a < b if goal == "min" else a > b
        assert (axis.loss(a) < axis.loss(b)) == better


@pytest.mark.parametrize(
    ("value", "violation"), [(50.0, 0.0), (49.0, -1.0), (53.0, 3.0)]
)
def test_a_violation_is_what_lies_beyond_the_bound(value, violation):
    assert ENERGY.violation(value) == violation


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goal": "mx"}, r"objective a: goal: got 'mx'\. Did you mean 'max'\?"),
        ({"goal": None}, "objective a: goal: got None. .*Known: max, min"),
        ({"scale": "lg"}, r"objective a: scale: got 'lg'\. Did you mean 'log'\?"),
        ({"reference": math.nan}, "a: reference: expected a finite number, got nan"),
        ({"reference": True}, "a: reference: expected a finite number, got True"),
        ({"reference": "1e4"}, r"got '1e4'\. YAML reads '1e4' as text: write 1\.0e\+4"),
        ({"floor": math.inf}, "a: floor: expected a finite number, got inf"),
        ({"scale": "log", "reference": 0}, "needs reference > 0 and floor > 0"),
        ({"scale": "log", "floor": 0}, "needs reference > 0 and floor > 0, got .*=0"),
        ({"scale": "log", "floor": 1}, "expected reference > floor, got reference=1,"),
        ({"metric": ""}, "objective: expected the name of a metric, got ''"),
        ({"metric": None}, "objective: expected the name of a metric, got None"),
    ],
)
def test_a_flawed_objective_is_refused(changes, message):
    with pytest.raises(ProblemError, match=message):
        Objective(**{"metric": "a", "goal": "min", "reference": 1, **changes})


def test_what_is_maximised_may_have_its_reference_at_the_floor():
    axis = Objective(metric="a", goal="max", reference=0.01, scale="log", floor=0.01)
    assert axis.loss(1.0) < axis.loss(axis.reference)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"upper": None}, "constraint a: upper: expected a finite number, got None"),
        ({"upper": "1e-3"}, "write 1.0e-3"),
        ({"voids": "yes"}, "constraint a: voids: expected true or false, got 'yes'"),
        ({"metric": 3}, "constraint: expected the name of a metric, got 3"),
    ],
)
def test_a_flawed_constraint_is_refused(changes, message):
    with pytest.raises(ProblemError, match=message):
        Constraint(**{"metric": "a", **changes})


# -- masks and matrices ---------------------------------------------------------------

TRIALS = [
    (trial(0, **GOOD), True, True),
    (trial(1, **{**GOOD, "energy_nj": 51.0}), True, False),
    (trial(2, **{**GOOD, "silence_margin": 0.1}), False, False),
    (trial(3, **{**GOOD, "silence_margin": 0.0, "energy_nj": 50.0}), True, True),
    (trial(4, stopped="pruned", **GOOD), False, False),
    (trial(5, stopped="silent", silence_margin=2.0, energy_nj=0.0), False, False),
    (trial(6, accuracy=0.5, silence_margin=-1.0, energy_nj=1.0), False, False),
    (trial(7, **{**GOOD, "accuracy": 0.5, "spikes": 0.0}), True, True),
    (unfinished(8), False, False),
    (unfinished(9, Failure(kind="crashed", message="")), False, False),
]


@pytest.mark.parametrize(("subject", "observed", "feasible"), TRIALS)
def test_what_is_observed_and_feasible(subject, observed, feasible):
    assert problem().is_observed(subject) is observed
    assert problem().is_feasible(subject) is feasible


def test_masks_follow_the_trials():
    trials = [t for t, _, _ in TRIALS]
    for mask, column in ((problem().observed, 1), (problem().feasible, 2)):
        assert mask(trials).dtype == bool
        assert mask(trials).tolist() == [row[column] for row in TRIALS]
        assert mask([]).shape == (0,)


def test_losses_are_the_observed_rows_and_minimised():
    trials = [t for t, _, _ in TRIALS]
    losses = problem().losses(trials)
    assert losses == pytest.approx(
        np.array([[-0.9, 3], [-0.9, 3], [-0.9, 3], [-0.5, 1]])
    )
    assert len(losses) == problem().observed(trials).sum()
    assert np.isfinite(losses).all()


def test_violations_are_the_done_rows():
    violations = problem().violations([t for t, _, _ in TRIALS])
    assert violations == pytest.approx(
        np.array(
            [
                [-0.5, -10],
                [-0.5, 1],
                [0.1, -10],
                [0.0, 0.0],
                [-0.5, -10],
                [2.0, -50],
                [-1.0, -49],
                [-0.5, -10],
            ]
        )
    )


def test_shapes_without_rows_or_columns():
    assert problem().losses([]).shape == (0, 2)
    assert problem().losses([unfinished()]).shape == (0, 2)
    assert problem().violations([unfinished()]).shape == (0, 2)
    free = problem(constraints=())
    assert free.violations([trial(**GOOD), trial(**GOOD)]).shape == (2, 0)
    assert free.is_feasible(trial(accuracy=0.5, spikes=3.0))


def test_the_reference_lies_in_the_space_of_losses():
    assert problem().reference == pytest.approx(np.array([-0.25, 4.0]))
    assert problem().reference.dtype == np.float64


def test_metrics_are_named_once_objectives_first():
    capped = Constraint(metric="spikes", upper=100)
    subject = problem(constraints=(SILENCE, capped))
    assert subject.metrics == ("accuracy", "spikes", "silence_margin")


@pytest.mark.parametrize(
    ("lacking", "stopped", "reason"),
    [
        ((), None, None),
        (("accuracy",), None, "the task did not measure accuracy"),
        (("accuracy", "spikes"), "silent", None),
        (("accuracy",), "pruned", None),
        (("silence_margin",), "silent", "the task did not measure silence_margin"),
        (("energy_nj", "accuracy"), None, "did not measure energy_nj, accuracy"),
    ],
)
def test_what_an_evaluation_lacks(lacking, stopped, reason):
    metrics = {k: v for k, v in GOOD.items() if k not in lacking}
    said = problem().check_evaluation(Evaluation(metrics=metrics, stopped=stopped))
    assert said is None if reason is None else reason in said


def test_a_metric_of_both_an_objective_and_a_constraint_is_never_missing():
    subject = problem(constraints=(Constraint(metric="spikes", upper=100),))
    evaluation = Evaluation(metrics={"accuracy": 0.5}, stopped="pruned")
    assert subject.check_evaluation(evaluation) == "the task did not measure spikes"


def test_a_task_must_measure_what_is_asked_for():
    problem().check_task(list(GOOD))
    with pytest.raises(ProblemError, match=r"'spikes'\. Did you mean 'spike'\?"):
        problem().check_task(["accuracy", "spike", "silence_margin", "energy_nj"])


# -- admissible -----------------------------------------------------------------------


def test_a_guarded_problem_asks_its_own_rule_first_and_then_the_guard(monkeypatch):
    monkeypatch.setitem(sys.modules, "user_rules", sys.modules[__name__])
    own = problem(admissible="user_rules.refuses_deep")
    subject = own.guarded(lambda params: "odd" if params["depth"] % 2 else None)
    assert subject.refusal({"depth": 3}) == "too deep"
    assert subject.refusal({"depth": 1}) == "odd"
    assert subject.refusal({"depth": 2}) is None
    assert own.refusal({"depth": 1}) is None
    assert problem().guarded(lambda params: "never").refusal({"depth": 2}) == "never"
    assert subject == own
    assert subject.to_config() == own.to_config()


def test_admissible_is_a_dotted_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "user_rules", sys.modules[__name__])
    subject = problem(admissible="user_rules.refuses_deep")
    assert subject.refusal({"depth": 2}) is None
    assert subject.refusal({"depth": 3}) == "too deep"
    assert subject == problem(admissible="user_rules.refuses_deep")
    assert problem().refusal({"depth": 3}) is None


@pytest.mark.parametrize(
    ("dotted", "message"),
    [
        ("no_such_module.rule", "'no_such_module.rule': No module named"),
        ("math.no_such_rule", "has no attribute 'no_such_rule'"),
        ("math.pi", "'math.pi' is not a function"),
        ("rule", "expected a dotted name such as my_module.my_rule, got 'rule'"),
        ("", "expected a dotted name .* got ''"),
        (".rules.rule", r"'\.rules\.rule': "),
        (3, "expected a dotted name .* got 3"),
    ],
)
def test_a_flawed_admissible_is_refused(dotted, message):
    with pytest.raises(ProblemError, match=f"problem.admissible: .*{message}"):
        problem(admissible=dotted)


# -- the YAML form --------------------------------------------------------------------


def test_a_problem_survives_its_config_pickle_and_copies():
    subject = problem(admissible="math.sin")
    config = json.loads(json.dumps(subject.to_config()))
    for read in (
        Problem.from_config(SPACE, config),
        pickle.loads(pickle.dumps(subject)),
        copy.deepcopy(subject),
    ):
        assert read == subject
        assert read.reference.tolist() == subject.reference.tolist()
    assert Problem.from_config(SPACE, problem().to_config()) == problem()


OBJECTIVE = {"metric": "a", "goal": "min", "reference": 1}


def test_the_shortest_config():
    subject = Problem.from_config(SPACE, {"objectives": [OBJECTIVE]})
    assert (subject.constraints, subject.admissible) == ((), None)
    nothing = {"objectives": [OBJECTIVE], "constraints": None, "admissible": None}
    assert Problem.from_config(SPACE, nothing) == subject


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "problem: expected a mapping of objectives, constraints, admissible"),
        ([], "problem: expected a mapping"),
        ({}, "problem.objectives: expected at least one, got none"),
        ({"objectives": []}, "problem.objectives: expected at least one, got none"),
        ({"objective": []}, "unknown key 'objective'. Did you mean 'objectives'?"),
        ({1: []}, "problem: unknown key 1."),
        ({"objectives": OBJECTIVE}, "problem.objectives: expected a list, got {"),
        ({"objectives": "accuracy"}, "problem.objectives: expected a list, got 'acc"),
        ({"objectives": ["a"]}, "problem.objectives[0]: expected e.g. {metric: …}"),
        (
            {"objectives": [OBJECTIVE, {**OBJECTIVE, "gaol": "min"}]},
            "problem.objectives[1]: unknown key 'gaol'. Did you mean 'goal'?",
        ),
        (
            {"objectives": [{"metric": "a"}]},
            "problem.objectives[0]: missing goal and reference.",
        ),
        ({"objectives": [OBJECTIVE, OBJECTIVE]}, "objectives: 'a' is there twice"),
        (
            {"objectives": [OBJECTIVE], "constraints": [{}]},
            "problem.constraints[0]: missing metric.",
        ),
        (
            {"objectives": [OBJECTIVE], "constraints": [{"metric": "b"}] * 2},
            "problem.constraints: 'b' is there twice",
        ),
    ],
)
def test_a_flawed_config_is_refused(raw, message):
    with pytest.raises(ProblemError) as caught:
        Problem.from_config(SPACE, raw)
    assert message in str(caught.value)


def searched(**changes):
    space = Space.from_config(
        {"epochs": {"int": [1, 9]}, "kind": {"choice": ["a", "b"]}}
    )
    return Problem(space=space, objectives=(ACCURACY,), **changes)


def test_the_fidelity_is_a_number_of_the_space():
    assert searched(fidelity="epochs").fidelity == "epochs"
    with pytest.raises(ProblemError, match=r"got 'epoch'.*Did you mean 'epochs'"):
        searched(fidelity="epoch")
    with pytest.raises(ProblemError, match="expected a number that the space searches"):
        searched(fidelity="kind")


def test_a_problem_without_fidelity_reads_as_before_there_was_one():
    """It is a part of the identity of studies."""
    assert "fidelity" not in searched().to_config()
    told = searched(fidelity="epochs")
    assert told.to_config()["fidelity"] == "epochs"
    assert Problem.from_config(told.space, told.to_config()) == told
