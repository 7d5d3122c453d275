"""The paper's tables from this run's cells: one function each, and one way to write them.

`make_tables` has them by the names of their files, from the files of a run.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from sweetspot.analysis.batch_files import read_batch_fits
from sweetspot.analysis.batch_tables import BatchFit
from sweetspot.analysis.comparison import COLUMNS
from sweetspot.analysis.fit_files import read_fits, read_written
from sweetspot.analysis.fits import Fits
from sweetspot.analysis.sweet_spots import EXTREMES, SWEET_SPOTS
from sweetspot.catalog import load_model
from sweetspot.errors import InputError, unknown_name
from sweetspot.outputs import (
    TABLE_OF_FORMS,
    TABLE_OF_MODELS,
    TABLES_OF_BATCH,
    TABLES_OF_FITS,
)
from sweetspot.tables.batch_table import batch_coefficients, batch_loads
from sweetspot.tables.comparison_table import comparison_table
from sweetspot.tables.fit_tables import table3, table4, table5
from sweetspot.tables.form_table import table1
from sweetspot.tables.model_table import TableModel, table2, table_models
from sweetspot.tables.table import Column, Table, write_table

__all__ = [
    "Column",
    "Table",
    "TableModel",
    "comparison_table",
    "fit_table",
    "make_table",
    "make_tables",
    "table1",
    "table2",
    "table3",
    "table4",
    "table5",
    "table_models",
    "table_of_batch",
    "write_table",
]


def make_table(
    name: str,
    *,
    models: Sequence[str] = (),
    fits: Path | None = None,
    comparison: Path | None = None,
) -> Table:
    """Return a table; `fits` is the folder that `sweetspot analyse` wrote, `comparison` its csv.

    `models` are those of Table 2, as `load_model` takes them. The tables of fits are of these
    models only, called as their cells call them; of all where none is named.

    Raises:
        InputError: there is no such table or model, or the table needs what was not given or is
            unreadable.
    """
    return _made(name, models, _Fitted(fits) if fits else None, comparison)


def make_tables(
    names: Iterable[str],
    *,
    models: Sequence[str] = (),
    fits: Path | None = None,
    comparison: Path | None = None,
) -> Iterator[tuple[str, Table]]:
    """Yield the tables of a run with their names; what was fitted is read once for all of them.

    `models` are those of Table 2; what else there is, is of all models.

    Raises:
        InputError: as `make_table`.
    """
    fitted = _Fitted(fits) if fits else None
    for name in names:
        of = models if name == TABLE_OF_MODELS else ()
        yield name, _made(name, of, fitted, comparison)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """What the analysis of a run left, each file read when a table first needs it."""

    folder: Path

    @cached_property
    def fits(self) -> Fits:
        return read_fits(self.folder)

    @cached_property
    def sweet_spots(self) -> pd.DataFrame:
        return _read(self.folder / "sweet_spots.csv", SWEET_SPOTS)

    @cached_property
    def extremes(self) -> pd.DataFrame:
        return _read(self.folder / "extremes.csv", EXTREMES)

    @cached_property
    def batch(self) -> BatchFit:
        return read_batch_fits(self.folder)


def _made(
    name: str, models: Sequence[str], fitted: _Fitted | None, comparison: Path | None
) -> Table:
    if name == TABLE_OF_FORMS:
        return table1()
    if name == TABLE_OF_MODELS:
        if not models:
            raise InputError(f"table {name} needs --models, such as llama-3.1-8b or a config.json")
        return table2(table_models([load_model(model) for model in models]))
    of_fits = (*TABLES_OF_FITS, *TABLES_OF_BATCH)
    if name not in of_fits:
        raise unknown_name("table", name, (TABLE_OF_FORMS, TABLE_OF_MODELS, *of_fits))
    if name == "comparison":
        if comparison is None:
            raise InputError("table comparison needs --comparison comparison.csv")
        return comparison_table(_read(comparison, COLUMNS))
    if fitted is None:
        raise InputError(
            f"table {name} needs --fits, the folder that `sweetspot analyse` wrote, or your"
            f" measurements: sweetspot table {name} FILE"
        )
    if name in TABLES_OF_BATCH:
        return table_of_batch(name, fitted.batch)
    return fit_table(name, fitted.fits, fitted.sweet_spots, fitted.extremes, models=models)


def table_of_batch(name: str, fits: BatchFit) -> Table:
    """Return one of the tables of the batch form."""
    return (batch_coefficients if name == "batch_coefficients" else batch_loads)(fits)


def fit_table(
    name: str,
    fits: Fits,
    sweet_spots: pd.DataFrame,
    extremes: pd.DataFrame,
    *,
    models: Sequence[str] = (),
) -> Table:
    """Return one of Tables 3 to 5, of these models or of all.

    Raises:
        InputError: a model was not fitted.
    """
    for model in models:
        if model not in set(fits.quality["model"]):
            raise unknown_name("model of the fits", model, fits.quality["model"].unique())
    if models:
        fits = Fits(_of(fits.coefficients, models), _of(fits.quality, models))
    if name == "table3_mape":
        return table3(fits)
    if name == "table4_significance":
        return table4(fits)
    return table5(fits, sweet_spots, extremes)


def _of(frame: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    return frame[frame["model"].isin(list(models))]


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        table = read_written(path)
    except (OSError, ValueError) as e:
        raise InputError(f"cannot read {path}: {e}; delete it and make it again") from e
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}; delete it and make it again")
    return table
