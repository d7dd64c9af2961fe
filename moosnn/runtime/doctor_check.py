"""What a check of `moosnn doctor` is, and how it asks a program that may hang.

Knows: processes and their time limits. Must not know: what is checked.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

# How long a program that is told to end may take before it is killed.
_LEAVE_S = 2.0
_OK, _WRONG = "ok", "!!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what was looked at, a word or two.
        ok: whether it is as it should be.
        text: what was found.
        advice: what to do; only if it is not ok.
        stops: whether a study cannot run, or not as asked for, until that is done.

    Raises:
        ValueError: advice for what is ok, or none for what is not.
    """

    name: str
    ok: bool
    text: str
    advice: str = ""
    stops: bool = False

    def __post_init__(self) -> None:
        if self.ok == bool(self.advice):
            raise ValueError(f"{self.name}: advice belongs to what is not ok.")
        if self.ok and self.stops:
            raise ValueError(f"{self.name}: is ok and stops a study.")

    def __str__(self) -> str:
        """One line, ``ok`` or ``!!`` first."""
        told = " ".join(f"{self.name}: {self.text}".split())
        advice = f": {' '.join(self.advice.split())}" if self.advice else ""
        return f"{_OK if self.ok else _WRONG}  {told}{advice}"


def good(name: str, text: str) -> Check:
    """Nothing to do."""
    return Check(name=name, ok=True, text=text)


def bad(name: str, text: str, advice: str, *, stops: bool = False) -> Check:
    """Something to do."""
    return Check(name=name, ok=False, text=text, advice=advice, stops=stops)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a program said.

    Attributes:
        code: its exit status; ``None`` if it had to be ended, or could not be started.
        out: its standard output.
        error: the last line of its standard error, or why it has no exit status.
    """

    code: int | None
    out: str
    error: str


def ask(
    words: Sequence[str],
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Run a program for so long at most; it gets no input.

    It and what it started are in a group of their own, which is ended as a whole: what
    holds its pipes open cannot make anybody wait.

    Args:
        words: the program and its arguments.
        timeout_s: seconds, > 0; ending it may take another two.
        environment: in place of this process's.
    """
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        return Answer(code=None, out="", error=f"{words[0]}: {error.strerror}")
    with process:
        try:
            out, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            told = f"no answer within {timeout_s:g} s"
            return Answer(code=None, out="", error=told)
        except BaseException:  # Ctrl-C does not reach another session
            _end(process)
            raise
    lines = [line for line in errors.splitlines() if line.strip()]
    told = lines[-1] if lines else f"exit status {process.returncode}"
    return Answer(code=process.returncode, out=out, error=told)


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_LEAVE_S)
            return
