"""Reading measured or simulated cells: cells.csv of a run, or the records of a campaign."""

import io
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pandas as pd

from sweetspot.cells.cell import Status
from sweetspot.errors import InputError
from sweetspot.reading import as_mapping, parse_json, read_bytes, read_text

if TYPE_CHECKING:
    BoolSeries = pd.Series[bool]
    FloatSeries = pd.Series[float]

COUNTS = ("requests", "max_batch_size", "input_tokens", "output_tokens")
TEXTS = ("model", "engine", "gpu", "status")
OPTIONAL_TEXTS = (
    *("cell", "reason", "remarks", "energy_source"),
    *("calibration", "calibration_level", "calibration_seen"),
    *("interval_rests_on", "throughput_interval_rests_on", "host_energy_scope"),
)

_EXACT = 2**53
"""From here on floating-point numbers no longer count in ones."""


class LacksColumnsError(InputError):
    """A table is none of a run: it lacks columns that every one has."""


def read_cells(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read cells: one row per cell, failed and invalid ones too.

    Columns are those of docs/cells.md. Numbers that a cell does not have are NaN, texts that it
    does not have are empty; `simulated` is of booleans.

    Args:
        path: a cells.csv, or records of a campaign, one a line, in a file that ends in `.jsonl`.

    Raises:
        InputError: the file cannot be read, lacks a column, or a row has no model, engine or GPU,
            a status that there is not, or does not say whether it is simulated.
    """
    path = Path(path)
    cells = _records(path) if path.suffix == ".jsonl" else _table(path)
    require_columns(cells, (*TEXTS, "simulated", *COUNTS), str(path))
    # pandas takes a column without a value for one of numbers
    cells = cells.assign(
        **{
            name: cells[name].astype(object).fillna("").astype(str)
            for name in (*TEXTS, *OPTIONAL_TEXTS)
            if name in cells
        }
    )
    for name in TEXTS:
        _refuse(cells, cells[name] == "", name, str(path), "must be a name")
    known = get_args(Status)
    _refuse(cells, ~cells["status"].isin(known), "status", str(path), f"must be {_or(known)}")
    return cells.assign(simulated=booleans(cells, "simulated", str(path)))


def require_columns(cells: pd.DataFrame, names: Iterable[str], where: str) -> None:
    """Check that a table of cells has its columns.

    Raises:
        LacksColumnsError: it lacks some.
    """
    missing = [name for name in names if name not in cells]
    if missing:
        raise LacksColumnsError(
            f"{where} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}"
        )


def positive(cells: pd.DataFrame, name: str, where: str) -> "FloatSeries":
    """Return a column of numbers that are to be positive and finite, and whole where they count.

    Raises:
        InputError: one is not; the message names its cell.
    """
    numbers = pd.to_numeric(cells[name], errors="coerce").astype(float)
    counts = name in COUNTS
    bad = ~((numbers > 0) & (numbers < (_EXACT if counts else math.inf)))
    bad |= counts & (numbers != numbers.round())
    wanted = f"must be a positive {'integer' if counts else 'number'} in a row with status ok"
    _refuse(cells, bad, name, where, wanted, "; measure the cell again or mark it failed")
    return numbers


def booleans(cells: pd.DataFrame, name: str, where: str) -> "BoolSeries":
    """Return a column of True and False.

    Raises:
        InputError: something else is in it; the message names its cell.
    """
    if pd.api.types.is_bool_dtype(cells[name]):
        return cells[name].astype(bool)
    text = cells[name].astype(str).str.lower()
    _refuse(cells, ~text.isin(["true", "false"]), name, where, "must be True or False")
    return text == "true"


def _table(path: Path) -> pd.DataFrame:
    content = io.BytesIO(read_bytes(path, "cells"))
    texts = dict.fromkeys((*TEXTS, "cell"), str)  # a model may be called 7, or null
    try:
        return pd.read_csv(content, keep_default_na=False, na_values=[""], dtype=texts)
    except ValueError as error:  # what pandas raises of tables is one, too
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a table of cells ({reason}); make it again") from error


def _records(path: Path) -> pd.DataFrame:
    # Not splitlines: a reason may hold other line separators, which JSON does not escape.
    lines = read_text(path, "cells").removesuffix("\n").split("\n")
    where = [f"{path} line {number}" for number in range(1, len(lines) + 1)]
    return pd.DataFrame(
        [as_mapping(parse_json(*each), each[1]) for each in zip(lines, where, strict=True)]
    )


def _refuse(
    cells: pd.DataFrame,
    bad: "BoolSeries",
    name: str,
    where: str,
    wanted: str,
    advice: str = "",
) -> None:
    if not bad.any():
        return
    row = cells[bad].iloc[0]
    place = f"cell {row['cell']}" if row.get("cell") else f"row {cells.index[bad][0] + 1}"
    met = row[name] if row[name] != "" else "empty"
    raise InputError(f"{where}, {place}: {name} {wanted}, not {met}{advice}")


def _or(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"
