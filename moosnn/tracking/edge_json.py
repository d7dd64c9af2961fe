"""The edge as JSON data, for scripts.

Knows: surveys. Must not know: text, pictures, models.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from moosnn.pareto.edge import Crossing
from moosnn.tracking.edge import Survey, is_beyond
from moosnn.tracking.edge_lines import Line, Surroundings


def survey_json(survey: Survey) -> dict[str, Any]:
    """A survey as JSON data.

    Returns:
        Keys ``constraints``, the metrics whose edge it is; ``measured``, how many
        trials, and ``beyond``, how many of them lie beyond it; ``trust``, how well the
        model finds its own trials on their side; ``members``, by ascending first loss:
        ``number``; ``probability`` that a training of it lies beyond the edge;
        ``edges``, nearest first: ``parameter``, its ``value`` in the member, the
        ``edge``, ``distance`` in the unit cube of the space, and whether it is
        ``sure``.
    """
    beyond = is_beyond(survey.constraints, survey.history)
    return {
        "constraints": [constraint.metric for constraint in survey.constraints],
        "measured": len(beyond),
        "beyond": sum(beyond),
        "trust": asdict(survey.trust),
        "members": [_member_json(member) for member in survey.members],
    }


def _member_json(member: Surroundings) -> dict[str, Any]:
    nearest = member.nearest(len(member.lines))
    return {
        "number": member.number,
        "probability": float(member.probability),
        "edges": [_edge_json(line, crossing) for line, crossing in nearest],
    }


def _edge_json(line: Line, crossing: Crossing) -> dict[str, Any]:
    return {
        "parameter": line.name,
        "value": line.value,
        "edge": float(line.edge(crossing)),
        "distance": float(crossing.distance),
        "sure": bool(crossing.sure),
    }
