"""``moosnn edge``: the model, the survey, the table and the picture of one study.

Knows: what is done in which order. Must not know: where studies lie, the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from moosnn.errors import StudyFolderError
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking.edge import check_wanted, edge_constraints, no_edge, survey
from moosnn.tracking.edge_table import survey_lines

EDGE_PNG = "edge.png"


def look(
    folder: Path,
    problem: Problem,
    history: History,
    *,
    names: Sequence[str] | None,
    number: int | None,
    width: int,
) -> list[str]:
    """Look at a study's edge, and draw it.

    Args:
        folder: where `EDGE_PNG` is written, if there is an edge to draw.
        problem: of the study.
        history: of the study.
        names: of the picture's two parameters; ``None`` = the most telling ones.
        number: of the front member around which it is drawn; ``None`` = the median.
        width: of the text, columns.

    Returns:
        What there is to say, a line each: why nothing is known of an edge, or the
        table.

    Raises:
        ConfigError: a wrong member or wrong parameters.
        StudyFolderError: the picture cannot be written.
    """
    unknown = no_edge(problem, history)
    if unknown is not None:
        return [unknown]
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
        return lines
    path = folder / EDGE_PNG
    try:
        save(edge_figure(found), path)
    except OSError as error:
        raise StudyFolderError(f"{path}: cannot be written ({error.strerror}).") from (
            error
        )
    return [*lines, "", f"{path}: {found.map.names[0]} and {found.map.names[1]}"]
