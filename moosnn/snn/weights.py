"""A trained network on disk: ``weights.safetensors`` and ``network.json``.

Knows: the two files. Must not know: studies, tasks, how the weights were found.

A trained network is usable without a search or a study::

    from moosnn.snn.weights import load_network
    network, preprocess = load_network("runs/nas/trials/000017/1")
    logits = network(preprocess(images))          # images: N x 8 x 8 pixels, 0 to 16
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from moosnn.errors import ConfigError, StudyFolderError
from moosnn.snn.blueprint import Shape
from moosnn.snn.coding import encode
from moosnn.snn.gene_names import DEFAULTS
from moosnn.snn.genes import Genes
from moosnn.snn.network import SpikingNetwork

WEIGHTS = "weights.safetensors"
DESCRIPTION = "network.json"
FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Raw samples to a network's input.

    Attributes:
        shape: of one step of a sample.
        classes: of the network.
        input_max: the raw value that becomes the intensity 1.
        genes: coding and number of time steps, see `moosnn.snn.coding.encode`.
    """

    shape: Shape
    classes: int
    input_max: float
    genes: Genes

    @property
    def sample_shape(self) -> Shape:
        """The shape of a sample: of frames, the time steps first."""
        frames = self.genes.coding == "frames"
        return (self.genes.time_steps, *self.shape) if frames else self.shape

    def __call__(
        self,
        raw: Any,  # noqa: ANN401 -- whatever torch.tensor takes
        seed: int = 0,
    ) -> Tensor:
        """Scale, shape and code raw samples.

        Args:
            raw: ``N`` samples, each with as many values as `sample_shape`, from 0 to
                ``input_max``: a tensor, an array or nested lists.
            seed: of the rate and population code; the others do not use it.

        Returns:
            ``T x N x coded shape`` float32.

        Raises:
            ConfigError: another number of values.
        """
        if not isinstance(raw, Tensor):  # a copy: arrays may be read-only
            raw = torch.tensor(raw)
        samples = raw.to(torch.float32)
        if samples.ndim < 2 or samples[0].numel() != math.prod(self.sample_shape):
            raise ConfigError(
                "raw samples: expected N x "
                f"{' x '.join(map(str, self.sample_shape))}, got "
                f"{' x '.join(map(str, samples.shape))}."
            )
        scaled = samples.reshape(-1, *self.sample_shape) / self.input_max
        if self.genes.coding != "frames":
            scaled = scaled.clamp(0.0, 1.0)
        return encode(scaled, self.genes, torch.Generator().manual_seed(seed))


def save_network(
    folder: Path,
    network: SpikingNetwork,
    *,
    shape: Shape,
    classes: int,
    input_max: float,
    metadata: Mapping[str, Any],
) -> None:
    """Write both files; each appears whole or not at all.

    Args:
        folder: existing.
        network: any device.
        shape: of one step of a sample.
        classes: outputs.
        input_max: the raw value that becomes the intensity 1.
        metadata: JSON values for people, e.g. the trial's number.
    """
    tensors = {k: v.detach().cpu() for k, v in network.state_dict().items()}
    draft = folder / f".{WEIGHTS}.tmp"
    save_file(tensors, draft)
    os.replace(draft, folder / WEIGHTS)
    description = {
        "format": FORMAT,
        "genes": network.genes.to_json(),
        "shape": list(shape),
        "classes": classes,
        "input_max": input_max,
        "metadata": dict(metadata),
    }
    draft = folder / f".{DESCRIPTION}.tmp"
    text = json.dumps(description, indent=2, allow_nan=False)
    draft.write_text(text + "\n", encoding="utf-8")
    os.replace(draft, folder / DESCRIPTION)


def load_network(folder: Path | str) -> tuple[SpikingNetwork, Preprocessing]:
    """Read a trained network, on the CPU and in evaluation mode.

    Args:
        folder: where `save_network` wrote.

    Returns:
        The network, from ``T x N x …`` coded inputs to ``N x classes`` logits; and
        what makes such inputs of raw samples.

    Raises:
        StudyFolderError: a file is missing or damaged; the message names it.
    """
    folder = Path(folder)
    description = _description(folder / DESCRIPTION)
    try:
        genes = Genes.from_params({**DEFAULTS, **description["genes"]})
        preprocessing = Preprocessing(
            shape=tuple(int(size) for size in description["shape"]),
            classes=int(description["classes"]),
            input_max=float(description["input_max"]),
            genes=genes,
        )
        network = SpikingNetwork(
            genes, preprocessing.shape, preprocessing.classes, torch.Generator()
        )
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise StudyFolderError(f"{folder / DESCRIPTION}: {error!s}") from error
    path = folder / WEIGHTS
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise StudyFolderError(
            f"{path}: no weights of this network: {reason}"
        ) from error
    return network.eval(), preprocessing


def _description(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror
        raise StudyFolderError(
            f"{path}: expected a trained network here: {reason}. Failed trials leave "
            "none."
        ) from error
    except ValueError as error:
        raise StudyFolderError(f"{path}: not JSON: {error}") from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else None
        raise StudyFolderError(
            f"{path}: expected a network of format {FORMAT}, got {found!r}."
        )
    return raw
