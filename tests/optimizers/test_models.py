"""From a history to surrogates and proposals, whatever the acquisition function."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from moosnn.optimizers import models
from moosnn.optimizers.base import Fresh, generator
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.fit_chain import FitChain
from moosnn.optimizers.models import (
    Answer,
    Question,
    _form_weights,
    feasible_trials,
    proposals_of,
    surrogates_of,
)
from moosnn.optimizers.outcomes import VIABILITY_MINIMUM, blocks_of, features_of
from moosnn.optimizers.sobol import Sobol
from moosnn.optimizers.surrogate import Hyper
from moosnn.problem import Constraint, Problem
from moosnn.tasks.analytic import AnalyticTask
from tests.contracts.optimizers import SEED, toy_points, two_constraints
from tests.helpers import Story, story_of, toy_problem
from tests.optimizers.oracles import block_of

INITIAL = 4
_LIGHT = np.exp(models._LIGHTEST)
TASK = AnalyticTask("toy_snn")


def question_of(problem: Problem, story: Story) -> Question:
    history = story.history
    cube, fresh = Cube(problem.space), Fresh(problem, history)
    return Question(
        problem=problem,
        history=history,
        number=history.proposals,
        cube=cube,
        waiting=(),
        fresh=fresh,
        rng=generator(0, 0),
    )


def nothing(question: Question) -> Answer:
    return None, "sobol"


def test_the_design_is_the_centre_and_sobol_points() -> None:
    problem = toy_problem()
    story = Story(problem)
    found = proposals_of(
        problem, story.history, INITIAL, SEED, initial=INITIAL, answer=nothing
    )
    assert dict(found[0].params) == problem.space.decode([0.5] * 9)
    others = Sobol().propose(problem, story.history, INITIAL, SEED)
    assert [p.params for p in found[1:]] == [p.params for p in others[1:]]
    assert {p.origin for p in found} == {"sobol"}


def test_a_centre_that_was_tried_is_a_sobol_point() -> None:
    problem = toy_problem(admissible="tests.helpers.refuses_deep")
    story = Story(problem)
    assert problem.refusal(problem.space.decode([0.5] * 9)) is not None
    (found,) = proposals_of(
        problem, story.history, 1, SEED, initial=INITIAL, answer=nothing
    )
    (expected,) = Sobol().propose(problem, story.history, 1, SEED)
    assert found.params == expected.params


def test_answers_are_asked_for_with_what_is_waiting() -> None:
    problem = toy_problem()
    story = story_of(problem, TASK, toy_points(INITIAL))
    story.propose_at(*[0.4] * 9)
    asked: list[Question] = []

    def answer(question: Question) -> Answer:
        asked.append(question)
        place = [0.1 + len(asked) / 10] * 9
        return problem.space.decode(place), "mine"

    found = proposals_of(
        problem, story.history, 3, SEED, initial=INITIAL, answer=answer
    )
    assert [p.origin for p in found] == ["mine"] * 3
    assert [len(q.waiting) for q in asked] == [1, 2, 3]
    assert asked[2].waiting[1:] == [p.params for p in found[:2]]
    assert asked[0].waiting[0] == story.history.pending[0].proposal.params
    assert asked[1].awaited.shape == (2, len(asked[0].cube.parameter_of))
    draws = [q.rng.random() for q in asked]
    numbers = [story.history.proposals + k for k in range(3)]
    assert [q.number for q in asked] == numbers
    assert draws == [generator(SEED, number).random() for number in numbers]


@pytest.mark.parametrize(
    "error", [ArithmeticError("odd"), np.linalg.LinAlgError("odd")]
)
def test_numerical_trouble_is_logged_and_a_sobol_point(caplog, error) -> None:
    problem = toy_problem()
    story = story_of(problem, TASK, toy_points(INITIAL))

    def answer(question: Question) -> Answer:
        raise error

    with caplog.at_level(logging.WARNING):
        (found,) = proposals_of(
            problem, story.history, 1, SEED, initial=INITIAL, answer=answer
        )
    (expected,) = Sobol().propose(problem, story.history, 1, SEED)
    assert (found.params, found.origin) == (expected.params, "fallback")
    assert f"proposal {INITIAL}: odd" in caplog.text


def test_other_errors_are_raised() -> None:
    problem = toy_problem()
    story = story_of(problem, TASK, toy_points(INITIAL))

    def answer(question: Question) -> Answer:
        raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        proposals_of(problem, story.history, 1, SEED, initial=INITIAL, answer=answer)


def test_no_point_is_an_answer() -> None:
    """Nothing to model: ``sobol``; every candidate known: ``fallback``."""
    problem = toy_problem()
    story = story_of(problem, TASK, toy_points(INITIAL))
    for said, expected in (("sobol", "sobol"), ("mine", "fallback")):
        (found,) = proposals_of(
            problem,
            story.history,
            1,
            SEED,
            initial=INITIAL,
            answer=lambda _, origin=said: (None, origin),
        )
        assert found.origin == expected


def test_surrogates_have_every_outcome_in_the_order_of_their_names() -> None:
    problem = two_constraints()
    story = story_of(problem, TASK, toy_points(40))
    assert len(story.history.failed) >= VIABILITY_MINIMUM
    question = question_of(problem, story)
    found = surrogates_of(question, FitChain(0.1))
    blocks = blocks_of(problem, story.history, question.cube)
    assert found.gains == 2
    assert set(found.constraint.tolist()) == {0, 1, 2}  # margin, weights, viability
    kinds = [blocks.objectives, blocks.objectives]
    kinds += [
        blocks.viability if c == 2 else blocks.constraints for c in found.constraint
    ]
    for gp, block in zip(found.gps, kinds, strict=True):
        np.testing.assert_allclose(
            gp.scaled / gp.inverse_lengthscales, block.points, atol=1e-12
        )
    assert found.zeros[:2].tolist() == blocks.objectives.zeros.tolist()
    for c in range(3):
        for far in (False, True):
            forms = (found.constraint == c) & (found.far == far)
            weights = np.exp(found.log_weights[forms])
            assert 0.45 < weights.sum() < 0.5 + 1e-9  # without one that is left out
    leading = found.leading[found.gains :] - found.gains
    assert found.constraint[leading].tolist() == [0, 1, 2]
    assert not found.far[leading].any()


def test_means_are_on_the_side_where_the_trials_were() -> None:
    problem = toy_problem()
    story = story_of(problem, TASK, toy_points(40))
    question = question_of(problem, story)
    found = surrogates_of(question, FitChain(0.1))
    done = story.history.done
    means = found.predict(features_of(done, question.cube)).means[:, 0]
    leading = found.leading[found.gains]
    silent = [t.evaluation.metrics["silence_margin"] > 0 for t in done]
    assert ((means[:, leading] > found.zeros[leading]) == silent).mean() > 0.9


def test_nothing_measured_has_no_surrogates() -> None:
    problem = toy_problem(constraints=())
    story = Story(problem)
    story.finish(story.propose_at(*[0.4] * 9), stopped="pruned")
    assert surrogates_of(question_of(problem, story), FitChain(0.1)) is None


def test_forms_are_weighed_by_their_evidence() -> None:
    """Tempered: exp(evidence / 4), each constraint's forms in sum 1.

    Near and far ones one half each, though the far ones' densities lie higher.
    """
    evidences = [10.0, 3.0, 6.0, 3.0, 70.0, 99.0, 70.0, 91.0]
    hypers = [Hyper(np.zeros(1), 0.0, 0.0, e) for e in evidences]
    block = block_of(
        np.zeros((1, 1)),
        np.zeros((1, 8)),
        outcome=np.array([0, 1] * 4),
        far=np.repeat([False, True], 4),
    )
    found = np.exp(_form_weights(hypers, block))
    four, eight = np.exp(models._TEMPER * np.array([4.0, 8.0]))
    near = [four / (1 + four), 0.5, 1 / (1 + four), 0.5]
    far = [0.5, eight / (1 + eight), 0.5, 1 / (1 + eight)]
    assert found == pytest.approx([share / 2 for share in near + far])


def test_the_temper_is_a_quarter() -> None:
    """Twelve of evidence are odds of e^3, whichever forms there are."""
    hypers = [Hyper(np.zeros(1), 0.0, 0.0, e) for e in (12.0, 0.0)]
    block = block_of(np.zeros((1, 1)), np.zeros((1, 2)), outcome=np.zeros(2, int))
    found = _form_weights(hypers, block)
    assert found[0] - found[1] == pytest.approx(3.0)


def test_a_hopeless_form_is_left_out() -> None:
    """A violation of a thousand sizes is no smooth function before the logarithm."""
    problem = toy_problem(constraints=(Constraint(metric="c"),))
    story, rng = Story(problem), np.random.default_rng(0)
    for point in rng.random((40, 9)):
        size = 10 ** (6 * point[2] - 3)
        good = {"accuracy": 0.9, "spikes_per_sample": 9.0}
        story.finish(story.propose_at(*point), **good, c=size - 1)
    found = surrogates_of(question_of(problem, story), FitChain(0.1))
    assert len(found.gps) == found.gains + 2
    assert found.far.tolist() == [False, True]
    half = np.log(0.5)
    assert found.log_weights == pytest.approx([half, half], abs=2 * _LIGHT)


def test_feasible_trials_are_in_the_order_in_which_they_ended() -> None:
    problem = toy_problem()
    story = story_of(problem, TASK, toy_points(30))
    found = feasible_trials(problem, story.history)
    assert 0 < len(found) < len(story.history.done)
    assert all(problem.is_feasible(t) for t in found)
    assert [t.number for t in found] == sorted(t.number for t in found)
