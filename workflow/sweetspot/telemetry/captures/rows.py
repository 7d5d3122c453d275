"""Rows of somebody's table by our names of its columns, refused in one line where they are none."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sweetspot.errors import InputError, shown
from sweetspot.logs.rows import LogFile


def read_rows(
    path: Path, what: str, names: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield where each line is, in words, and its values, "" where a column or a value is missing.

    Args:
        path: a file of any kind that logs have, too: commas, semicolons or tabs, JSON lines, gzip.
        what: what it is to be, in words of a message.
        names: by our name, what the column may be called; upper and lower case are alike.
        optional: the same, of columns that need not be there.

    Raises:
        InputError: it cannot be read, or lacks a column.
    """
    file = LogFile(path, what)
    try:
        theirs = {name.lower(): name for name in reversed(file.names)}  # of two alike the first
        columns = {
            ours: next((theirs[name] for name in known if name in theirs), None)
            for ours, known in {**names, **optional}.items()
        }
        lacking = [name for name in names if columns[name] is None]
        if lacking:
            raise InputError(
                f"{what} {path} lacks the column {lacking[0]} (or"
                f" {', '.join(names[lacking[0]][1:]) or 'none else'}); it has"
                f" {shown(', '.join(file.names))}"
            )
        for values in file.rows(list(columns.values())):
            texts = ("" if value is None else str(value).strip() for value in values)
            row = dict(zip(columns, texts, strict=True))
            if any(row.values()):
                yield file.where, row
    finally:
        file.close()
