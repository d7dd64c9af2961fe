"""One thread for the numbers that a proposal is computed from.

Knows: the libraries that add numbers up. Must not know: who computes what.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from moosnn.proposer import THREADS


@contextmanager
def single_threaded() -> Iterator[None]:
    """Compute with as many threads as a study's driver does; then as before.

    A suggestion's last bits depend on how many threads add them up. The caller may be
    a program that trains with all of its cores, so nothing is changed for good.
    """
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = None if torch is None else torch.get_num_threads()
    try:
        with threadpool_limits(THREADS):  # numpy's and scipy's linear algebra
            if torch is not None:
                torch.set_num_threads(THREADS)
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)
