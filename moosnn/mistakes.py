"""What Hydra says of a mistake, in one line that names the nearest right word.

Knows: hydra's messages, the YAML files. Must not know: how a config is composed or run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from moosnn.configs import GROUPS, choices, config_folder
from moosnn.errors import nearest

_OPTIONS = ("--cancel", "--cfg", "--config-dir", "--version", "--help")
_FLAGS = ("-m", "--multirun", *_OPTIONS)
_TOP = ("experiment", "seed", "study", "study_dir")
_WITH_VALUE = ("--cfg", "-c", "--config-dir", "-cd")


def reworded(message: str, words: Sequence[str]) -> str:
    """A mistake in the words of a command.

    Args:
        message: what Hydra, OmegaConf or argparse said.
        words: of the command line.
    """
    for wording in (_dashes, _flag, _unread, _several, _option, _key, _twice, _nothing):
        text = wording(message, words)
        if text is not None:
            return text
    return " ".join(message.split())


def _dashes(_: str, words: Sequence[str]) -> str | None:
    """A key that was given as an option; argparse may take it for one of Hydra's."""
    for word in words:
        found = re.match(r"--(\w+)[\w.]*=", word)
        if found is not None and found[1] in (*GROUPS, *_TOP):
            plus = "+" if found[1] == "experiment" else ""
            return f"unknown option {word!r}: write {plus}{word[2:]}, without dashes."
    return None


def _flag(message: str, _: Sequence[str]) -> str | None:
    found = re.search(r"unrecognized arguments: (\S+)", message)
    if found is None:
        return None
    return f"unknown option {found[1]!r}.{nearest(found[1], _FLAGS)}"


def _unread(_: str, words: Sequence[str]) -> str | None:
    """The first word that is no override by Hydra's grammar."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    parser = OverridesParser.create()
    for before, word in zip(["", *words], words, strict=False):
        if not word.startswith("-") and before not in _WITH_VALUE:
            try:
                parser.parse_overrides([word])
            except OverrideParseException:
                return (
                    f"cannot read {word!r}: expected key=value; text with blanks or "
                    "signs needs quotes inside of quotes, e.g. 'study_dir=\"a b\"'."
                )
    return None


def _several(message: str, _: Sequence[str]) -> str | None:
    found = re.search(r"Ambiguous value for argument '([^']+)'", message)
    if found is None:
        return None
    return f"{found[1]}: are several values; -m makes a study of each."


def _option(message: str, _: Sequence[str]) -> str | None:
    found = re.search(r"Could not (?:find|load) '(.+)/([^'/]*)'", message)
    if found is None:
        return None
    group, name = found[1], found[2]
    if group == "hydra/launcher":
        return (
            f"{group}: got {name!r}; submitit_local and submitit_slurm come with "
            'pip install "moosnn[slurm]".'
        )
    return f"{group}: got {name!r}.{nearest(name, choices(group))}"


def _key(message: str, words: Sequence[str]) -> str | None:
    found = re.search(r"Could not override '([^']+)'", message)
    if found is None:
        return None
    key = found[1]
    if key == "experiment":
        return "an experiment is added: write +experiment=… with a plus sign."
    parent = key.rpartition(".")[0]
    known = _known_keys([word for word in words if key not in word])
    siblings = [name for name in known if name.rpartition(".")[0] == parent]
    return f"unknown key {key!r}.{nearest(key, siblings or known)}"


def _twice(message: str, _: Sequence[str]) -> str | None:
    found = re.search(r"Multiple values for (\w+)", message)
    if "force-add of config groups" in message:
        return "a group is chosen by group=name, an experiment by +experiment=name."
    return None if found is None else f"{found[1]}: is chosen twice."


def _nothing(message: str, words: Sequence[str]) -> str | None:
    if "Config group override must be" in message:
        for word in words:
            group, _, value = word.partition("=")
            if group in (*GROUPS, "tracker") and value not in choices(group):
                return f"{group}: got {value!r}.{nearest(value, choices(group))}"
    return None


def _known_keys(words: Sequence[str]) -> list[str]:
    """The dotted keys of the config that some words compose."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        try:
            config = compose("config", overrides=list(words))
        except HydraException:
            return []
    return list(_dotted("", cast("dict[str, Any]", OmegaConf.to_container(config))))


def _dotted(prefix: str, config: Mapping[str, Any]) -> Iterator[str]:
    for key, value in config.items():
        if key.startswith("_"):
            continue
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _dotted(f"{prefix}{key}.", value)
