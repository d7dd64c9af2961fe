"""What people use from Python, without Hydra.

Knows: study folders, and where the rest lies. Must not know: how a study is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from moosnn.asktell import Search
from moosnn.black_box import Optimised, optimize
from moosnn.errors import ConfigError, StudyFolderError
from moosnn.runtime.files import attempt_folder
from moosnn.runtime.journal import NAME, read
from moosnn.trial import Status

if TYPE_CHECKING:
    from moosnn.snn.network import SpikingNetwork
    from moosnn.snn.weights import Preprocessing

__all__ = ["Optimised", "Search", "load", "optimize"]


def load(study_dir: Path | str, number: int) -> tuple[SpikingNetwork, Preprocessing]:
    """A trained network of a study, ready to run.

    The weights of front members are kept; those of other trials are deleted while the
    study goes on.

    Args:
        study_dir: the study folder.
        number: of the trial, as in ``front.csv``.

    Returns:
        The network (``T x N x features`` to ``N x classes`` logits) and its
        preprocessing (raw samples to ``T x N x features``), on the CPU.

    Raises:
        StudyFolderError: the folder holds no study, or not the trial's weights, or
            the network is somebody's own (``task=module``).
        ConfigError: the study has no such trial, or it was not evaluated.
    """
    from moosnn.snn.weights import WEIGHTS, load_network
    from moosnn.tasks.module_files import DESCRIPTION
    from moosnn.tasks.module_files import WEIGHTS as MODULE

    if not isinstance(number, int):
        raise ConfigError(f"expected a trial number, got {number!r}.")
    folder = Path(study_dir)
    history = read(folder / NAME).history
    if not len(history):
        raise StudyFolderError(f"{folder}: holds no study: no {NAME} in it.")
    if not 0 <= number < history.proposals:
        raise ConfigError(
            f"{folder}: expected a trial from 0 to {history.proposals - 1}, got "
            f"{number}."
        )
    trial = history.trial(number)
    if trial.status is not Status.DONE:
        raise ConfigError(f"{folder}: trial {number} is {trial.status}, not done.")
    trained = attempt_folder(folder, number, trial.attempt)
    if (trained / MODULE).exists():
        raise StudyFolderError(
            f"{folder}: trial {number} is a network of your own: make it with its "
            f"factory and load {trained / MODULE} into it; {DESCRIPTION} beside it has "
            "the factory's arguments."
        )
    if not (trained / WEIGHTS).exists():
        raise StudyFolderError(
            f"{folder}: trial {number} has no weights any more: they are kept for the "
            "members of the front, see front.csv."
        )
    return load_network(trained)
