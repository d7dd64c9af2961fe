"""Classes from the spikes of neurons that nobody told what to stand for.

Knows: which class a neuron, or a sequence of neurons, answered to most. Must not know:
plasticity, networks, data sets.

After learning, labelled samples say what each neuron stands for: the class to which it
responded most on average (Diehl & Cook 2015). Of a new sample:

=====  ===========================================================================
all    the mean number of spikes of the neurons of each class
vote   each spike is a vote for the class of its neuron
2gram  each pair of successive spikes counts for each class as often as it was seen
       with it; who spikes after whom, in the order of time
3gram  the same with triples
=====  ===========================================================================

``all`` and the n-grams are those of Hazan et al., "Unsupervised learning with
self-organizing spiking neural networks" (IJCNN 2018); several spikes of one step are
taken in the order of their neurons.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

NOBODY = -1  # the class of a neuron that never spiked


class Decoder(nn.Module):
    """Knows after `assign` which spikes stand for which class.

    Args:
        kind: one of `moosnn.snn.fixed.DECODERS`.
        neurons: that it reads.
        classes: of the answers.
    """

    def __init__(self, kind: str, neurons: int, classes: int) -> None:
        super().__init__()
        self.kind = kind
        self.neurons = neurons
        self.classes = classes
        self.length = int(kind[0]) if kind.endswith("gram") else 0
        if self.length:
            self.register_buffer("keys", torch.zeros(0, dtype=torch.int64))
            self.register_buffer("seen", torch.zeros(0, classes))
        else:
            self.register_buffer("assignments", torch.full((neurons,), NOBODY))

    def forward(self, spikes: Tensor) -> Tensor:
        """``N x classes`` scores of ``T x N x neurons`` spikes, 0 before `assign`."""
        if self.length:
            return self._by_order(spikes)
        stands = self.get_buffer("assignments")
        classes = torch.arange(self.classes, device=stands.device)
        members = (stands[:, None] == classes).to(spikes.dtype)
        votes = spikes.sum(0).flatten(1) @ members
        return votes / members.sum(0).clamp(min=1.0) if self.kind == "all" else votes

    def _by_order(self, spikes: Tensor) -> Tensor:
        known, seen = self.get_buffer("keys"), self.get_buffer("seen")
        scores = spikes.new_zeros(spikes.shape[1], self.classes)
        if len(known) == 0:
            return scores
        keys, samples = ngrams(spikes, self.length)
        places = torch.searchsorted(known, keys).clamp_(max=len(known) - 1)
        hit = known[places] == keys
        return scores.index_add_(0, samples[hit], seen[places[hit]].to(scores))

    def assign(self, responses: Responses) -> None:
        """Take over what labelled samples showed."""
        if self.length:
            self.register_buffer("keys", responses.keys())
            self.register_buffer("seen", responses.seen())
        else:
            self.get_buffer("assignments").copy_(responses.assignments())

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        *rest: Any,  # noqa: ANN401 -- handed on to torch
    ) -> None:
        for name in ("keys", "seen") if self.length else ():
            found = state_dict.get(f"{prefix}{name}")
            if found is not None:  # as many as were seen in the training
                self.register_buffer(name, self.get_buffer(name).new_empty(found.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Responses:
    """How neurons answered labelled samples; what a `Decoder` learns from.

    Args:
        decoder: that will ask.
        device: of the spikes.
    """

    def __init__(self, decoder: Decoder, device: torch.device) -> None:
        self._decoder = decoder
        sizes = (decoder.classes, decoder.neurons)
        self._spikes = torch.zeros(sizes, dtype=torch.float64, device=device)
        self._samples = torch.zeros(decoder.classes, device=device)
        self._pairs: list[Tensor] = []
        self._keys = torch.zeros(0, dtype=torch.int64, device=device)

    def add(self, spikes: Tensor, labels: Tensor) -> None:
        """A batch: ``T x N x neurons`` spikes of samples of ``N`` classes."""
        decoder = self._decoder
        if decoder.length:
            keys, samples = ngrams(spikes, decoder.length)
            self._pairs.append(keys * decoder.classes + labels[samples])
            return
        counts = spikes.sum(0).flatten(1).to(self._spikes)
        self._spikes.index_add_(0, labels, counts)
        self._samples.index_add_(0, labels, torch.ones_like(counts[:, 0]).float())

    def assignments(self) -> Tensor:
        """Of each neuron the class with the largest mean response, or `NOBODY`."""
        means = self._spikes / self._samples.clamp(min=1.0)[:, None]
        return means.argmax(0).masked_fill(self._spikes.sum(0) == 0, NOBODY)

    def keys(self) -> Tensor:
        """The n-grams that were seen, in ascending order."""
        return self._counted()[0]

    def seen(self) -> Tensor:
        """How often each of them was seen with each class, ``K x classes``."""
        return self._counted()[1]

    def _counted(self) -> tuple[Tensor, Tensor]:
        classes = self._decoder.classes
        heard = torch.cat([self._keys, *self._pairs])
        pairs, counts = torch.unique(heard, return_counts=True)
        keys, rows = torch.unique(pairs // classes, return_inverse=True)
        table = torch.zeros(len(keys), classes, device=keys.device)
        table[rows, pairs % classes] = counts.to(table)
        return keys, table


def ngrams(spikes: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """All sequences of successive spikes.

    Args:
        spikes: ``T x N x …``.
        length: of the sequences, >= 1.

    Returns:
        One int64 key for each sequence of neurons, and the sample it is of.
    """
    size = spikes[0, 0].numel()
    events = spikes.flatten(2).transpose(0, 1).nonzero()
    samples, neurons = events[:, 0], events[:, 2]
    count = max(len(events) - length + 1, 0)
    keys = neurons.new_zeros(count)
    for place in range(length):
        keys = keys * size + neurons[place : place + count]
    whole = samples[:count] == samples[length - 1 :][:count]
    return keys[whole], samples[:count][whole]
