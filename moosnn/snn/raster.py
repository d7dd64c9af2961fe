"""The spikes of one sample, of up to 256 neurons a stage: a file beside the weights.

Knows: what a network does with a sample, the file. Must not know: studies, tasks, how a
raster is drawn. torch is imported when a network is asked, not when a file is read.

A spike is one bit: a raster of four stages and 16 steps takes 2 kB.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from moosnn.snn.activity import Network
    from moosnn.snn.samples import Samples

RASTER = "raster.safetensors"
MOST_NEURONS = 256  # of a stage, evenly chosen of more
_FORMAT = "1"
_SAMPLE = 0  # of the split: the same for every network of a study

Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one stage did.

    Attributes:
        name: of its layers.
        neurons: how many it has.
        spikes: how often all of them fired on the sample.
        shown: the indexes of those that are kept, ascending, ``n``.
        fired: whether each fired at each step, ``T x n``.
    """

    name: str
    neurons: int
    spikes: int
    shown: tuple[int, ...]
    fired: Bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """What a network did with one sample.

    Attributes:
        sample: which one of the split.
        split: ``validation`` or ``test``.
        truth: its class.
        answer: the network's.
        stages: of the network, in the order of its metrics' numbers.
    """

    sample: int
    split: str
    truth: int
    answer: int
    stages: tuple[Stage, ...]


def raster_of(
    network: Network, samples: Samples, generator: torch.Generator, split: str
) -> Raster:
    """Run the first sample through a network.

    Args:
        network: on the device of the samples; left in evaluation mode.
        samples: one or more.
        generator: of the rate and population code, on the CPU.
        split: of the samples, for people.
    """
    import torch

    from moosnn.snn.coding import encode

    network.eval()
    with torch.no_grad():
        inputs, labels = samples.batch(torch.tensor([_SAMPLE]))
        seen = network.observe(encode(inputs, network.genes, generator))
    names = [node.name for node in network.blueprint.layers]
    return Raster(
        sample=_SAMPLE,
        split=split,
        truth=int(labels[0]),
        answer=int(seen.logits[0].argmax()),
        stages=tuple(
            _stage(
                " + ".join(names[k] for k in stage),
                torch.cat([seen.spikes[k].flatten(2) for k in stage], 2)[:, 0],
            )
            for stage in seen.stages
        ),
    )


def _stage(name: str, fired: Tensor) -> Stage:
    """The stage of a name that fired so, ``T x neurons``."""
    bits = (fired != 0).cpu().numpy()
    neurons = bits.shape[1]
    places = np.linspace(0, neurons - 1, min(neurons, MOST_NEURONS)).round().astype(int)
    return Stage(
        name=name,
        neurons=neurons,
        spikes=int(bits.sum()),
        shown=tuple(places.tolist()),
        fired=bits[:, places],
    )


def save_raster(folder: Path, raster: Raster) -> None:
    """Write the file; it appears whole or not at all.

    Args:
        folder: existing.
        raster: what is in it.
    """
    from safetensors.numpy import save_file

    facts = {
        "sample": raster.sample,
        "split": raster.split,
        "class": raster.truth,
        "answer": raster.answer,
        "stages": [
            {
                "name": s.name,
                "neurons": s.neurons,
                "spikes": s.spikes,
                "steps": len(s.fired),
            }
            for s in raster.stages
        ],
    }
    arrays: dict[str, npt.NDArray[Any]] = {}
    for k, stage in enumerate(raster.stages):
        # safetensors writes the memory as it lies, whatever the order of the axes.
        arrays[f"fired.{k}"] = np.ascontiguousarray(np.packbits(stage.fired, axis=1))
        arrays[f"shown.{k}"] = np.array(stage.shown, dtype=np.int32)
    draft = folder / f".{RASTER}.tmp"
    metadata = {"format": _FORMAT, "raster": json.dumps(facts)}
    save_file(arrays, draft, metadata=metadata)
    os.replace(draft, folder / RASTER)


def read_raster(folder: Path) -> Raster | None:
    """The raster of an attempt's folder; ``None`` if there is none that can be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / RASTER, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                return None
            facts = json.loads(metadata["raster"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no mapping
        return _raster(facts, arrays)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def _raster(facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Raster:
    stages = []
    for k, stage in enumerate(facts["stages"]):
        shown = tuple(arrays[f"shown.{k}"].tolist())
        bits = np.unpackbits(arrays[f"fired.{k}"], axis=1, count=len(shown))
        if bits.shape[0] != stage["steps"]:
            raise ValueError(f"stage {k}: expected {stage['steps']} steps.")
        stages.append(
            Stage(
                name=str(stage["name"]),
                neurons=int(stage["neurons"]),
                spikes=int(stage["spikes"]),
                shown=shown,
                fired=bits.astype(bool),
            )
        )
    return Raster(
        sample=int(facts["sample"]),
        split=str(facts["split"]),
        truth=int(facts["class"]),
        answer=int(facts["answer"]),
        stages=tuple(stages),
    )
