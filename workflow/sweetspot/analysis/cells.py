"""Reading cells.csv, and which of its rows a fit may use."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sweetspot.errors import InputError

GROUP = ["model", "requests", "max_batch_size"]
"""Cells that differ in nothing but their lengths (and repeat) are fitted together."""

_POSITIVE = ["requests", "max_batch_size", "input_tokens", "output_tokens", "energy_per_token_j"]
_TEXT = ["cell", "model", "engine", "gpu", "status"]
_OPTIONAL_TEXT = ["reason", "remarks", "energy_source"]
_OPTIONAL_TEXT += ["calibration", "calibration_level", "calibration_seen"]
_REQUIRED = [*_TEXT, "simulated", *_POSITIVE]


def read_cells(path: Path) -> pd.DataFrame:
    """Read a cells.csv.

    Raises:
        InputError: the file is missing, is not a table, or lacks a column.
    """
    try:
        cells = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, pd.errors.ParserError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a table of cells ({reason}); make it again") from error
    _require_columns(cells, str(path))
    # pandas takes a column without a value for one of numbers
    texts = {
        name: cells[name].astype(object).fillna("").astype(str)
        for name in _OPTIONAL_TEXT
        if name in cells
    }
    return cells.assign(**texts)


def ok_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with status "ok", after checking that their numbers are usable.

    Raises:
        InputError: a column is missing; an "ok" row has a number that is not positive and finite;
            or one group mixes engines, GPUs, or simulated and measured rows.
    """
    _require_columns(cells, "the table of cells")
    ok = cells[cells["status"] == "ok"].copy()
    for column in _POSITIVE:
        numbers = pd.to_numeric(ok[column], errors="coerce").astype(float)
        bad = ok[~(np.isfinite(numbers) & (numbers > 0))]
        if len(bad):
            raise InputError(
                f"cell {bad['cell'].iloc[0]}: {column} is {bad[column].iloc[0]}, and must be a "
                "positive number in a row with status ok; measure the cell again or mark it failed"
            )
        ok[column] = numbers if column == "energy_per_token_j" else numbers.astype("int64")
    ok["simulated"] = _booleans(ok)
    for column in ("simulated", "engine", "gpu"):
        for group, rows in groups(ok, GROUP):
            values = rows[column].unique()
            if len(values) > 1:
                raise InputError(
                    f"{group_title(group)} mixes cells with {column} "
                    f"{' and '.join(map(str, values))}; put them into separate tables"
                )
    return ok


def groups(frame: pd.DataFrame, by: list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Return each group's key (a tuple of the `by` columns) and rows, in order of appearance."""
    return iter(frame.groupby(by, sort=False))


def group_title(group: tuple[str, int, int]) -> str:
    """Return how messages name a (model, requests, max_batch_size) group."""
    model, requests, max_batch_size = group
    return f"{model} (N={requests}, max_batch_size {max_batch_size})"


def mean_over_repeats(ok: pd.DataFrame) -> pd.DataFrame:
    """Return one row per (group, I, O): the mean energy_per_token_j of its repeats."""
    keys = [*GROUP, "input_tokens", "output_tokens"]
    return ok.groupby(keys, sort=False, as_index=False).agg(
        energy_per_token_j=("energy_per_token_j", "mean"), simulated=("simulated", "first")
    )


def _booleans(ok: pd.DataFrame) -> "pd.Series[bool]":
    text = ok["simulated"].astype(str).str.lower()
    unknown = ok[~text.isin(["true", "false"])]
    if len(unknown):
        raise InputError(
            f"cell {unknown['cell'].iloc[0]}: simulated is {unknown['simulated'].iloc[0]}, "
            "and must be True or False"
        )
    return text == "true"


def _require_columns(cells: pd.DataFrame, where: str) -> None:
    missing = [column for column in _REQUIRED if column not in cells.columns]
    if missing:
        raise InputError(f"{where} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
