"""Tables of separated values as people and spreadsheets write them.

Above the names may stand a title, comments, or Excel's "sep=;"; below them a row of units. What
separates columns and decimals is seen from the first rows.
"""

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sweetspot.cells.units import take_apart
from sweetspot.errors import InputError
from sweetspot.words import counted

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_BLANKS = r"\s+"
_SAMPLE_LINES = 60
AGAIN = r"\.\d+$"
"""What ends the name of a column whose name stood before, as pandas itself has it."""

_NUMBER = re.compile(r"[-+]?(\d[\d.,]*|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)
_COMMA, _POINT = re.compile(r"[-+]?\d+,\d+\D*"), re.compile(r"[-+]?\d+\.\d+\D*")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}([.,'\s]\d{3})+")


class _Layout(NamedTuple):
    """How a file is laid out.

    Attributes:
        skipped: lines up to the end of the names and their units.
        comma: whether decimals have a comma.
        said: the above in sentences, where it is not as in any CSV.
    """

    delimiter: str
    names: list[str]
    skipped: int
    comma: bool
    said: list[str]


def read_separated(
    text: str, path: Path, is_text: Callable[[str], bool]
) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of separated values, and how it was read in sentences.

    Raises:
        InputError: it is no table, has no names, or has more values in all rows than names.
    """
    if "\n" not in text:
        text = text.replace("\r", "\n")
    layout = _layout(text, path)
    names = io.StringIO()
    blank = layout.delimiter == _BLANKS
    csv.writer(names, delimiter=" " if blank else layout.delimiter).writerow(layout.names)
    parts = text.split("\n", layout.skipped)
    body = parts[-1] if len(parts) > layout.skipped else ""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            table = pd.read_csv(
                io.StringIO(names.getvalue() + body),
                sep=layout.delimiter,
                skipinitialspace=True,
                decimal="," if layout.comma else ".",
                # a row that ends with a separator has no more values than there are names
                index_col=False,
                dtype={name: str for name in layout.names if is_text(name)},
                keep_default_na=False,
                na_values=[""],
                on_bad_lines="warn",
                low_memory=False,
            )
    except (ValueError, OverflowError) as error:  # what pandas raises of tables is one, too
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a table ({reason}); save it as CSV again") from error
    said = layout.said
    bad = [int(n) for each in caught for n in re.findall(r"line (\d+)", str(each.message))]
    if bad:
        lines = [number - 1 + layout.skipped for number in bad]
        said = [*said, f"{some_lines(lines)} more values than there are columns: left out"]
    table = table.dropna(how="all").rename(columns=str)
    if layout.comma:
        for column, kind in table.dtypes.items():
            if not is_text(str(column)) and not pd.api.types.is_numeric_dtype(kind):
                table[column] = table[column].map(_with_point, na_action="ignore")
    return table, said


def some_lines(numbers: list[int]) -> str:
    """Return which lines something is said of."""
    some = ", ".join(map(str, numbers[:5])) + ", ..." * (len(numbers) > 5)
    return f"line {some} has" if len(numbers) == 1 else f"{len(numbers)} lines ({some}) have"


def _layout(text: str, path: Path) -> _Layout:
    """Look at the first rows.

    Raises:
        InputError: as of `read_separated`.
    """
    given = re.match(r"\s*sep=(.)\s*$", text.partition("\n")[0])  # what Excel writes for itself
    sample = [f"{line}\n" for line in text.split("\n", _SAMPLE_LINES)[:_SAMPLE_LINES]]
    by_delimiter = {
        delimiter: _rows(sample[bool(given) :], delimiter, path)
        for delimiter in ([given[1]] if given else _DELIMITERS)
    }
    delimiter = max(by_delimiter, key=lambda each: _usual_width(by_delimiter[each]))
    rows = by_delimiter[delimiter]
    if _usual_width(rows) == 1 and not given:
        delimiter = _BLANKS
        rows = [(number, values[0].split()) for number, values in rows]
    width = _usual_width(rows)
    first = next(place for place, (_, values) in enumerate(rows) if 2 * len(values) > width)
    line, names = rows[first]
    values = [values for _, values in rows[first + 1 :]]
    said = [] if delimiter in (",", *([given[1]] if given else ())) else _separated(delimiter)
    if first:
        said.append(f"{counted(first, 'line')} above the column names: passed over")
    _check(names, values, delimiter, path)
    if values and _are_units(values[0]):
        names = _with_units(names, values[0])
        line, values = rows[first + 1][0], values[1:]
        said.append("the first row has the units")
    comma = delimiter != "," and _has_decimal_commas(values)
    if comma:
        said.append("decimals have a comma")
    return _Layout(delimiter, _unique(names), line + bool(given), comma, said)


def _rows(lines: list[str], delimiter: str, path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows that are no comments, each with the number of the line that it ends on."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        rows = [
            (reader.line_num, [" ".join(value.split()) for value in row])
            for row in reader
            if any(value.strip() for value in row) and not row[0].startswith("#")
        ]
    except csv.Error as error:
        raise InputError(f"{path} is not a table ({error}); save it as CSV again") from error
    if not rows:
        raise InputError(f"{path} holds comments only; it needs a line of column names")
    return rows


def _usual_width(rows: list[tuple[int, list[str]]]) -> int:
    widths = Counter(len(values) for _, values in rows)
    return max(widths, key=lambda width: (widths[width], width))


def _separated(delimiter: str) -> list[str]:
    return [f"columns are separated by {_DELIMITERS.get(delimiter, 'blanks')}"]


def _check(names: list[str], rows: list[list[str]], delimiter: str, path: Path) -> None:
    """Refuse what pandas would read as something else than it is.

    Raises:
        InputError: the first line holds no names, or all rows have more values than it has names.
    """
    if all(_NUMBER.fullmatch(name) for name in names if name):
        raise InputError(
            f"{path} begins with numbers ({', '.join(names[:6])}); put a line of column names first"
        )
    widths = {len(row) - (row[-1] == "") for row in rows}
    if rows and min(widths) > len(names):
        comma = "; are its decimals commas? save it with semicolons or points" * (delimiter == ",")
        raise InputError(
            f"{path} has {len(names)} column names and {min(widths)} values in each row{comma}"
        )


def _are_units(row: list[str]) -> bool:
    """Whether a row below the names holds their units, and no value."""
    return not any(map(_NUMBER.fullmatch, row)) and any(_is_unit(text) for text in row)


def _is_unit(text: str) -> bool:
    name = take_apart(text)
    return not name.words and name.measure is not None


def _with_units(names: list[str], units: list[str]) -> list[str]:
    """Put units behind the names that have none themselves."""
    units += [""] * (len(names) - len(units))
    return [
        f"{name} [{unit}]" if _is_unit(unit) and take_apart(name).measure is None else name
        for name, unit in zip(names, units, strict=False)
    ]


def _has_decimal_commas(rows: list[list[str]]) -> bool:
    """Whether more numbers have a decimal comma than a point; 1,024 and 1.024 may be thousands."""
    clear = [text for row in rows for text in row if not _THOUSANDS.fullmatch(text)]
    commas, points = (sum(bool(each.fullmatch(t)) for t in clear) for each in (_COMMA, _POINT))
    return commas > points


def _with_point(value: Any) -> Any:
    """Return a number with a decimal comma, that pandas left as it is, with a decimal point."""
    if not isinstance(value, str):
        return value
    if re.match(r"\s*[-+]?(\d{1,3}(\.\d{3})+|\d+),\d", value):
        return value.replace(".", "").replace(",", ".")
    return value.replace(".", "") if _THOUSANDS.fullmatch(value.strip()) else value


def _unique(names: list[str]) -> list[str]:
    """Return names that pandas leaves as they are: none twice, none empty."""
    seen: Counter[str] = Counter()
    unique = []
    for place, given in enumerate(names):
        name = given or f"column {place + 1}"
        unique.append(f"{name}.{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return unique
