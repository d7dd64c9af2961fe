"""The user's word for a device, where torch sees some GPUs or none."""

from __future__ import annotations

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.tasks.snn import SnnTask
from moosnn.tasks.torch_settings import device_named


@pytest.mark.parametrize("word", ["cuda:x", "cuda:", "cuda:-1", "cpu:1", "auto:0", 3])
def test_a_word_that_no_device_has_is_refused_before_anything_runs(word) -> None:
    with pytest.raises(ConfigError, match="device: got") as raised:
        SnnTask(device=word)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("word", "gpus", "expected"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda"),
        ("cuda:1", 2, "cuda:1"),
        ("cuda", 0, "torch sees none"),
        ("cuda:1", 1, "expected cuda:0 to cuda:0, got 'cuda:1'"),
    ],
)
def test_what_a_word_means_here(
    word: str, gpus: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    try:
        found = str(device_named(word))
    except ConfigError as error:
        found = str(error)
        assert expected in found
    else:
        assert found == expected
