"""What somebody's trained network leaves in its attempt's folder.

Knows: two files. Must not know: training, measuring. torch is imported when something
is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moosnn import __version__
from moosnn.tasks.base import Context

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "module.safetensors"
DESCRIPTION = "module.json"


def save(context: Context, module: nn.Module, facts: Mapping[str, Any]) -> None:
    """Write the weights under the module's own names, and how it was made.

    Args:
        context: of the attempt.
        module: trained.
        facts: JSON values: factory, arguments, data, …
    """
    from safetensors.torch import save_file

    folder = context.workdir
    tensors = {
        name: tensor.detach().cpu().clone().contiguous()
        for name, tensor in module.state_dict().items()
    }
    draft = folder / f".{WEIGHTS}.tmp"
    save_file(tensors, draft)
    os.replace(draft, folder / WEIGHTS)
    text = json.dumps({"moosnn": __version__, **facts}, indent=1, allow_nan=False)
    draft = folder / f".{DESCRIPTION}.tmp"
    draft.write_text(f"{text}\n", encoding="utf-8")
    os.replace(draft, folder / DESCRIPTION)
