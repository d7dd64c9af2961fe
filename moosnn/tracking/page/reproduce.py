"""How a study is made again: its config, its versions, the commands.

Knows: a study's header, its config file, the files of the configuration. Must not know:
hydra, how a study is run.

What was typed is not on file. But a resolved config is one file of each group and some
changed values, and those can be found: the file with the fewest differences.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from moosnn.configs import choices, config_folder
from moosnn.history import History

_CONFIG = "config.yaml"
_GROUPS = ("task", "data", "space", "problem", "optimizer")
# Beside the groups what a study is; how far it goes and where it runs may differ.
_STUDY = ("budget", "replicates", "enqueue", "warm_start")
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")  # needs no quotes in Hydra's grammar
_WORDS = ("true", "false", "null", "inf", "nan")  # that mean no text without quotes
_OURS = "moosnn."  # the tasks that a command line can name
_REFERENCE = "${"
# The fast one where the library has it: some sixty files are read.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Leaf = tuple[str, ...]


def config_yaml(folder: Path, config: Mapping[str, Any]) -> str:
    """The resolved config as text: of its file, else what the journal has of it."""
    try:
        return (folder / _CONFIG).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return str(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))


def versions_json(history: History) -> dict[str, str]:
    """With what a study was made: versions, the machine, threads."""
    header = history[0].data if len(history) else {}
    found = {str(k): str(v) for k, v in header.get("versions", {}).items()}
    machine = header.get("machine") or {}
    if isinstance(machine, Mapping):
        found |= {str(k): str(v) for k, v in machine.items() if v}
    for key in ("threads", "kernel"):
        if key in header:
            found[key] = str(header[key])
    return found


def commands(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """The lines of a shell that make a study again and check it.

    Args:
        folder: of the study.
        config: of the study, resolved; its file's if there is one.
    """
    lines = [f"python -m moosnn replay {shlex.quote(str(folder))}"]
    try:
        resolved = yaml.safe_load(config_yaml(folder, config))
        if not str(resolved["task"]["_target_"]).startswith(_OURS):
            return lines  # of somebody's Hydra app: its own command makes it again
        words = words_of(resolved)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, OSError):
        return lines
    again = f"study_dir={folder}-again"
    return [shlex.join(["python", "-m", "moosnn", *words, again]), *lines]


def words_of(config: Mapping[str, Any]) -> list[str]:
    """The words of a command line that compose a config: groups, then changes.

    Args:
        config: resolved, plain data.

    Raises:
        KeyError: it lacks what every config has.
        ValueError: no words make it: its parameters have another order, which counts.
    """
    groups, changes = [], []
    for group in _GROUPS:
        if group == "data" and config.get(group) is None:
            continue
        name, changed = _nearest_file(group, config[group])
        groups.append(f"{group}={name}")
        changes += changed
    if config.get("pruner"):
        name, changed = _nearest_file("pruner", config["pruner"])
        groups.append(f"pruner={name}")
        changes += changed
    changes.append(f"seed={config['seed']}")
    study = config.get("study", {})
    changes += [f"study.{k}={_spelled(study[k])}" for k in _STUDY if study.get(k)]
    return [*groups, *changes]


def _nearest_file(group: str, config: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The file of a group with the fewest differences, and those as words."""
    found = {name: _differences(group, name, config) for name in choices(group)}
    best = min(found, key=lambda name: (len(found[name]), name))
    if group == "space":
        kept = [key for key in _body(group, best) if key in config]
        if [*kept, *(key for key in config if key not in kept)] != list(config):
            raise ValueError("words do not change the order of parameters.")
    return best, found[best]


def _body(group: str, name: str) -> dict[str, Any]:
    """What a file of a group says of it."""
    text = (config_folder() / group / f"{name}.yaml").read_text(encoding="utf-8")
    raw: dict[str, Any] = yaml.load(text, Loader=_LOADER) or {}
    # Such a file may set values of other groups as well; those are words like others.
    body: Mapping[str, Any] = raw.get(group, raw)
    return {key: value for key, value in body.items() if key != "defaults"}


def _differences(group: str, name: str, config: Mapping[str, Any]) -> list[str]:
    """What has to be said of a config beside the name of a file."""
    then, now = dict(_leaves(_body(group, name))), dict(_leaves(config))
    references = [k for k, v in then.items() if _REFERENCE in str(v)]
    words = []
    for leaf, value in now.items():
        referred = any(leaf[: len(r)] == r for r in references)
        if not referred and (leaf not in then or then[leaf] != value):
            words.append(f"{'.'.join((group, *leaf))}={_spelled(value)}")
    gone = [
        leaf
        for leaf in then
        if leaf not in references
        and not any(n[: len(leaf)] == leaf or leaf[: len(n)] == n for n in now)
    ]
    roots = dict.fromkeys(_absent_root(leaf, now) for leaf in gone)
    return words + [f"~{'.'.join((group, *root))}" for root in roots]


def _absent_root(leaf: Leaf, now: Mapping[Leaf, Any]) -> Leaf:
    """The shortest beginning of a leaf that is not in a config: a whole parameter."""
    for length in range(1, len(leaf)):
        if not any(other[:length] == leaf[:length] for other in now):
            return leaf[:length]
    return leaf


def _leaves(body: Mapping[str, Any], place: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """Every value that is no mapping with something in it, by its path."""
    for key, value in body.items():
        here = (*place, str(key))
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, here)
        else:
            yield here, value


def _spelled(value: object) -> str:
    """A value in the grammar of Hydra's overrides."""
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and value.lower() not in _WORDS
        return value if bare else "'" + value.replace("'", "\\'") + "'"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{_spelled(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_spelled(one) for one in value) + "]"
    return json.dumps(value)
