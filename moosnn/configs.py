"""Where the YAML files lie, and which there are.

Knows: the folder of the configuration. Must not know: hydra, what the files hold.
"""

from __future__ import annotations

from pathlib import Path

from moosnn.errors import ConfigError

# What makes a study another one: `runtime.header.IDENTITY`, whose import would cost the
# usage screen its speed, without the seed that every name has, and with the data, which
# are part of the task.
IDENTITY = ("task", "data", "space", "problem", "optimizer")
# So do these of `study`, which are not groups.
IDENTITY_OF_STUDY = ("study.enqueue", "study.replicates", "study.warm_start")
# Those of which a study has exactly one.
PRUNER = "pruner"
GROUPS = (*IDENTITY, "training", PRUNER, "executor")
# The defaults, which a study's name does not tell.
DATA = "digits"
TRAINING = "bptt"
NO_PRUNER = "none"
# Where files lie does not: the fingerprint tells the same data at another place.
PLACE = "data.root"


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


def choices(group: str) -> list[str]:
    """The files of a group, e.g. of ``optimizer``."""
    return sorted(f.stem for f in (config_folder() / group).glob("*.yaml"))
