"""What an inference costs: operations, memory and energy, per sample.

Knows: what an operation and the moving of a word are said to take.
Must not know: networks, data sets, learning, what is wanted of a cost.

Energies are estimates for comparing networks with each other, not for any chip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # tensors are only used by their methods: importing this is cheap
    from torch import Tensor

# Horowitz, "Computing's energy problem", ISSCC 2014, table of 45 nm at 0.9 V: a 32-bit
# floating-point addition is 0.9 pJ and a multiplication 3.7 pJ; a MAC is one of each.
AC_PJ = 0.9
MAC_PJ = 4.6
# The same table: reading 64 bits of an on-chip memory of so many bytes.
ACCESS_PJ: tuple[tuple[int, float], ...] = (
    (8 << 10, 10.0),
    (32 << 10, 20.0),
    (1 << 20, 100.0),
)
# Metrics that are made of operations and of the weights that do them.
OF_OPERATIONS = (
    "effective_acs",
    "effective_macs",
    "synops",
    "dense_ops",
    "energy_nj",
    "energy_moved_nj",
    "connection_sparsity",
    "connectivity",
)
WORD_BYTES = 4  # a weight or a state variable: 32 bits, half of an access
WORDS_AN_ACCESS = 2
WORDS_AN_OP = 3  # read the weight, read the membrane, write the membrane
WORDS_A_STATE = 2  # at each step: read it, write it
_PJ_A_NJ = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What is known of a trained network before it sees a sample.

    Attributes:
        dense_ops: operations of a sample with every weight and activation nonzero.
        membrane_updates: of a sample: spiking neurons times steps.
        state_updates: the same of all state variables (two in alif, cuba and
            izhikevich neurons).
        states: state variables.
        weights: of linear connections and convolutions, without biases.
        zero_weights: how many of them are 0, batch norms folded.
        footprint_bytes: of parameters and buffers, as the module holds them.
    """

    dense_ops: int
    membrane_updates: int
    state_updates: int
    states: int
    weights: int
    zero_weights: int
    footprint_bytes: int

    @property
    def memory_bytes(self) -> int:
        """Of what an inference keeps: the footprint and the states."""
        return self.footprint_bytes + self.states * WORD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What each of ``n`` samples cost.

    Attributes:
        acs: effective accumulates, ``n`` float64.
        macs: effective multiply-accumulates, ``n`` float64.
        hardware: what is equal for all samples.
    """

    acs: Tensor
    macs: Tensor
    hardware: Hardware

    def energy_nj(self) -> Tensor:
        """Of each sample in nJ, operations only (``n``).

        4.6 pJ a MAC and 0.9 pJ an AC: the convention of the field. Neurons, memory,
        the network on the chip and leakage are not in it.
        """
        return (AC_PJ * self.acs + MAC_PJ * self.macs) / _PJ_A_NJ

    def energy_moved_nj(self) -> Tensor:
        """Of each sample in nJ, operations and on-chip memory (``n``).

        To `energy_nj` come, each at `word_pj` of `Hardware.memory_bytes`: for an
        effective operation three words (the weight is read, the membrane that it
        changes is read and written), and for a state variable two words at each step.
        This is an event-driven machine with one on-chip memory and without reuse of
        what was read. Sending spikes, reading the input, biases and leakage are not
        in it.
        """
        words = WORDS_AN_OP * (self.acs + self.macs)
        words = words + WORDS_A_STATE * self.hardware.state_updates
        moved = words * word_pj(self.hardware.memory_bytes)
        return self.energy_nj() + moved / _PJ_A_NJ


def word_pj(memory_bytes: int) -> float:
    """What reading or writing 32 bits of an on-chip memory takes, in pJ.

    Half of what Horowitz (2014) gives for 64 bits: 10 pJ at 8 KiB, 20 pJ at 32 KiB,
    100 pJ at 1 MiB; between them a straight line in the logarithms of both, which is
    close to the square root of the size. Smaller memories cost as 8 KiB; larger ones as
    1 MiB, which is too little, for then it would be off the chip (1.3 to 2.6 nJ).

    Args:
        memory_bytes: >= 0.
    """
    size = min(max(memory_bytes, ACCESS_PJ[0][0]), ACCESS_PJ[-1][0])
    (low, cheap), (high, dear) = next(
        pair for pair in pairwise(ACCESS_PJ) if size <= pair[1][0]
    )
    share = math.log(size / low) / math.log(high / low)
    return cheap * math.pow(dear / cheap, share) / WORDS_AN_ACCESS


def static_metrics(hardware: Hardware) -> dict[str, float]:
    """What is known of any network, silent ones too.

    Returns:
        ``dense_ops`` and ``membrane_updates`` of a sample, ``connection_sparsity`` and
        ``connectivity`` (one minus it) in [0, 1], ``footprint_bytes``.
    """
    weights = max(hardware.weights, 1)  # a network may have none that are known
    nonzero = hardware.weights - hardware.zero_weights
    return {
        "dense_ops": float(hardware.dense_ops),
        "membrane_updates": float(hardware.membrane_updates),
        "connection_sparsity": hardware.zero_weights / weights,
        "connectivity": nonzero / weights,
        "footprint_bytes": float(hardware.footprint_bytes),
    }


def per_sample_metrics(cost: Cost) -> dict[str, Tensor]:
    """What differs from sample to sample.

    Returns:
        ``effective_acs``, ``effective_macs``, ``synops`` (their sum), ``energy_nj``
        and ``energy_moved_nj``, ``n`` each.
    """
    return {
        "effective_acs": cost.acs,
        "effective_macs": cost.macs,
        "synops": cost.acs + cost.macs,
        "energy_nj": cost.energy_nj(),
        "energy_moved_nj": cost.energy_moved_nj(),
    }
