"""Sweeps of an app, run in the tests' own process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra

APPS = Path(__file__).parent / "apps"


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Hydra configures the root logger; afterwards it is what it was."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    for handler in [*root.handlers]:
        root.removeHandler(handler)
        if handler not in handlers:
            handler.close()
    root.handlers, root.level = handlers, level


@pytest.fixture
def sweep(tmp_path, hydra_restore_singletons, own_logging) -> Callable[..., Path]:
    """Runs a sweep of a function; gives the sweep's folder back."""

    def run(
        function: Callable[..., object],
        *words: str,
        app: str = "train",
        folder: Path = tmp_path / "sweep",
        verbatim: bool = False,
    ) -> Path:
        hydra = Hydra.create_main_hydra_file_or_module(
            calling_file=str(APPS / f"{app}.py"),
            calling_module=None,
            config_path="conf",
            job_name=app,
        )
        own = [
            "hydra.mode=MULTIRUN",
            f"hydra.sweep.dir={folder}",
            "hydra.sweeper.executor=inline",
            *([] if verbatim else ["hydra.sweeper.optimizer=sobol"]),
        ]
        try:
            hydra.multirun(
                config_name=app, task_function=function, overrides=[*own, *words]
            )
        finally:
            GlobalHydra.instance().clear()
        return folder

    return run
