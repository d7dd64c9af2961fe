"""The command line: a study, a sweep over studies, or a look at one.

Knows: the words, the exit codes. Must not know: hydra, how a study is run.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import moosnn
from moosnn import cli
from moosnn.commands.table import COMMANDS
from moosnn.compose import Job, compose
from moosnn.configs import choices
from moosnn.errors import ConfigError, MoosnnError, nearest
from moosnn.interruption import EXIT

USAGE = """\
moosnn finds spiking neural networks that are accurate and quiet.

  python -m moosnn +experiment=nas              a study; the same line continues
  python -m moosnn +experiment=nas optimizer=nsga2 study.budget=200  another one
  python -m moosnn -m +experiment=nas seed=0,1  a sweep: a study of each
  --cancel      when interrupted, end what runs instead of leaving it running
  --cfg job     print the config that the words compose, and run nothing

Sub-commands; each tells more with --help:
{commands}

Exit codes: 0 done; 1 a replay differs, or the doctor found what stops a study;
2 a mistake, or trouble with the machine; 130, 143 interrupted.
"""
_HELP = ("-h", "--help")
CANCEL = "--cancel"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after the program's name; ``sys.argv`` by default.

    Returns:
        0, 1 after a replay that differs or a doctor's verdict, 2 after a user's mistake
        or the machine's trouble, 130 after Ctrl-C, 143 after SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        is_subcommand = bool(words) and _is_subcommand(words[0])
        if not words or (set(words) & set(_HELP) and not is_subcommand):
            print(_usage(), end="")
        elif "--version" in words:
            print(f"moosnn {moosnn.__version__}")
        elif is_subcommand:
            return cli.run(words)
        else:
            _run(words)
    except MoosnnError as error:
        print(f"moosnn: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is not None:
            raise
        # Only what is printed has no name.
        with suppress(OSError):
            print(f"moosnn: cannot print ({error.strerror})", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print("moosnn: interrupted; the same command continues", file=sys.stderr)
        return EXIT + (interrupt.args[0] if interrupt.args else signal.SIGINT)
    return 0


def _is_subcommand(word: str) -> bool:
    """Whether it names one, or can only be meant for one."""
    return word in COMMANDS or not ("=" in word or word.startswith(("-", "~", "+")))


def _usage() -> str:
    """One screen of 80 x 24."""
    lines = (f"  {command.name:<13} {command.told}" for command in COMMANDS.values())
    return USAGE.format(commands="\n".join(lines))


def _run(words: Sequence[str]) -> None:
    """Run the study or the sweep that some words ask for.

    Raises:
        MoosnnError: a mistake, or trouble with the machine.
    """
    # Before numpy and torch are imported: two threads on a busy machine of two cores
    # can be ten times slower than one. Workers are given their own number.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    cancel = CANCEL in words
    own = [word for word in words if word != CANCEL]

    def run(job: Job) -> None:
        _drive(job, cancel=cancel)

    jobs = compose(own, _check, run)
    sweep = jobs[0].sweep if jobs else None
    if not any(word.startswith("hydra/launcher=") for word in own):
        if sweep is None:
            for job in jobs:
                run(job)
        else:
            _run_each(jobs, cancel=cancel)
    if sweep is not None:
        print(f"compare them: python -m moosnn report {shlex.quote(str(sweep))}")


def _run_each(jobs: Sequence[Job], *, cancel: bool) -> None:
    """Run studies one after the other; what stops one does not stop the next.

    Raises:
        ConfigError: some could not be run to an end; why was printed for each.
    """
    stopped = 0
    for number, job in enumerate(jobs, start=1):
        print(f"study {number} of {len(jobs)}: {job.folder}", flush=True)
        try:
            _drive(job, cancel=cancel)
        except MoosnnError as error:
            stopped += 1
            print(f"moosnn: {error}", file=sys.stderr)
    if stopped:
        raise ConfigError(f"{stopped} of {len(jobs)} studies did not reach their end.")


def _check(job: Job) -> None:
    """Refuse a study that cannot begin, before any other is run.

    Raises:
        MoosnnError: a mistake in its config.
    """
    if "experiment" in job.config:
        name = str(job.config["experiment"])
        raise ConfigError(
            f"experiment: got {name!r}.{nearest(name, choices('experiment'))}"
        )
    from moosnn.parts import parts_of

    parts_of(job.config, job.folder)


def _drive(job: Job, *, cancel: bool) -> None:
    """Run a composed study."""
    from moosnn.driver import run

    run(job.config, job.folder, cancel=cancel)


def entry() -> NoReturn:
    """The command: run it, and leave the process at once."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before the start
            descriptor = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(descriptor, "w"))
    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads any more; Python would complain at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if code > EXIT:
        os._exit(code)  # without waiting for a suggestion that is being computed
    sys.exit(code)


if __name__ == "__main__":
    entry()
