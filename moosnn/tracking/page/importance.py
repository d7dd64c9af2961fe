"""How much each parameter matters to each outcome.

Knows: spaces, what was measured. Must not know: optimizers' models, how it is shown.
Imports scikit-learn.

Of each outcome a forest of extremely randomised trees [Geurts2006]_ predicts the trials
that it has not seen, fold by fold, and does so again with the values of one parameter
exchanged among them: a parameter matters as much as the prediction then gets worse
(permutation importance, [Breiman2001]_). A choice is exchanged as one, whatever its
number of options. A point whose exchanged values make other parameters exist, or no
longer exist, is made canonical first, so that a depth is not credited to the width of
its last layer. All of it is repeated with other folds, forests and exchanges.

A parameter that the optimizer has long settled hardly varies, and little can be told of
it. The score says how far the forest is to be believed.

.. [Breiman2001] L. Breiman. Random Forests. Machine Learning 45, 2001, section 10.
.. [Geurts2006] P. Geurts, D. Ernst, L. Wehenkel. Extremely Randomized Trees. Machine
   Learning 63, 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from moosnn.optimizers.cube import Cube
from moosnn.problem import Floats, Problem
from moosnn.space import Choice
from moosnn.tracking.edge import beyond_word
from moosnn.tracking.page.plain import evenly, plain
from moosnn.trial import Trial

LEAST_TRIALS = 20  # fewer say nothing about twenty parameters
_LEAST_OF_EITHER = 5  # silent trials, and others: a fold is to have one of each
MOST_TRIALS = 300  # a forest of more is slow, and ranks parameters alike
_TREES = 20
_LARGEST = 1e100  # a value that a forest can square and sum
_LEAF = 2  # trials: a smaller one follows the noise of a training
_FOLDS = 4
_REPEATS = 3
_SEED = 0
R2, AUC = "R² out of fold", "ROC AUC out of fold"
_NOTE = (
    "Permutation importance: by how much the score of a forest on trials that it has "
    "not seen falls when one parameter's values are exchanged among them; mean and "
    f"standard deviation over {_REPEATS} repeats. A score of 1 is a perfect forest; "
    "with R² near 0, or an AUC near 0.5, the bars mean nothing."
)

Labels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One outcome whose parameters are ranked.

    Attributes:
        name: of the metric, or what lies beyond the edge.
        kind: ``objective``, ``silence`` or ``constraint``.
        trials: that measured it, ``n``.
        values: ``n`` numbers, or booleans of a silence.
    """

    name: str
    kind: str
    trials: Sequence[Trial]
    values: Labels

    @property
    def is_class(self) -> bool:
        """Whether it is one of two classes."""
        return self.values.dtype == bool

    @property
    def lack(self) -> str | None:
        """Why nothing can be said of it, or ``None``."""
        count = len(self.values)
        if count < LEAST_TRIALS:
            return f"{count} of {LEAST_TRIALS} trials"
        if self.is_class:
            fewer = int(min(self.values.sum(), (~self.values).sum()))
            if fewer < _LEAST_OF_EITHER:
                return f"fewer than {_LEAST_OF_EITHER} trials on one side"
        elif np.ptp(self.values) == 0:
            return "every trial has the same value"
        return None

    def thinned(self) -> Target:
        """The target with `MOST_TRIALS` at most, spread evenly."""
        rows = evenly(len(self.trials), MOST_TRIALS)
        return Target(
            name=self.name,
            kind=self.kind,
            trials=[self.trials[row] for row in rows],
            values=self.values[rows],
        )

    def scaled(self) -> Target:
        """The target with no number so large that its square is none.

        Neither a forest's splits nor R² change with the scale.
        """
        largest = 1.0 if self.is_class else float(np.abs(self.values).max())
        if largest <= _LARGEST:
            return self
        return replace(self, values=self.values / largest)


def targets_of(problem: Problem, trials: Sequence[Trial]) -> list[Target]:
    """What parameters are ranked for.

    Args:
        problem: of the study.
        trials: one a point; those that were not evaluated do not count.

    Returns:
        The objectives, on their scale, over the observed trials; the silence (or
        whatever voids) and each other constraint's metric over all that were not
        pruned.
    """
    observed = [t for t in trials if problem.is_observed(t)]
    whole = [t for t in trials if t.evaluation is not None and not t.is_pruned]
    losses = problem.losses(observed)
    found = [
        Target(name=o.metric, kind="objective", trials=observed, values=losses[:, k])
        for k, o in enumerate(problem.objectives)
    ]
    violations = problem.violations(whole)
    voiding = tuple(c for c in problem.constraints if c.voids)
    if voiding:
        columns = [problem.constraints.index(c) for c in voiding]
        beyond: Labels = np.any(violations[:, columns] > 0, axis=1)
        name = beyond_word(voiding)
        found.append(Target(name=name, kind="silence", trials=whole, values=beyond))
    return found + [
        Target(
            name=c.metric, kind="constraint", trials=whole, values=violations[:, column]
        )
        for column, c in enumerate(problem.constraints)
        if not c.voids
    ]


def importance_json(problem: Problem, trials: Sequence[Trial]) -> dict[str, Any]:
    """The ranked parameters as the page has them.

    Args:
        problem: of the study.
        trials: one a point.
    """
    targets = targets_of(problem, trials)
    notes = [_NOTE]
    notes += [f"Nothing of {t.name}: {t.lack}." for t in targets if t.lack]
    told = [target for target in targets if not target.lack]
    if any(len(target.trials) > MOST_TRIALS for target in told):
        notes.append(f"Of {MOST_TRIALS} trials, spread evenly over the study.")
    if not told:
        notes = notes[1:]
    return {
        "note": " ".join(notes),
        "targets": [_ranked(problem, target.thinned().scaled()) for target in told],
    }


def _ranked(problem: Problem, target: Target) -> dict[str, Any]:
    cube = Cube(problem.space)
    points = cube.encoded([t.proposal.params for t in target.trials])
    varied = [k for k in range(cube.dim) if np.ptp(points[:, k]) > 0]
    base, falls = _falls(cube, points, target, varied)
    names = list(problem.space)
    rows = [
        {"name": names[k], "mean": plain(fall.mean()), "sd": plain(fall.std(ddof=1))}
        for k, fall in zip(varied, falls.T, strict=True)
    ]
    return {
        "target": target.name,
        "kind": target.kind,
        "trials": len(target.trials),
        "score": plain(base.mean()),
        "score_name": AUC if target.is_class else R2,
        "parameters": sorted(rows, key=lambda row: -row["mean"]),
    }


def _falls(
    cube: Cube, points: Floats, target: Target, varied: Sequence[int]
) -> tuple[Floats, Floats]:
    """The scores, ``repeats``, and how far they fall, ``repeats x varied``."""
    import sklearn

    scores, falls = [], []
    # A third of the time of such small forests is the library's checks of its input.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for repeat in range(_REPEATS):
            predictions = _out_of_fold(cube, points, target, varied, repeat)
            each = [_score(target, column) for column in predictions]
            scores.append(each[0])
            falls.append([each[0] - other for other in each[1:]])
    return np.array(scores), np.array(falls).reshape(len(scores), len(varied))


def _out_of_fold(
    cube: Cube, points: Floats, target: Target, varied: Sequence[int], seed: int
) -> Floats:
    """What forests say of trials that they have not seen, ``1 + varied x n``.

    The first row as the points are, each other one with a parameter exchanged.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if target.is_class else KFold
    folds = kind(_FOLDS, shuffle=True, random_state=_SEED + seed)
    rng = np.random.default_rng([_SEED, seed])
    found = np.zeros((1 + len(varied), len(points)))
    for seen, unseen in folds.split(points, target.values):
        forest = _forest(target, seed)
        forest.fit(_columns(cube, points[seen]), target.values[seen])
        asked = np.concatenate([points[unseen]] * len(found))
        for place, column in enumerate(varied, 1):
            rows = slice(place * len(unseen), (place + 1) * len(unseen))
            asked[rows, column] = rng.permutation(points[unseen, column])
        if target.is_class:
            said = forest.predict_proba(_columns(cube, asked))[:, 1]
        else:
            said = forest.predict(_columns(cube, asked))
        found[:, unseen] = said.reshape(len(found), len(unseen))
    return found


def _forest(target: Target, seed: int) -> Any:  # noqa: ANN401 -- untyped library
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    kind = ExtraTreesClassifier if target.is_class else ExtraTreesRegressor
    return kind(_TREES, min_samples_leaf=_LEAF, max_features=1.0, random_state=seed)


def _columns(cube: Cube, points: Floats) -> Floats:
    """What a forest sees of points: coordinates, and a column an option of a choice.

    What does not exist at a point lies at the middle of its range: where it exists and
    where not is said by whatever it depends on.
    """
    snapped, _ = cube.snapped(points)
    columns = []
    for index, parameter in enumerate(cube.space.parameters.values()):
        column = snapped[:, index]
        if isinstance(parameter, Choice):
            option = np.floor(column * parameter.count).astype(int)
            columns.append(np.eye(parameter.count)[option])
        else:
            columns.append(column[:, None])
    return np.hstack(columns)


def _score(target: Target, said: Floats) -> float:
    from sklearn.metrics import r2_score, roc_auc_score

    score = roc_auc_score if target.is_class else r2_score
    return float(score(target.values, said))
