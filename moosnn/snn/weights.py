"""A trained network on disk: ``weights.safetensors`` and ``network.json``.

Knows: the two files. Must not know: studies, tasks, how the weights were found.

A trained network is usable without a search or a study::

    from moosnn.snn.weights import load_network
    network, preprocess = load_network("runs/nas/trials/000017/1")
    logits = network(preprocess(images))          # images: N x 64 pixels, 0 to 16
"""

from __future__ import annotations

import json
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
from moosnn.snn.coding import encode
from moosnn.snn.genes import Genes
from moosnn.snn.network import SpikingNetwork

WEIGHTS = "weights.safetensors"
DESCRIPTION = "network.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Raw samples to a network's input.

    Attributes:
        features: of one sample.
        classes: of the network.
        input_max: the raw value that becomes the intensity 1.
        coding: see `moosnn.snn.coding.encode`.
        time_steps: T.
    """

    features: int
    classes: int
    input_max: float
    coding: str
    time_steps: int

    def __call__(
        self,
        raw: Any,  # noqa: ANN401 -- whatever torch.as_tensor takes
        seed: int = 0,
    ) -> Tensor:
        """Scale, flatten and code raw samples.

        Args:
            raw: ``N x features`` or ``N x height x width`` values from 0 to
                ``input_max``, a tensor, an array or nested lists.
            seed: of the rate code; the others do not use it.

        Returns:
            ``T x N x features`` float32.

        Raises:
            ConfigError: another shape.
        """
        samples = torch.as_tensor(raw, dtype=torch.float32)
        if samples.ndim < 2 or samples[0].numel() != self.features:
            raise ConfigError(
                f"raw samples: expected N x {self.features}, got "
                f"{' x '.join(map(str, samples.shape))}."
            )
        intensities = (samples.flatten(1) / self.input_max).clamp(0.0, 1.0)
        generator = torch.Generator().manual_seed(seed)
        return encode(intensities, self.coding, self.time_steps, generator)


def save_network(
    folder: Path,
    network: SpikingNetwork,
    *,
    features: int,
    classes: int,
    input_max: float,
    metadata: Mapping[str, Any],
) -> None:
    """Write both files; each appears whole or not at all.

    Args:
        folder: existing.
        network: any device.
        features: inputs of one sample.
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
        "features": features,
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
        The network, from ``T x N x features`` inputs to ``N x classes`` logits; and
        what makes such inputs of raw samples.

    Raises:
        StudyFolderError: a file is missing or damaged; the message names it.
    """
    folder = Path(folder)
    description = _description(folder / DESCRIPTION)
    try:
        genes = Genes.from_json(description["genes"])
        preprocessing = Preprocessing(
            features=int(description["features"]),
            classes=int(description["classes"]),
            input_max=float(description["input_max"]),
            coding=genes.coding,
            time_steps=genes.time_steps,
        )
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise StudyFolderError(f"{folder / DESCRIPTION}: {error!s}") from error
    network = SpikingNetwork(
        genes, preprocessing.features, preprocessing.classes, torch.Generator()
    )
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
