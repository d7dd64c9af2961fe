"""The documentation site: it builds without a warning, and nothing is left out of it.

Sphinx is strict: a link or an anchor that leads nowhere is an error, and so is a page
that no table of contents holds. What it writes goes into a temporary folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import moosnn
from moosnn import api, errors

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page.stem for page in DOCS.glob("*.md"))


def sphinx(docs: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """A strict build of ``docs`` in ``folder``; Python writes no caches beside it."""
    options = ["-W", "-n", "--keep-going", "-q", "-d", str(folder / "doctrees")]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(docs), str(folder / "site")],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    before = sorted(DOCS.rglob("*"))
    done = sphinx(DOCS, folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(DOCS.rglob("*")) == before
    return folder / "site"


def test_each_page_is_in_the_site_and_in_its_contents(site: Path) -> None:
    front = (site / "index.html").read_text(encoding="utf-8")
    sidebar = front[front.index('class="sidebar-tree"') :]
    for page in PAGES:
        assert (site / f"{page}.html").is_file(), page
        assert page == "index" or f'href="{page}.html"' in sidebar, page


def test_the_reference_documents_each_public_name(site: Path) -> None:
    page = (site / "reference.html").read_text(encoding="utf-8")
    anchors = set(re.findall(r'<dt class="sig[^>]* id="([\w.]+)"', page))
    public = {f"moosnn.api.{name}" for name in api.__all__}
    public |= {f"moosnn.api.{name}" for name in moosnn._LAZY}
    known = vars(errors).values()
    public |= {
        f"moosnn.errors.{e.__name__}"
        for e in known
        if isinstance(e, type) and issubclass(e, Exception)
    }
    public |= {
        "moosnn.tasks.base.Task.evaluate",
        "moosnn.optimizers.base.Optimizer.propose",
        "moosnn.api.Search.tell",
        "moosnn.problem.Problem.losses",
    }
    assert public - anchors == set()
    assert "Find the front of a function" in page  # its docstring


def test_the_site_asks_nobody_for_anything(site: Path) -> None:
    for page in PAGES:
        text = (site / f"{page}.html").read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img)[^>]* src="([^"]+)"', text)
        loaded += re.findall(r'<link[^>]* rel="stylesheet"[^>]* href="([^"]+)"', text)
        assert loaded
        assert [each for each in loaded if re.match(r"(\w+:)?//", each)] == []


def test_a_wrong_link_and_a_forgotten_page_stop_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "conf.py").write_bytes((DOCS / "conf.py").read_bytes())
    (docs / "index.md").write_text("# A\n\n## B\n\n- [C](c.md): d\n")
    (docs / "c.md").write_text("# C\n\n[wrong](index.md#nowhere) [gone](gone.md)\n")
    (docs / "forgotten.md").write_text("# D\n")
    done = sphinx(docs, tmp_path)
    assert done.returncode != 0
    for said in ("nowhere", "gone.md", "forgotten.md: WARNING: document isn't includ"):
        assert said in done.stderr
