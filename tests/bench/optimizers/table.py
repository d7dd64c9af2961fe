"""The benchmark's results as Markdown, for docs/optimizers.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from moosnn.problem import Floats
from tests.bench.optimizers import problems
from tests.bench.optimizers.searchers import BASELINE, PEERS
from tests.bench.optimizers.speed import PEER
from tests.bench.optimizers.statistics_of_runs import (
    Run,
    common_seeds,
    interval,
    mean_ranks,
    runs_of,
    volumes_at,
)
from tests.bench.optimizers.workers import SUFFIX

AT = (40, 80)
WITHOUT_GREENLET = "speed-without-greenlet.json"  # of the peer alone
RIVALS = (*PEERS, BASELINE)
_ALL = dict[str, dict[str, dict[int, Run]]]


def markdown(results: Path, ours: str, rivals: Sequence[str]) -> str:
    """Every table for which there are results; ``ours`` is judged against rivals."""
    found = {name: runs_of(results, name) for name in problems.NAMES}
    names = [ours, *rivals]
    lines: list[str] = []
    for at in AT:
        lines += [*_volumes(found, names, at), ""]
        lines += [*_differences(found, ours, rivals, at), ""]
    lines += [*_first_feasible(found, names), ""]
    lines += [*_unseen(results, ours, PEER), ""]
    lines += [*_workers(found), ""]
    lines += [*_silent(found), ""]
    lines += [*_speed(results), ""]
    lines += _memory(results / "memory.json")
    return "\n".join(lines)


def updated(page: str, tables: str) -> str:
    """A page with new tables in place of those of the same first headings.

    Raises:
        ValueError: one of them is not on the page.
    """
    new = {_heading(block): block for block in tables.split("\n\n")}
    blocks = page.split("\n\n")
    if missing := set(new) - {_heading(block) for block in blocks}:
        raise ValueError(f"no table on the page has the heading of {sorted(missing)}")
    return "\n\n".join(new.get(_heading(b), b) if b[:1] == "|" else b for b in blocks)


def _heading(block: str) -> str:
    return block.partition("|")[2].partition("|")[0].strip()


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), "|---" * len(cells) + "|"]


def _volumes(found: _ALL, names: Sequence[str], at: int) -> Iterator[str]:
    yield from _head([f"mean hypervolume, {at} trials", "largest", "seeds", *names])
    ranks = []
    for problem, runs in found.items():
        seeds = common_seeds(runs, names)
        if not seeds:
            continue
        table = np.array([volumes_at(runs[n], seeds, at) for n in names])
        ranks.append(mean_ranks(table))
        largest = problems.case(problem).maximum
        cells = [_number(v) for v in table.mean(axis=1)]
        yield _row([problem, largest or "", len(seeds), *cells])
    if ranks:
        means = np.mean(ranks, axis=0)
        yield _row(["**mean rank**", "", "", *(f"**{r:.2f}**" for r in means)])


def _number(value: float) -> str:
    return f"{value:.1f}" if value >= 100 else f"{value:.4f}"


def _differences(
    found: _ALL, ours: str, rivals: Sequence[str], at: int
) -> Iterator[str]:
    title = f"{ours} less its best peer, {at} trials"
    yield from _head([title, "seeds", "best peer", "mean", "90 % interval", ""])
    for problem, runs in found.items():
        rows = []
        for rival in rivals:
            seeds = common_seeds(runs, [ours, rival])
            if seeds:
                theirs = volumes_at(runs[rival], seeds, at)
                mine = volumes_at(runs[ours], seeds, at)
                rows.append((rival, mine - theirs))
        if rows:
            rival, differences = min(rows, key=lambda row: float(row[1].mean()))
            yield _row([problem, len(differences), rival, *_judged(differences)])


def _judged(differences: Floats) -> tuple[str, str, str]:
    """Their mean, its interval, and on which side of zero that lies."""
    low, high = interval(differences)
    verdict = "below" if high < 0 else "above" if low > 0 else "level"
    return f"{differences.mean():.4g}", f"{low:.4g} to {high:.4g}", verdict


def _first_feasible(found: _ALL, names: Sequence[str]) -> Iterator[str]:
    yield from _head(["median trials to the first feasible one", *names])
    for problem, runs in found.items():
        if common_seeds(runs, names):
            firsts = [[r.first_feasible for r in runs[n].values()] for n in names]
            medians = [np.median(values) for values in firsts]
            cells = ["> all" if np.isinf(m) else f"{m:.1f}" for m in medians]
            yield _row([problem, *cells])


def _unseen(results: Path, ours: str, peer: str) -> Iterator[str]:
    """Problems that nothing of ours was chosen by."""
    at = AT[-1]
    first = "first feasible, medians"
    heads = ["seeds", ours, peer, "mean difference", "90 % interval", "", first]
    yield from _head([f"other problems, {at} trials", *heads])
    for problem in problems.UNSEEN:
        runs = runs_of(results, problem)
        seeds = common_seeds(runs, [ours, peer])
        if seeds:
            mine, theirs = (volumes_at(runs[name], seeds, at) for name in (ours, peer))
            means = f"{mine.mean():.4g}", f"{theirs.mean():.4g}"
            firsts = (
                np.median([runs[name][seed].first_feasible for seed in seeds])
                for name in (ours, peer)
            )
            when = " and ".join(f"{first:.1f}" for first in firsts)
            yield _row([problem, len(seeds), *means, *_judged(mine - theirs), when])


def _workers(found: _ALL) -> Iterator[str]:
    yield from _head(["8 simulated workers", "problem", "seeds", "hypervolume lost"])
    for problem, runs in found.items():
        for name in runs:
            alone = name.removesuffix(SUFFIX)
            seeds = common_seeds(runs, [name, alone])
            if name != alone and seeds:
                together = volumes_at(runs[name], seeds, AT[-1]).mean()
                apart = volumes_at(runs[alone], seeds, AT[-1]).mean()
                lost = f"{100 * (1 - together / apart):.1f} %"
                yield _row([alone, problem, len(seeds), lost])


def _silent(found: _ALL) -> Iterator[str]:
    yield from _head(["digits, after the initial design", "silent proposals", "seeds"])
    for name, runs in found["digits_nas"].items():
        shares = [run.silent_share for run in runs.values()]
        yield _row([name, f"{100 * np.mean(shares):.0f} %", len(shares)])


def _speed(results: Path) -> Iterator[str]:
    seconds = _medians(results / "speed.json")
    alone = _medians(results / WITHOUT_GREENLET)
    for (problem, count, name), median_s in alone.items():
        seconds[problem, count, f"{name} without greenlet"] = median_s
    names = list(dict.fromkeys(name for *_, name in seconds))
    ours = [name for name in names if not name.startswith(PEER)]
    times = [f"{name} / {PEER}" for name in ours]
    yield from _head(["CPU seconds a suggestion, median", "trials", *names, *times])
    for problem, count in dict.fromkeys((p, c) for p, c, _ in seconds):
        here = {n: seconds.get((problem, count, n), np.nan) for n in [*names, PEER]}
        cells = [f"{here[n]:.3f}" for n in names]
        cells += [f"{here[n] / here[PEER]:.2f}" for n in ours]
        yield _row([problem, count, *("" if c == "nan" else c for c in cells)])


def _medians(path: Path) -> dict[tuple[str, int, str], float]:
    """Seconds of a suggestion, by problem, number of trials and optimizer."""
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {(r["problem"], r["trials"], r["optimizer"]): r["median_s"] for r in rows}


def _memory(path: Path) -> Iterator[str]:
    if not path.exists():
        return
    rows = json.loads(path.read_text())["rows"]
    title = f"{rows[0]['trials']} trials, {rows[0]['constraints']} constraints"
    yield from _head([title, "peak resident memory, MB", "before the suggestion, MB"])
    for row in rows:
        yield _row([row["optimizer"], row["peak_mb"], row["before_mb"]])
