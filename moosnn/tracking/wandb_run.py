"""The process that writes a study's W&B run: ``python -m moosnn.tracking.wandb_run``.

Knows: how a W&B run begins, where its files lie, how long it may take. Must not know:
what is logged, executors, tasks, how a journal is stored.

Standard input: a line of options, then the study's events from its first one, a line
each. Its end means that the driver has ended. Standard output: one line when the run
has begun or cannot begin, one more if it could not be finished.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from moosnn.events import Event
from moosnn.history import History, HistoryBuilder
from moosnn.problem import Problem
from moosnn.space import Space
from moosnn.tracking.progress import study_id
from moosnn.tracking.wandb_log import Log

if TYPE_CHECKING:
    from wandb import Run

# A study waits 60 s at its end (`feed.CLOSE_S`), and may end while the run begins. A
# server that never answers costs BEGIN_S at most until the run is begun offline. At the
# end it costs ASK_S for the front and the artifact each, FINISH_S of trying to upload;
# after END_S this process ends in any case, and after LEAVE_S the driver ends it.
INIT_S, BEGIN_S = 10.0, 20.0
ASK_S, FINISH_S, END_S, LEAVE_S = 5, 20.0, 32.0, 35.0
NICE = 10  # where all cores have trials, they come first
_LONGEST_REASON = 90  # characters


def begin(order: Mapping[str, Any], history: History) -> Run:
    """Begin the study's run, or take it up again.

    Args:
        order: the first line of standard input.
        history: the study's first event or more.

    Raises:
        Exception: whatever the library raises if the server cannot be reached.
    """
    import wandb

    mode = order["mode"] or _mode()
    header = history[0].data
    config = dict(header.get("config", {}))
    return wandb.init(
        id=study_id(history),
        # What is offline has every row, and replaces what the server has when it is
        # uploaded; resumed, it would be added to it.
        resume="allow" if mode not in ("offline", "dryrun") else None,
        project=order["project"],
        entity=order["entity"],
        group=order["group"],
        name=Path(order["folder"]).name,
        tags=list(dict.fromkeys([*order["tags"], *part_names(config)])),
        config={**config, "versions": header.get("versions", {})},
        allow_val_change=True,
        dir=order["folder"],
        mode=mode,
        settings=wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            save_code=False,
            # Trials run elsewhere: this process's load and packages say nothing.
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
            init_timeout=INIT_S,
            finish_timeout=FINISH_S,
            finish_timeout_raises=True,
        ),
    )


def part_names(config: Mapping[str, Any]) -> list[str]:
    """What the optimizer and the task of a study are called.

    That is the class, or the algorithm of an optimizer whose class holds several. A
    part whose class is not told is left out.
    """
    optimizer, task = (config.get(part, {}) for part in ("optimizer", "task"))
    names = (
        optimizer.get("algorithm", optimizer.get("_target_")),
        task.get("_target_"),
    )
    return [str(name).rpartition(".")[2] for name in names if name]


def _mode() -> Any:  # noqa: ANN401 - W&B's literal
    """What the user's settings say; offline without credentials. Nobody is asked."""
    from wandb.sdk import wandb_setup
    from wandb.sdk.lib import wbauth

    settings = wandb_setup.singleton().settings
    if settings.mode not in ("online", "run"):
        return settings.mode
    credentials = wbauth.authenticate_session(
        host=settings.base_url, source="moosnn", prompt=False, update_session=False
    )
    return settings.mode if credentials else "offline"


def sync_line(folder: str | Path) -> str:
    """The command that uploads what lies in a run's folder."""
    return f"upload it with: wandb sync {shlex.quote(str(folder))}"


def _begun_line(run: Run) -> str | None:
    settings = run.settings
    if run.disabled:
        return None
    if run.offline:
        return f"is offline; {sync_line(settings.sync_dir)}"
    return f"run: {run.url}"


def _reason(error: Exception) -> str:
    """What a person is told of an error; the whole of it is in the log."""
    told = " ".join(str(error).split()) or type(error).__name__
    return told if len(told) <= _LONGEST_REASON else f"{told[:_LONGEST_REASON]}…"


def _quiet(folder: Path) -> None:
    """Everything of W&B under the study folder, and nothing sent unasked."""
    own = folder / "wandb"
    for name, value in (
        ("WANDB_DATA_DIR", str(own / "data")),
        ("WANDB_CACHE_DIR", str(own / "cache")),
        ("WANDB_ERROR_REPORTING", "false"),
        ("WANDB_HTTP_TIMEOUT", str(ASK_S)),
    ):
        os.environ.setdefault(name, value)
    # The service of a process that this one happens to run below would end with that.
    os.environ.pop("WANDB_SERVICE", None)


def _take_pipes() -> tuple[IO[str], IO[str]]:
    """Keep standard input and output for the driver, out of the library's reach."""
    lines = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return lines, replies


def _give_up_after(seconds: float) -> threading.Timer:
    """End this process as it is; its wandb-core notices and ends."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()
    return timer


def main() -> int:
    """Log what comes in until it ends; 0, or 1 when something failed."""
    # Whoever ends the driver may mean its whole job: the run is finished all the same.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    lines, replies = _take_pipes()

    def reply(what: str, text: str | None) -> None:
        print(json.dumps({what: text}), file=replies, flush=True)

    order = json.loads(lines.readline())
    problem = Problem.from_config(Space.from_config(order["space"]), order["problem"])
    _quiet(Path(order["folder"]))
    builder = HistoryBuilder()
    builder.append(Event.from_json(json.loads(lines.readline())))
    beginning = _give_up_after(BEGIN_S)
    try:
        run = begin(order, builder.history)
        log = Log(run, problem, front_every_s=order["front_every_s"])
    except Exception as error:
        traceback.print_exc()
        reply("failed", _reason(error))
        return 1
    beginning.cancel()
    reply("line", _begun_line(run))
    try:
        log.add(builder.history[0], builder.history, known=True)
        for line in lines:
            if not line.endswith("\n"):  # the driver was killed as it wrote
                break
            event = Event.from_json(json.loads(line))
            builder.append(event)
            known = len(builder.history) <= order["known"]
            log.add(event, builder.history, known=known)
    finally:
        _give_up_after(END_S)
        try:
            log.finish(builder.history)
        except Exception as error:
            traceback.print_exc()
            reply("failed", _reason(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
