"""A terminal whose encoding lacks a character gets its number, and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WORDS = {
    "import": ["import", "größe.csv", "--out", "punkte-ü.json"],
    "print": ["import", "größe.csv"],
}


@pytest.mark.parametrize("name", WORDS)
def test_an_ascii_terminal_never_breaks(tmp_path: Path, name: str) -> None:
    (tmp_path / "größe.csv").write_text("größe\n1\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(
        [sys.executable, "-m", "moosnn", *WORDS[name]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    said = done.stdout.decode("ascii")
    if name == "print":
        assert json.loads(said)["points"][0]["params"] == {"größe": 1}
    else:
        assert r"punkte-\xfc.json" in said
