"""The report as one HTML file, whole or not at all.

Knows: which parts the page is put together from, and how foreign text is kept from
becoming a part of it. Must not know: what the data mean, or what a view looks like.

The file asks nobody for anything: its styles, its scripts, plotly's bundle and the data
are in it, and a content security policy forbids every connection. Scripts are allowed
by their hash alone, so that no name or message in the data can become one.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import uuid
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from moosnn.tracking.page.bundle import plotly_code

# One subject each. The order is that of use at loading time: no build step, no modules,
# since a page opened from a disk may not load any.
SCRIPTS = (
    "base.js",
    "state.js",
    "hypervolume.js",
    "study.js",
    "charts.js",
    "beyond.js",
    "front.js",
    "members.js",
    "details.js",
    "network.js",
    "progress.js",
    "parallel.js",
    "brushes.js",
    "importance.js",
    "models.js",
    "slices.js",
    "maps.js",
    "timeline.js",
    "texts.js",
    "compare.js",
    "main.js",
)
_PLACE = re.compile(r"<!--moosnn:(\w+)-->")
# What could end a script element or begin a comment in it.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def write_page(path: Path, data: Mapping[str, Any]) -> None:
    """Write the page of one or several studies.

    Args:
        path: of the HTML file; its folder is made if it lacks. What lies there is
            replaced at once by the whole new page, or stays if writing fails.
        data: what `moosnn.tracking.page.data.page_data` returns: JSON values.

    Raises:
        ValueError: a number is not finite.
        OSError: the file cannot be written.
    """
    text = page_text(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def page_text(data: Mapping[str, Any]) -> str:
    """The page's HTML.

    Args:
        data: as of `write_page`.

    Raises:
        ValueError: a number is not finite.
    """
    bundle = _script_text(plotly_code())
    own = _script_text("\n".join(_part(name) for name in SCRIPTS))
    parts = {
        "policy": _policy(own, bundle),
        "title": html.escape(_title(data)),
        "style": f"<style>\n{_part('page.css')}</style>",
        "data": f'<script type="application/json" id="data">{_json(data)}</script>',
        "page": f"<script>{own}</script>",
        "plotly": f"<script>{bundle}</script>",
    }
    # One pass: what is put in is never searched for places itself.
    return _PLACE.sub(lambda match: parts[match[1]], _part("page.html"))


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _title(data: Mapping[str, Any]) -> str:
    names = [str(study["name"]) for study in data["studies"]]
    title = (
        f"{names[0]}: moosnn" if len(names) == 1 else f"{len(names)} studies: moosnn"
    )
    # A folder's name may hold bytes that are no text, and a file of text cannot.
    return title.encode("utf-8", "replace").decode("utf-8")


def _json(data: Mapping[str, Any]) -> str:
    """JSON that stays inside of its element, whatever the strings hold.

    ASCII alone: neither a line separator nor half a surrogate pair can do harm.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&]", lambda match: _ESCAPES[match[0]], text)


def _script_text(code: str) -> str:
    """Code as a browser will read it, which is what a hash has to be of.

    Raises:
        ValueError: the code would end its own element.
    """
    if re.search(r"</script|<!--", code, re.I):
        raise ValueError("Expected a script without </script or <!--.")
    return "\n" + code.replace("\r\n", "\n").replace("\r", "\n") + "\n"


def _policy(*scripts: str) -> str:
    """The content security policy: nothing from anywhere but these scripts.

    Plotly sets style attributes (hence 'unsafe-inline' for styles), draws heat maps as
    data: images and saves pictures by way of blob: ones.
    """
    digests = [hashlib.sha256(text.encode()).digest() for text in scripts]
    allowed = " ".join(
        f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests
    )
    rules = (
        "default-src 'none'",
        f"script-src {allowed}",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">'
