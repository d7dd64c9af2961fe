"""``moosnn edge``: the model, the survey, the table and the picture of one study.

Knows: what is done in which order. Must not know: where studies lie, the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moosnn.errors import StudyFolderError
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking.edge import (
    Survey,
    check_wanted,
    edge_constraints,
    no_edge,
    survey,
)
from moosnn.tracking.edge_json import survey_json
from moosnn.tracking.edge_table import survey_lines

EDGE_PNG = "edge.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look found.

    Attributes:
        lines: for people: the table, or why nothing is known of an edge.
        unknown: why nothing is known, or ``None``.
        survey: what is known, or ``None``.
        picture: the file that was drawn, if one was.
    """

    lines: tuple[str, ...]
    unknown: str | None = None
    survey: Survey | None = None
    picture: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """For a script: ``unknown``, ``picture`` and what `survey_json` has."""
        return {
            "unknown": self.unknown,
            "picture": None if self.picture is None else str(self.picture),
            **({} if self.survey is None else survey_json(self.survey)),
        }


def look(
    folder: Path,
    problem: Problem,
    history: History,
    *,
    names: Sequence[str] | None,
    number: int | None,
    width: int,
) -> Look:
    """Look at a study's edge, and draw it.

    Args:
        folder: where `EDGE_PNG` is written, if there is an edge to draw.
        problem: of the study.
        history: of the study.
        names: of the picture's two parameters; ``None`` = the most telling ones.
        number: of the front member around which it is drawn; ``None`` = the median.
        width: of the text, columns.

    Returns:
        What there is to say.

    Raises:
        ConfigError: a wrong member or wrong parameters.
        StudyFolderError: the picture cannot be written.
    """
    unknown = no_edge(problem, history)
    if unknown is not None:
        return Look(lines=(unknown,), unknown=unknown)
    check_wanted(problem, history, names, number)
    # Torch and matplotlib, only now that they are needed.
    from moosnn.tracking.edge_model import EdgeModel
    from moosnn.tracking.edge_plot import edge_figure
    from moosnn.tracking.plots import save

    model = EdgeModel(problem, history, edge_constraints(problem))
    found = survey(
        problem,
        history,
        model.probability,
        model.trust(),
        names=names,
        number=number,
    )
    lines = survey_lines(found, width)
    if found.map is None:
        return Look(lines=tuple(lines), survey=found)
    path = folder / EDGE_PNG
    try:
        save(edge_figure(found), path)
    except OSError as error:
        raise StudyFolderError(f"{path}: cannot be written ({error.strerror}).") from (
            error
        )
    drawn = f"{path}: {found.map.names[0]} and {found.map.names[1]}"
    return Look(lines=(*lines, "", drawn), survey=found, picture=path)
