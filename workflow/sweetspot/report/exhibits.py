"""Figures and tables as a page shows them, each with its title and its caption below it."""

from collections.abc import Iterable
from dataclasses import dataclass

from sweetspot import captions
from sweetspot.report import html
from sweetspot.report.html import Exhibit, Section
from sweetspot.tables.table import Table

_LONG = 20
"""Tables of more rows are folded."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as a page holds it.

    Attributes:
        name: of its files; says its title and how it is read.
        alt_text: what it shows.
        png: the image.
    """

    name: str
    alt_text: str
    png: bytes


def figure_exhibit(picture: Picture) -> Exhibit:
    """Return a figure with its title and how it is read."""
    caption = captions.FIGURES[picture.name]
    return Exhibit(
        caption.title,
        html.picture(picture.png, picture.alt_text, caption.text, label=caption.title),
    )


def figures_section(pictures: Iterable[Picture]) -> Section:
    """Return all figures."""
    return Section("Figures", [figure_exhibit(each) for each in pictures])


def tables_section(of: Iterable[tuple[str, Table]]) -> Section:
    """Return all tables, by the names of their files."""
    return Section("Tables", [table_exhibit(name, table) for name, table in of])


def table_exhibit(name: str, table: Table) -> Exhibit:
    """Return a table with its caption and notes below it; a long one folded."""
    texts = table.texts
    kinds = [column.number for column in table.columns]
    rows = [[str(text) for text in row] for row in texts.itertuples(index=False)]
    title = captions.TABLES[name]
    content = [
        html.table(list(texts.columns), rows, label=title, numbers=kinds) if rows else "",
        html.paragraph(table.caption, "quiet"),
        html.bullets(table.notes, "quiet"),
    ]
    return Exhibit(title, "\n".join(filter(None, content)), is_folded=len(rows) > _LONG)
