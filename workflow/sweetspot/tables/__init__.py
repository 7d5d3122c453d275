"""The paper's tables from this run's cells: one function each, and one way to write them.

`make_table` has them by the name of their files, from the files of a run.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sweetspot.analysis.comparison import COLUMNS
from sweetspot.analysis.fits import read_fits, read_written
from sweetspot.analysis.sweet_spots import EXTREMES, SWEET_SPOTS
from sweetspot.errors import InputError, unknown_name
from sweetspot.outputs import TABLE_OF_MODELS, TABLES_OF_FITS
from sweetspot.tables.comparison_table import comparison_table
from sweetspot.tables.fit_tables import table3, table4, table5
from sweetspot.tables.model_table import TableModel, table2, table_models
from sweetspot.tables.table import Column, Table, write_table

__all__ = [
    "Column",
    "Table",
    "TableModel",
    "comparison_table",
    "make_table",
    "table2",
    "table3",
    "table4",
    "table5",
    "table_models",
    "write_table",
]


def make_table(
    name: str, models: Sequence[TableModel], fits: Path | None, comparison: Path | None
) -> Table:
    """Return a table; `fits` is the folder that `sweetspot fit` wrote, `comparison` its csv.

    Raises:
        InputError: there is no such table, or it needs a file that was not given or is unreadable.
    """
    if name == TABLE_OF_MODELS:
        return table2(models)
    if name not in TABLES_OF_FITS:
        raise unknown_name("table", name, (TABLE_OF_MODELS, *TABLES_OF_FITS))
    if name == "comparison":
        if comparison is None:
            raise InputError("table comparison needs --comparison comparison.csv")
        return comparison_table(_read(comparison, COLUMNS))
    if fits is None:
        raise InputError(f"table {name} needs --fits, the folder that `sweetspot fit` wrote")
    found = read_fits(fits)
    if name == "table3_mape":
        return table3(found, models)
    if name == "table4_significance":
        return table4(found)
    spots = _read(fits / "sweet_spots.csv", SWEET_SPOTS)
    return table5(found, spots, _read(fits / "extremes.csv", EXTREMES), models)


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        table = read_written(path)
    except (OSError, ValueError) as e:
        raise InputError(f"cannot read {path}: {e}; delete it and make it again") from e
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}; delete it and make it again")
    return table
