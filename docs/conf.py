"""The site: Sphinx with MyST, which reads these pages as they are on GitHub.

    python -m sphinx -W -n --keep-going -d /tmp/moosnn-doctrees docs /tmp/moosnn-site

Two pages are lists for whoever reads them as plain Markdown, and more on the site:
``index.md`` gives the site its contents, section by section, and ``reference.md`` is
filled with the docstrings of what it names.
"""

import inspect
import re
from importlib import import_module

from sphinx.application import Sphinx

import moosnn

project = "moosnn"
author = "the moosnn authors"
version = release = moosnn.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["images"]
suppress_warnings = ["myst.header"]  # a page may begin a level lower than Sphinx's own
nitpick_ignore_regex = [
    # Other libraries' names (nothing is fetched while this is built), words of
    # docstrings that napoleon takes for types, and what nobody needs to name.
    (r"py:.*", r"(?!moosnn\.).*"),
    (r"py:.*", r".*\._.*"),
    (r"py:.*", r"moosnn\.grid\..*"),
]

html_theme = "furo"
html_title = f"moosnn {release}"
html_copy_source = False
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"
# What is shown after a prompt is its output.
copybutton_prompt_text = "$ "
highlight_language = "none"

myst_heading_anchors = 3  # spelled as GitHub does

napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
default_role = "code"

_SECTION = re.compile(r"^## (.+)$", re.M)
_PAGE = re.compile(r"^- \[[^\]]+\]\((\w+)\.md\)", re.M)
_NAME = re.compile(r"^- `(moosnn[\w.]*\w)`", re.M)


def _contents(text: str) -> str:
    """The index, with a hidden table of contents for each of its sections."""
    _, *parts = _SECTION.split(text)
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        pages = "\n".join(_PAGE.findall(body))
        if pages:
            text += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{pages}\n```\n"
    return text


def _documented(name: str) -> str:
    """The directive that fills in what a public name is."""
    module, _, last = name.rpartition(".")
    found = getattr(import_module(module), last)
    if not inspect.isclass(found):
        return f".. autofunction:: {name}"
    kind = "exception" if issubclass(found, BaseException) else "class"
    members = "" if kind == "exception" else "\n   :members:"
    return f".. auto{kind}:: {name}{members}"


def _reference(text: str) -> str:
    """The reference, each section with the docstrings of the names in it."""
    parts = _SECTION.split(text)
    for place in range(2, len(parts), 2):
        for name in _NAME.findall(parts[place]):
            parts[place] += f"\n```{{eval-rst}}\n{_documented(name)}\n```\n"
        parts[place - 1] = f"## {parts[place - 1]}"
    return "".join(parts)


def _read(app: Sphinx, page: str, source: list[str]) -> None:
    more = {"index": _contents, "reference": _reference}.get(page)
    if more is not None:
        source[0] = more(source[0])


def setup(app: Sphinx) -> None:
    """Fill the two pages as they are read."""
    app.connect("source-read", _read)
