"""Spike-timing-dependent plasticity in a network of two populations.

Knows: traces, weights that stay within bounds and add up, the order of epochs, batches
and labels. Must not know: validation or test data, search; who fires when (the network
runs itself, and lets this module hear what its connections hear).

At each step, after the neurons, with x_pre and x_post set to 1 by a spike of the input
and of the neuron, and else decaying (Diehl & Cook 2015; the pairs are nearest ones, as
in BindsNET, Hazan et al. 2018)::

    w <- clip(w + nu_post S_post x_pre - nu_pre S_pre x_post, 0, 1)

After every batch the weights of each neuron are scaled to add up to ``norm``, which may
lift single ones above 1 until they change next. The samples of a batch are shown side
by side: changes and thresholds add up over them. Batches of 1 are the published rule.
State but for weights and thresholds is at rest at the beginning of every sample.

Labels take no part in this. When it is over, the training samples are shown once more
to the network as it is, without plasticity, and say what each neuron stands for
(`moosnn.snn.decoding`). While it goes on, answers are read as the epoch before taught;
in the first epoch, as its samples up to there did.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.errors import DivergedError
from moosnn.snn.activity import Activity
from moosnn.snn.blueprint import Linear, Node
from moosnn.snn.coding import encode
from moosnn.snn.decoding import Decoder, Responses
from moosnn.snn.fixed import OneToOne
from moosnn.snn.learning.progress import Progress
from moosnn.snn.learning.training import Course, Fit, Tally, shuffled
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.stdp import Stdp
from moosnn.snn.samples import Samples

W_MAX = 1.0
_CHUNK = 512  # samples shown at once where nothing is learned, at most
_CHUNK_ENTRIES = 1 << 24  # input entries of them: bounds the memory


class Plasticity:
    """The weights of the input while samples are shown; a `moosnn.snn.flow.Tap`.

    Args:
        weight: ``neurons x inputs``, changed in place.
        rule: its constants.
    """

    def __init__(self, weight: Tensor, rule: Stdp) -> None:
        self._weight = weight
        self._rule = rule
        self._kept_pre = math.exp(-1.0 / rule.input_tc_trace)
        self._kept_post = math.exp(-1.0 / rule.e_tc_trace)
        self._pre: Tensor | None = None
        self._traces: tuple[Tensor, Tensor] | None = None

    def __call__(self, node: Node, source: Tensor) -> None:
        """Hear of one step: first the input's spikes, then those of the neurons.

        Args:
            node: the connection that reads them.
            source: ``1 x N x …``.
        """
        if isinstance(node.op, Linear):
            self._pre = source[0].flatten(1)
        elif isinstance(node.op, OneToOne):
            assert self._pre is not None
            self.learn(self._pre, source[0])

    def learn(self, pre: Tensor, post: Tensor) -> None:
        """One step.

        Args:
            pre: ``N x inputs`` spikes.
            post: ``N x neurons`` spikes.
        """
        if self._traces is None:
            self._traces = (torch.zeros_like(pre), torch.zeros_like(post))
        pre_trace, post_trace = self._traces
        pre_trace.mul_(self._kept_pre).masked_fill_(pre > 0, 1.0)
        post_trace.mul_(self._kept_post).masked_fill_(post > 0, 1.0)
        self._weight.addmm_(post.T, pre_trace, alpha=self._rule.nu_post)
        self._weight.addmm_(post_trace.T, pre, alpha=-self._rule.nu_pre)
        self._weight.clamp_(0.0, W_MAX)


def normalise(weight: Tensor, norm: float) -> None:
    """Scale each row of ``neurons x inputs`` weights >= 0 to a sum; 0 stays 0."""
    sums = weight.sum(1, keepdim=True)
    weight.mul_(norm / sums.masked_fill(sums == 0, 1.0))


@torch.no_grad()
def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`."""
    genes = network.genes
    _begin(network)  # a checkpoint has other weights
    state = Progress.begun(network, samples, course)
    while state.epoch < genes.epochs:
        course.checkpoint.offer(state.saved)
        state.epoch += 1
        tally = Tally(len(network.blueprint.stages))
        if _epoch(state, samples, tally):
            return replace(state.fit, stopped="silent")
        if course.on_epoch(state.epoch, tally.metrics()) and state.epoch < genes.epochs:
            state.fit = replace(state.fit, stopped="pruned")
            break
    _label(network, samples, course.generator)
    return state.fit


def _begin(network: SpikingNetwork) -> None:
    """Drawn evenly from both sides of 0, weights are even from 0 without their sign."""
    weight = _weight_of(network)
    normalise(weight.abs_(), _rule_of(network).norm)


def _epoch(state: Progress[SpikingNetwork], samples: Samples, tally: Tally) -> bool:
    """Show all samples once; whether the watch stopped it."""
    network, generator = state.network, state.generator
    network.train()
    decoder = _decoder_of(network)
    responses = Responses(decoder, samples.device)
    renewed = 1  # samples at which the answers of a first epoch are read anew
    size = network.genes.batch_size
    for chosen in shuffled(len(samples), size, generator):
        inputs, labels = samples.batch(chosen)
        seen = _show(network, encode(inputs, network.genes, generator))
        _require_range(seen, state.epoch)
        tally.add(seen, labels, float(F.cross_entropy(seen.logits, labels)))
        responses.add(seen.spikes[0], labels)
        if state.epoch == 1 and tally.samples >= renewed:
            decoder.assign(responses)
            renewed = 2 * tally.samples
        state.fit = state.fit.after(chosen)
        if state.fit.updates < state.fit.planned and state.watch.update(seen):
            _require_finite(network, state.epoch)
            return True
    _require_finite(network, state.epoch)
    decoder.assign(responses)
    return False


def _show(network: SpikingNetwork, coded: Tensor) -> Activity:
    """Show a coded batch and learn from it; what the network did meanwhile."""
    weight, rule = _weight_of(network), _rule_of(network)
    seen = network.observe(coded, tap=Plasticity(weight, rule))
    normalise(weight, rule.norm)
    return seen


def _label(
    network: SpikingNetwork, samples: Samples, generator: torch.Generator
) -> None:
    """Let the samples say what the neurons stand for, now that they stand still."""
    network.eval()
    decoder = _decoder_of(network)
    responses = Responses(decoder, samples.device)
    entries = network.genes.time_steps * math.prod(network.blueprint.input_shape)
    chunk = max(1, min(_CHUNK, _CHUNK_ENTRIES // entries))
    for chosen in torch.split(torch.arange(len(samples)), chunk):
        inputs, labels = samples.batch(chosen)
        seen = network.observe(encode(inputs, network.genes, generator))
        responses.add(seen.spikes[0], labels)
    decoder.assign(responses)


def _require_range(seen: Activity, epoch: int) -> None:
    """A membrane that is no number never spikes, and would pass for a quiet one."""
    if not all(membrane.isfinite().all() for membrane in seen.membranes):
        raise DivergedError(
            f"a membrane is not finite in epoch {epoch}; lower strength_exc, "
            "strength_inh or norm."
        )


def _require_finite(network: SpikingNetwork, epoch: int) -> None:
    for name, tensor in network.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise DivergedError(
                f"{name} is not finite in epoch {epoch} "
                f"(nu_post={_rule_of(network).nu_post:g})."
            )


def _rule_of(network: SpikingNetwork) -> Stdp:
    rule = network.genes.rule
    assert isinstance(rule, Stdp)
    return rule


def _weight_of(network: SpikingNetwork) -> Tensor:
    (node,) = (n for n in network.blueprint.nodes if isinstance(n.op, Linear))
    return cast(nn.Linear, network.parts[node.name]).weight


def _decoder_of(network: SpikingNetwork) -> Decoder:
    return cast(Decoder, network.parts[network.blueprint.output.name])
