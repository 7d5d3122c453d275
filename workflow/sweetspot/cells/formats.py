"""Somebody's table of measurements as a DataFrame: .csv as spreadsheets write it, or JSON.

What is read here has the names and the texts of the file; what they mean is said in `columns`.
"""

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from sweetspot.cells.separated import read_separated, some_lines
from sweetspot.errors import InputError
from sweetspot.reading import read_bytes

_LEAVINGS = ("records.jsonl", "cells.csv")
"""What a campaign and a run leave in their folders."""

_BINARY = {
    b"PK\x03\x04": "an Excel or zip file; save the sheet as CSV",
    b"PAR1": "a Parquet file; read it with pandas and write a CSV",
    b"\x1f\x8b": "compressed; unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel file; save the sheet as CSV",
    b"%PDF": "a PDF",
    b"SQLite": "a database; export the table as CSV",
}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_table(path: Path, is_text: Callable[[str], bool]) -> tuple[pd.DataFrame, list[str]]:
    """Return a file's table, and in sentences how it was read where that is not as UTF-8 CSV.

    Args:
        path: a .csv, .tsv, .txt or .jsonl file, or the folder of a campaign or of a run.
        is_text: whether a column of this name is one of texts: a model may be called 7.

    Raises:
        InputError: it cannot be read, is empty, or is no table.
    """
    if path.is_dir():
        found = [path / name for name in _LEAVINGS if (path / name).is_file()]
        if not found:
            raise InputError(f"{path} is a folder without {' or '.join(_LEAVINGS)}; name the file")
        path = found[0]
    content = read_bytes(path, "cells")
    for magic, what in _BINARY.items():
        if content.startswith(magic):
            raise InputError(f"{path} is {what}")
    text, notes = _decoded(content)
    if not text.strip():
        raise InputError(
            f"{path} is empty; it needs a line of column names and a row per measurement"
        )
    if text.lstrip()[0] in "{[":
        table, more = _of_json(text, path)
    else:
        table, more = read_separated(text, path, is_text)
    if table.empty:
        raise InputError(
            f"{path} has no rows; its columns are {', '.join(map(str, table.columns))}"
        )
    return table, [*notes, *more]


def _decoded(content: bytes) -> tuple[str, list[str]]:
    """Return the text of a file in whatever encoding, and which one where it is not UTF-8."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            # what is left of a file that was cut off is not worth a refusal
            return content.decode(encoding, errors="replace").removeprefix("\ufeff"), []
    head = content[:2000]
    if head.count(0) > len(head) // 4:  # every other byte of UTF-16 is null, without a mark too
        encoding = "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
        return content.decode(encoding, errors="replace"), [f"read as {encoding.upper()}"]
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), ["read as Windows-1252, as it is not UTF-8"]
    except UnicodeDecodeError:
        return content.decode("latin-1"), ["read as Latin-1, as it is not UTF-8"]


def _of_json(text: str, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return rows from JSON lines, or from one list or object."""
    notes: list[str] = []
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        # Not splitlines: a reason may hold other line separators, which JSON does not escape.
        data, broken = [], []
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                data += [json.loads(line)] if line.strip() else []
            except (ValueError, RecursionError):
                broken.append(number)
        if not data:
            raise InputError(
                f"{path} begins as JSON, and no line of it is; make it again"
            ) from None
        if broken:
            notes.append(f"{some_lines(broken)} no valid JSON: left out")
    rows = data if isinstance(data, list) else [data]
    mappings = [row for row in rows if isinstance(row, dict)]
    if not mappings:
        raise InputError(f"{path} has no JSON object with a row's values by their names")
    if len(mappings) < len(rows):
        notes.append(f"{len(rows) - len(mappings)} rows that are no JSON objects: left out")
    return pd.DataFrame([_flat(row) for row in mappings]), notes


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Put what is nested beside the rest, where no name is taken; lists are no values of a cell."""
    flat = {name: value for name, value in row.items() if not isinstance(value, dict | list)}
    for value in row.values():
        for name, inner in _flat(value).items() if isinstance(value, dict) else ():
            flat.setdefault(name, inner)
    return flat
