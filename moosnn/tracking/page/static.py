"""A page's pictures as files: PNG to look at, SVG to print.

Knows: which pictures a study and a comparison have, their names. Must not know: how one
is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moosnn.errors import StudyFolderError
from moosnn.tracking.comparison import Group
from moosnn.tracking.page.data import Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")


def static_figures(study: Mapping[str, Any]) -> dict[str, Figure]:
    """The pictures of one study that are drawn from the data of its page.

    Args:
        study: one of ``studies`` of `moosnn.tracking.page.data.page_data`.

    Returns:
        Name to figure; without those for which the study has nothing to show.
    """
    from moosnn.tracking.page.static_importance import importance_figure
    from moosnn.tracking.page.static_models import maps_figure, slices_figure
    from moosnn.tracking.page.static_networks import network_figure
    from moosnn.tracking.page.static_parallel import parallel_figure
    from moosnn.tracking.page.static_work import timeline_figure

    makers: dict[str, Callable[[Mapping[str, Any]], Figure | None]] = {
        "parallel": parallel_figure,
        "importance": importance_figure,
        "slices": slices_figure,
        "maps": maps_figure,
        "network": network_figure,
        "timeline": timeline_figure,
    }
    drawn = {name: make(study) for name, make in makers.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def write_static(
    folder: Path,
    data: Mapping[str, Any],
    sources: Sequence[Source],
    groups: Sequence[Group],
) -> list[str]:
    """Write every picture of a page.

    Args:
        folder: made if it does not exist.
        data: of the page.
        sources: of which it was made.
        groups: of the same studies.

    Returns:
        The names of the files.

    Raises:
        StudyFolderError: the folder cannot be written.
    """
    from moosnn.tracking.plots import save

    try:
        folder.mkdir(parents=True, exist_ok=True)
        figures = _figures(data, sources, groups)
        for name, figure in figures.items():
            for ending in FORMATS:
                save(figure, folder / f"{name}.{ending}")
                # The same places in each format; to find them again costs seconds.
                figure.set_layout_engine("none")
    except OSError as error:
        raise StudyFolderError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder "
            "with --out FOLDER."
        ) from error
    return [f"{name}.{ending}" for name in figures for ending in FORMATS]


def _figures(
    data: Mapping[str, Any], sources: Sequence[Source], groups: Sequence[Group]
) -> dict[str, Figure]:
    """Those of one study, or those of a comparison."""
    from moosnn.tracking.comparison_fronts import fronts_comparison
    from moosnn.tracking.comparison_plots import (
        hypervolume_comparison,
        shares_comparison,
    )
    from moosnn.tracking.front_plot import front_figure

    figures = {"hypervolume": hypervolume_comparison(groups)}
    if len(sources) > 1:
        figures["fronts"] = fronts_comparison(groups)
        figures["silent"] = shares_comparison(groups)
    else:
        problem, history = sources[0].problem, sources[0].history
        several = len(problem.objectives) > 1
        figures["front"] = (
            front_figure(problem, history) if several else fronts_comparison(groups)
        )
        figures |= static_figures(data["studies"][0])
    return figures
