"""An exported study in Optuna's own dashboard: a real process and a real browser."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from moosnn.exporting import export
from tests.exchange.told import FRONT, told_study

pytest.importorskip("optuna_dashboard")
pytestmark = pytest.mark.browser

START_S = 60.0
WAIT_MS = 60_000  # a busy machine of two cores is slow
VIEW = {"width": 1280, "height": 1600}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/api/studies", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"optuna-dashboard did not answer: {log.read_text()}", pytrace=False)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard that shows an exported study."""
    folder = tmp_path_factory.mktemp("dashboard")
    record = told_study(folder / "told-study")
    said = export(record, "optuna", folder / "told.db", None).lines[1]
    storage = said.partition("optuna-dashboard ")[2]  # as people are told
    port, log = free_port(), folder / "log"
    program = Path(sys.executable).parent / "optuna-dashboard"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [program, "--port", str(port), storage], stdout=file, stderr=file
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, server, log)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_it_shows_the_study_and_its_front(dashboard: str, browser) -> None:
    page = browser.new_page(viewport=VIEW)
    page.set_default_timeout(WAIT_MS)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: wrong.append(message.text) if message.type == "error" else None,
    )
    try:
        page.goto(f"{dashboard}/dashboard")
        page.get_by_text("told-study").first.click()
        page.get_by_text("Pareto Front").first.wait_for()
        for axis in ("accuracy", "spikes"):
            page.get_by_text(axis, exact=True).first.wait_for()
        page.locator(".js-plotly-plot .scatterlayer .point").first.wait_for()
        # The dashboard calls best what nothing dominates, feasible or not: so the
        # infeasible trial, which no member of the front dominates, is no point here.
        found = page.evaluate(POINTS)
        assert found == {"feasible": 5, "infeasible": 0, "best": len(FRONT)}
        (study,) = re.findall(r".*/studies/\d+", page.url)
        page.goto(f"{study}/trials?numbers=4")
        page.get_by_text("13 Trials").wait_for()
        body = page.locator("body").inner_text()
        assert re.search(r"Trial 4\s+Pruned", body)
        assert "standing silent" in body
    finally:
        page.close()
    assert wrong == []


# How many points of each kind the first plot, of the front, has.
POINTS = """() => {
  const plots = [...document.querySelectorAll('.js-plotly-plot')];
  const front = plots.find(p => p.data.some(t => /Best Trial/.test(t.hovertemplate)));
  const count = words => front.data
    .filter(t => words.test(t.hovertemplate))
    .reduce((sum, t) => sum + t.x.length, 0);
  return {
    feasible: count(/>(Feasible |Best |)Trial/),
    infeasible: count(/Infeasible Trial/),
    best: count(/Best Trial/),
  };
}"""
