"""What many tests share: a small real study on digits."""

from __future__ import annotations

import os

# Before torch is imported: two threads on a busy machine of two cores can be ten times
# slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest

from moosnn.__main__ import main


@pytest.fixture(scope="session")
def digits_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study: 12 spiking networks trained on digits."""
    folder = tmp_path_factory.mktemp("digits") / "study"
    words = ["+experiment=nas", "optimizer=sobol", "study.budget=12", "study.confirm=1"]
    assert main([*words, f"study_dir={folder}"]) == 0
    return folder
