"""One table in four formats: .csv for machines, .md and .html to read, .tex for papers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from sweetspot.files import write_text_atomic
from sweetspot.markdown import cell
from sweetspot.markdown import table as markdown_table
from sweetspot.tables.latex import table as latex_table

MISSING = "–"
"""What a cell without a value shows; the .csv leaves it empty."""

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5em; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.3em; }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }
thead th { border-bottom: 1px solid; vertical-align: bottom; }
th, td { padding: 0.2em 0.7em; }
td.number { white-space: nowrap; }
tbody tr:nth-child(even) { background: #f3f3f3; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.text { text-align: left; }
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column as people read it.

    Attributes:
        text: the cell's text from its row, whose fields are attributes; MISSING where it has none.
        number: aligned right.
    """

    title: str
    text: Callable[[Any], str]
    number: bool = True


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """One table: its numbers, and how they are shown.

    Attributes:
        frame: every value in full precision; becomes the .csv.
        title: "Table 3" and the like.
        notes: one sentence each, printed below.
        label: LaTeX label.
        long: may break over pages.
    """

    frame: pd.DataFrame
    columns: tuple[Column, ...]
    title: str
    caption: str
    notes: tuple[str, ...] = ()
    label: str
    long: bool = False

    @cached_property
    def texts(self) -> pd.DataFrame:
        """What is printed, as strings under the columns' titles."""
        rows = list(self.frame.itertuples(index=False))
        return pd.DataFrame({c.title: [c.text(row) for row in rows] for c in self.columns})


def number(field: str, spec: str) -> Callable[[Any], str]:
    """Return a Column.text that formats one field; NaN and None become MISSING."""

    def text(row: Any) -> str:
        value = getattr(row, field)
        return MISSING if pd.isna(value) else format(value, spec)

    return text


def write_table(table: Table, stem: Path) -> None:
    """Write stem.csv, stem.md, stem.html and stem.tex.

    Raises:
        InputError: the folder cannot be written to.
    """
    for suffix, text in (
        (".csv", table.frame.to_csv(index=False)),
        (".md", markdown(table)),
        (".html", html(table)),
        (".tex", latex(table)),
    ):
        write_text_atomic(stem.with_name(stem.name + suffix), text)


def markdown(table: Table) -> str:
    """Return a heading, the caption, the table and its notes."""
    body = markdown_table(
        [_starless(column.title) for column in table.columns],
        table.texts.map(_starless).to_numpy().tolist(),
        [column.number for column in table.columns],
    )
    notes = "".join(f"\nNote: {cell(_starless(note))}\n" for note in table.notes)
    return f"# {table.title}\n\n{table.caption}\n\n{body}\n{notes}"


def html(table: Table) -> str:
    """Return a page that stands alone: heading, caption, the table and its notes."""
    kinds = ["number" if column.number else "text" for column in table.columns]
    head = "".join(
        f'<th class="{kind}">{escape(column.title)}</th>'
        for kind, column in zip(kinds, table.columns, strict=True)
    )
    rows = "\n".join(
        "<tr>"
        + "".join(
            f'<td class="{kind}">{escape(str(text))}</td>'
            for kind, text in zip(kinds, row, strict=True)
        )
        + "</tr>"
        for row in table.texts.itertuples(index=False)
    )
    notes = "".join(f"<p>Note: {escape(note)}</p>\n" for note in table.notes)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{escape(table.title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        f"<h1>{escape(table.title)}</h1>\n<p>{escape(table.caption)}</p>\n"
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n"
        f"{notes}</body>\n</html>\n"
    )


def latex(table: Table) -> str:
    """Return the table with caption, label and notes; it needs what `latex.py` says."""
    return latex_table(
        [column.title for column in table.columns],
        table.texts.to_numpy().tolist(),
        [column.number for column in table.columns],
        caption=table.caption,
        label=table.label,
        notes=table.notes,
        long=table.long,
    )


def _starless(text: str) -> str:
    """Return a text whose stars, as those of significance, are not Markdown."""
    return text.replace("*", r"\*")
