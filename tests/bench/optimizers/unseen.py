"""Problems of BoTorch's that none of our defaults was chosen by, as tasks.

torch and BoTorch are imported only by a task, since the memory of others is measured.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from moosnn.problem import Constraint, Objective, Problem
from moosnn.space import Float, Space
from moosnn.tasks.base import Context
from moosnn.trial import Evaluation, Proposal

# A function, its arguments, and the reference: BoTorch's, unless there is none or one
# that every point beats.
_FUNCTIONS: Mapping[str, tuple[str, dict[str, int], tuple[float, ...] | None]] = {
    "bnh": ("BNH", {}, (140.0, 50.0)),
    "srn": ("SRN", {}, (250.0, 0.0)),
    "osy": ("OSY", {}, None),
    "welded_beam": ("WeldedBeam", {}, None),
    "mw7": ("MW7", {"dim": 8}, None),
    "dh1": ("DH1", {"dim": 4}, None),
    "dtlz2": ("DTLZ2", {"dim": 6, "num_objectives": 2}, None),
    "zdt1": ("ZDT1", {"dim": 6}, (1.1, 1.1)),
    "zdt3": ("ZDT3", {"dim": 6}, (1.1, 1.1)),
    "vehicle_safety": ("VehicleSafety", {}, None),
}
NAMES = tuple(_FUNCTIONS)


class UnseenTask:
    """One of the functions: ``x1 …`` -> losses ``f1 …``, violations ``c1 …``.

    Args:
        name: of `NAMES`.
    """

    def __init__(self, name: str) -> None:
        with warnings.catch_warnings():
            # linear_operator compiles two functions in a way that torch deprecates.
            warnings.filterwarnings("ignore", "`torch.jit.script`", DeprecationWarning)
            from botorch.test_functions import multi_objective as functions

        kind, arguments, reference = _FUNCTIONS[name]
        self._function: Any = getattr(functions, kind)(**arguments)
        self.reference = reference or tuple(self._function.ref_point.tolist())
        self.parameters = frozenset(f"x{k + 1}" for k in range(self._function.dim))
        self._constraints = getattr(self._function, "num_constraints", 0)
        self.metrics = (
            *(f"f{k + 1}" for k in range(len(self.reference))),
            *(f"c{k + 1}" for k in range(self._constraints)),
        )

    def problem(self) -> Problem:
        """The function's box, its losses with the reference, its constraints."""
        low, high = self._function.bounds.tolist()
        count = len(self.reference)
        return Problem(
            space=Space(
                {
                    f"x{k + 1}": Float(low=low[k], high=high[k])
                    for k in range(self._function.dim)
                }
            ),
            objectives=tuple(
                Objective(metric=metric, goal="min", reference=worst)
                for metric, worst in zip(
                    self.metrics[:count], self.reference, strict=True
                )
            ),
            constraints=tuple(Constraint(metric=m) for m in self.metrics[count:]),
        )

    def evaluate(self, proposal: Proposal, _: Context) -> Evaluation:
        """The formula at a point."""
        import torch

        values = [
            float(proposal.params[f"x{k + 1}"]) for k in range(len(self.parameters))
        ]
        point = torch.tensor([values], dtype=torch.double)
        found = self._function(point, noise=False)[0].tolist()
        if self._constraints:
            slack = self._function.evaluate_slack(point, noise=False)[0]
            found += (-slack).tolist()
        return Evaluation(metrics=dict(zip(self.metrics, found, strict=True)))
