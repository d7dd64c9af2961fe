"""The command line: compose the config, hand it to the driver.

Knows: hydra, and how its mistakes are worded. Must not know: how a study is run. With
``runtime/worker.py`` the only module that imports hydra or omegaconf.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import moosnn
from moosnn.errors import ConfigError, MoosnnError, nearest

USAGE = """\
moosnn finds spiking neural networks that are accurate and quiet.

  python -m moosnn +experiment=nas                     a study on this machine
  python -m moosnn +experiment=nas                     the same line again: it continues
  python -m moosnn +experiment=nas optimizer=sobol study.budget=50 seed=1

  --cancel      when interrupted, end what runs instead of leaving it to the next run
  --cfg job     print the config that the other words compose, and run nothing
  --version     print the version

Groups, chosen by group=name (an experiment by +experiment=name):
{groups}
Values are set by key=value, e.g. study.budget=200; conf/config.yaml lists them. The
results lie in study_dir, by default runs/<experiment>-<optimizer>-s<seed>.
Exit codes: 0 done; 2 a mistake, or trouble with the machine; 130 or 143 interrupted.
"""
CANCEL = "--cancel"
# Words such as task.stages=last: a constructor's argument need not stand in the YAML.
_PART = re.compile(r"(task|space|problem|optimizer|executor|tracker|study)\.[^=]*=")


def config_folder() -> Path:
    """Where the YAML files lie: beside the package in a checkout, inside of a wheel.

    Raises:
        ConfigError: neither is there; the installation is broken.
    """
    package = Path(__file__).resolve().parent
    # The wheel's own first: what lies beside an installed package is another's.
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise ConfigError(f"{package}: the installation lacks its conf folder: reinstall.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after the program's name; ``sys.argv`` by default.

    Returns:
        0, 2 after a user's mistake or the machine's trouble, 130 after Ctrl-C, 143
        after SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if not words or words[0] in ("-h", "--help"):
            print(USAGE.format(groups=_groups()), end="")
        elif words == ["--version"]:
            print(f"moosnn {moosnn.__version__}")
        else:
            _run(words)
    except MoosnnError as error:
        print(f"moosnn: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print("moosnn: interrupted; the same command continues", file=sys.stderr)
        return 128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)
    return 0


def _groups() -> str:
    folders = sorted(f for f in config_folder().iterdir() if f.is_dir())
    lines = (f"  {f.name:<11} {', '.join(_choices(f.name))}" for f in folders)
    return "\n".join(lines)


def _choices(group: str) -> list[str]:
    return sorted(f.stem for f in (config_folder() / group).glob("*.yaml"))


def _run(words: Sequence[str]) -> None:
    """Let Hydra compose the words, then run the study.

    Raises:
        MoosnnError: also for every mistake that Hydra or OmegaConf finds.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    # Or Hydra would print a mistake itself and exit with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # Before numpy and torch are imported: two threads on a busy machine of two cores
    # can be ten times slower than one. Workers are given their own number.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    own = [f"++{word}" if _PART.match(word) else word for word in words]
    sys.argv = ["moosnn", *(word for word in own if word != CANCEL)]
    composed: list[tuple[dict[str, Any], dict[str, Any]]] = []

    # Composing and running are apart, since Hydra prints lines of its own around a job
    # that raises.
    def keep(config: Any) -> None:  # noqa: ANN401 - Hydra's DictConfig
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf

        plain = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True))
        composed.append((plain, dict(HydraConfig.get().runtime.choices)))

    compose = hydra.main(
        version_base="1.3", config_path=str(config_folder()), config_name="config"
    )(keep)
    try:
        compose()
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(_reworded(str(error), words)) from error
    for config, choices in composed:
        _drive(config, choices, cancel=CANCEL in words)


def _drive(
    config: Mapping[str, Any], choices: Mapping[str, Any], *, cancel: bool
) -> None:
    """Run the study of a composed config in its folder."""
    if "experiment" in config:
        name = str(config["experiment"])
        raise ConfigError(
            f"experiment: got {name!r}.{nearest(name, _choices('experiment'))}"
        )
    from moosnn.driver import check_keys, run

    check_keys(config)
    default = (
        f"runs/{choices.get('experiment', 'study')}-{choices['optimizer']}"
        f"-s{config['seed']}"
    )
    run(config, Path(config["study_dir"] or default), cancel=cancel)


def _reworded(message: str, words: Sequence[str]) -> str:
    """A mistake that Hydra found, in one line that names the nearest right word."""
    group = re.search(r"Could not find '(\w+)/([^']*)'", message)
    if group:
        return f"{group[1]}: got {group[2]!r}.{nearest(group[2], _choices(group[1]))}"
    key = re.search(r"Could not override '([^']+)'", message)
    if key and key[1] == "experiment":
        return "an experiment is added: write +experiment=… with a plus sign."
    if key:
        others = [word for word in words if key[1] not in word]
        parent = key[1].rpartition(".")[0]
        known = _known_keys(others)
        siblings = [name for name in known if name.rpartition(".")[0] == parent]
        return f"unknown key {key[1]!r}.{nearest(key[1], siblings or known)}"
    return " ".join(message.split())


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


if __name__ == "__main__":
    sys.exit(main())
