"""What a training leaves in its attempt's folder: a checkpoint, then the network.

Knows: which folders other attempts have. Must not know: training, measuring. torch is
imported when something is read or written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from moosnn.snn.data import Dataset
from moosnn.tasks.base import Context
from moosnn.trial import Proposal

if TYPE_CHECKING:
    from moosnn.snn.learning.checkpoint import Checkpoint
    from moosnn.snn.network import SpikingNetwork


def checkpoint_of(proposal: Proposal, context: Context, every_s: float) -> Checkpoint:
    """The checkpoint of a training, of this attempt or of those before.

    Args:
        proposal: that is trained.
        context: of the attempt.
        every_s: seconds between two of them, >= 0.
    """
    from moosnn.snn.learning.checkpoint import NAME, Checkpoint

    attempts = context.workdir.parent
    return Checkpoint(
        context.workdir / NAME,
        [attempts / str(k) / NAME for k in range(context.attempt - 1, 0, -1)],
        # Retrainings with other seeds are attempts of the same trial.
        owner=json.dumps([proposal.seed, dict(proposal.params)], sort_keys=True),
        every_s=every_s,
        preempted=context.preempted,
    )


def save(
    context: Context,
    network: SpikingNetwork,
    data: Dataset,
    **facts: str | int | None,
) -> None:
    """Write a network, and what is to be known of it.

    Args:
        context: of the attempt.
        network: trained.
        data: that it was trained on.
        **facts: of its training, for the file's metadata.
    """
    from moosnn import __version__
    from moosnn.snn.weights import save_network

    save_network(
        context.workdir,
        network,
        shape=data.description.shape,
        classes=data.description.classes,
        input_max=data.input_max,
        metadata={"moosnn": __version__, "data": data.description.name, **facts},
    )
