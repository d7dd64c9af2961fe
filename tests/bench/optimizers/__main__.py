"""The command line of the benchmark; see the package."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.bench.optimizers import problems, runs, workers
from tests.bench.optimizers.machine import code, machine, versions
from tests.bench.optimizers.searchers import NAMES, PEERS, searcher_of


def run(arguments: argparse.Namespace) -> None:
    """Make the runs that are missing, all of one seed before the next."""
    for seed in arguments.seeds:
        for problem in arguments.problems:
            for name in arguments.optimizers:
                label = name + arguments.label + arguments.suffix
                path = runs.path_of(arguments.results, problem, label, seed)
                if not path.exists():
                    start = time.monotonic()
                    _write(path, problem, name, seed, arguments)
                    seconds = time.monotonic() - start
                    print(f"{_summary(path)}, {seconds:.0f} s", flush=True)


def _write(
    path: Path, problem: str, name: str, seed: int, arguments: argparse.Namespace
) -> None:
    case, count = problems.case(problem), arguments.trials
    changes = {} if name in PEERS else arguments.changes
    searcher = searcher_of(name, case, seed, changes)
    header = {
        "problem": problem,
        "optimizer": path.parent.name,
        "seed": seed,
        "trials": count,
        "settings": dict(searcher.settings),
        "parameters": list(case.problem.space),
        "reference": case.problem.reference.tolist(),
        "versions": versions(searcher.packages),
        "machine": machine(),
    }
    lines: Iterator[runs.Line]
    if arguments.suffix:
        lines = workers.search_together(case, searcher, count, seed)
    else:
        lines = runs.search(case, searcher, count)
    runs.write(path, header, lines)


def _summary(path: Path) -> str:
    header, lines = runs.read(path)
    volumes = runs.hypervolumes(lines, header["reference"])
    half, whole = volumes[(len(volumes) - 1) // 2], volumes[-1]
    first = runs.first_feasible(lines)
    return (
        f"{header['problem']} {header['optimizer']} seed {header['seed']}: "
        f"{half:.5g} at half, {whole:.5g}, first feasible {first}"
    )


def table(arguments: argparse.Namespace) -> None:
    """Print the tables, or bring those of a page up to date."""
    from tests.bench.optimizers.table import markdown, updated

    tables = markdown(arguments.results, arguments.ours, arguments.rivals)
    if arguments.page is None:
        print(tables)
    else:
        page = arguments.page
        page.write_text(updated(page.read_text(), tables))


def speed(arguments: argparse.Namespace) -> None:
    """Time suggestions, print and keep the seconds."""
    from tests.bench.optimizers.speed import PEER, header, measured
    from tests.bench.optimizers.table import WITHOUT_GREENLET

    name = arguments.name
    if arguments.without_greenlet:
        sys.modules["greenlet"] = None  # type: ignore[assignment]  # not importable
        name, arguments.optimizers = WITHOUT_GREENLET, [PEER]
    rows = []
    for problem in arguments.problems:
        for row in measured(
            problem, arguments.optimizers, arguments.at, arguments.changes
        ):
            print(json.dumps(row), flush=True)
            rows.append(row)
    _keep(arguments.results / name, header(arguments.optimizers), rows)


def memory(arguments: argparse.Namespace) -> None:
    """Measure the peak memory of a process for each optimizer, print and keep it."""
    from tests.bench.optimizers.memory import here, in_a_process

    if arguments.here:
        (name,) = arguments.optimizers
        print(json.dumps(here(name, arguments.changes)))
        return
    words = [f"{key}={value}" for key, value in arguments.changes.items()]
    rows = [in_a_process(name, words) for name in arguments.optimizers]
    print(*map(json.dumps, rows), sep="\n")
    header = {"versions": versions(()), "code": code(), "machine": machine()}
    _keep(arguments.results / "memory.json", header, rows)


def _keep(path: Path, header: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = ",\n".join(json.dumps(row) for row in rows)
    head = json.dumps(header)[1:-1]
    path.write_text(f'{{{head}, "rows": [\n{body}\n]}}\n')


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def _change(text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    return key, yaml.safe_load(value)


def _expanded(names: Sequence[str]) -> list[str]:
    groups = {
        "all": problems.NAMES,
        "formulas": problems.FORMULAS,
        "unseen": problems.UNSEEN,
    }
    return [n for name in names for n in groups.get(name, (name,))]


def _command(commands: Any, name: str, call: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=call.__doc__)
    command.add_argument("--results", type=Path, default=runs.RESULTS)
    command.set_defaults(call=call)
    return command


def _add_ours(command: argparse.ArgumentParser, default: list[str] | None) -> None:
    command.add_argument(
        "--optimizers", nargs="+", default=default, required=default is None
    )
    command.add_argument(
        "--set",
        dest="changes",
        nargs="*",
        type=_change,
        default=[],
        metavar="KEY=VALUE",
        help="of the optimizer's config",
    )


def _parser() -> argparse.ArgumentParser:
    from tests.bench.optimizers.speed import AT, PEER, PROBLEMS
    from tests.bench.optimizers.table import RIVALS

    parser = argparse.ArgumentParser(prog="python -m tests.bench.optimizers")
    commands = parser.add_subparsers(required=True)
    for name, suffix in (("run", ""), ("workers", workers.SUFFIX)):
        command = _command(commands, name, run)
        command.add_argument("--problems", nargs="+", default=["all"])
        command.add_argument("--seeds", type=_seeds, default=_seeds("0-9"))
        command.add_argument("--trials", type=int, default=runs.TRIALS)
        command.add_argument("--label", default="", help="added to optimizers' names")
        _add_ours(command, None)
        command.set_defaults(suffix=suffix)
    command = _command(commands, "table", table)
    command.add_argument("--ours", default="ehvi")
    command.add_argument("--rivals", nargs="+", default=list(RIVALS))
    command.add_argument("--page", type=Path, help="whose tables are replaced")
    command = _command(commands, "speed", speed)
    command.add_argument("--problems", nargs="+", default=list(PROBLEMS))
    command.add_argument("--at", nargs="+", type=int, default=list(AT))
    command.add_argument("--name", default="speed.json", help="of the results' file")
    command.add_argument(
        "--without-greenlet", action="store_true", help="the peer, as if it lacked that"
    )
    _add_ours(command, ["ehvi", "qnehvi", PEER])
    command = _command(commands, "memory", memory)
    command.add_argument("--here", action="store_true", help="in this process")
    _add_ours(command, ["ehvi", "qnehvi"])
    return parser


def main() -> None:
    """Do what the command line says."""
    parser = _parser()
    arguments = parser.parse_args()
    for name in getattr(arguments, "optimizers", ()):
        if name not in NAMES:
            parser.error(f"no optimizer {name!r}; known are {', '.join(NAMES)}.")
    if "problems" in arguments:
        arguments.problems = _expanded(arguments.problems)
    if "changes" in arguments:
        arguments.changes = dict(arguments.changes)
    arguments.call(arguments)


if __name__ == "__main__":
    main()
