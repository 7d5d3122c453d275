"""Pieces of HTML; whatever they are given as text is escaped."""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape as plain_escape
from importlib.resources import files

_WIDTH = slice(16, 20)  # of a PNG's header
_WIDE_PX = 1500  # of two columns of a journal
_LONG_TEXT = 32  # letters
_LONG_TITLE = 24  # of a column: in one as narrow as its numbers it would take a line a word


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A table or a figure with its heading, as the contents of a page list it.

    Attributes:
        title: of it.
        content: HTML.
        is_folded: whether it opens when asked for.
    """

    title: str
    content: str
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page; one without parts is left out.

    Attributes:
        title: its heading.
        parts: HTML, and exhibits, in order.
    """

    title: str
    parts: Sequence[str | Exhibit]


def escape(text: str) -> str:
    """Return a text as HTML, with numbers and their % on one line."""
    return plain_escape(text).replace(" %", "\u00a0%")


def page(title: str, header: str, sections: Iterable[Section]) -> str:
    """Return a whole page that needs no other file.

    Args:
        title: of the page.
        header: HTML that stands before all sections.
        sections: in order; the table of contents stands behind the first.
    """
    shown = [section for section in sections if any(section.parts)]
    anchors: set[str] = set()
    entries, bodies = [], []
    for section in shown:
        ident = _anchor(section.title, anchors)
        within, parts = [], []
        for part in section.parts:
            if isinstance(part, Exhibit):
                at = _anchor(part.title, anchors)
                within.append(_link(part.title, at))
                parts.append(_exhibit(part, at))
            elif part:
                parts.append(part)
        items = "".join(f"<li>{link}</li>" for link in within)
        more = f"\n<ul>{items}</ul>" if within else ""
        entries.append(f"<li>{_link(section.title, ident)}{more}</li>")
        content = "\n".join(parts)
        heading = f"<h2>{escape(section.title)}</h2>"
        bodies.append(f'<section id="{ident}">\n{heading}\n{content}\n</section>')
    if len(bodies) > 1:
        listed = folded("Contents of this page", "\n".join(["<ul>", *entries, "</ul>"]))
        bodies.insert(1, f'<nav aria-label="Contents">\n{listed}\n</nav>')
    body = "\n".join(["<header>", header, "</header>", "<main>", *bodies, "</main>"])
    style, script = (_packaged(name) for name in ("page.css", "page.js"))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph."""
    return f"<p{_class(kind)}>{escape(text)}</p>" if text else ""


def bullets(texts: Iterable[str], kind: str = "") -> str:
    """Return a list; nothing where it has no entries."""
    items = "\n".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul{_class(kind)}>\n{items}\n</ul>" if items else ""


def facts(entries: Iterable[tuple[str, str]]) -> str:
    """Return what is what, a line each; what is not known is left out."""
    lines = "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in entries
        if value
    )
    return f"<dl>\n{lines}\n</dl>" if lines else ""


def stamp(text: str) -> str:
    """Return words that nobody overlooks."""
    return f'<p><strong class="stamp">{escape(text)}</strong></p>'


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    label: str,
    numbers: Sequence[bool] | None = None,
    keys: Sequence[str] = (),
) -> str:
    """Return a table that scrolls by itself where the screen is narrow.

    Args:
        header: the columns' titles.
        rows: of as many texts.
        label: what it is, for who does not see it.
        numbers: by column whether it is aligned right; None: all but the first.
        keys: what page.js knows the columns by.
    """
    rows = list(rows)
    right = numbers or [False, *[True] * (len(header) - 1)]
    kinds = [
        _class(" ".join(["text"] * (not number) + ["long"] * (len(title) > _LONG_TITLE)))
        for number, title in zip(right, header, strict=True)
    ]
    data = [f' data-key="{escape(key)}"' for key in keys] or [""] * len(header)
    # names may take several lines
    kind = _class("" if all(row[0].isdecimal() for row in rows) else "named")
    head = "".join(
        f'<th scope="col"{kind}{key}>{escape(title)}</th>' if title else "<td></td>"
        for kind, key, title in zip(kinds, data, header, strict=True)
    )
    body = "\n".join(
        "".join(["<tr>", *(_cell(*each) for each in zip(row, right, strict=True)), "</tr>"])
        for row in rows
    )
    return (
        f"{scrolling(label)}\n<table{kind}>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def scrolling(label: str) -> str:
    """Return the opening of a part that scrolls by itself, also by the keyboard."""
    return f'<div class="scroll" role="group" tabindex="0" aria-label="{escape(label)}">'


def folded(summary: str, content: str, ident: str = "") -> str:
    """Return what opens when asked for; nothing where there is no content."""
    if not content:
        return ""
    at = f' id="{ident}"' if ident else ""
    return f"<details{at}>\n<summary>{escape(summary)}</summary>\n{content}\n</details>"


def picture(png: bytes, alt_text: str, caption: str, *, label: str) -> str:
    """Return an image that stands in the page itself, its caption, and in words what it shows."""
    data = b64encode(png).decode("ascii")
    kind = "wide" if int.from_bytes(png[_WIDTH], "big") > _WIDE_PX else ""
    in_words = folded("What it shows, in words", paragraph(alt_text)) if alt_text else ""
    return (
        f"<figure>\n{scrolling(label)}"
        f'<img{_class(kind)} src="data:image/png;base64,{data}" alt="{escape(alt_text)}"></div>\n'
        f"<figcaption>{escape(caption)}\n{in_words}</figcaption>\n</figure>"
    )


def _cell(text: str, is_number: bool) -> str:
    """Return a cell; only long texts take several lines."""
    kind = "" if is_number else "text long" if len(text) > _LONG_TEXT else "text"
    return f"<td{_class(kind)}>{escape(text)}</td>"


def _exhibit(exhibit: Exhibit, ident: str) -> str:
    if exhibit.is_folded:
        return folded(exhibit.title, exhibit.content, ident)
    return f'<h3 id="{ident}">{escape(exhibit.title)}</h3>\n{exhibit.content}'


def _anchor(title: str, taken: set[str]) -> str:
    """Return what links to a title are called, and take that name."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "part"
    name, count = words, 1
    while name in taken:
        count += 1
        name = f"{words}-{count}"
    taken.add(name)
    return name


def _link(title: str, ident: str) -> str:
    return f'<a href="#{ident}">{escape(title)}</a>'


def _packaged(name: str) -> str:
    return files("sweetspot.report").joinpath(name).read_text(encoding="utf-8")


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
