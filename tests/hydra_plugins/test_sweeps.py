"""Sweeps in this process: what jobs see, what becomes of what they return."""

from __future__ import annotations

import math
import os
import sys

import pytest
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback

from moosnn.confirmation import SEEDS
from moosnn.events import Kind
from moosnn.runtime.journal import NAME, read
from moosnn.trial import Status

from .apps.binh_korn import binh_and_korn
from .apps.sphere import sphere
from .apps.train import train
from .conftest import APPS

X = "x=interval(0,1)"


def history(folder):
    return read(folder / NAME).history


def results(folder):
    return yaml.safe_load((folder / "optimization_results.yaml").read_text())


def overrides(folder, job):
    return yaml.safe_load((folder / str(job) / ".hydra/overrides.yaml").read_text())


def config(folder, job, name="config"):
    return yaml.safe_load((folder / str(job) / f".hydra/{name}.yaml").read_text())


def test_each_job_has_the_folder_that_hydra_gives_it(sweep):
    seen = []

    def function(cfg):
        hydra = HydraConfig.get()
        seen.append((hydra.job.num, hydra.job.id, hydra.runtime.output_dir))
        return train.__wrapped__(cfg)

    words = ["hydra.sweeper.budget=4", X, "model.lr=tag(log,interval(1e-4,1))"]
    folder = sweep(function, *words, "db=mysql,postgres", "seconds=0.0")
    trials = history(folder).trials
    assert [number for number, _, _ in seen] == [0, 1, 2, 3]
    for (number, job_id, output), trial in zip(seen, trials, strict=True):
        assert job_id == str(number)
        assert output == str(folder / str(number))
        params = trial.proposal.params
        expected = {key: str(value) for key, value in params.items()}
        said = dict(word.split("=") for word in overrides(folder, number))
        assert said == {**expected, "seconds": "0.0"}
        cfg = config(folder, number)
        assert cfg["x"] == params["x"]
        assert cfg["model"]["lr"] == params["model.lr"]
        assert ("port" in cfg["db"]) == (params["db"] == "postgres")
        log = (folder / str(number) / "train.log").read_text()
        assert log.count("x is") == 1
        assert f"x is {params['x']}" in log
        assert config(folder, number, "hydra")["hydra"]["job"]["num"] == number
        assert trial.evaluation.metrics == {
            "loss": params["x"] ** 2 + params["model.lr"],
            "cost": (params["x"] - 1) ** 2 + cfg["db"]["cost"],
            "c": 0.1 - params["x"],
        }
    assert {trial.proposal.params["db"] for trial in trials} == {"mysql", "postgres"}


def test_a_job_that_fails_is_one_failure_and_the_sweep_goes_on(sweep):
    bad = {
        1: lambda: 1 / 0,
        2: lambda: None,
        3: lambda: (1.0, 2.0, 3.0, 4.0),
        4: lambda: {"loss": math.nan, "cost": 1, "c": 0},
        5: lambda: "much",
        6: lambda: sys.exit(3),
        7: lambda: {"loss": 1.0},
    }

    def function(cfg):
        return bad.get(HydraConfig.get().job.num, lambda: (1.0, 1.0, 0.0))()

    folder = sweep(function, X, "hydra.sweeper.budget=9")
    trials = history(folder).trials
    kinds = [trial.failure.kind if trial.failure else None for trial in trials]
    wrong = "invalid"
    assert kinds == [
        None, "crashed", wrong, wrong, "diverged", wrong, "crashed", wrong, None,
    ]  # fmt: skip
    messages = [trial.failure.message if trial.failure else "" for trial in trials]
    assert messages[1] == "ZeroDivisionError: division by zero"
    assert messages[4] == "loss is nan"
    assert "3 numbers (loss, cost, c)" in messages[3]
    assert "got a mapping without 'cost'" in messages[7]
    for trial in trials:
        if trial.failure:
            assert "Traceback" in (folder / trial.failure.log).read_text()
    done = [trial.number for trial in trials if trial.status is Status.DONE]
    assert done == [0, 8]


def test_an_app_that_always_fails_is_left_after_five_jobs(sweep, capsys):
    with pytest.raises(SystemExit) as exit:
        sweep(lambda cfg: cfg.nothing, X, "hydra.sweeper.budget=50")
    assert exit.value.code == 2
    said = capsys.readouterr().err.splitlines()
    (line,) = [line for line in said if line.startswith("moosnn: ")]
    assert "the first 5 trials all failed" in line
    assert "Mend the app" in line
    assert "another hydra.sweep.dir=…" in line


class Note(Callback):
    """Notes what it hears."""

    heard: list[str]

    def __init__(self):
        Note.heard = []

    def on_multirun_start(self, config, **_):
        Note.heard.append("sweep")

    def on_multirun_end(self, config, **_):
        Note.heard.append("swept")

    def on_job_start(self, config, **_):
        Note.heard.append(f"job {config.hydra.job.num}")

    def on_job_end(self, config, job_return, **_):
        Note.heard.append(f"done {job_return.status.name}")


def test_callbacks_hear_of_the_sweep_and_of_each_job(sweep):
    target = f"+hydra.callbacks.note._target_={__name__}.Note"
    sweep(train.__wrapped__, X, target, "hydra.sweeper.budget=2")
    jobs = ["job 0", "done COMPLETED", "job 1", "done COMPLETED"]
    assert Note.heard == ["sweep", *jobs, "swept"]


def test_a_job_works_where_and_with_what_the_app_says(sweep, tmp_path):
    seen = []

    def function(cfg):
        seen.append((os.getcwd(), os.environ.get("FOR_JOBS")))
        return train.__wrapped__(cfg)

    before = os.getcwd()
    folder = sweep(
        function,
        X,
        "hydra.sweeper.budget=1",
        "hydra.job.chdir=true",
        "+hydra.job.env_set.FOR_JOBS=yes",
        "hydra.sweep.subdir=jobs/n${hydra.job.num}",
    )
    assert seen == [(str(folder / "jobs/n0"), "yes")]
    assert (os.getcwd(), os.environ.get("FOR_JOBS")) == (before, None)


def test_a_folder_may_be_named_after_its_overrides(sweep):
    folder = sweep(
        train.__wrapped__,
        "db=mysql,postgres",
        "hydra.sweeper.budget=2",
        "hydra.sweep.subdir=${hydra.job.override_dirname}",
    )
    assert (folder / "db=mysql/train.log").exists()
    assert (folder / "db=postgres/train.log").exists()


def test_a_space_may_hold_fewer_points_than_the_budget(sweep, capsys):
    folder = sweep(train.__wrapped__, "x=0.5,0.6", "hydra.sweeper.budget=9")
    assert {t.proposal.params["x"] for t in history(folder).trials} == {0.5, 0.6}
    assert history(folder)[-1].data["reason"] == "space exhausted"


def test_what_does_not_exist_is_not_overridden(sweep):
    """A key that only one config of a group has can be searched."""
    folder = sweep(
        train.__wrapped__,
        "db=mysql,postgres",
        "db.port=int(interval(1,9))",
        "hydra.sweeper.when={db.port: {db: postgres}}",
        "hydra.sweeper.budget=6",
    )
    ports = [
        (trial.proposal.params["db"], len(overrides(folder, trial.number)))
        for trial in history(folder).trials
    ]
    assert set(ports) == {("mysql", 1), ("postgres", 2)}


def test_the_same_command_goes_on_with_the_right_budget_and_numbers(sweep, capsys):
    sweep(train.__wrapped__, X, "hydra.sweeper.budget=3")
    folder = sweep(train.__wrapped__, X, "hydra.sweeper.budget=5")
    trials = history(folder).trials
    assert [trial.number for trial in trials] == [0, 1, 2, 3, 4]
    assert all((folder / str(number) / "train.log").exists() for number in range(5))
    multirun = yaml.safe_load((folder / "multirun.yaml").read_text())
    assert multirun["hydra"]["overrides"]["task"] == [X]
    assert multirun["hydra"]["sweeper"]["budget"] == 5
    capsys.readouterr()
    before = (folder / NAME).read_bytes()
    sweep(train.__wrapped__, X, "hydra.sweeper.budget=5")
    assert "Extend it with hydra.sweeper.budget=10" in capsys.readouterr().out
    assert (folder / NAME).read_bytes() == before


def test_what_must_be_given_may_be_searched(sweep):
    """Each job's config has it; the one that the study keeps does not."""
    words = ["x=interval(0,1)", "model.lr=???", "hydra.sweeper.budget=1"]
    folder = sweep(lambda cfg: (cfg.x, 0.0, 0.0), *words, "+y=???", "+y=1,2")
    assert history(folder).trials[0].status is Status.DONE
    assert config(folder, 0)["model"]["lr"] == "???"
    assert config(folder, 0)["y"] in (1, 2)
    sweep(lambda cfg: (cfg.x, 0.0, 0.0), *words, "+y=???", "+y=1,2")


def test_another_sweep_in_the_folder_is_refused(sweep, capsys):
    sweep(train.__wrapped__, X, "hydra.sweeper.budget=1")
    for words, difference in (
        ([X, "model.lr=0.2"], "model.lr: then '0.1', now '0.2'"),
        ([X, "db=postgres"], "db.cost: then '0.0', now '0.1'"),
        (["x=interval(0,2)"], "x.float"),
        ([X, "+y=1,2"], "+y: only now"),
        ([X, "hydra.sweeper.seed=3"], "seed: then 0, now 3"),
    ):
        with pytest.raises(SystemExit):
            sweep(train.__wrapped__, *words, "hydra.sweeper.budget=1")
        line = capsys.readouterr().err.splitlines()[-1]
        assert difference in line
        assert "another hydra.sweep.dir=…" in line


def test_seeds_reach_the_app_and_front_members_run_again_with_others(sweep):
    folder = sweep(
        train.__wrapped__,
        X,
        "hydra.sweeper.budget=3",
        "hydra.sweeper.trial_seed=+run.seed",
        "hydra.sweeper.confirm=1",
    )
    told = history(folder)
    for trial in told.trials:
        assert config(folder, trial.number)["run"]["seed"] == trial.proposal.seed
    again = told.of_kind(Kind.CONFIRMED)
    assert len(again) == SEEDS
    member = folder / str(again[0].number)
    seeds = {path.name.removeprefix("confirm-") for path in member.glob("confirm-*")}
    assert len(seeds) == SEEDS
    for seed in seeds:
        path = member / f"confirm-{seed}/.hydra/config.yaml"
        assert yaml.safe_load(path.read_text())["run"]["seed"] == int(seed)


def test_the_best_of_one_objective_is_told_as_other_sweepers_do(sweep):
    folder = sweep(sphere.__wrapped__, "hydra.sweeper.budget=5", app="sphere")
    found = results(folder)
    values = {
        trial.number: trial.proposal.params["x"] ** 2 + trial.proposal.params["y"] ** 2
        for trial in history(folder).trials
    }
    assert len(values) == 5
    assert found["name"] == "moosnn"
    assert found["best_value"] == min(values.values()) == values[found["best_job"]]
    point = found["best_params"]
    assert point["x"] ** 2 + point["y"] ** 2 == found["best_value"]
    assert point["x"] % 0.5 == 0
    assert point["y"] in (-5, 0, 5)


def test_the_front_of_two_objectives_is_told_as_other_sweepers_do(sweep):
    words = ["hydra.sweeper.budget=5"]
    folder = sweep(binh_and_korn.__wrapped__, *words, app="binh_korn")
    points = [
        (t.evaluation.metrics["v0"], t.evaluation.metrics["v1"])
        for t in history(folder).trials
    ]
    best = {
        a
        for a in points
        if not any(b != a and b[0] <= a[0] and b[1] <= a[1] for b in points)
    }
    solutions = results(folder)["solutions"]
    assert {tuple(solution["values"]) for solution in solutions} == best
    for solution in solutions:
        x, y = solution["params"]["x"], solution["params"]["y"]
        first, second = 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2
        assert solution["values"] == pytest.approx([first, second])


def test_the_yaml_of_the_plan_works_as_it_stands_there(sweep):
    """Two objectives, a constraint, qnehvi; what violates is no solution."""
    told = yaml.safe_load((APPS / "conf/train.yaml").read_text())["hydra"]
    assert told["sweeper"] == yaml.safe_load(
        """
        budget: 20
        optimizer: qnehvi
        objectives: [{metric: loss, goal: min, reference: 2},
                     {metric: cost, goal: min, reference: 2}]
        constraints: [{metric: c, upper: 0}]
        """
    )
    few = "hydra.sweeper.budget=12"  # enough for suggestions of its model
    folder = sweep(train.__wrapped__, X, few, verbatim=True)
    origins = {t.proposal.origin for t in history(folder).trials}
    assert len(history(folder).trials) == 12
    assert "qnehvi" in origins
    infeasible = [
        t.number for t in history(folder).trials if t.evaluation.metrics["c"] > 0
    ]
    assert infeasible
    solutions = results(folder)["solutions"]
    assert solutions
    assert not {s["job"] for s in solutions} & set(infeasible)
