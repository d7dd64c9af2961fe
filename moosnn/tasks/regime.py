"""What all trainings of a study have in common, whatever they train.

Knows: what counts as silent and who stops it, checkpoints, where torch works. Must not
know: networks, data, points of a search. torch is not imported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, nearest
from moosnn.snn.silence import Edge, Watch
from moosnn.snn.stopping import watch_named

_DEVICES = ("auto", "cpu", "cuda")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")
_NEEDS_MEMBRANES = "drive"
_BLIND = "sequential"  # counts spikes only: for what does not show its membrane


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """How networks are trained.

    Attributes:
        edge: what counts as silent.
        stop: the rule that ends a silent training, see `moosnn.snn.stopping`.
        min_updates: before which it does not, >= 0; ``None`` = the rule's own.
        checkpoint_s: seconds between two checkpoints of a training, >= 0.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:0"``, … or ``"auto"``.
        threads: of torch, >= 1; ``None`` = as many as the executor gave the trial.

    Raises:
        ConfigError: a value out of its range.
    """

    edge: Edge
    stop: str
    min_updates: int | None
    checkpoint_s: float
    device: str
    threads: int | None

    def __post_init__(self) -> None:
        require_at_least("min_updates", self.min_updates, 0)
        require_at_least("threads", self.threads, 1)
        if not (isinstance(self.device, str) and _DEVICE.fullmatch(self.device)):
            hint = nearest(str(self.device), _DEVICES)
            raise ConfigError(f"device: got {self.device!r}.{hint}")
        if not (is_number(self.checkpoint_s) and self.checkpoint_s >= 0):
            raise ConfigError(
                f"checkpoint_s: expected seconds >= 0, got {self.checkpoint_s!r}."
            )
        self.watch(planned=1, samples=1)  # an unknown rule shows now

    @property
    def on_gpus(self) -> bool:
        """Whether a GPU is used where there is one."""
        return self.device != "cpu"

    def watch(self, *, planned: int, samples: int, blind: bool = False) -> Watch:
        """The rule for one training.

        Args:
            planned: updates.
            samples: of the training split.
            blind: whether the network hides its membranes.

        Raises:
            ConfigError: no rule has that name.
        """
        hidden = blind and self.stop == _NEEDS_MEMBRANES
        return watch_named(
            _BLIND if hidden else self.stop,
            self.edge,
            min_updates=self.min_updates,
            planned_updates=planned,
            samples_per_epoch=samples,
        )


def require_at_least(name: str, value: object, low: int) -> None:
    """Refuse what is neither ``None`` nor a whole number of so much.

    Raises:
        ConfigError: with the name and the range.
    """
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise ConfigError(f"{name}: expected a whole number >= {low}, got {value!r}.")
