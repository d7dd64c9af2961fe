"""Weights & Biases: tells a process of its own, which writes the run, what happens.

Knows: processes and pipes. Must not know: the W&B library, what is logged.

The driver never imports the library. Half a second of imports, figures, a network that
hangs and exit hooks would share its interpreter and hold up trials; so they are in
another process (`wandb_run`), which gets the events through a pipe as lines of JSON.
Ctrl-C does not reach it, and whatever ends the driver closes the pipe: then the run is
finished.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from moosnn.conditions import is_number
from moosnn.errors import ConfigError
from moosnn.events import Event
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking import wandb_run

# In the study folder: what the library would have printed.
LOG = "wandb/moosnn.log"
_FORBIDDEN = frozenset("/\\#?%:")  # by W&B, in the name of a project


class Wandb:
    """Logs a study as a W&B run; docs/wandb.md says what it holds."""

    def __init__(
        self,
        *,
        folder: Path,
        problem: Problem,
        budget: int,
        project: str = "moosnn",
        entity: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        front_every_s: float = 60.0,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            folder: of the study; W&B's files lie in its ``wandb``.
            problem: says what is feasible and better.
            budget: how many trials the study has.
            project: of W&B.
            entity: whose project; ``None`` = the account's default.
            group: of runs; ``None`` = the name of the folder that ``folder`` lies in.
            tags: beside the class names of optimizer and task.
            front_every_s: the front is logged at most so often, >= 0 seconds.

        Raises:
            ConfigError: an option of the wrong type or range.
        """
        _require_name("project", project)
        for what, name in (("entity", entity), ("group", group)):
            if name is not None:
                _require_name(what, name)
        listed = isinstance(tags, Sequence) and not isinstance(tags, str)
        if not listed or not all(isinstance(tag, str) for tag in tags):
            raise ConfigError(f"tracker.wandb.tags: expected a list, got {tags!r}.")
        if not is_number(front_every_s) or front_every_s < 0:
            raise ConfigError(
                "tracker.wandb.front_every_s: expected seconds >= 0, got "
                f"{front_every_s!r}."
            )
        self._folder = folder.resolve()
        self._order: dict[str, Any] = {
            "folder": str(self._folder),
            "space": problem.space.to_config(),
            # Whether a proposal is admissible is of no interest here, and an import.
            "problem": replace(problem, admissible=None).to_config(),
            "budget": budget,
            "project": project,
            "entity": entity,
            "group": group or self._folder.parent.name or None,
            "tags": list(tags),
            "front_every_s": float(front_every_s),
        }
        self._child: subprocess.Popen[str] | None = None

    def on_event(self, event: Event, history: History) -> None:
        """Pass an event on; the first one starts the process and tells it them all.

        Raises:
            ImportError: the library is not installed.
            RuntimeError: the process cannot start or has failed.
        """
        try:
            if self._child is None:
                self._start(history)
            else:
                _send(self._child, [event.to_json()])
        except BrokenPipeError:
            raise RuntimeError(self._why()) from None
        finally:
            if sys.exc_info()[0] is not None:  # `close` will not be called
                _hang_up(self._child)

    def close(self) -> None:
        """Let the process finish the run; `wandb_run.LEAVE_S` seconds at most.

        Raises:
            RuntimeError: it failed, or could not upload everything in time.
        """
        child = self._child
        if child is None:
            return
        try:
            said, _ = child.communicate(timeout=wandb_run.LEAVE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            raise RuntimeError("did not finish in time; " + self._rest()) from None
        if said:
            raise RuntimeError(f"{json.loads(said)['failed']}; {self._rest()}")
        if child.returncode:
            raise RuntimeError(self._why())

    def _start(self, history: History) -> None:
        if importlib.util.find_spec("wandb") is None:
            raise ImportError("tracker=wandb needs a package: pip install wandb")
        failed = ""
        for mode in (None, "offline"):
            self._child = self._launch(mode, history)
            assert self._child.stdout is not None
            reply = json.loads(self._child.stdout.readline() or "{}")
            if "line" in reply:
                if reply["line"]:
                    print(f"moosnn: W&B {failed}{reply['line']}", flush=True)
                return
            reason = reply.get("failed", "it gave no answer")
            failed = f"could not begin ({reason}) and "
            _hang_up(self._child)
            self._child.kill()  # its wandb-core ends with it
            self._child.wait()
        raise RuntimeError(reason if "failed" in reply else self._why())

    def _launch(self, mode: str | None, history: History) -> subprocess.Popen[str]:
        log = self._folder / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as errors:
            child = subprocess.Popen(
                [sys.executable, "-m", wandb_run.__name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C is the driver's affair
            )
        order = {**self._order, "mode": mode, "known": len(history)}
        with contextlib.suppress(BrokenPipeError):  # its reply says why
            _send(child, [order, *(event.to_json() for event in history)])
        return child

    def _why(self) -> str:
        """The last line of the process's log."""
        log = self._folder / LOG
        lines = log.read_text(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no reason")
        return (
            f"its process has ended ({last}); see {log}. The same command, given "
            "again, writes the run anew"
        )

    def _rest(self) -> str:
        return wandb_run.sync_line(self._folder / "wandb" / "latest-run")


def _require_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"tracker.wandb.{what}: expected a name, got {name!r}.")
    if set(name) & _FORBIDDEN:
        raise ConfigError(
            f"tracker.wandb.{what}: expected a name without any of "
            f"{' '.join(sorted(_FORBIDDEN))}, got {name!r}."
        )


def _send(child: subprocess.Popen[str], items: Iterable[Mapping[str, Any]]) -> None:
    assert child.stdin is not None
    for item in items:
        child.stdin.write(json.dumps(item) + "\n")
    child.stdin.flush()


def _hang_up(child: subprocess.Popen[str] | None) -> None:
    """Close the pipes: the process finishes the run."""
    for pipe in (child.stdin, child.stdout) if child else ():
        if pipe is not None:
            with contextlib.suppress(OSError):  # it is gone, and what was unsent
                pipe.close()
