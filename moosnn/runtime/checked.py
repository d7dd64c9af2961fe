"""Values of an executor's config, checked.

Knows: names and ranges. Must not know: what the values are for.
"""

from __future__ import annotations

import math
from pathlib import Path

from moosnn.errors import ConfigError


def require_positive(
    name: str, value: object, *, whole: bool = False, optional: bool = False
) -> None:
    """Refuse what is no finite number > 0.

    Raises:
        ConfigError: with the name.
    """
    if value is None and optional:
        return
    kinds = (int,) if whole else (int, float)
    good = isinstance(value, kinds) and not isinstance(value, bool)
    if not good or not 0 < value < math.inf:  # type: ignore[operator] # a number here
        what = "a whole number >= 1" if whole else "a number > 0"
        raise ConfigError(f"executor.{name}: expected {what}, got {value!r}.")


def require_at_least(name: str, seconds: object, least_s: float) -> None:
    """Refuse a time that a driver's signs of life do not keep.

    Raises:
        ConfigError: with the name.
    """
    require_positive(name, seconds)
    if seconds < least_s:  # type: ignore[operator] # a number by now
        raise ConfigError(
            f"executor.{name}: expected at least {least_s:g} s, since a driver gives a "
            f"sign of life each second; got {seconds!r}."
        )


def require_path(folder: Path) -> Path:
    """The study folder in full, if submitit can work in it.

    Raises:
        ConfigError: it cannot.
    """
    resolved = folder.resolve()
    if "%" in str(resolved):
        raise ConfigError(
            f"study_dir={folder}: expected a path without %, which submitit replaces; "
            "choose another."
        )
    return resolved
