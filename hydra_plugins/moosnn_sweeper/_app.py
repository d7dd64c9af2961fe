"""An app of Hydra: how another process starts it again, and how one job of it is run.

Knows: Python's start, Hydra. Must not know: studies, trials, what is searched.

No function is pickled: a worker runs the app's file or module as ``__main__`` with the
words it was given, as its user did, up to the point where Hydra would begin the sweep.
So whatever the app does before, below ``if __name__ == "__main__"`` as well, has been
done in the worker too: resolvers, stores of configs, functions made by decorators.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn, Self
from unittest import mock

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, configure_log, run_job
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from moosnn.errors import ConfigError

# Modules that run other people's functions: started again, they would run them all.
_HOSTS = ("_pytest.", "unittest.case", "IPython.", "ipykernel.")
_MAIN = "__main__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What another process needs to bring an app to where it is here.

    Attributes:
        file: the absolute path of the main module.
        module: its dotted name, if it was started by ``python -m``.
        arguments: the words behind it.
        path: where modules are looked for.
        cwd: the working directory.
        environment: the variables that ``hydra.job.env_copy`` names.
        sweep_dir: ``hydra.sweep.dir``, in which the time of the start may stand.
        resolved: what resolvers such as ``now`` gave: resolver, arguments, value.
    """

    file: str
    module: str | None
    arguments: tuple[str, ...]
    path: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str]
    sweep_dir: str
    resolved: tuple[tuple[str, tuple[Any, ...], Any], ...]

    @classmethod
    def of_this_process(cls, config: DictConfig) -> Self | None:
        """That of the app that is running, or ``None`` if it cannot be started again.

        Args:
            config: of the sweep.
        """
        main = sys.modules[_MAIN]
        file = getattr(main, "__file__", None)
        if file is None or _is_hosted() or not Path(file).is_file():
            return None
        spec = getattr(main, "__spec__", None)
        # A folder with a __main__.py was started by its path, as a file is.
        module = None if spec is None or spec.name == _MAIN else str(spec.name)
        hydra = config.hydra
        return cls(
            file=str(Path(file).absolute()),
            module=module,
            arguments=tuple(_arguments(Path(file), module)),
            path=tuple(str(Path(entry).absolute()) for entry in sys.path),
            cwd=os.getcwd(),
            environment={name: os.environ[name] for name in hydra.job.env_copy},
            sweep_dir=str(hydra.sweep.dir),
            resolved=_resolved(config),
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object, read back by `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        resolved = tuple((name, tuple(key), v) for name, key, v in raw["resolved"])
        return cls(**{**raw, "resolved": resolved})

    def again(self) -> App:
        """Bring the app about in this process, which becomes its own.

        Raises:
            ConfigError: it does not get to where Hydra begins.
        """
        sys.path[:] = [*self.path, *(p for p in sys.path if p not in self.path)]
        sys.argv = [self.file, *self.arguments]
        os.environ.update(self.environment)
        os.chdir(self.cwd)
        try:
            with mock.patch.object(Hydra, "multirun", _stop):
                self._run_main()
        except _Begun as begun:
            return begun.app(self)
        raise ConfigError(
            f"{self.file}: ended without a sweep when a worker started it again with "
            f"{' '.join(self.arguments)}: the function under @hydra.main must be "
            "called whenever the app starts."
        )

    def _run_main(self) -> None:
        main = ModuleType(_MAIN)
        main.__file__ = self.file
        if self.module is None:
            text = Path(self.file).read_bytes()
            code: CodeType | None = compile(text, self.file, "exec")
        else:
            spec = importlib.util.find_spec(self.module)
            loader: Any = None if spec is None else spec.loader
            if spec is None or loader is None:
                raise ConfigError(f"{self.module}: cannot be found in {sys.path}.")
            main.__spec__, main.__loader__ = spec, loader
            main.__package__ = spec.parent
            code = loader.get_code(self.module)
        assert code is not None
        # What is pickled for processes that a job starts is looked for there.
        sys.modules[_MAIN] = main
        exec(code, main.__dict__)


class _Begun(BaseException):
    """Hydra is about to begin a sweep. No error, and not to be caught as one."""

    def __init__(
        self, hydra: Hydra, name: str | None, task: TaskFunction, words: list[str]
    ) -> None:
        super().__init__()
        self._hydra = hydra
        self._name = name
        self._task = task
        self._words = words

    def app(self, start: Start) -> App:
        """The app, ready to run jobs."""
        GlobalHydra.instance().clear()
        GlobalHydra.instance().initialize(self._hydra)
        config = self._hydra.compose_config(
            config_name=self._name,
            overrides=list(self._words),
            run_mode=RunMode.MULTIRUN,
        )
        cache = OmegaConf.get_cache(config)
        for resolver, key, value in start.resolved:
            cache[resolver][key] = value
        OmegaConf.set_cache(config, cache)
        with open_dict(config):
            config.hydra.sweep.dir = start.sweep_dir
        context = HydraContext(
            config_loader=self._hydra.config_loader, callbacks=Callbacks(config)
        )
        return App(context=context, task_function=self._task, config=config)


def _stop(
    hydra: Hydra,
    config_name: str | None,
    task_function: TaskFunction,
    overrides: list[str],
    **_: bool,
) -> NoReturn:
    """Stands for `Hydra.multirun`."""
    raise _Begun(hydra, config_name, task_function, overrides)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app whose jobs can be run in this process.

    Attributes:
        context: Hydra's loader of configs and the user's callbacks.
        task_function: the function under ``@hydra.main``.
        config: of the sweep; each job's is composed from it.
    """

    context: HydraContext
    task_function: TaskFunction
    config: DictConfig

    def run(
        self, number: int, words: Sequence[str], subdir: str | None = None
    ) -> JobReturn:
        """Run a job as Hydra's own launcher does.

        Args:
            number: of the job.
            words: its overrides.
            subdir: of the job's folder, to write there instead.

        Returns:
            Hydra's; reading its value raises what the job raised.
        """
        loader = self.context.config_loader
        config = loader.load_sweep_config(self.config, list(words))
        with open_dict(config):
            config.hydra.job.id = _job_id(number)
            config.hydra.job.num = number
            config.hydra.sweep.dir = str(self.config.hydra.sweep.dir)
            if subdir is not None:
                raw: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
                config.hydra.sweep.subdir = f"{raw['subdir']}/{subdir}"
        try:
            return run_job(
                hydra_context=self.context,
                task_function=self.task_function,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
        finally:
            # The job's log file is closed, and what is logged from now on is not its.
            hydra = self.config.hydra
            configure_log(hydra.hydra_logging, hydra.verbose)


def _job_id(number: int) -> str:
    """The cluster's number of the job that this process belongs to, else our own."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{n}_ID") for n in ("JOB", "TASK"))
    if array and task:
        return f"{array}_{task}"
    return os.environ.get("SLURM_JOB_ID", str(number))


def _is_hosted() -> bool:
    """Whether the app was called by something that calls many: tests, a notebook."""
    frame = inspect.currentframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_HOSTS):
            return True
        frame = frame.f_back
    return False


def _arguments(file: Path, module: str | None) -> Sequence[str]:
    """The words behind the main module, before the app could change ``sys.argv``."""
    words = sys.orig_argv
    for index, word in enumerate(words[1:], start=1):
        if module is None:
            started = Path(word, f"{_MAIN}.py") if Path(word).is_dir() else Path(word)
            found = started.is_file() and started.samefile(file)
        else:
            named = word in (module, module.removesuffix(f".{_MAIN}"))
            found = named and words[index - 1] == "-m"
        if found:
            return words[index + 1 :]
    return sys.argv[1:]


def _resolved(config: DictConfig) -> tuple[tuple[str, tuple[Any, ...], Any], ...]:
    """What resolvers that are asked once gave, as far as JSON can hold it."""
    plain = bool | int | float | str | None
    return tuple(
        (name, tuple(key), value)
        for name, cached in OmegaConf.get_cache(config).items()
        for key, value in cached.items()
        if isinstance(value, plain) and all(isinstance(part, plain) for part in key)
    )
