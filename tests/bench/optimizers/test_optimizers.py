"""What the benchmark's numbers rest on: by hand, and against brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moosnn.pareto.hypervolume import hypervolume
from moosnn.problem import Problem
from tests.bench.optimizers import ours, problems, runs, workers
from tests.bench.optimizers.statistics_of_runs import (
    Run,
    common_seeds,
    interval,
    mean_ranks,
)
from tests.bench.optimizers.table import RIVALS, markdown, updated

ROOT = Path(__file__).parents[3]
REFERENCE = np.array([1.0, 1.0])


def line(losses, violations, origin="ehvi") -> runs.Line:
    return runs.Line([0.5], losses, violations, 0.1, origin)


def test_only_observed_and_feasible_trials_count_for_the_hypervolume() -> None:
    lines = [
        line([0.5, 0.5], [0.1]),  # not feasible
        line(None, [0.0]),  # silent
        line(None, None),  # failed
        line([0.5, 0.5], [0.0]),
        line([0.25, 2.0], [-1.0]),  # beyond the reference
        line([0.25, 0.75], [-1.0]),
    ]
    volumes = runs.hypervolumes(lines, REFERENCE)
    assert volumes.tolist() == [0, 0, 0, 0.25, 0.25, 0.25 + 0.25 * 0.25]
    assert runs.first_feasible(lines) == 4
    assert runs.first_feasible(lines[:3]) is None


def test_a_run_is_read_back_and_appears_whole(tmp_path) -> None:
    path = runs.path_of(tmp_path, "branin_currin", "sobol", 3)
    lines = [line([0.1, 0.2], [0.0]), line(None, None)]

    def interrupted():
        yield lines[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.write(path, {"seed": 3}, interrupted())
    assert not path.exists()
    runs.write(path, {"seed": 3}, iter(lines))
    columns = ["params", "losses", "violations", "cpu_s", "origin"]
    assert runs.read(path) == ({"seed": 3, "columns": columns}, lines)
    assert [p.name for p in path.parent.iterdir()] == ["seed-3.jsonl"]


def test_a_search_records_what_the_problem_says() -> None:
    case = problems.case("branin_currin")
    searcher = ours.Ours("sobol", case, 0, {})
    lines = list(runs.search(case, searcher, 12))
    space = case.problem.space
    losses = [
        list(case.task.evaluate(_proposal(space, x.params), None).metrics.values())
        for x in lines
    ]
    assert [x.losses for x in lines] == [row[:2] for row in losses]
    assert [x.violations for x in lines] == [[row[2] - 50] for row in losses]
    feasible = np.array([row[:2] for row in losses if row[2] <= 50])
    volumes = runs.hypervolumes(lines, case.problem.reference)
    assert volumes[-1] == pytest.approx(hypervolume(feasible, case.problem.reference))


def _proposal(space, values):
    params = dict(zip(space, values, strict=True))
    return ours.Proposal(number=0, params=params, seed=0, origin="test", seen=0)


@pytest.mark.parametrize("name", [*problems.NAMES, *problems.UNSEEN])
def test_every_problem_is_measured_by_its_task(name) -> None:
    case = problems.case(name)
    assert isinstance(case.problem, Problem)
    case.problem.check_task(case.task.metrics)
    known = case.task.parameters
    assert known is not None
    assert set(case.problem.space) <= known


def test_problems_of_botorch_are_minimised_and_feasible_below_zero() -> None:
    """Binh and Korn's: 4 x^2 + 4 y^2 and (x - 5)^2 + (y - 5)^2, two circles."""
    case = problems.case("bnh")
    point = _proposal(case.problem.space, (4.0, 1.0))
    trial = runs.evaluated(case, point)
    assert runs.losses_of(case.problem, trial) == [68.0, 17.0]
    assert runs.violations_of(case.problem, trial) == [-23.0, pytest.approx(-24.3)]


def test_a_formula_is_exact_for_those_who_ask() -> None:
    case = problems.case("branin_currin")
    _, config = ours.optimizer_of("qnehvi", case, {"initial": 4})
    assert (config["noise_share"], config["initial"]) == (0.0003, 4)
    assert "noise_share" not in ours.optimizer_of("sobol", case, {})[1]
    digits = problems.case("digits_nas")
    assert ours.optimizer_of("qnehvi", digits, {})[1]["noise_share"] == 0.1


def test_workers_hold_eight_trials_and_end_in_the_order_of_time() -> None:
    class Watched(ours.Ours):
        most = held = 0

        def ask(self):
            self.held += 1
            self.most = max(self.most, self.held)
            return super().ask()

        def tell(self, trial) -> None:
            self.held -= 1
            super().tell(trial)

    case = problems.case("branin_currin")
    searcher = Watched("sobol", case, 0, {})
    lines = list(workers.search_together(case, searcher, 20, seed=0))
    assert (len(lines), searcher.most, searcher.held) == (20, 8, 0)
    alone = list(runs.search(case, ours.Ours("sobol", case, 0, {}), 20))
    order = [[x.params for x in alone].index(x.params) for x in lines]
    ends, free = {}, [0.0] * 8
    for number in range(20):
        start = min(free)
        ends[number] = start + workers.duration(0, number)
        free[free.index(start)] = ends[number]
    assert order == sorted(ends, key=ends.__getitem__) != list(range(20))


def test_mean_ranks_share_ties() -> None:
    table = np.array([[3.0, 1.0], [2.0, 0.0], [2.0, 2.0]])
    assert mean_ranks(table).tolist() == [1.5, 2.75, 1.75]


def test_the_interval_of_a_mean_holds_it_and_narrows_with_more_seeds() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(1.0, 1.0, 10), rng.normal(1.0, 1.0, 1000)
    low, high = interval(many)
    assert low < many.mean() < high
    # 1.645 standard errors on either side, if normal.
    assert high - low == pytest.approx(2 * 1.645 / np.sqrt(1000), rel=0.1)
    assert interval(few)[1] - interval(few)[0] > 3 * (high - low)


def test_seeds_are_compared_that_all_have() -> None:
    run = Run([], np.zeros(0))
    found = {"a": {0: run, 1: run}, "b": {1: run, 2: run}}
    assert common_seeds(found, ["a", "b"]) == [1]
    assert common_seeds(found, ["a", "c"]) == []


def test_silence_is_counted_after_the_initial_design() -> None:
    silent, awake = [0.5], [-0.5]
    lines = [line([0, 0], silent, "sobol")] * 3 + [line([0, 0], awake)] * 3
    lines += [line([0, 0], silent, "sobol"), line(None, None)]
    assert Run(lines, np.zeros(8)).silent_share == 0.25
    peers = [line(None, silent, "ax")] * 10 + [line([0, 0], awake, "ax")] * 4
    assert Run(peers, np.zeros(14)).silent_share == 0.0


def test_the_page_shows_what_the_raw_results_say() -> None:
    page = (ROOT / "docs" / "optimizers.md").read_text()
    tables = markdown(runs.RESULTS, "ehvi", RIVALS)
    assert tables.count("\n\n") == 9
    for block in tables.split("\n\n"):
        assert block.strip() in page


def test_the_tables_of_a_page_are_replaced_and_nothing_else() -> None:
    page = "words\n\n| one | a |\n|---|---|\n| 1 | 2 |\n\n| other |\n\nend\n"
    tables = "| one | b |\n|---|---|\n| 3 | 4 |"
    after = "words\n\n| one | b |\n|---|---|\n| 3 | 4 |\n\n| other |\n\nend\n"
    assert updated(page, tables) == after
    with pytest.raises(ValueError, match="third"):
        updated(page, f"{tables}\n\n| third |")
