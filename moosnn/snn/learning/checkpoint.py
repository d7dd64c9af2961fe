"""Where a training was when it was interrupted, on disk.

Knows: one file, when it is written, that it appears whole or not at all. Must not know:
learning rules, what their tensors mean.

A checkpoint is one safetensors file: tensors by name, and JSON in its header.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from moosnn.errors import ReleasedError

NAME = "checkpoint.safetensors"
_FACTS = "facts"  # the keys of the header: the JSON,
_SECONDS = "seconds"  # what the training had taken by then,
_OWNER = "owner"  # and which training it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The state of a training.

    Attributes:
        tensors: by name; loaded ones are on the CPU.
        facts: JSON values.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def _never() -> bool:
    return False


class Checkpoint:
    """One training's checkpoint.

    Args:
        write: the file to write; ``None`` = nothing is kept.
        earlier: files that earlier attempts may have left, the newest first. Those of
            other trainings, of another seed for example, are not touched.
        owner: what tells this training from all others whose files may lie there.
        every_s: seconds between two writings, >= 0.
        preempted: whether the training has to make room now.

    Attributes:
        earlier_s: seconds that earlier attempts trained up to what `saved` gave.
    """

    def __init__(
        self,
        write: Path | None = None,
        earlier: Sequence[Path] = (),
        *,
        owner: str = "",
        every_s: float = 60.0,
        preempted: Callable[[], bool] = _never,
    ) -> None:
        self._write = write
        self._earlier = tuple(earlier)
        self._owner = owner
        self._every_s = every_s
        self._preempted = preempted
        self._start_s = self._last_s = time.monotonic()
        self.earlier_s = 0.0

    def saved(self) -> Saved | None:
        """What the last attempt left that left anything; ``None`` = begin anew."""
        for path in self._earlier:
            found = _read(path, self._owner)
            if found is not None:
                state, self.earlier_s = found
                return state
        return None

    def offer(self, state: Callable[[], Saved]) -> None:
        """Write the state if it is time to.

        Args:
            state: asked only if it is written.

        Raises:
            ReleasedError: the training has to make room; its state is written.
        """
        released = self._preempted()
        late = time.monotonic() - self._last_s >= self._every_s
        if self._write is not None and (released or late):
            seconds = self.earlier_s + time.monotonic() - self._start_s
            header = {_SECONDS: repr(seconds), _OWNER: self._owner}
            _publish(self._write, state(), header)
            self._last_s = time.monotonic()
        if released:
            raise ReleasedError("the training makes room and goes on later.")

    def remove(self) -> None:
        """Forget what was written, here and before: the training has ended."""
        for path in self._earlier:
            if _read(path, self._owner) is not None:
                _unlink(path)
        if self._write is not None:
            _unlink(self._write)


def _read(path: Path, owner: str) -> tuple[Saved, float] | None:
    """A state and its seconds; ``None`` if damaged, absent or of another training.

    To begin anew costs time and loses nothing.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header[_OWNER] != owner:
                return None
            facts, seconds = json.loads(header[_FACTS]), float(header[_SECONDS])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- safetensors' own method
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return Saved(tensors=tensors, facts=facts), seconds


def _publish(path: Path, state: Saved, header: Mapping[str, str]) -> None:
    """Write a file that appears whole; a full disk costs the checkpoint, no more."""
    draft = path.with_name(f".{path.name}.tmp")
    tensors = {k: v.detach().cpu().contiguous() for k, v in state.tensors.items()}
    facts = json.dumps(dict(state.facts), allow_nan=False)
    try:
        save_file(tensors, draft, metadata={**header, _FACTS: facts})
        os.replace(draft, path)
    except (OSError, SafetensorError):
        _unlink(draft)


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
