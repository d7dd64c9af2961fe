"""A sweep: the app's overrides become a study, which is run or goes on.

Knows: Hydra's config of the sweep, what makes a study, what is printed around it. Must
not know: how a job is run, how trials are chosen.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, cast

from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.moosnn_sweeper import _wording
from hydra_plugins.moosnn_sweeper._app import App, Start
from hydra_plugins.moosnn_sweeper._overrides import (
    Overrides,
    bare,
    read_overrides,
    with_conditions,
    words_of,
)
from hydra_plugins.moosnn_sweeper._settings import (
    check_keys,
    is_inline,
    problem_of,
    study_of,
)
from hydra_plugins.moosnn_sweeper._task import AT_HAND
from moosnn.driver import run
from moosnn.errors import ConfigError, MoosnnError
from moosnn.interruption import EXIT
from moosnn.parameters import Choice
from moosnn.problem import Problem
from moosnn.space import Space

_TASK = "hydra_plugins.moosnn_sweeper._task.HydraJob"
_FILES = "hydra_plugins.moosnn_sweeper._files.HydraFiles"
_MISTAKE = 2
_NOW = "${now:"
_NOT_GIVEN = "not given"  # OmegaConf's own mark for it cannot be read back
_LONGEST = 200  # characters of a setting; of a longer one its digest tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep of an app.

    Attributes:
        given: the values of ``hydra.sweeper``.
        context: Hydra's loader of configs and the user's callbacks.
        task_function: the function under ``@hydra.main``.
        config: of the sweep.
    """

    given: Mapping[str, Any]
    context: HydraContext
    task_function: TaskFunction
    config: DictConfig

    def run(self, words: Sequence[str]) -> None:
        """Run it, or go on with it.

        Args:
            words: the app's overrides.

        Raises:
            SystemExit: 2 after a mistake, which was printed in one line.
        """
        app = App(
            context=self.context, task_function=self.task_function, config=self.config
        )
        # In Hydra's words, whoever speaks: results, advice, mistakes.
        stream = _wording.Reworded(sys.stdout)
        token = AT_HAND.set(app)
        try:
            with redirect_stdout(cast("Any", stream)):
                study = self._study(words)
                stream.own = tuple(map(bare, study["space"]))
                self._say_notes()
                run(study, Path(study["study_dir"]))
        except MoosnnError as error:
            # One word alone, such as optimizer, is more likely ours.
            own = [key for key in self._keys() if "." in key]
            print(f"moosnn: {_wording.reworded(str(error), own)}", file=sys.stderr)
            raise SystemExit(_MISTAKE) from None
        except KeyboardInterrupt as interrupt:
            self._leave(interrupt)
        finally:
            AT_HAND.reset(token)

    def _study(self, words: Sequence[str]) -> dict[str, Any]:
        """The config of the study.

        Raises:
            ConfigError: a mistake in ``hydra.sweeper`` or the overrides.
        """
        check_keys(self.given)
        loader = self.context.config_loader
        overrides = read_overrides(self.given["params"], words, loader)
        if not overrides.space:
            raise ConfigError(
                "nothing is searched: no override of the command or of "
                "hydra.sweeper.params is a sweep such as lr=interval(0.1,1) or "
                "layers=1,2,3."
            )
        forms = with_conditions(overrides.space, self.given["when"])
        overrides = replace(overrides, space=forms)
        space = Space.from_config(forms)
        problem = Problem.from_config(space, problem_of(self.given))
        self._require_a_free_seed(space)
        with _in_one_line(self._keys):
            folder = Path(str(self.config.hydra.sweep.dir))
            self._try_out(overrides.fixed, space)
            task = self._task(overrides, problem)
        study = study_of(self.given, task=task, space=forms, folder=folder)
        start = self._start()
        record = {
            "fixed": overrides.fixed,
            "start": None if start is None else start.to_json(),
            "multirun": OmegaConf.to_yaml(self.config),
        }
        study["tracker"]["hydra"] = {
            "_target_": _FILES,
            "_partial_": True,
            "record": _hidden(json.dumps(record)),
        }
        return study

    def _require_a_free_seed(self, space: Space) -> None:
        """Refuse a seed of jobs that is no key, or that the search sets as well.

        Raises:
            ConfigError: it is one.
        """
        seed = self.given["trial_seed"]
        where = "hydra.sweeper.trial_seed"
        if seed is not None and (not isinstance(seed, str) or not bare(seed)):
            raise ConfigError(
                f"{where}: expected the override that takes a job's seed, such as seed "
                f"or +run.seed, got {seed!r}."
            )
        if seed is not None and bare(seed) in map(bare, space.parameters):
            raise ConfigError(
                f"{where}: {bare(seed)} is searched: expected a key that is not."
            )

    def _start(self) -> Start | None:
        """How workers start the app, unless jobs run in this process.

        Raises:
            ConfigError: they cannot.
        """
        start = Start.of_this_process(self.config)
        if start is None and not is_inline(self.given):
            raise ConfigError(
                "hydra.sweeper.executor: this app was not started as a program, and "
                "no worker can start it again: run python my_app.py -m …, or use "
                "hydra.sweeper.executor=inline."
            )
        return start

    def _task(self, overrides: Overrides, problem: Problem) -> dict[str, Any]:
        hydra = self.config.hydra
        config = self.context.config_loader.load_configuration(
            config_name=hydra.job.config_name,
            overrides=[*_listed(hydra.overrides.hydra), *overrides.fixed],
            run_mode=RunMode.MULTIRUN,
        )
        plain = OmegaConf.to_container(config, enum_to_str=True)
        assert isinstance(plain, dict)
        settings = {k: v for k, v in plain.items() if k != "hydra"}
        return {
            "_target_": _TASK,
            "app": str(hydra.job.name),
            "metrics": list(problem.metrics),
            "settings": dict(_flat(settings)),
            "trial_seed": self.given["trial_seed"],
        }

    def _try_out(self, fixed: Sequence[str], space: Space) -> None:
        """Compose some jobs' configs: what can be mistyped is found before any runs."""
        loader = self.context.config_loader
        seed = self.given["trial_seed"]
        ends = () if seed is None else (f"{seed}=0",)
        for words in _samples(space, loader):
            job = loader.load_sweep_config(self.config, [*fixed, *words, *ends])
            with open_dict(job):
                job.hydra.job.id, job.hydra.job.num = "0", 0
            str(job.hydra.sweep.subdir)  # it may name what is not there

    def _keys(self) -> list[str]:
        plain = OmegaConf.to_container(self.config)
        assert isinstance(plain, dict)
        own = {key: value for key, value in plain.items() if key != "hydra"}
        return [key for key, _ in _flat(own)]

    def _say_notes(self) -> None:
        launcher = self.config.hydra.runtime.choices.get("hydra/launcher")
        if launcher != "basic":
            print(
                "note: hydra/launcher has no effect: jobs run where "
                "hydra.sweeper.executor says."
            )
        raw = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)
        assert isinstance(raw, dict)
        if _NOW in str(raw["dir"]):
            print(f"to go on with this sweep later, add {self._address()}", flush=True)

    def _address(self) -> str:
        return f"hydra.sweep.dir={self.config.hydra.sweep.dir}"

    def _leave(self, interrupt: KeyboardInterrupt) -> NoReturn:
        number = interrupt.args[0] if interrupt.args else 2
        print(
            f"moosnn: interrupted; the same command with {self._address()} continues",
            file=sys.stderr,
        )
        if Start.of_this_process(self.config) is None:
            raise interrupt  # whoever called this app is to know
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(EXIT + number)  # without waiting for a suggestion that is computed


def _listed(words: Any) -> list[str]:  # noqa: ANN401 - Hydra's list
    """The same words; what they interpolate is a job's."""
    return cast("list[str]", OmegaConf.to_container(words, resolve=False))


def _samples(space: Space, loader: Any) -> Iterator[list[str]]:  # noqa: ANN401 - Hydra's
    """The overrides of a point in the middle, and of each other config of a group."""
    middle = space.decode([0.5] * len(space))
    yield words_of(space, middle)
    for name, parameter in space.parameters.items():
        group = bare(name).partition("@")[0]
        if isinstance(parameter, Choice) and loader.get_group_options(group):
            for option in parameter.options:
                if option != middle[name]:
                    yield words_of(space, space.canonical({**middle, name: option}))


@contextmanager
def _in_one_line(keys: Any) -> Iterator[None]:  # noqa: ANN401 - called for the keys
    """What Hydra or OmegaConf refuse is a mistake of the user.

    Raises:
        ConfigError: it was.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_wording.of_hydra(error, keys())) from error


def _flat(config: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys, and the values as text in which nothing is interpolated."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
            continue
        text = _NOT_GIVEN if value == MISSING else str(value)
        if len(text) > _LONGEST:
            text = hashlib.sha256(text.encode()).hexdigest()
        yield f"{prefix}{key}", text.replace("${", "$ {")


def _hidden(text: str) -> str:
    """JSON in which OmegaConf finds nothing to interpolate."""
    return text.replace("$", "\\u0024")
