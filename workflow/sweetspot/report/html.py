"""Pieces of HTML; whatever they are given as text is escaped."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape as plain_escape

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --quiet: #5c5c5c; --line: #ddd;
  --shade: #f5f5f3; --accent: #0b62a3; --warn: #8a4b00; --warn-paper: #fdf3e1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --paper: #16181a; --quiet: #a5a29d;
  --line: #3a3d40; --shade: #1f2225; --accent: #7cc0f5; --warn: #f0c27a; --warn-paper: #33291a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem 1rem 4rem; max-width: 62rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--accent); }
.result { font-size: 1.25rem; line-height: 1.4; }
.quiet { color: var(--quiet); font-size: .875rem; }
.stamp { display: inline-block; padding: .1rem .5rem; border: 1px solid; font-weight: 700;
  letter-spacing: .08em; font-size: .8rem; color: var(--warn); }
.scroll { overflow: auto; max-height: 40rem; }
figure .scroll { max-height: none; }
table { border-collapse: collapse; font-size: .875rem; }
th { font-weight: 600; vertical-align: bottom; position: sticky; top: 0;
  background: var(--paper); box-shadow: inset 0 -1px var(--quiet); }
th, td { padding: .25rem .7rem .25rem 0; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
td { border-bottom: 1px solid var(--line); }
.warnings { background: var(--warn-paper); border-left: 4px solid var(--warn); margin: .8rem 0;
  padding: .6rem .6rem .6rem 1.6rem; }
ul { padding-left: 1.2rem; }
figure { margin: 1.4rem 0; }
img { display: block; width: 30rem; max-width: 100%; background: #fff; border-radius: 4px; }
img.wide { width: 100%; min-width: 40rem; }
figcaption { margin-top: .4rem; color: var(--quiet); font-size: .875rem; max-width: 46rem; }
summary { cursor: pointer; color: var(--accent); margin: .6rem 0; }
@media (max-width: 40rem) { .named td:first-child { white-space: normal; min-width: 8rem;
  max-width: 12rem; overflow-wrap: anywhere; } }
"""

_WIDTH = slice(16, 20)  # of a PNG's header
_WIDE_PX = 1500  # of two columns of a journal


def escape(text: str) -> str:
    """Return a text as HTML, with numbers and their % on one line."""
    return plain_escape(text).replace(" %", "\u00a0%")


def page(title: str, body: str) -> str:
    """Return a whole page that needs no other file."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Return a section; nothing where it has no content."""
    content = "\n".join(filter(None, parts))
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph."""
    return f"<p{_class(kind)}>{escape(text)}</p>" if text else ""


def bullets(texts: Iterable[str], kind: str = "") -> str:
    """Return a list; nothing where it has no entries."""
    items = "\n".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul{_class(kind)}>\n{items}\n</ul>" if items else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that scrolls by itself where the screen is narrow."""
    rows = list(rows)
    # names may take several lines
    kind = _class("" if all(row[0].isdecimal() for row in rows) else "named")
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0">\n<table{kind}>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def folded(summary: str, content: str) -> str:
    """Return what opens when asked for; nothing where there is no content."""
    if not content:
        return ""
    return f"<details>\n<summary>{escape(summary)}</summary>\n{content}\n</details>"


def picture(png: bytes, alt_text: str, title: str) -> str:
    """Return an image that stands in the page itself, its title, and in words what it shows."""
    data = b64encode(png).decode("ascii")
    kind = "wide" if int.from_bytes(png[_WIDTH], "big") > _WIDE_PX else ""
    return (
        '<figure>\n<div class="scroll" tabindex="0">'
        f'<img{_class(kind)} src="data:image/png;base64,{data}" alt="{escape(alt_text)}"></div>\n'
        f"<figcaption><strong>{escape(title)}.</strong> {escape(alt_text)}</figcaption>\n</figure>"
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
