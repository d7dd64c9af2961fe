"""The warm child of a worker, as its supervisor sees it: a process and a pipe.

Knows: processes. Must not know: torch, tasks, results, limits. What runs inside of it
is `worker.main`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from moosnn.runtime import family


class Child:
    """The process with torch in it, in a session of its own.

    Attributes:
        started: when it began with the message it was given, by the monotonic clock;
            0.0 = not yet.
        done: whether it has said that it ended that.
        forked: whether the attempt started other processes.
        may_go_on: whether it can take another message.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self._mark = mark
        self._status, status = os.pipe()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "moosnn.runtime.worker",
                str(folder),
                str(status),
                str(os.getpid()),
            ],
            stdin=subprocess.PIPE,
            pass_fds=(status,),
            start_new_session=True,
            env={**os.environ, family.MARK: mark},
        )
        os.close(status)
        self._heard = b""
        self.started = 0.0
        self.done = self.forked = False
        self.may_go_on = True

    def give(self, message: Path) -> None:
        """Hand over a message; a child that is gone does not take it."""
        self.started = 0.0
        self.done = self.forked = False
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{message}\n".encode())
            self._process.stdin.flush()

    def listen(self, wait_s: float) -> None:
        """Hear what it says, waiting so long for something."""
        ready, _, _ = select.select([self._status], [], [], wait_s)
        if ready:
            said = os.read(self._status, 4096)
            if not said:
                time.sleep(wait_s)  # it closed the pipe, and is about to end
            self._heard += said
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            word, *more = line.decode(errors="replace").split()[:2] or [""]
            if word == "start":
                self.started = time.monotonic()
            elif word == "done" and self.started:
                self.done = True
                self.forked = more == ["forked"]
                self.may_go_on = more != ["leaving"]

    def is_gone(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def obituary(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"its process ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"  # a real-time one
        hint = ", perhaps by the kernel for lack of memory" if code == -9 else ""
        return f"its process was killed by {name}{hint}"

    def memory_mb(self) -> float:
        """Memory of the child and of what it started; 0 where it cannot be read."""
        return family.memory_mb(self._process.pid)

    def end_others(self) -> None:
        """End what an attempt started and left behind."""
        family.end(self._mark, keep=self._process.pid)

    def end(self) -> None:
        """Kill it and what it started."""
        if self._process.stdin is None or self._process.stdin.closed:
            return  # it was ended before
        self._process.kill()
        self._process.wait()
        family.end(self._mark)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        os.close(self._status)
