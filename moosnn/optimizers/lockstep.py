"""Several L-BFGS minimisations side by side: what each asks for is computed for all.

Knows: scipy's L-BFGS-B, greenlets. Must not know: what is minimised.

One evaluation of a model at six points takes hardly longer than at one: most of it is
Python. So every minimisation runs in a greenlet of its own until it needs the function,
and the function is called once for all that wait. Each of them takes the steps that it
would take alone, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from greenlet import getcurrent, greenlet
from scipy.optimize import minimize

from moosnn.problem import Floats

# Of some minimisations, by their places, and their points: each one's value and slopes.
Function = Callable[[Mapping[int, Floats]], Sequence[tuple[float, Floats]]]


def minimised(
    function: Function, starts: Mapping[int, Floats], *, steps: int, evaluations: int
) -> dict[int, Floats]:
    """Where minimisations in the unit cube end.

    Args:
        function: what is minimised, of all that wait for it at once.
        starts: the first point of each, in [0, 1], of any length >= 1.
        steps: of each at most.
        evaluations: of each at most, roughly: a step that was begun is completed.

    Returns:
        The last point of each.

    Raises:
        Exception: whatever ``function`` raises; all minimisations end with it.
    """
    main = getcurrent()
    options = {"maxiter": steps, "maxfun": evaluations}

    def descend(start: Floats) -> Floats:
        found = minimize(
            lambda point: main.switch(point.copy()),
            start,
            jac=True,
            bounds=[(0.0, 1.0)] * len(start),
            method="L-BFGS-B",
            options=options,
        )
        return found.x  # type: ignore[no-any-return]

    descents: dict[int, Any] = {place: greenlet(descend) for place in starts}
    # What each has come to: the point that it waits for, or the last one.
    reached = {place: descents[place].switch(start) for place, start in starts.items()}
    while waiting := {p: x for p, x in reached.items() if not descents[p].dead}:
        answers = function(waiting)
        for place, answer in zip(waiting, answers, strict=True):
            reached[place] = descents[place].switch(answer)
    return reached
