"""A training is run, whatever it trains: what it takes, what is left of it.

Knows: checkpoints, the clock, what torch says of numbers too large. Must not know:
networks, learning rules, measuring. torch is imported when something is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from moosnn.errors import DivergedError
from moosnn.tasks.torch_settings import left_the_numbers

if TYPE_CHECKING:
    import torch

    from moosnn.snn.learning.checkpoint import Checkpoint
    from moosnn.snn.learning.spent import Spent
    from moosnn.snn.learning.training import Fit


def run_training(
    fit: Callable[[], Fit], checkpoint: Checkpoint, device: torch.device
) -> tuple[Fit, Spent]:
    """Train to the end.

    Args:
        fit: trains.
        checkpoint: of the training; it is gone afterwards, but if it had to make room.
        device: that it is trained on.

    Returns:
        How it went, and what it took, earlier attempts included.

    Raises:
        DivergedError: it left the finite numbers.
        ReleasedError: it had to make room; its checkpoint is written.
    """
    from moosnn.snn.learning.spent import spending

    with spending(device) as spent:
        try:
            result = fit()
        except (ArithmeticError, RuntimeError) as error:
            if not left_the_numbers(error):
                raise
            checkpoint.remove()
            raise DivergedError(f"a number too large: {error}") from error
        except DivergedError:
            checkpoint.remove()
            raise
    spent.seconds += checkpoint.earlier_s
    checkpoint.remove()
    return result, spent
