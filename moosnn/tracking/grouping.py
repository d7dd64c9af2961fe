"""Which studies are one group, and what a group is called.

Knows: configs as plain data, problems. Must not know: what happened in a study.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

from moosnn.errors import ConfigError
from moosnn.problem import Constraint, Objective, Problem
from moosnn.tracking.comparison import Compared, Group
from moosnn.tracking.setting_text import is_long, short_text

_OPTIMIZER = "optimizer._target_"
_ALGORITHM = "optimizer.algorithm"  # of a class that holds several
_RULE = "task.fixed.training"  # the learning rule of a study that does not search it
_RULE_IF_ABSENT = "bptt"
_SEARCHED_RULE = "space.training."  # of one that does
_SPACE = "space."
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def group(studies: Sequence[Compared]) -> list[Group]:
    """Put studies that differ in their seed only together.

    The label is the optimizer's algorithm, if its config names one, or its class, in
    snake case. Of what else differs only that is named which tells groups apart that
    the label so far does not: qnehvi and nsga2 have different settings, but their names
    say so already. Where learning rules differ, they are told first, and where each
    rule has one space, nothing of the spaces is. Long values are shortened, and labels
    that this makes alike are numbered.

    Args:
        studies: of one problem, each with an ended trial.

    Returns:
        The groups by label; at least one.

    Raises:
        ConfigError: the studies have different problems; names the first difference.
    """
    _require_one_problem(studies)
    keys = [_OPTIMIZER, _ALGORITHM]
    if len(_split(studies, [_RULE])) > 1:
        keys.append(_RULE)
    for key in _by_meaning(studies):
        # The problem is the same but for words, such as a unit.
        if key == "seed" or key.startswith("problem.") or key in keys:
            continue
        if len(_split(studies, [*keys, key])) > len(_split(studies, keys)):
            keys.append(key)
    groups = [
        Group(label=_label(parts[0], keys, studies), studies=tuple(parts))
        for parts in _split(studies, keys)
    ]
    return _numbered(sorted(groups, key=lambda one: one.label))


def _numbered(groups: Sequence[Group]) -> list[Group]:
    """With `` #1``, `` #2``, … behind a label that several have."""
    counts = Counter(one.label for one in groups)
    seen: Counter[str] = Counter()
    found = []
    for one in groups:
        seen[one.label] += 1
        number = f" #{seen[one.label]}" if counts[one.label] > 1 else ""
        found.append(replace(one, label=one.label + number))
    return found


def _by_meaning(studies: Sequence[Compared]) -> list[str]:
    """All settings, what says most about a study first, long ones last.

    Which learning rules are searched comes first, spaces come after other settings. Of
    the spaces what all have comes first: two ranges of a parameter say more than that
    one study has no such parameter. Of a long value only a part can be told.
    """
    names = dict.fromkeys(key for study in studies for key in study.config)

    def rank(key: str) -> tuple[bool, bool, bool, bool]:
        of_space = key.startswith(_SPACE)
        missing = of_space and any(key not in one.config for one in studies)
        rules = key.startswith(_SEARCHED_RULE) and not missing
        long = any(is_long(one.config.get(key, "")) for one in studies)
        return not rules, long, of_space, missing

    return sorted(names, key=rank)


def _split(studies: Sequence[Compared], keys: Sequence[str]) -> list[list[Compared]]:
    parts: dict[tuple[str | None, ...], list[Compared]] = {}
    for study in sorted(studies, key=lambda one: one.name):
        values = tuple(_value(study, key) for key in keys)
        parts.setdefault(values, []).append(study)
    return list(parts.values())


def _value(study: Compared, key: str) -> str | None:
    """A setting as text; ``None`` if the study has none of that name."""
    if key != _RULE:
        return study.config.get(key)
    if any(name.startswith(_SEARCHED_RULE) for name in study.config):
        return "searched"
    return study.config.get(_RULE, _RULE_IF_ABSENT)


def _label(study: Compared, keys: Sequence[str], studies: Sequence[Compared]) -> str:
    spellings = {(_short(one), one.config.get(_OPTIMIZER, "")) for one in studies}
    short = _short(study)
    alone = sum(name == short for name, _ in spellings) == 1
    parts = [short if alone else study.config.get(_OPTIMIZER, "")]
    said = {_OPTIMIZER, _ALGORITHM} if alone else {_OPTIMIZER}
    if _RULE in keys:
        said |= {key for key in keys if _follows_from_rule(study, key, studies)}
    names = [_name(key) for key in keys]
    for key, name in zip(keys, names, strict=True):
        value = _value(study, key)
        if value is not None and key not in said:
            spelled = name if names.count(name) == 1 else key
            parts.append(f"{spelled}={short_text(key, value)}")
    return " ".join(parts)


def _follows_from_rule(study: Compared, key: str, studies: Sequence[Compared]) -> bool:
    """Whether all studies of a study's learning rule have the same of some space."""
    rule = _value(study, _RULE)
    alike = {_value(one, key) for one in studies if _value(one, _RULE) == rule}
    return key.startswith(_SPACE) and len(alike) == 1


def _name(key: str) -> str:
    """A setting in short; of a space's with its parameter: ``threshold.float``."""
    if key.startswith(_SPACE):
        return key.removeprefix(_SPACE)
    return key.rpartition(".")[2]


def _short(study: Compared) -> str:
    target = study.config.get(_OPTIMIZER, "")
    name = _WORD_BEGINS.sub("_", target.rpartition(".")[2]).lower()
    return study.config.get(_ALGORITHM, name)


def _require_one_problem(studies: Sequence[Compared]) -> None:
    first = studies[0]
    for other in studies[1:]:
        difference = problem_difference(first.problem, other.problem)
        if difference:
            raise ConfigError(
                f"{first.name} and {other.name} cannot be compared: {difference}; "
                "report studies of one problem together."
            )


def problem_difference(one: Problem, other: Problem) -> str | None:
    """Where two problems first differ in what is wanted, in words; ``None`` nowhere.

    Units do not count, nor do the search space and what is admissible: those are ways
    to search, and may be compared.
    """
    return _axes_difference("objectives", one.objectives, other.objectives) or (
        _axes_difference("constraints", one.constraints, other.constraints)
    )


def _axes_difference(
    what: str,
    left: Sequence[Objective | Constraint],
    right: Sequence[Objective | Constraint],
) -> str | None:
    names = [[axis.metric for axis in axes] for axes in (left, right)]
    if names[0] != names[1]:
        texts = [", ".join(metrics) or "none" for metrics in names]
        return f"{what} {texts[0]} and {texts[1]}"
    for mine, its in zip(left, right, strict=True):
        raw, other = asdict(mine), asdict(its)
        for key in (key for key in raw if key != "unit" and raw[key] != other[key]):
            return f"{what}: {mine.metric}: {key} {raw[key]} and {other[key]}"
    return None
