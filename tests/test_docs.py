"""What the pages say is true: links lead somewhere, examples run.

- A relative link names an existing file, its anchor an existing heading.
- Every ``yaml`` block of docs/space.md is a search space, unless its first line is
  ``# refused: <a part of the message>``: then it must be refused with that message.
- The ``python`` blocks of one page run in order in one namespace, in an empty working
  directory, with a study of a few digits networks where the pages say that one lies
  (`STUDY`). A block whose first line is ``# not run: <reason>`` is only compiled.
"""

import re
from pathlib import Path

import pytest
import yaml

from moosnn.errors import SpaceError
from moosnn.space import Space

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

STUDY = "runs/nas-qnehvi-s0"

FENCE = re.compile(r"^( *)(```+|~~~+)(\w*)[^\n]*\n(.*?)^\1\2 *$", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]: <?(\S+?)>?(?: .*)?$", re.M)
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.M)
OUTSIDE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.I)


def blocks(text, language):
    return [m[4] for m in FENCE.finditer(text) if m[3] == language]


def prose(text):
    """The page without its code blocks and code spans."""
    return re.sub(r"(`+)[^`]+?\1", "", FENCE.sub("", text))


def links(text):
    found = [*LINK.findall(prose(text)), *REFERENCE.findall(prose(text))]
    return [link for link in found if not OUTSIDE.match(link)]


def anchors(text):
    """The anchors of a page's headings, spelled as GitHub does."""
    seen, found = {}, set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower().strip()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


def broken(page, text):
    """The links of a page that lead nowhere."""
    found = []
    for link in links(text):
        path, _, anchor = link.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or not to.is_relative_to(ROOT):
            found.append(f"{link}: no such file")
        elif anchor:
            there = to.read_text(encoding="utf-8") if path else text
            if anchor not in anchors(there):
                found.append(f"{link}: no such heading")
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_links_of_a_page_lead_somewhere(page):
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_found():
    page = ROOT / "README.md"
    text = "# A b-c, `d`!\n[a](#a-b-c-d) [b](#b) [c](docs/space.md#space) [d](x.md)\n"
    text += "[e](https://x.org/y) `[f](y.md)`\n```yaml\n[g](z.md)\n```\n[h]: w.md\n"
    assert broken(page, text) == [
        "#b: no such heading",
        "docs/space.md#space: no such heading",
        "x.md: no such file",
        "w.md: no such file",
    ]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    if STUDY in text:
        study = tmp_path / STUDY
        study.parent.mkdir()
        study.symlink_to(request.getfixturevalue("digits_study"))
    namespace = {"__name__": "__docs__"}
    for number, block in enumerate(blocks(text, "python")):
        code = compile(block, f"{page.name}, python block {number + 1}", "exec")
        if not re.match(r"# not run: \S", block):
            exec(code, namespace)


SPACES = blocks((ROOT / "docs/space.md").read_text(encoding="utf-8"), "yaml")


@pytest.mark.parametrize("block", SPACES, ids=range(len(SPACES)))
def test_the_yaml_of_the_page_on_spaces(block):
    refused = re.match(r"# refused: (.+)\n", block)
    if refused is None:
        assert len(Space.from_config(yaml.safe_load(block))) > 0
    else:
        with pytest.raises(SpaceError, match=re.escape(refused[1])):
            Space.from_config(yaml.safe_load(block))


def test_the_page_on_spaces_has_examples():
    page = (ROOT / "docs/space.md").read_text(encoding="utf-8")
    assert len(SPACES) > 3
    assert len(blocks(page, "python")) > 1
