"""The files of the fits: written from a cells.csv, and read back."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sweetspot.analysis.fits import COEFFICIENTS, QUALITY, Fits, fit_forms
from sweetspot.analysis.sweet_spots import extremes, sweet_spots
from sweetspot.cells.read import read_cells
from sweetspot.config import FitWeights
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic

# Columns of texts, of all tables that the analysis writes
_TEXTS = (
    *("model", "form", "weights", "term", "stars", "hc3_stars", "worst_cell"),
    *("interval", "status", "reason", "meaning", "kv_cache_from"),
    *("where", "quantity", "condition", "unit", "evidence", "engine", "gpu", "calibration"),
    *("claim", "holds", "note", "cliffs"),
)


def read_fits(folder: Path) -> Fits:
    """Read back the tables of what `write_fits` wrote; their `of_form` is empty.

    Raises:
        InputError: a file is missing or is not a table.
    """
    try:
        coefficients = _read(folder / "coefficients.csv", COEFFICIENTS)
        quality = _read(folder / "quality.csv", QUALITY)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read the fits in {folder}: {error}; delete the folder and fit again"
        ) from error
    return Fits(coefficients, quality)


def read_written(path: Path) -> pd.DataFrame:
    """Read back a table of the analysis: texts, which may be empty, and numbers, NaN where empty.

    Raises:
        OSError, ValueError: it cannot be read, or is not a table.
    """
    # A model may be called 7, or null: pandas would take these for numbers.
    table = pd.read_csv(
        path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(_TEXTS, str)
    )
    return table.assign(**{name: table[name].fillna("") for name in _TEXTS if name in table})


def fit_file(cells_csv: Path, out_dir: Path, *, weights: FitWeights = "equal") -> None:
    """Fit a cells.csv and write what `write_fits` does.

    Raises:
        InputError: the cells cannot be read or fitted, or the folder not written.
    """
    cells = read_cells(cells_csv)
    write_fits(cells, fit_forms(cells, weights=weights), out_dir)


def write_fits(cells: pd.DataFrame, fits: Fits, out_dir: Path) -> None:
    """Write coefficients, quality, sweet_spots and extremes of fitted cells, one .csv each.

    Raises:
        InputError: the folder cannot be written.
    """
    tables = {
        "coefficients": fits.coefficients,
        "quality": fits.quality,
        "sweet_spots": sweet_spots(fits),
        "extremes": extremes(cells),
    }
    for name, table in tables.items():
        write_text_atomic(out_dir / f"{name}.csv", table.to_csv(index=False))


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    table = read_written(path)
    if list(table.columns) != list(columns):
        raise ValueError(f"{path.name} has other columns than a fit writes")
    return table
