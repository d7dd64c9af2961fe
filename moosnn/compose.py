"""Words of a command line to studies: Hydra composes their configs.

Knows: hydra, where a study's folder lies. Must not know: how a study is run. With
``mistakes.py`` and ``runtime/worker.py`` the only module that imports hydra.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from moosnn.configs import (
    DATA,
    GROUPS,
    IDENTITY,
    IDENTITY_OF_STUDY,
    NO_PRUNER,
    PLACE,
    PRUNER,
    TRAINING,
    choices,
    config_folder,
)
from moosnn.errors import ConfigError, MoosnnError, nearest
from moosnn.mistakes import reworded

# Words such as task.stages=last: a constructor's argument need not stand in the YAML.
_PART = re.compile(
    r"(task|space|problem|optimizer|pruner|executor|tracker|study)\.[^=]*="
)
_SWEEP_DIR = "hydra.sweep.dir"
_LAUNCHER = ("hydra/launcher=", "hydra.launcher.")
_SWEEP_FILE = "multirun.yaml"  # Hydra's own
_LONGEST_NAME = 120
# Groups of which a whole one may stand in a word, and their file without content.
_WHOLE = ("space", "problem")
_OWN = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One study to run.

    Attributes:
        config: resolved, plain data.
        folder: of the study.
        sweep: the folder of the sweep it belongs to, if it does.
        elsewhere: whether a launcher brought this process about, to run it here.
    """

    config: dict[str, Any]
    folder: Path
    sweep: Path | None
    elsewhere: bool


def sweep_folder(words: Sequence[str]) -> Path | None:
    """Where the studies of a sweep (``-m``) lie; ``None`` if the words ask for one."""
    if not {"-m", "--multirun"} & set(words):
        return None
    given = {word.partition("=")[0].lstrip("+"): word for word in words}
    if _SWEEP_DIR in given:
        return Path(given[_SWEEP_DIR].partition("=")[2].strip("'\""))
    experiment = given.get("experiment", "=study").partition("=")[2]
    return Path("runs") / f"sweep-{experiment.replace(',', '+')}"


def compose(
    words: Sequence[str], check: Callable[[Job], None], run: Callable[[Job], None]
) -> list[Job]:
    """Let Hydra compose the studies that some words ask for.

    Args:
        words: group choices, values, ``-m``.
        check: looks at each study before any is run.
        run: called with a study that a launcher (``hydra/launcher=…``) brings to
            another process, in that process.

    Returns:
        The studies; without a launcher they are yet to be run.

    Raises:
        ConfigError: every mistake that Hydra or OmegaConf finds.
        MoosnnError: what ``check`` or ``run`` raised. Nothing is left behind by a
            mistake that was found before the first study ran.
    """
    _refuse_without_effect(words)
    words = [own for word in words for own in _spelled_out(word)]
    sweep = sweep_folder(words)
    plain = [w for w in words if not w.lstrip("+").startswith(_LAUNCHER)]
    jobs: list[Job] = []
    try:
        _hydra(plain, sweep, jobs.append)
        _check_folders(jobs)
        for job in jobs:
            check(job)
        if len(plain) < len(words):
            launched: list[Job] = []
            _hydra(words, sweep, partial(_run_elsewhere, run, launched.append))
            for job in launched:  # by Hydra's own launcher, which was named
                run(job)
    except MoosnnError:
        _forget(jobs[0].sweep if jobs else sweep)
        raise
    return jobs


def _run_elsewhere(
    run: Callable[[Job], None], keep: Callable[[Job], None], job: Job
) -> None:
    (run if job.elsewhere else keep)(job)


def _hydra(
    words: Sequence[str], sweep: Path | None, take: Callable[[Job], None]
) -> None:
    """Have each study composed and taken.

    Composing and running are apart where they can be: Hydra prints lines of its own
    around a job that raises.

    Raises:
        ConfigError: every mistake that Hydra or OmegaConf finds.
        MoosnnError: what ``take`` raised.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    # Or Hydra would print a mistake itself and exit with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    own = [f"++{word}" if _PART.match(word) else word for word in words]
    if sweep is not None:
        own = [w for w in own if not w.lstrip("+").startswith(f"{_SWEEP_DIR}=")]
        own.append(f"{_SWEEP_DIR}='{sweep}'")
    sys.argv = ["moosnn", *own]

    def take_config(config: Any) -> None:  # noqa: ANN401 - Hydra's DictConfig
        take(_job(config))

    main = hydra.main(
        version_base="1.3", config_path=str(config_folder()), config_name="config"
    )(take_config)
    said = io.StringIO()
    try:
        # Hydra writes a line about a job that failed, before it raises its error.
        with redirect_stderr(said):
            main()
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(reworded(str(error), words)) from error
    except SystemExit as exit:
        if not exit.code:
            raise
        reason = said.getvalue().rpartition("error: ")[2]
        raise ConfigError(reworded(reason, words)) from exit


def _refuse_without_effect(words: Sequence[str]) -> None:
    """Hydra merges mappings: an empty one changes nothing, whatever was meant.

    Raises:
        ConfigError: a word that gives one.
    """
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if value.strip() == "{}":
            raise ConfigError(
                f"{key}: an empty mapping changes nothing; take something out with "
                f"~{key}.name, or name what it is to be."
            )


def _spelled_out(word: str) -> list[str]:
    """A whole space or problem as the words that Hydra takes.

    ``space={lr: {float: [0, 1]}}`` is ``space=own ++space.lr={float: [0, 1]}``: a group
    has no value of its own, and others' values would stay beside it.

    Args:
        word: of the command line.
    """
    key, _, value = word.lstrip("+").partition("=")
    if key not in _WHOLE or not value.lstrip().startswith("{"):
        return [word]
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        (override,) = OverridesParser.create().parse_overrides([f"{key}={value}"])
    except OverrideParseException:
        return [word]  # Hydra says so itself
    given = override.value()
    if not isinstance(given, dict):
        return [word]  # several of them: of a sweep
    inner = [f"++{key}.{name}={_written(body)}" for name, body in given.items()]
    return [f"{key}={_OWN}", *inner]


def _written(value: object) -> str:
    """A value by Hydra's grammar, text in quotes."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{k}:{_written(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, str):
        escaped = value.replace('"', '\\"')
        return f'"{escaped}"'
    return "null" if value is None else str(value)


def _job(composed: Any) -> Job:  # noqa: ANN401 - Hydra's DictConfig
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    config = cast("dict[str, Any]", OmegaConf.to_container(composed, resolve=True))
    hydra = HydraConfig.get()
    chosen = hydra.runtime.choices
    for group in GROUPS:
        if chosen.get(group) is None:
            raise ConfigError(
                f"{group}: expected one of them.{nearest('', choices(group))}"
            )
    experiment = chosen.get("experiment", "study")
    data = "" if chosen["data"] == DATA else f"-{chosen['data']}"
    rule = "" if chosen["training"] == TRAINING else f"-{chosen['training']}"
    pruner = "" if chosen[PRUNER] == NO_PRUNER else f"-{chosen[PRUNER]}"
    name = f"{experiment}{data}{rule}-{chosen['optimizer']}{pruner}"
    name = f"{name}-s{config.get('seed')}"
    elsewhere = False
    sweep = None
    parent = Path("runs")
    if hydra.mode.name == "MULTIRUN":
        sweep = parent = Path(hydra.sweep.dir)
        name = ",".join([name, *_distinguishing(hydra.overrides.task)])
        elsewhere = not hydra.launcher["_target_"].endswith(".BasicLauncher")
    given = config.get("study_dir")
    folder = Path(given) if isinstance(given, str) and given.strip() else parent / name
    return Job(config=config, folder=folder, sweep=sweep, elsewhere=elsewhere)


def _distinguishing(words: Iterable[str]) -> list[str]:
    """The words that make a study another one, as parts of a folder's name.

    Not those that its name begins with, nor those that say only how it is run: so a
    sweep goes on with a higher budget or other workers.
    """
    found = []
    for word in (word.lstrip("+~") for word in words):
        key, _, _ = word.partition("=")
        named = key in ("experiment", "data", "optimizer", PRUNER, "seed", PLACE)
        own = re.split(r"[./@]", key)[0] in (*IDENTITY, PRUNER)
        own = own or key.startswith(IDENTITY_OF_STUDY)
        if own and not named:
            found.append(re.sub(r"[^\w.=,()\[\]{}:+-]", "_", word))
    name = ",".join(found)
    if len(name) <= _LONGEST_NAME:
        return found
    return [hashlib.sha256(name.encode()).hexdigest()[:12]]


def _check_folders(jobs: Sequence[Job]) -> None:
    """Refuse two studies in one folder.

    Raises:
        ConfigError: there are.
    """
    folders = [job.folder for job in jobs]
    shared = next((f for f in folders if folders.count(f) > 1), None)
    if shared is not None:
        if jobs[0].config.get("study_dir"):
            raise ConfigError(
                f"study_dir={shared}: each study of a sweep needs a folder of its own; "
                f"name the sweep's instead: {_SWEEP_DIR}={shared}."
            )
        raise ConfigError(
            f"{folders.count(shared)} studies of the sweep would share {shared}: they "
            "differ only in how they are run; sweep over task, space, problem, "
            "optimizer or seed."
        )


def _forget(sweep: Path | None) -> None:
    """Remove what Hydra wrote for a sweep that never began."""
    if sweep is not None:
        with suppress(OSError):
            if [path.name for path in sweep.iterdir()] == [_SWEEP_FILE]:
                (sweep / _SWEEP_FILE).unlink()
                sweep.rmdir()
                sweep.parent.rmdir()
