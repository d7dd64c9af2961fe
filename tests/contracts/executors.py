"""What every executor must do, whatever runs the trials."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from moosnn.errors import ConfigError, DivergedError, ReleasedError
from moosnn.runtime.executors import Ended, Executor, Report
from moosnn.space import Params
from moosnn.tasks.base import Context, Task
from moosnn.trial import Evaluation, Failure, Proposal, Trial

_PATIENCE_S = 60.0


DAEMON_S = "98765.4321"


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def _say_everywhere(text: bytes) -> None:
    """Write to every pipe that is open, the supervisor's among them."""
    for entry in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{entry}").startswith("pipe:"):
                os.write(int(entry), text)


class ScriptedTask:
    """Does what the parameter ``deed`` says."""

    metrics = ("value",)
    always = metrics
    parameters = None

    def check(self, params: Params) -> None: ...

    def refusal(self, params: Params) -> str | None: ...

    def fingerprint(self) -> Mapping[str, str]:
        return {}

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:  # noqa: PLR0912, PLR0915 - a list of deeds
        deed = proposal.params["deed"]
        (context.workdir / "was_here").write_text(str(context.attempt))
        match deed:
            case "diverge":
                raise DivergedError("the loss is not finite")
            case "unspeakable":
                raise UnspeakableError
            case "delete_and_raise":
                shutil.rmtree(context.workdir)
                raise RuntimeError("no such thing")
            case "surrogate":
                raise RuntimeError("caf\udce9")
            case "long":
                raise RuntimeError("x" * 10_000_000)
            case "odd_step":
                context.report("one", {})  # type: ignore[arg-type]
            case "odd_report":
                context.report(1, {"value": "a"})  # type: ignore[dict-item]
            case "odd_result":
                return {"value": 1.0}  # type: ignore[return-value]
            case "odd_device":
                return Evaluation(metrics={"value": 1.0}, device=Path("cpu"))  # type: ignore[arg-type]
            case "own_report":
                (context.workdir / "report.json").write_text("{")
                (context.workdir / ".report.json").write_text('{"steps": 3}')
                time.sleep(0.3)
            case "raise":
                raise RuntimeError("no such thing")
            case "refuse":
                raise ConfigError("depth: expected 1, got 2.")
            case "fill_memory":
                raise MemoryError
            case "exit":
                raise SystemExit(3)
            case "nan":
                return Evaluation(metrics={"value": float("nan")})
            case "report":
                for step in (1, 2, 3):
                    if context.report(step, {"value": float(step)}):
                        return Evaluation(metrics={"value": -1.0}, stopped="pruned")
                    time.sleep(0.2)
            case "release":
                while not context.preempted():
                    time.sleep(0.05)
                (context.workdir / "checkpoint").touch()
                raise ReleasedError("it makes room")
            case "real_time":
                os.kill(os.getpid(), 40)
            case "babble":
                _say_everywhere(b"\xff\xfe done\n")
                os._exit(7)
            case "garble":
                _say_everywhere(b"garbage")
            case "delete_and_hang":
                shutil.rmtree(context.workdir)
                time.sleep(60)
            case "eat_below":
                if os.fork() == 0:
                    held = bytearray(400 * 1024 * 1024)
                    held[::4096] = b"x" * len(held[::4096])
                time.sleep(60)
            case "daemon" | "daemonise":
                subprocess.Popen(["sleep", DAEMON_S], start_new_session=True)
                time.sleep(60 if deed == "daemon" else 0.5)
            case "die":
                os._exit(7)
            case "segfault":
                ctypes.string_at(0)
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "sleep":
                time.sleep(60)
            case "hang":
                ctypes.CDLL(None).sleep(60)  # native code: Python gets no turn
            case "eat":
                held = bytearray(400 * 1024 * 1024)
                held[::4096] = b"x" * len(held[::4096])
                time.sleep(60)
            case "print":
                for _ in range(100):
                    print("x" * 1024 * 1024)
                time.sleep(60)
            case "fork":
                if os.fork() == 0:
                    time.sleep(60)
            case "fork_and_return":
                os.fork()
            case "leave":
                subprocess.Popen(["sleep", "60"])
            case _:
                pass
        return Evaluation(metrics={"value": float(proposal.seed)})

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        return Evaluation(metrics={"value": -float(proposal.seed)})


def processes(folder: Path) -> list[int]:
    """The processes whose command line names a folder."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in line:
                found.append(int(entry))
    return found


def proposal_of(deed: str, number: int = 0, origin: str = "test") -> Proposal:
    return Proposal(
        number=number, params={"deed": deed}, seed=10 + number, origin=origin, seen=0
    )


def until_ended(executor: Executor, count: int = 1) -> tuple[list[Report], list[Ended]]:
    """Poll until so many attempts have ended."""
    reports: list[Report] = []
    ends: list[Ended] = []
    deadline = time.monotonic() + _PATIENCE_S
    while len(ends) < count:
        assert time.monotonic() < deadline, f"only {ends} ended"
        for item in executor.poll():
            (reports if isinstance(item, Report) else ends).append(item)  # type: ignore[arg-type]
        time.sleep(0.01)
    return reports, ends


def give(executor: Executor, proposal: Proposal, attempt: int = 1) -> str:
    """Reserve a slot and fill it, as a study does."""
    job_id = executor.reserve()
    executor.submit(proposal, attempt, job_id)
    return job_id


class ExecutorContract:
    """Subclasses give ``make``, a fixture that builds an executor for a folder."""

    def end_of(self, make: Callable[[], Executor], deed: str) -> Evaluation | Failure:
        executor = make()
        give(executor, proposal_of(deed))
        _, (ended,) = until_ended(executor)
        executor.close(cancel=True)
        assert (ended.number, ended.attempt) == (0, 1)
        return ended.result

    def test_success(self, make: Callable[[], Executor], folder: Path) -> None:
        executor = make()
        assert executor.free() >= 1
        before = executor.free()
        assert give(executor, proposal_of("succeed"), 1)
        assert executor.free() == before - 1
        _, (ended,) = until_ended(executor)
        assert isinstance(ended.result, Evaluation)
        assert ended.result.metrics == {"value": 10.0}
        assert ended.result.seconds > 0
        assert executor.free() == before
        assert executor.poll() == []
        assert (folder / "trials/000000/1/was_here").read_text() == "1"
        executor.close(cancel=True)

    def test_failures_are_typed_and_keep_their_log(
        self, make: Callable[[], Executor], folder: Path
    ) -> None:
        expected = {
            "diverge": ("diverged", "the loss is not finite"),
            "raise": ("crashed", "RuntimeError: no such thing"),
            "refuse": ("invalid", "depth: expected 1, got 2."),
            "fill_memory": ("out_of_memory", "MemoryError"),
            "exit": ("crashed", "SystemExit: 3"),
            "nan": ("diverged", "metrics: value is nan, not a finite number"),
            "unspeakable": ("crashed", "UnspeakableError: (its text cannot be had: Va"),
            "delete_and_raise": ("crashed", "RuntimeError: no such thing"),
            "surrogate": ("crashed", "RuntimeError: caf\\udce9"),
            "long": ("crashed", "RuntimeError: xxxxxxx"),
            "odd_step": ("crashed", "TypeError: 'str' object cannot be interpreted"),
            "odd_report": ("crashed", "ValueError: could not convert string to float"),
            "odd_result": ("crashed", "TypeError: expected an Evaluation of the task"),
        }
        executor = make()
        for number, (deed, (kind, message)) in enumerate(expected.items()):
            give(executor, proposal_of(deed, number), 1)
            _, (ended,) = until_ended(executor)
            assert isinstance(ended.result, Failure)
            assert ended.result.kind == kind
            assert ended.result.message.startswith(message)
            assert len(ended.result.message) < 3000
            assert ended.result.log is not None
            assert "Error" in (folder / ended.result.log).read_text() or deed == "exit"
        executor.close(cancel=True)

    @pytest.mark.parametrize("deed", ["odd_device", "own_report"])
    def test_oddities_that_do_no_harm(
        self, make: Callable[[], Executor], deed: str
    ) -> None:
        assert isinstance(self.end_of(make, deed), Evaluation)

    def test_reports_come_in_order(self, make: Callable[[], Executor]) -> None:
        executor = make()
        give(executor, proposal_of("report"), 1)
        reports, (ended,) = until_ended(executor)
        steps = [report.step for report in reports]
        assert steps == sorted(set(steps))
        assert steps[-1] == 3
        assert reports[-1].metrics == {"value": 3.0}
        assert isinstance(ended.result, Evaluation)
        assert ended.result.stopped is None
        executor.close(cancel=True)

    def test_stop_ends_a_trial_at_its_next_report(
        self, make: Callable[[], Executor]
    ) -> None:
        executor = make()
        give(executor, proposal_of("report", number=4), 1)
        executor.stop(4)
        executor.stop(99)
        _, (ended,) = until_ended(executor)
        assert isinstance(ended.result, Evaluation)
        assert ended.result.stopped == "pruned"
        executor.close(cancel=True)

    def test_confirm_reads_the_test_split(self, make: Callable[[], Executor]) -> None:
        executor = make()
        give(executor, proposal_of("succeed", origin="confirm"), 2)
        _, (ended,) = until_ended(executor)
        assert ended.attempt == 2
        assert isinstance(ended.result, Evaluation)
        assert ended.result.metrics == {"value": -10.0}
        executor.close(cancel=True)

    def test_an_attempt_nobody_has_is_lost(self, make: Callable[[], Executor]) -> None:
        executor = make()
        executor.attach([Trial(proposal=proposal_of("succeed"), attempt=3, job_id="x")])
        _, (ended,) = until_ended(executor)
        assert (ended.number, ended.attempt) == (0, 3)
        assert isinstance(ended.result, Failure)
        assert ended.result.kind == "lost"
        executor.close(cancel=True)

    def test_close_without_work(self, make: Callable[[], Executor]) -> None:
        executor = make()
        assert executor.poll() == []
        executor.close(cancel=False)
        executor.close(cancel=True)


def scripted_config() -> dict[str, object]:
    """The part of a config from which a job builds the scripted task."""
    return {"task": {"_target_": f"{__name__}.ScriptedTask"}}


_: Task = ScriptedTask()  # mypy: it is one
