"""Both executors against the contract, and what is special about each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moosnn.errors import ConfigError
from moosnn.runtime import jobs
from moosnn.runtime.executors import Executor, InlineExecutor
from moosnn.runtime.jobs import SubmititJobExecutor
from moosnn.trial import Evaluation, Failure, Trial
from tests.contracts.executors import (
    ExecutorContract,
    ScriptedTask,
    proposal_of,
    scripted_config,
    until_ended,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(json.dumps(scripted_config()))
    return tmp_path


class TestInline(ExecutorContract):
    @pytest.fixture
    def make(self, folder: Path) -> Callable[[], Executor]:
        return lambda: InlineExecutor(folder=folder, task=ScriptedTask())

    def test_one_trial_at_a_time(self, make: Callable[[], Executor]) -> None:
        executor = make()
        assert executor.free() == 1


class TestSubmititJob(ExecutorContract):
    @pytest.fixture
    def make(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], Executor]:
        monkeypatch.setattr(jobs, "_START_GRACE_S", 0.5)
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        return lambda: SubmititJobExecutor(folder=folder, task=ScriptedTask())

    def test_a_process_that_dies_is_a_crash_with_its_log(
        self, make: Callable[[], Executor], folder: Path
    ) -> None:
        result = self.end_of(make, "die")
        assert isinstance(result, Failure)
        assert result.kind == "crashed"
        assert "ended without a result" in result.message
        assert result.log is not None
        assert (folder / result.log).exists()

    def test_timeout(self, folder: Path, make: Callable[[], Executor]) -> None:
        executor = SubmititJobExecutor(
            folder=folder, task=ScriptedTask(), timeout_min=0.1
        )
        executor.submit(proposal_of("sleep"), 1)
        _, (ended,) = until_ended(executor)
        executor.close(cancel=True)
        assert isinstance(ended.result, Failure)
        assert ended.result.kind == "timeout"
        assert "executor.timeout_min=0.1" in ended.result.message

    def test_two_at_a_time(self, make: Callable[[], Executor]) -> None:
        executor = make()
        assert executor.free() == 2
        executor.submit(proposal_of("succeed", 0), 1)
        executor.submit(proposal_of("succeed", 1), 1)
        assert executor.free() == 0
        _, ends = until_ended(executor, 2)
        executor.close(cancel=True)
        assert {ended.number for ended in ends} == {0, 1}

    def test_a_new_driver_adopts_what_still_runs(
        self, make: Callable[[], Executor], folder: Path
    ) -> None:
        first = make()
        proposal = proposal_of("report")
        job_id = first.submit(proposal, 1)
        process = folder / "trials/000000/1/process.json"
        while not process.exists():
            time.sleep(0.02)
        first.close(cancel=False)
        second = make()
        second.attach([Trial(proposal=proposal, attempt=1, job_id=job_id)])
        _, (ended,) = until_ended(second)
        assert isinstance(ended.result, Evaluation)
        assert ended.result.metrics == {"value": 10.0}
        first.close(cancel=True)  # its handle is still to be reaped

    def test_a_damaged_result_is_a_crash(
        self, make: Callable[[], Executor], folder: Path
    ) -> None:
        executor = make()
        executor.attach([Trial(proposal=proposal_of("x"), attempt=1, job_id="x")])
        (folder / "outbox").mkdir()
        (folder / "outbox/000000-1.json").write_text('{"evaluation": {"metr')
        _, (ended,) = until_ended(executor)
        assert isinstance(ended.result, Failure)
        assert ended.result.kind == "crashed"
        assert "result file is damaged" in ended.result.message

    @pytest.mark.parametrize(
        "wrong",
        [{"workers": 0}, {"workers": "2"}, {"workers": 1.5}, {"timeout_min": -1}],
        ids=str,
    )
    def test_numbers_out_of_range(self, folder: Path, wrong: dict[str, object]) -> None:
        with pytest.raises(ConfigError, match=r"executor\.\w+: expected"):
            SubmititJobExecutor(folder=folder, task=ScriptedTask(), **wrong)  # type: ignore[arg-type]
