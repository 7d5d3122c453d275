"""Rows of somebody's CSV by our names of its columns, refused in one line where they are none."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sweetspot.errors import InputError, shown
from sweetspot.reading import read_text


def read_rows(
    path: Path, what: str, names: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line and its values, "" where a column or a value is missing.

    Args:
        path: the file.
        what: what it is to be, in words of a message.
        names: by our name, what the column may be called; upper and lower case are alike.
        optional: the same, of columns that need not be there.

    Raises:
        InputError: it cannot be read, or lacks a column.
    """
    table = csv.reader(io.StringIO(read_text(path, what)))
    try:
        header = [name.strip().lower() for name in next(table, [])]
        places = {
            ours: next((header.index(name) for name in theirs if name in header), None)
            for ours, theirs in {**names, **optional}.items()
        }
        lacking = [name for name in names if places[name] is None]
        if lacking:
            raise InputError(
                f"{what} {path} lacks the column {lacking[0]} (or"
                f" {', '.join(names[lacking[0]][1:]) or 'none else'}); it has"
                f" {shown(', '.join(header))}"
            )
        for row in table:
            if any(row):
                yield (
                    table.line_num,
                    {
                        name: row[place].strip() if place is not None and place < len(row) else ""
                        for name, place in places.items()
                    },
                )
    except csv.Error as error:
        raise InputError(f"{what} {path} line {table.line_num}: {error}") from error
