"""Somebody's table of measurements as a DataFrame: .csv as spreadsheets write it, or JSON.

What is read here has the names and the texts of the file; what they mean is said in `columns`.
"""

import codecs
import csv
import io
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

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
_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
_NUMBER = re.compile(r"\s*[-+]?\d+\s*")
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+(?:[eE][-+]?\d+)?\s*")


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
        table, more = _of_lines(text, path, is_text)
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
            notes.append(f"{_lines(broken)} no valid JSON: left out")
    rows = data if isinstance(data, list) else [data]
    mappings = [row for row in rows if isinstance(row, dict)]
    if not mappings:
        raise InputError(f"{path} has no JSON object with a row's values by their names")
    if len(mappings) < len(rows):
        notes.append(f"{len(rows) - len(mappings)} rows that are no JSON objects: left out")
    return pd.DataFrame([_flat(row) for row in mappings]), notes


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is nested, as the provenance of a record: no cell of a table holds it."""
    return {name: value for name, value in row.items() if not isinstance(value, dict | list)}


def _of_lines(
    text: str, path: Path, is_text: Callable[[str], bool]
) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of separated values."""
    notes: list[str] = []
    said = re.match(r"\s*sep=(.)\r?\n", text)  # what Excel writes for itself
    if said:
        text = text[said.end() :]
    while text.lstrip().startswith("#"):  # comments above the names
        text = text.lstrip().partition("\n")[2]
    sample = text.lstrip("\r\n").splitlines()[:_SAMPLE_LINES]
    delimiter = said[1] if said else _delimiter(sample)
    rows = [row for row in csv.reader(sample, delimiter=delimiter, skipinitialspace=True) if row]
    if not rows:
        raise InputError(f"{path} holds comments only; it needs a line of column names")
    names = [name.strip() for name in rows[0]]
    _check_header(names, rows[1:], delimiter, path)
    comma = delimiter != "," and any(_DECIMAL_COMMA.fullmatch(v) for row in rows[1:] for v in row)
    if delimiter != ",":
        notes.append(
            f"columns are separated by {'tabs' if delimiter == chr(9) else repr(delimiter)}"
            f"{', decimals by commas' if comma else ''}"
        )
    try:
        with warnings.catch_warnings(record=True) as said_by_pandas:
            warnings.simplefilter("always")
            table = pd.read_csv(
                io.StringIO(text),
                sep=delimiter,
                skipinitialspace=True,
                decimal="," if comma else ".",
                # a row that ends with a separator has no more values than there are names
                index_col=False,
                dtype={column: str for column in rows[0] if is_text(column.strip())},
                keep_default_na=False,
                na_values=[""],
                on_bad_lines="warn",
                low_memory=False,
            )
    except (ValueError, OverflowError) as error:  # what pandas raises of tables is one, too
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a table ({reason}); save it as CSV again") from error
    bad = [int(n) for w in said_by_pandas for n in re.findall(r"line (\d+)", str(w.message))]
    if bad:
        notes.append(f"{_lines(bad)} more values than there are columns: left out")
    table = table.dropna(how="all").rename(columns=lambda name: str(name).strip())
    if comma:
        for column, kind in table.dtypes.items():
            if not is_text(str(column)) and not pd.api.types.is_numeric_dtype(kind):
                table[column] = table[column].map(_with_point, na_action="ignore")
    return table, notes


def _with_point(value: Any) -> Any:
    """Return a number with a decimal comma, that pandas left as it is, with a decimal point."""
    if isinstance(value, str) and re.match(r"\s*[-+]?(\d{1,3}(\.\d{3})+|\d+),\d", value):
        return value.replace(".", "").replace(",", ".")
    return value


def _delimiter(sample: list[str]) -> str:
    """Return what separates the columns: what the first line has most of, outside of quotes."""
    header = re.sub(r'"[^"]*"', "", sample[0]) if sample else ""
    return max(_DELIMITERS, key=header.count)


def _check_header(names: list[str], rows: list[list[str]], delimiter: str, path: Path) -> None:
    """Refuse what pandas would read as something else than it is.

    Raises:
        InputError: the first line holds no names, or all rows have more values than it has names.
    """
    if all(_NUMBER.fullmatch(name) or _is_float(name) for name in names if name):
        raise InputError(
            f"{path} begins with numbers ({', '.join(names[:6])}); put a line of column names first"
        )
    widths = {len(row) - (row[-1].strip() == "") for row in rows}
    if rows and min(widths) > len(names):
        comma = "; are its decimals commas? save it with semicolons or points" * (delimiter == ",")
        raise InputError(
            f"{path} has {len(names)} column names and {min(widths)} values in each row{comma}"
        )


def _is_float(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _lines(numbers: list[int]) -> str:
    some = ", ".join(map(str, numbers[:5])) + ", ..." * (len(numbers) > 5)
    if len(numbers) == 1:
        return f"line {some} has"
    return f"{len(numbers)} lines ({some}) have"
