"""The house rule: imports go only downwards, or to the same folder.

Every module belongs to a floor (`FLOORS`: a top-level module, or a folder with all that
is below it). It may import from lower floors and from its own folder; the modules that
lie directly in ``moosnn/`` may import those of their own floor. Two folders on one
floor do not know each other. Imports inside of functions count as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = {
    "errors": 0,
    "conditions": 1,
    "grid": 1,
    "parameters": 1,
    "narrowing": 1,
    "rungs": 1,
    "space": 1,
    "trial": 1,
    "events": 1,
    "history": 1,
    "problem": 2,
    "pareto/": 3,
    "snn/": 3,
    "optimizers/": 4,
    "pruners/": 4,
    "tasks/": 4,
    "runtime/": 5,
    "tracking/": 5,
    "exchange/": 5,
    "confirmation": 4,
    "proposer": 6,
    "interruption": 6,
    "settings": 6,
    "stop_rules": 6,
    "warm_start": 6,
    "origins": 6,
    "named_studies": 6,
    "agreement": 6,
    "parts": 6,
    "space_check": 6,
    "data_check": 6,
    "study": 6,
    "driver": 6,
    "forecast": 6,
    "api": 6,
    "asktell": 6,
    "black_box": 6,
    "exporting": 6,
    "transfer": 6,
    "importing": 6,
    "logbook": 6,
    "plain_input": 6,
    "watching": 6,
    "replay": 6,
    "simulation": 6,
    "virtual_trials": 6,
    "what_if": 6,
    "telling": 6,
    "threads": 6,
    "configs": 1,
    "mistakes": 6,
    "options": 6,
    "compose": 7,
    "commands/": 7,
    "cli": 8,
    "__main__": 8,
    "hydra_plugins/": 8,
}

HYDRA = ("hydra", "omegaconf")
MAY_IMPORT_HYDRA = (
    "moosnn/compose.py",
    "moosnn/mistakes.py",
    "moosnn/runtime/worker.py",
    "hydra_plugins/",
)

# The package itself re-exports lazily from up to here; __version__ is for everyone.
PACKAGE_FLOOR = FLOORS["api"]


@dataclass(frozen=True)
class Import:
    """One imported module (or a name of one) and where it is written."""

    module: str
    name: str | None
    line: int
    at_start: bool  # runs when the importing module is imported


def modules(root: Path) -> dict[str, Path]:
    """Dotted name to path, of everything in the package and the plugins."""
    found = {}
    for folder in ("moosnn", "hydra_plugins"):
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join(parts)] = path
    return found


def imports(module: str, path: Path) -> Iterator[Import]:
    """Every import of a file, wherever it stands."""

    def visit(node: ast.AST, at_start: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            inside = at_start and not isinstance(
                child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
            )
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                inside = False
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, None, child.lineno, inside)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    package = module.split(".")
                    kept = len(package) - child.level + (path.stem == "__init__")
                    base = ".".join([*package[:kept], *filter(None, [base])])
                for alias in child.names:
                    yield Import(base, alias.name, child.lineno, inside)
            yield from visit(child, inside)

    return visit(ast.parse(path.read_text(encoding="utf-8")), True)


def target(imported: Import, known: dict[str, Path]) -> str:
    """The module that an import means: ``from a import b`` may mean ``a.b``."""
    full = f"{imported.module}.{imported.name}"
    return full if full in known else imported.module


def floor(module: str) -> tuple[int, str] | None:
    """A module's floor and its folder; the modules of ``moosnn/`` have none."""
    parts = module.split(".")
    if parts[0] == "moosnn":
        parts = parts[1:]
    for key, folder in ((parts[0], ""), (f"{parts[0]}/", parts[0])):
        if key in FLOORS and (folder or len(parts) == 1):
            return FLOORS[key], folder
    return None


def complaint(module: str, imported: Import, known: dict[str, Path]) -> str | None:
    """Why one module may not import another, or ``None``."""
    to = target(imported, known)
    top = to.partition(".")[0]
    here = known[module].as_posix()
    if top in HYDRA and not any(f"/{place}" in here for place in MAY_IMPORT_HYDRA):
        return f"imports {to}; only {', '.join(MAY_IMPORT_HYDRA)} may"
    if top not in ("moosnn", "hydra_plugins") or module == "moosnn":
        return None
    if to == "moosnn":
        goal = (0 if imported.name == "__version__" else PACKAGE_FLOOR, "the package")
    elif to in known:
        goal = floor(to)
    else:
        return f"imports {to}, which does not exist"
    source = floor(module)
    if source is None or goal is None or goal[0] < source[0] or goal == source:
        return None  # what has no floor is complained about elsewhere
    return f"(floor {source[0]}) imports {to} (floor {goal[0]})"


def violations(root: Path) -> list[str]:
    """Every breach of the rules in a tree, as ``path:line: what``."""
    known = modules(root)
    found, graph = [], {}
    for module, path in known.items():
        where = path.relative_to(root).as_posix()
        if module != "moosnn" and floor(module) is None:
            found.append(f"{where}:1: has no floor; give it one in FLOORS (design)")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))):
            found.append(f"{where}:1: has no docstring")
        graph[module] = set()
        for imported in imports(module, path):
            said = complaint(module, imported, known)
            if said:
                found.append(f"{where}:{imported.line}: {said}")
            to = target(imported, known)
            if imported.at_start and to in known and to != module:
                graph[module].add(to)
    graph.pop("moosnn")  # imported before everything, and it imports nothing at once
    for edges in graph.values():
        edges.discard("moosnn")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append(f"import cycle: {' <- '.join(error.args[1])}")
    return list(dict.fromkeys(found))  # one line may import several names


def test_the_package_keeps_the_rules():
    found = violations(ROOT)
    assert not found, "\n" + "\n".join(found)


def test_the_walk_saw_the_package():
    assert {"moosnn", "moosnn.space", "moosnn.pareto.front"} < set(modules(ROOT))


DOCSTRING = '"""What it knows."""\n'
SOUND = {
    "moosnn/__init__.py": "def __getattr__(name):\n    from moosnn.study import run\n",
    "moosnn/errors.py": "import math\n",
    "moosnn/space.py": "from moosnn.errors import SpaceError\n",
    "moosnn/trial.py": "from moosnn.space import Value\nfrom moosnn import errors\n",
    "moosnn/tasks/__init__.py": "",
    "moosnn/tasks/base.py": "from moosnn import __version__\n",
    "moosnn/tasks/snn.py": "from . import base\nfrom .base import Task\n",
    "moosnn/optimizers/sobol.py": "import moosnn.trial\n",
    "moosnn/runtime/worker.py": "import hydra\nfrom ..tasks.base import Task\n",
    "moosnn/runtime/parts/deep.py": "from moosnn.runtime import worker\n",
    "moosnn/study.py": "from moosnn.tasks import snn\n",
    "moosnn/api.py": "from moosnn.study import Study\n",
    "moosnn/compose.py": "from omegaconf import OmegaConf\n",
    "moosnn/__main__.py": "import moosnn.compose\nimport moosnn\n",
    "hydra_plugins/sweeper/sweeper.py": "import hydra\nfrom moosnn.api import load\n",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(DOCSTRING + text if text is not None else "x = 1\n")
    return root


def test_a_sound_tree_passes(tmp_path):
    assert violations(tree(tmp_path, SOUND)) == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("errors.py", "import moosnn.space\n", "(floor 0) imports moosnn.space"),
        ("errors.py", "from moosnn import space\n", "(floor 0) imports moosnn.space"),
        ("errors.py", "from .space import Value\n", "(floor 0) imports moosnn.space"),
        ("space.py", "def f():\n    import moosnn.study\n", "imports moosnn.study"),
        ("space.py", "class A:\n    import moosnn.study\n", "imports moosnn.study"),
        ("space.py", "try:\n    import moosnn.api\nfinally:\n    pass", "moosnn.api"),
        ("tasks/snn.py", "import moosnn.optimizers.sobol\n", "(floor 4) imports"),
        ("tasks/snn.py", "from ..optimizers.sobol import x\n", "(floor 4) imports"),
        ("tracking/wandb.py", "from moosnn.runtime import worker\n", "(floor 5)"),
        ("tasks/snn.py", "import moosnn.tasks.bse\n", "which does not exist"),
        ("tasks/snn.py", "from moosnn import load\n", "imports moosnn (floor 6)"),
        ("tasks/snn.py", "import moosnn\n", "imports moosnn (floor 6)"),
        ("tasks/snn.py", "def f():\n    import hydra.utils\n", "imports hydra.utils"),
        ("study.py", "from omegaconf import OmegaConf\n", "imports omegaconf; only"),
        ("stduy.py", "", "moosnn/stduy.py:1: has no floor; give it one in FLOORS"),
        ("new/thing.py", "", "moosnn/new/thing.py:1: has no floor"),
        ("study/extra.py", "", "moosnn/study/extra.py:1: has no floor"),
        ("tasks/snn.py", None, "moosnn/tasks/snn.py:1: has no docstring"),
        ("tasks/base.py", "import moosnn.tasks.snn\n", "import cycle: moosnn.tasks."),
        ("space.py", "from moosnn.trial import Event\n", "import cycle: moosnn."),
    ],
)
def test_a_breach_is_found(tmp_path, name, text, message):
    found = violations(tree(tmp_path, {**SOUND, f"moosnn/{name}": text}))
    assert len(found) == 1 + (name == "errors.py")  # that one makes a cycle as well
    assert message in found[0]


@pytest.mark.parametrize("text", ["def f():\n    {}\n", "if TYPE_CHECKING:\n    {}\n"])
def test_an_import_that_waits_makes_no_cycle(tmp_path, text):
    later = text.format("import moosnn.tasks.snn")
    assert violations(tree(tmp_path, {**SOUND, "moosnn/tasks/base.py": later})) == []
