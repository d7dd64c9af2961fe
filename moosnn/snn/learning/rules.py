"""All learning rules by name.

Knows: which function carries out which rule. Must not know: how.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from moosnn.snn.learning import (
    bptt,
    eprop,
    grad_r,
    hybrid,
    mutation,
    slayer,
    ssgd,
    stdp,
    supernet,
)
from moosnn.snn.learning.training import Rule

FITS: Mapping[str, Rule] = MappingProxyType(
    {
        "bptt": bptt.fit,
        "ssgd": ssgd.fit,
        "slayer": slayer.fit,
        "stdp": stdp.fit,
        "hybrid": hybrid.fit,
        "mutation": mutation.fit,
        "grad_r": grad_r.fit,
        "supernet": supernet.fit,
        "eprop": eprop.fit,
    }
)
