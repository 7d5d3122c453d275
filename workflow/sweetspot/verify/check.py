"""What was checked of a run, and where a file differs from what it is to be made of."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from sweetspot.errors import InputError, shown
from sweetspot.reading import read_bytes, read_text

ROUNDING = 1e-9
"""Relative; other versions of numpy and other processors differ by less in what is fitted."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold of a run.

    Attributes:
        what: in words.
        count: how many of `unit` were looked at.
        unit: such as "files".
        differences: what does not hold, a line each, beginning with the file or cell.
        note: what a reader should know of it; "" if nothing.
    """

    what: str
    count: int
    unit: str
    differences: tuple[str, ...] = ()
    note: str = ""


def read_rows(path: Path) -> list[list[str]]:
    """Return the rows of a .csv, its header first.

    Raises:
        InputError: it cannot be read.
    """
    text = read_text(path, "table")
    try:
        return list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise InputError(f"{path} is not a table: {error}") from error


def differing_values(
    name: str, there: Sequence[Sequence[str]], made: Sequence[Sequence[str]], *, exact: bool
) -> Iterator[str]:
    """Yield where the rows that are there differ from those that are made, header first in both.

    Args:
        name: what to call the file.
        there: its rows.
        made: what they are to be.
        exact: every character; else numbers may differ by `ROUNDING`.
    """
    header, wanted = (rows[0] if rows else () for rows in (there, made))
    if header != wanted:
        lacks = [column for column in wanted if column not in header]
        beyond = [column for column in header if column not in wanted]
        yield (
            f"{name}: has other columns than are made (lacks {', '.join(lacks) or 'none'}; beyond"
            f" them: {', '.join(beyond) or 'none'})"
        )
        return
    if len(there) != len(made):
        yield f"{name}: has {len(there) - 1} rows, not {len(made) - 1}"
    for row, made_row in zip(there[1:], made[1:], strict=False):
        for column, value, made_value in zip_longest(made[0], row, made_row, fillvalue=""):
            if value != made_value and (exact or not _close(value, made_value)):
                yield (
                    f"{name}: {column} of {made_row[0]} is {shown(value)}, not {shown(made_value)}"
                )


def differing_files(there: Path, made: Path, name: str) -> tuple[list[str], bool]:
    """Return where a file differs from what it is to be, and whether it does so by rounding only.

    Tables in .csv are compared number by number, other files line by line.
    """
    try:
        content, wanted = read_bytes(there, "file"), made.read_bytes()
        if content == wanted:
            return [], False
        if there.suffix == ".csv":
            found = list(differing_values(name, read_rows(there), read_rows(made), exact=False))
            return found, not found
        lines = (read_text(path, "file").splitlines() for path in (there, made))
    except InputError as error:
        return [f"{name}: {error}"], False
    for number, (line, made_line) in enumerate(zip_longest(*lines, fillvalue=""), start=1):
        if line != made_line:
            return [f"{name} line {number}: {shown(line)}, not {shown(made_line)}"], False
    return [f"{name}: other line ends"], False


def _close(value: str, other: str) -> bool:
    try:
        return math.isclose(float(value), float(other), rel_tol=ROUNDING)
    except ValueError:
        return False
