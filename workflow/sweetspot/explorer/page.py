"""The explorer's page, written as one file that needs no other and no network."""

import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from sweetspot.files import write_text_atomic

SCRIPTS = (
    "data.js",
    "money.js",
    "words.js",
    "plots.js",
    "lines.js",
    "others.js",
    "state.js",
    "controls.js",
    "page.js",
)
"""Of the page, in an order in which each may use those before it."""

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def write_page(data: Mapping[str, Any], path: Path) -> None:
    """Write a page in which data can be looked at.

    Args:
        data: of `page_data`.
        path: of the HTML file, with plotly.js and all data inside.

    Raises:
        InputError: the file cannot be written.
        ModuleNotFoundError: plotly is not installed.
        ValueError: a number is not finite; what is not known is None.
    """
    write_text_atomic(path, page_html(data))


def page_html(data: Mapping[str, Any]) -> str:
    """Return the page's text; whatever is in the data stays data. Raises as `write_page` does."""
    here = files("sweetspot.explorer") / "web"
    parts = {
        "title": html.escape(data["title"]),
        "style": (here / "page.css").read_text(encoding="utf-8"),
        "data": _json(data),
        "plotly": (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8"),
        "scripts": "\n".join((here / name).read_text(encoding="utf-8") for name in SCRIPTS),
    }
    template = (here / "page.html").read_text(encoding="utf-8")
    # in one pass, so that no part's text is taken for a place
    return _PLACE.sub(lambda found: parts[found[1]], template)


def _json(data: Mapping[str, Any]) -> str:
    """Return data as JSON that no text in it can end as a script of HTML."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
