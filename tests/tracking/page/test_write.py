"""The file that is written: whole, closed to foreign text, with all of its parts."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hatchling.builders.wheel import WheelBuilder

from moosnn.tracking.page import write
from moosnn.tracking.page.write import SCRIPTS, page_text, write_page
from tests.test_package import ROOT

EVIL = "</ScRipt><script>alert(1)</script><!-- \u2028 \ud800 &amp; <!--moosnn:plotly-->"


def page_data(name):
    return {"moosnn": "0", "studies": [{"name": name}], "groups": []}


class Elements(HTMLParser):
    """The scripts of a page, its policy and its title, as a browser would find them."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.scripts, self.policy, self.title, self._in = [], "", "", ""

    def handle_starttag(self, tag, attrs):
        self._in = tag
        if tag == "script":
            self.scripts.append("")
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in == "title":
            self.title += data


def read(text):
    found = Elements()
    found.feed(text)
    return found


def test_foreign_text_stays_in_its_place(tmp_path):
    write_page(tmp_path / "report.html", page_data(EVIL))
    found = read((tmp_path / "report.html").read_text(encoding="utf-8"))
    data, own, bundle = found.scripts
    assert json.loads(data)["studies"][0]["name"] == EVIL
    assert "alert(1)" not in own + bundle
    assert found.title == EVIL.replace("\ud800", "?") + ": moosnn"


def test_only_the_scripts_of_the_page_may_run_and_nothing_may_be_fetched():
    found = read(page_text(page_data("runs/a")))
    _, own, bundle = found.scripts
    rules = dict(rule.split(" ", 1) for rule in found.policy.split("; "))
    assert rules["default-src"] == "'none'"
    digests = [hashlib.sha256(text.encode()).digest() for text in (own, bundle)]
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    assert rules["script-src"].split() == hashes
    assert "connect-src" not in rules  # so default-src counts: no connection at all


def test_the_page_names_no_address_but_those_inside_of_plotly():
    found = read(page_text(page_data("runs/a")))
    text = page_text(page_data("runs/a")).replace(found.scripts[2], "")
    assert set(re.findall(r"https?://[^\"'\s]+", text)) == {
        "http://www.w3.org/2000/svg"
    }


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "report.html"
    write_page(path, page_data("runs/a"))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_page(path, page_data(float("nan")))

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(write.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_page(path, page_data("runs/b"))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_the_wheel_carries_all_parts_of_the_page():
    included = WheelBuilder(str(ROOT)).recurse_included_files()
    folder = "moosnn/tracking/page/"
    packed = {f.distribution_path.removeprefix(folder) for f in included}
    assert {"page.html", "page.css", *SCRIPTS} <= packed


def test_every_script_is_a_part_of_the_page():
    there = {path.name for path in (ROOT / "moosnn/tracking/page").glob("*.js")}
    assert there == set(SCRIPTS)
