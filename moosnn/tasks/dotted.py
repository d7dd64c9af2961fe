"""Things of a user's own by their dotted names, e.g. ``my_train.train``.

Knows: how a module is imported from the working directory. Must not know: what is done
with what it holds.

Every process of a study has the driver's working directory, workers on other nodes too:
what the driver finds there, they find. A module that is installed comes first.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import inspect
import logging
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from moosnn.errors import ConfigError, nearest

_DIGITS = 12  # of a digest: enough to tell two versions apart


def function_named(dotted: object, where: str) -> Callable[..., Any]:
    """The function (or class) with a dotted name.

    Args:
        dotted: module and name, e.g. ``my_pkg.my_module.train``.
        where: the key that names it, e.g. ``task.function``.

    Raises:
        ConfigError: no module or function of that name, with the nearest; or the module
            cannot be imported.
    """
    if not isinstance(dotted, str) or not all(dotted.split(".")) or "." not in dotted:
        raise ConfigError(
            f"{where}: expected a module and a function of it, such as my_train.train "
            f"for train in my_train.py, got {dotted!r}."
        )
    module_name, _, name = dotted.rpartition(".")
    module = _module(module_name, where)
    if not hasattr(module, name):
        known = [k for k, v in vars(module).items() if _is_own(v, module)]
        raise ConfigError(
            f"{where}: {module_name}{_place(module)} has no {name!r}."
            f"{nearest(name, known)}"
        )
    found = getattr(module, name)
    if not callable(found):
        raise ConfigError(
            f"{where}: expected a function, but {dotted} is {found!r:.80}."
        )
    checked: Callable[..., Any] = found
    return checked


def _is_own(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _place(module: ModuleType) -> str:
    """Where a module is from, unless it is from here: another may have its name."""
    file = getattr(module, "__file__", None)
    if file is None:
        return ""
    return "" if Path(file).is_relative_to(Path.cwd()) else f" ({file})"


def _module(name: str, where: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # the command ``moosnn`` does not put it there
    # A library that tells of itself in lines of its own would spoil the terminal.
    os.environ.setdefault("LOGURU_LEVEL", "WARNING")
    logging.getLogger("torch._library").setLevel(logging.ERROR)
    importlib.invalidate_caches()  # the file may be younger than the last look
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if name == missing or name.startswith(f"{missing}."):
            raise ConfigError(_absent(missing, where)) from error
        raise ConfigError(_broken(name, where, error)) from error
    except (Exception, SystemExit) as error:
        raise ConfigError(_broken(name, where, error)) from error


def _absent(missing: str, where: str) -> str:
    """What to say of a module that is not there."""
    parent, _, name = missing.rpartition(".")
    owner = sys.modules.get(parent)
    if hasattr(owner, name) and not hasattr(owner, "__path__"):
        return (
            f"{where}: expected a module and a function of it, but {missing} is no "
            f"module: give what is meant a name of its own in {parent}."
        )
    folders = (
        [str(p) for p in getattr(sys.modules.get(parent), "__path__", [])]
        if parent
        else [os.getcwd()]
    )
    known = [found.name for found in pkgutil.iter_modules(folders)]
    hint = nearest(name, known) if known else ""
    place = ", ".join(folders) or parent
    return f"{where}: no module {missing!r} in {place}, and none is installed.{hint}"


def _broken(name: str, where: str, error: BaseException) -> str:
    """What to say of a module that raises when it is imported."""
    text = " ".join(str(error).split())
    last = traceback.extract_tb(error.__traceback__)[-1]
    file, line = last.filename, last.lineno
    if isinstance(error, SyntaxError) and error.filename:
        file, line, text = error.filename, error.lineno, error.msg
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return (
        f"{where}: importing {name} failed: {said.rstrip('.')} "
        f"({Path(file).name}, line {line})."
    )


def declared(function: Callable[..., Any]) -> frozenset[str] | None:
    """The names of what a function takes by name; ``None`` = any, or not known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a builtin it is not known
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return frozenset(p.name for p in parameters if p.kind in named)


def _written(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - or a class
    """What stands in a file: of a decorated, partial or bound one and of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if inspect.isroutine(function) or inspect.isclass(function):
        return function
    return type(function)


def digest(function: Callable[..., Any]) -> str:
    """Of the code of the file that a function stands in, without its comments.

    Returns:
        A few hexadecimal digits; ``"unknown"`` where the source is not there. What the
        file imports is not in it.
    """
    with suppress(OSError, TypeError, SyntaxError, ValueError):
        path = inspect.getsourcefile(_written(function))
        if path is not None:
            spelled = ast.dump(ast.parse(Path(path).read_bytes()))
            return hashlib.sha256(spelled.encode()).hexdigest()[:_DIGITS]
    return "unknown"
