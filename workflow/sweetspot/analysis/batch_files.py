"""The files of the batch form's fits: written from cells, and read back."""

from pathlib import Path

import pandas as pd

from sweetspot.analysis.batch_across import ACROSS
from sweetspot.analysis.batch_form import MAX_NUM_TOKENS
from sweetspot.analysis.batch_spots import BATCH_SPOTS
from sweetspot.analysis.batch_tables import COEFFICIENTS, LOADS, QUALITY, BatchFit, batch_fit
from sweetspot.analysis.fit_files import read_written
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic

_COLUMNS = {
    "batch_coefficients": COEFFICIENTS,
    "batch_quality": QUALITY,
    "batch_loads": LOADS,
    "batch_spots": BATCH_SPOTS,
    "batch_across": ACROSS,
}


def write_batch_fits(
    cells: pd.DataFrame, out_dir: Path, *, max_num_tokens: float = MAX_NUM_TOKENS
) -> None:
    """Fit the batch form to cells and write its tables, one .csv each, empty where none fits.

    Raises:
        InputError: a row cannot be used, or the folder not written.
    """
    write_batch_tables(batch_fit(cells, max_num_tokens=max_num_tokens), out_dir)


def write_batch_tables(fit: BatchFit, out_dir: Path) -> None:
    """Write the tables of a fit, as `write_batch_fits` does.

    Raises:
        InputError: the folder cannot be written.
    """
    for name, table in zip(_COLUMNS, fit.tables.values(), strict=True):
        write_text_atomic(out_dir / f"{name}.csv", table.to_csv(index=False))


def read_batch_fits(folder: Path) -> BatchFit:
    """Read back what `write_batch_fits` wrote.

    Raises:
        InputError: a file is missing or is not such a table.
    """
    try:
        tables = [read_written(folder / f"{name}.csv") for name in _COLUMNS]
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read the batch form's fits in {folder}: {error}; analyse the cells again"
        ) from error
    for (name, columns), table in zip(_COLUMNS.items(), tables, strict=True):
        if list(table.columns) != columns:
            raise InputError(
                f"{folder / name}.csv has other columns than a fit writes; analyse the cells again"
            )
    return BatchFit({}, *tables)
