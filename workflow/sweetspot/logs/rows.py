"""Rows of others' files, line by line: CSV with a header or JSON lines, packed, in flat memory."""

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweetspot.errors import InputError, shown

QUOTED = 80
"""Characters of a bad line that are shown."""

_MOST_LINE = 2**24
_MOST_DEPTH = 8
_DELIMITERS = ",;\t"


class LogFile:
    """A file of requests, or of what else happened, each with the same columns.

    Attributes:
        what: it is to be, as messages name it.
        names: of its columns; in JSON the path of keys to each value, `usage.prompt_tokens`, as the
            first object has them.
        where: file and line that was read last, as messages name it.
    """

    def __init__(self, path: Path, what: str = "log") -> None:
        """Read the header, or the first object.

        Raises:
            InputError: the file cannot be read, or is empty.
        """
        self.path, self.what = path, what
        self._number = 0
        self._text = ""
        try:
            self._raw = path.open("rb")
        except (OSError, ValueError) as e:  # ValueError: a path with a null byte
            raise self._unreadable(getattr(e, "strerror", None) or e) from e
        self._size = os.fstat(self._raw.fileno()).st_size
        stream = gzip.GzipFile(fileobj=self._raw) if path.suffix == ".gz" else self._raw
        self._file = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        try:
            with self._readable():
                self._begin()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file, also one that was not read to its end."""
        self._file.close()
        self._raw.close()

    @property
    def share(self) -> float | None:
        """How much of the file has been read, 0 to 1; None of a pipe."""
        return self._raw.tell() / self._size if self._size and not self._raw.closed else None

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.path}, line {self._number}"

    def refusal(self, why: str) -> InputError:
        """Return the error for the line that was read last, with its beginning."""
        text = self._text.strip()
        quoted = f"{text[:QUOTED]!r}{'...' * (len(text) > QUOTED)}"
        return InputError(f"{self.where}: {why}; it reads {quoted}")

    def rows(self, columns: Sequence[str | None]) -> Iterator[list[Any]]:
        """Yield the values of these columns, line by line; None where a line has none.

        The file is closed after the last.

        Raises:
            InputError: the file cannot be read, or has a line that is none of its kind.
        """
        with self._readable():
            yield from self._objects(columns) if self._first else self._table(columns)
        self.close()

    def _begin(self) -> None:
        lines = self._lines()
        head = next((line for line in lines if line.strip()), "")
        if head.lstrip().startswith("["):
            raise self.refusal("a list in JSON; write an object a line, as `jq -c '.[]'` does")
        self._first: dict[str, Any] = self._object() if head.lstrip().startswith("{") else {}
        self._delimiter = max(_DELIMITERS, key=head.count)
        if self._first:
            self.names = [".".join(keys) for keys in _paths(self._first)]
            return
        header = next(csv.reader([head], delimiter=self._delimiter), None)
        if not header:
            raise InputError(
                f"{self.what} {self.path} is empty; it needs a header and lines of values"
            )
        self.names = [name.strip() for name in header]

    def _table(self, columns: Sequence[str | None]) -> Iterator[list[Any]]:
        places = [None if each is None else self.names.index(each) for each in columns]
        width = len(self.names)
        for row in csv.reader(self._lines(), delimiter=self._delimiter):
            if not row:
                continue
            if len(row) > width and any(row[width:]):  # as of "0,5" for half a second
                raise self.refusal(
                    f"{len(row)} columns, but {width} in the header; decimals need a point, not a"
                    " comma"
                )
            yield [None if at is None or at >= len(row) else row[at] for at in places]

    def _objects(self, columns: Sequence[str | None]) -> Iterator[list[Any]]:
        paths = {".".join(each): each for each in _paths(self._first)}
        keys = [None if each is None else paths[each] for each in columns]
        yield [_value(self._first, path) for path in keys]
        for line in self._lines():
            if line.strip():
                found = self._object()
                yield [_value(found, path) for path in keys]

    def _object(self) -> dict[str, Any]:
        try:
            found = json.loads(self._text)
        except (ValueError, RecursionError) as e:
            raise self.refusal("not valid JSON") from e
        if not isinstance(found, dict) or not found:
            raise self.refusal("not a JSON object")
        return found

    def _lines(self) -> Iterator[str]:
        """Yield the lines; none may be long enough to fill the memory."""
        while line := self._file.readline(_MOST_LINE):
            self._number += 1
            self._text = line
            if len(line) == _MOST_LINE:
                raise self.refusal(f"more than {_MOST_LINE} characters")
            yield line

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Word what goes wrong with the file: without the line, as it is decoded further."""
        try:
            yield
        except (csv.Error, UnicodeDecodeError, OSError, EOFError, zlib.error) as e:
            raise self._unreadable(e) from e

    def _unreadable(self, why: object) -> InputError:
        return InputError(f"cannot read {self.what} {self.path}: {why}")


def _paths(found: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of keys to each value that is no mapping, the outer ones first."""
    inner = []
    for key, value in found.items():
        if isinstance(value, dict) and len(above) < _MOST_DEPTH:
            inner.append((key, value))
        else:
            yield (*above, key)
    for key, value in inner:
        yield from _paths(value, (*above, key))


def _value(found: Any, path: Sequence[str] | None) -> Any:
    """Return what lies at a path of keys; None where nothing does."""
    for key in path or ():
        found = found.get(key) if isinstance(found, dict) else None
    return None if path is None else found


def shown_value(value: Any) -> str:
    """Return a value of a line as messages show it."""
    return shown(value)[:QUOTED]


def whole(value: Any) -> int | None:
    """Return a count of tokens; None for what is none, such as 1.5 or true."""
    if type(value) is int:
        return value
    try:
        if type(value) is str:
            return int(value)
    except ValueError:
        pass
    try:
        number = float(value) if type(value) in (str, float) else 0.5
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
