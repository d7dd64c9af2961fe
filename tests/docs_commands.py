"""The commands of the pages, run: each in a process of its own, most without imports.

``python -m moosnn`` takes seconds to import what it needs. A server imports that once,
and each command is a fork of it, which has its own folder, environment and output and
ends with its exit code, as a process that began by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT_S = 300.0

# What most commands import sooner or later.
IMPORTED = (
    "tests.docs_commands",
    "moosnn.__main__",
    "moosnn.driver",
    "moosnn.compose",
    "moosnn.tasks.snn",
    "moosnn.runtime.doctor",
    "hydra._internal.hydra",
    "torch",
    "botorch",
    "sklearn.datasets",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "plotly.graph_objects",
)
# Who starts workers, talks to W&B or looks at the machine does so from a process that
# began as a user's does.
AS_A_USER = (
    "executor.",
    "executor=slurm",
    "hydra/launcher=",
    "pruner=",
    "tracker=",
    "doctor",
)
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run_command(
    words: Sequence[str], folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m moosnn`` with some words in a folder.

    Args:
        words: what follows.
        folder: the working directory and the home.
        env: all other variables.
    """
    env = {**env, "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    if any(word.startswith(AS_A_USER) for word in words):
        return subprocess.run(
            [sys.executable, "-m", "moosnn", *words],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    return _forked(words, folder, env)


def _forked(
    words: Sequence[str], folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    said = [folder.with_name(f"{folder.name}.{name}") for name in ("out", "err")]
    process = context.Process(target=inside, args=(words, folder, env, *said))
    process.start()
    process.join(LIMIT_S)
    if process.exitcode is None:
        process.kill()
        process.join()
    out, err = (path.read_text(encoding="utf-8") for path in said)
    code = process.exitcode
    assert code is not None
    process.close()
    return subprocess.CompletedProcess(list(words), code, out, err)


def inside(
    words: Sequence[str], folder: Path, env: Mapping[str, str], out: Path, err: Path
) -> None:
    """What the fork does: become such a process as a user's, and run the command."""
    for number, path in ((1, out), (2, err)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update({**env, **_THREADS})
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = ["moosnn", *words]
    from moosnn.__main__ import entry

    entry()
