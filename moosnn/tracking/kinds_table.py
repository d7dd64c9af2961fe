"""How each kind of a study fared: its learning rules or architectures in numbers.

Knows: problems, histories, which kinds there are. Must not know: folders, pictures.
"""

from __future__ import annotations

import csv
import io

from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.tracking.kinds import kinds_of
from moosnn.tracking.points import points_of
from moosnn.tracking.progress import is_silent
from moosnn.trial import Status


def kinds_csv(problem: Problem, history: History) -> str:
    """A row a kind, in the order of the choice's options.

    Columns: the choice's name (``training``, ``architecture``); ``trials`` that ended,
    repeats too; of them ``feasible``, ``silent`` (they violate a constraint that
    voids), ``failed``; ``front``, the points on the front.

    Args:
        problem: whose space has kinds, see `kinds_of`.
        history: everything so far.
    """
    kinds = kinds_of(problem.space)
    front = front_of(problem, points_of(problem, history).trials)
    ended = [t for t in history.trials if t.status is not Status.PENDING]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    columns = ("trials", "feasible", "silent", "failed", "front")
    writer.writerow([kinds[0].parameter, *columns])
    for kind in kinds:
        own = [trial for trial in ended if kind.has(trial)]
        feasible = sum(problem.is_feasible(trial) for trial in own)
        silent = sum(is_silent(problem, trial) for trial in own)
        failed = sum(trial.status is Status.FAILED for trial in own)
        best = sum(trial.number in front for trial in own)
        writer.writerow([kind.option, len(own), feasible, silent, failed, best])
    return table.getvalue()
