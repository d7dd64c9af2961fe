"""Distances to the edge, seen through the toy network's own formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.problem import Constraint, Problem
from moosnn.space import Space
from moosnn.tracking.edge import (
    LEAST_TRIALS,
    Survey,
    beyond_word,
    chosen_number,
    edge_constraints,
    fell_beyond,
    is_beyond,
    no_edge,
    survey,
)
from moosnn.tracking.edge_lines import (
    Line,
    Surroundings,
    map_around,
    surroundings,
    telling_pair,
)
from moosnn.tracking.summary import members
from moosnn.trial import Evaluation
from tests.helpers import Story, toy_problem
from tests.tracking.edges import (
    TRUST,
    margin,
    retrained,
    threshold_edge,
    toy_history,
    true_probability,
    true_survey,
)
from tests.tracking.test_summary import POINT, evaluation


@pytest.fixture(scope="module")
def seen() -> Survey:
    return true_survey()


def line_of(one: Surroundings, name: str) -> Line:
    return next(line for line in one.lines if line.name == name)


# ------------------------------------------------------------------------ lines


def test_each_member_has_a_line_for_each_of_its_active_numbers(seen: Survey) -> None:
    assert [one.number for one in seen.members] == [
        row.trial.number for row in members(seen.problem, seen.history)
    ]
    always = ["depth", "width", "threshold", "penalty", "lr", "steps"]
    for one in seen.members:
        leaky = one.member.trial.proposal.params["neuron"] != "if"
        expected = [*always, "tau_steps"] if leaky else always
        assert [line.name for line in one.lines] == expected


def test_the_edge_along_the_threshold_is_that_of_the_formula(seen: Survey) -> None:
    for one in seen.members:
        params = one.member.trial.proposal.params
        line = line_of(one, "threshold")
        assert line.crossings.below is None  # a lower threshold never silences
        true = threshold_edge(params)
        found = line.crossings.above
        if true > 5:
            assert found is None
            continue
        assert found is not None
        assert found.sure
        assert line.edge(found) == pytest.approx(true, rel=1e-6)
        in_cube = math.log(true / float(params["threshold"])) / math.log(5 / 0.2)
        assert found.distance == pytest.approx(in_cube, rel=1e-6)


@pytest.mark.parametrize("name", ["depth", "steps"])
def test_the_edge_along_whole_numbers_is_the_first_beyond(
    seen: Survey, name: str
) -> None:
    seen_edges = 0
    for one in seen.members:
        params, line = one.member.trial.proposal.params, line_of(one, name)
        assert line.values == tuple(seen.problem.space.parameters[name].values())
        space, own = seen.problem.space, line.values.index(params[name])
        margins = [margin(space.canonical({**params, name: v})) for v in line.values]
        for found, side in (
            (line.crossings.above, range(own + 1, len(line.values))),
            (line.crossings.below, range(own - 1, -1, -1)),
        ):
            beyond = [line.values[i] for i in side if margins[i] >= 0]
            assert (found and line.edge(found)) == (beyond[0] if beyond else None)
            seen_edges += found is not None
    assert seen_edges > 0


def test_what_a_move_makes_exist_has_its_middle_value() -> None:
    problem = toy_problem()
    story = Story(problem)
    story.finish_with(story.propose({**POINT, "depth": 1}), evaluation(0.9, 100.0))
    points: list[np.ndarray] = []

    def remembering(asked: np.ndarray) -> np.ndarray:
        points.extend(asked)
        return np.zeros(len(asked))

    surroundings(problem, story.history, remembering)
    decoded = [problem.space.decode(list(point)) for point in points]
    deeper = [point for point in decoded if point["depth"] == 3]
    assert [point["skip"] for point in deeper] == [
        problem.space.parameters["skip"].decode(0.5)
    ]
    assert all(
        np.allclose(problem.space.encode(p), q)
        for p, q in zip(decoded, points, strict=True)
    )


def test_the_nearest_edges_are_nearest_in_the_unit_cube(seen: Survey) -> None:
    for one in seen.members:
        distances = [
            crossing.distance
            for line in one.lines
            for crossing in (line.crossings.below, line.crossings.above)
            if crossing is not None
        ]
        nearest = [crossing.distance for _, crossing in one.nearest(99)]
        assert nearest == sorted(nearest)
        assert nearest[:1] == sorted(distances)[:1]
        assert len(one.nearest(1)) == min(1, len(nearest))


def test_the_probability_here_is_that_at_the_member(seen: Survey) -> None:
    for one in seen.members:
        params = one.member.trial.proposal.params
        expected = true_probability(seen.problem)(
            np.array([seen.problem.space.encode(params)])
        )
        assert one.probability == expected[0]
        own = line_of(one, "threshold")
        assert own.probability[own.values.index(own.value)] == pytest.approx(
            one.probability
        )


# ------------------------------------------------------------------------ map


def test_the_most_telling_parameters_are_those_that_change_most() -> None:
    problem = toy_problem()
    story = Story(problem)
    number = story.propose({**POINT, "neuron": "lif", "tau_steps": 4.0})
    story.finish_with(number, evaluation(0.9, 100.0))
    columns = list(problem.space)

    def weights(points: np.ndarray) -> np.ndarray:
        shares = {"depth": 0.5, "penalty": 0.2, "width": 0.3, "tau_steps": 0.1}
        return sum(w * points[:, columns.index(name)] for name, w in shares.items())

    around = surroundings(problem, story.history, weights)
    # Not the depth: whether a skip exists depends on it.
    assert telling_pair(problem.space, around, around[0]) == ("width", "penalty")


def test_one_number_alone_makes_no_map() -> None:
    space = Space.from_config({"x": {"float": [0, 1]}, "y": {"choice": ["a", "b"]}})
    problem = toy_problem(space=space)
    story = Story(problem)
    story.finish_with(story.propose({"x": 0.5, "y": "a"}), evaluation(0.9, 100.0))
    found = survey(problem, story.history, lambda points: points[:, 0], TRUST)
    assert found.map is None
    assert found.members[0].nearest(1)[0][0].name == "x"


def test_the_map_is_the_probability_at_its_values(seen: Survey) -> None:
    problem = seen.problem
    params = seen.chosen.member.trial.proposal.params
    probability = true_probability(problem)
    for names in (("threshold", "steps"), ("depth", "penalty")):
        found = map_around(problem.space, params, names, probability)
        across, up = found.values
        assert found.probability.shape == (len(up), len(across))
        for value, name in ((across, names[0]), (up, names[1])):
            assert list(value) == sorted(value)
            assert params[name] in value
        i, j = len(up) // 3, len(across) // 2
        point = {**params, names[0]: across[j], names[1]: up[i]}
        expected = probability(np.array([problem.space.encode(point)]))[0]
        assert found.probability[i, j] == pytest.approx(expected)


def test_the_map_lies_around_the_median_member_or_the_one_asked_for(
    seen: Survey,
) -> None:
    numbers = [one.number for one in seen.members]
    assert seen.chosen.number == numbers[len(numbers) // 2]
    problem, history = seen.problem, seen.history
    assert chosen_number(problem, history, numbers[0]) == numbers[0]


# ------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"number": 4}, "edge: --member: trial 4 is not on the front. On it: 1, 7, "),
        ({"names": ["width"]}, "edge: --parameters: expected two names, e.g. "),
        ({"names": ["width", "width"]}, "edge: --parameters: expected two names"),
        ({"names": ["width", "with"]}, "edge: --parameters: no parameter 'with'. Did"),
        ({"names": ["width", "skip"]}, "edge: --parameters: skip is a choice; expect"),
    ],
)
def test_a_wrong_member_or_parameter_is_named(
    asked: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        true_survey(**asked)
    assert str(caught.value).startswith(said)


def test_a_parameter_that_the_member_lacks_is_refused() -> None:
    history = told([-1.0]).history  # of an IF neuron
    with pytest.raises(ConfigError) as caught:
        true_survey(history, names=["width", "tau_steps"])
    assert str(caught.value) == (
        "edge: --parameters: tau_steps does not exist at trial 0; it has depth, width, "
        "threshold, penalty, lr, steps, and another may be named with --member N."
    )


# ------------------------------------------------------------------------ no edge


def told(margins: list[float]) -> Story:
    story = Story(toy_problem())
    for width, value in enumerate(margins, start=10):
        number = story.propose({**POINT, "width": width})
        story.finish_with(number, evaluation(0.9, 100.0, margin=value))
    return story


@pytest.mark.parametrize(
    ("margins", "said"),
    [
        ([], "no edge seen: 0 trials measured; 10 are the least."),
        ([-1.0], "no edge seen: 1 trial measured; "),
        ([-1.0, 1.0] * 4, "no edge seen: 8 trials measured; 10 are the least."),
        ([-1.0] * 12, "no edge seen: none of 12 trials was silent. "),
        ([1.0] * 12, "no front: 12 of 12 trials were silent, and no other is feasib"),
    ],
)
def test_where_nothing_is_known_that_is_said(margins: list[float], said: str) -> None:
    reason = no_edge(toy_problem(), told(margins).history)
    assert reason is not None
    assert reason.startswith(said)


def test_both_sides_and_a_front_are_enough() -> None:
    story = told([-1.0] + [1.0] * (LEAST_TRIALS - 1))
    assert no_edge(toy_problem(), story.history) is None


def test_a_problem_without_constraints_has_no_edge() -> None:
    problem = toy_problem(constraints=())
    assert no_edge(problem, toy_history()) == (
        "no edge: the problem has no constraint."
    )


def test_the_edge_is_that_of_the_constraints_that_void() -> None:
    silence = Constraint(metric="silence_margin", voids=True)
    size = Constraint(metric="weights", upper=1e4)
    both: Problem = toy_problem(constraints=(size, silence))
    assert edge_constraints(both) == (silence,)
    assert edge_constraints(toy_problem(constraints=(size,))) == (size,)
    assert (beyond_word((silence,)), beyond_word((size,))) == ("silent", "beyond")
    history = toy_history()
    expected = [t.evaluation.metrics["silence_margin"] > 0 for t in history.done]
    assert is_beyond((silence,), history) == expected


# ------------------------------------------------------------------------ re-seeded


def test_who_fell_when_trained_again_is_counted() -> None:
    history = retrained({1: [-0.1, 0.1, 0.2], 7: [-0.1, -0.2, 0.0]})
    problem = toy_problem()
    found = {
        row.trial.number: fell_beyond(problem.constraints, row)
        for row in members(problem, history)
    }
    assert (found[1], found[7], found[26]) == ((2, 3), (0, 3), (0, 0))


def test_a_retraining_that_failed_did_not_fall_silent() -> None:
    problem, story = toy_problem(), told([-1.0])
    story._add("confirmed", 0, replicate=0, failure={"kind": "crashed", "message": "x"})
    silent = Evaluation(metrics={"silence_margin": 0.5}, stopped="silent")
    story._add("confirmed", 0, replicate=1, evaluation=silent.to_json())
    (row,) = members(problem, story.history)
    assert fell_beyond(problem.constraints, row) == (1, 2)
    assert row.fell_infeasible(problem) == 2
