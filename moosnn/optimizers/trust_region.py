"""Trust regions: Thompson sampling around the best points, for tight constraints.

Knows: in which order the pieces are used. Must not know: when a region grows, shrinks
or begins anew, where it lies, how a model is fitted.

Where most of a large space is infeasible, a search that looks everywhere mostly finds
that. SCBO [Eriksson2021]_ looks in a box around the best feasible point, which grows
while that goes well and shrinks otherwise; MORBO [Daulton2022]_ has several along a
front. Firmin et al. [Firmin2024]_ searched spiking networks with SCBO. Different here
from how they ran it: a centre is feasible before it is good, violations are clamped, a
result is charged to the region and the length that proposed it, pending trials belong
to the draw, and a region that gives up begins anew where feasible points are expected,
far from where it was, instead of anywhere.

1. The first proposals are the centre of the space and Sobol points.
2. A region that begins anew: the best in a draw of the probably feasible and distant.
3. Else the best candidate of all regions in one draw of all outcomes [Daulton2022]_.
   Taking turns would spend as much on regions that have nothing left to offer.

.. [Eriksson2021] D. Eriksson, M. Poloczek. Scalable Constrained Bayesian Optimization.
   AISTATS 2021.
.. [Daulton2022] S. Daulton, D. Eriksson, M. Balandat, E. Bakshy. Multi-Objective
   Bayesian Optimization over High-Dimensional Search Spaces. UAI 2022.
.. [Firmin2024] T. Firmin, P. Boulet, E.-G. Talbi. Parallel Hyperparameter Optimization
   of Spiking Neural Networks. Neurocomputing 2024, arXiv:2403.00450.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from moosnn.errors import ConfigError
from moosnn.history import History
from moosnn.optimizers.base import require_number, require_share, require_whole
from moosnn.optimizers.boxes import beginnings, everywhere, in_box, weights_of
from moosnn.optimizers.centres import centres_of, ended_centres
from moosnn.optimizers.cube import Indexes
from moosnn.optimizers.enqueued import extended
from moosnn.optimizers.fit_chain import FitChain
from moosnn.optimizers.models import (
    Answer,
    Question,
    feasible_trials,
    proposals_of,
    surrogates_of,
)
from moosnn.optimizers.outcomes import features_of
from moosnn.optimizers.posterior import Surrogates
from moosnn.optimizers.regions import Regions, Rules, origin_of, replayed
from moosnn.optimizers.thompson import drawn_order
from moosnn.problem import Floats, Problem
from moosnn.space import Params
from moosnn.trial import Proposal

_SMALLEST_DESIGN = 5
_REGIONS = 3  # along a front
_MOST_REGIONS = 100
_SMALLEST_SHARE = 2  # candidates of a region
_FEWEST, _A_PARAMETER, _MOST = 2000, 200, 5000  # candidates, as [Eriksson2021]


class TrustRegion:
    """Proposes by constrained Thompson sampling in trust regions.

    It is a function of the history: lengths, centres and lives of the regions are read
    from it each time, and fits that are remembered would come out the same again.

    Args:
        initial: how many points come first, the centre and Sobol points, >= 1;
            ``None`` = half the number of parameters, 5 at least.
        regions: how many, in [1, 100]; ``None`` = 3, with a single objective 1.
        candidates: of all regions together, >= 2 a region; ``None`` = 200 a parameter,
            2,000 at least and 5,000 at most. A region's share is rounded to a power
            of two, 2 at least.
        noise_share: what share of an outcome's variance is expected to be noise, in
            (0, 1]: trainings are noisy; a formula is not (0.0003).
        initial_length: of a region's sides, in the unit cube, > 0.
        smallest_length: below it a region begins anew elsewhere, > 0.
        largest_length: it grows no further.
        success_tolerance: rounds with progress in a row before it grows, >= 1.

    Raises:
        ConfigError: a number out of its range.
    """

    def __init__(
        self,
        initial: int | None = None,
        *,
        regions: int | None = None,
        candidates: int | None = None,
        noise_share: float = 0.1,
        initial_length: float = 0.8,
        smallest_length: float = 2.0**-7,
        largest_length: float = 1.6,
        success_tolerance: int = 3,
    ) -> None:
        require_whole("initial", 1 if initial is None else initial, 1)
        require_whole("regions", 1 if regions is None else regions, 1)
        if regions is not None and regions > _MOST_REGIONS:
            raise ConfigError(
                f"optimizer.regions: expected at most {_MOST_REGIONS}, got {regions}."
            )
        least = _SMALLEST_SHARE * (regions or 1)
        require_whole("candidates", least if candidates is None else candidates, least)
        require_share("noise_share", noise_share)
        require_number("smallest_length", smallest_length, math.ulp(0.0))
        require_number("initial_length", initial_length, smallest_length)
        require_number("largest_length", largest_length, initial_length)
        require_whole("success_tolerance", success_tolerance, 1)
        self.initial = initial
        self.regions = regions
        self.candidates = candidates
        self.noise_share = noise_share
        self.rules = Rules(
            initial_length=initial_length,
            smallest_length=smallest_length,
            largest_length=largest_length,
            success_tolerance=success_tolerance,
        )
        self._chain = FitChain(noise_share)

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next points; see `Optimizer.propose`.

        Origins: those of `proposals_of`, and ``region-1``, ``region-2``, …
        """
        initial = self.initial or max(_SMALLEST_DESIGN, len(problem.space) // 2)
        found: list[Proposal] = []
        while len(found) < count:
            now = extended(history, found)  # a new life begins with a single trial
            new = proposals_of(
                problem, now, 1, seed, initial=initial, answer=self._answer
            )
            if not new:
                break
            found.append(replace(new[0], seen=len(history)))
        return found

    def _answer(self, question: Question) -> Answer:
        surrogates = surrogates_of(question, self._chain)
        if surrogates is None:
            return None, "sobol"
        problem, history, cube = question.problem, question.history, question.cube
        count = self.regions or (_REGIONS if len(problem.objectives) > 1 else 1)
        rules = replace(self.rules, dim=cube.dim)
        regions = replayed(problem, history, rules, count)
        centres = centres_of(problem, history, regions)
        points, owners = self._candidates(question, surrogates, regions, centres)
        order = drawn_order(
            surrogates,
            cube.features(points, cube.active(points)),
            features_of(feasible_trials(problem, history), cube),
            question.awaited,
            question.rng,
        )
        for row in order.tolist():
            params = cube.decoded(points[row])
            if question.fresh(params):
                return params, origin_of(int(owners[row]))
        return None, "fallback"

    def _candidates(
        self,
        question: Question,
        surrogates: Surrogates,
        regions: Regions,
        centres: Sequence[Params | None],
    ) -> tuple[Floats, Indexes]:
        """Points in the cube, ``n x d``, and whose they are, ``n``."""
        cube, rng, states = question.cube, question.rng, regions.states
        total = min(_MOST, max(_FEWEST, _A_PARAMETER * cube.dim))
        share = max(_SMALLEST_SHARE, (self.candidates or total) // len(states))
        placed = [centre for centre in centres if centre is not None]
        if len(placed) < len(centres):
            points = self._beginnings(question, surrogates, regions, placed, share)
            return points, np.full(len(points), centres.index(None))
        weights = weights_of(surrogates, cube)
        boxes = [
            in_box(cube, centre[None], state.length * weights, share, rng)
            for centre, state in zip(cube.encoded(placed), states, strict=True)
        ]
        points = np.vstack(boxes)
        return points, np.repeat(np.arange(len(boxes)), [len(box) for box in boxes])

    def _beginnings(
        self,
        question: Question,
        surrogates: Surrogates,
        regions: Regions,
        placed: Sequence[Params],
        count: int,
    ) -> Floats:
        """Where a region may begin anew, ``n x d``."""
        problem, history, cube = question.problem, question.history, question.cube
        rng = question.rng
        points = everywhere(cube, count, rng)
        good = cube.encoded(
            [t.proposal.params for t in feasible_trials(problem, history)]
        )
        if len(good):  # a large space has its feasible points near the known ones
            sides = self.rules.initial_length * weights_of(surrogates, cube)
            points = np.vstack([points, in_box(cube, good, sides, count, rng)])
        old = [*ended_centres(problem, history, regions), *placed]
        return beginnings(surrogates, cube, points, cube.encoded(old))
