"""moosnn: spiking neural networks that are accurate and quiet, found automatically.

Re-exports lazily (PEP 562), so that ``import moosnn`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moosnn.api import Search as Search
    from moosnn.api import load as load
    from moosnn.api import optimize as optimize

__version__ = "0.1.0"

_LAZY = dict.fromkeys(("Search", "load", "optimize"), "moosnn.api")


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'moosnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
