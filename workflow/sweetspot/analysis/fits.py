"""Fits of the six forms to cells: per model and engine load, as tidy tables and files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import GROUP, group_title, groups, ok_cells
from sweetspot.analysis.least_squares import FormFit, fit_form, obstacle
from sweetspot.analysis.sweet_spots import extremes, sweet_spots
from sweetspot.cells.intervals import interval_in_words
from sweetspot.cells.read import read_cells
from sweetspot.energy_models import FORMS, Form
from sweetspot.errors import InputError, TooFewCellsError
from sweetspot.files import write_text_atomic

UNDEFINED = "undefined"
"""The stars of a coefficient whose fit has no residuals, and so no p-value."""

LEVELS = {
    "three_stars": "***",
    "two_stars": "**",
    "one_star": "*",
    "not_significant": "n.s.",
}
"""Columns of the paper's Table 4, and the mark that each counts."""

_COEFFICIENTS = [*GROUP, "form", "term", "value", "std_error", "p_value", "stars"]
_QUALITY = [
    *GROUP,
    *["form", "cells", "cells_left_out", "mape_percent", "r_squared"],
    *["simulated", "interval", "status", "reason"],
]
# Columns of texts, of all tables that the analysis writes
_TEXTS = (
    *("model", "form", "term", "stars", "interval", "status", "reason"),
    *("where", "quantity", "condition", "unit", "evidence", "engine", "gpu", "calibration"),
)


@dataclass(frozen=True, eq=False, slots=True)
class Fits:
    """All fits of one run; a group is (model, requests, max_batch_size).

    Attributes:
        coefficients: one row per group, form and term: value, std_error (both in the term's
            unit), p_value, stars. Forms that were not fitted have no rows.
        quality: one row per group and form: cells used and left out (failed or invalid),
            mape_percent, r_squared, simulated, the interval of their energies in words (empty for
            measured ones), status "ok" or "not fitted", and the reason.
    """

    coefficients: pd.DataFrame
    quality: pd.DataFrame


def stars(p_value: float) -> str:
    """Return the mark of Table 4: *** below 0.001, ** below 0.01, * below 0.05, else n.s.

    The paper names no limits; these are the usual ones.
    """
    if np.isnan(p_value):
        return UNDEFINED
    limits = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
    return next((mark for limit, mark in limits if p_value < limit), "n.s.")


def fit_forms(cells: pd.DataFrame, forms: Iterable[Form] = FORMS) -> Fits:
    """Fit every form to every group of cells that can carry it.

    Raises:
        InputError: a row cannot be used (`ok_cells`).
        TooFewCellsError: there is a form that no group at all can carry.
    """
    forms = tuple(forms)
    ok = ok_cells(cells)
    loads = {column: pd.to_numeric(cells[column], errors="coerce") for column in GROUP[1:]}
    attempted = {group: len(rows) for group, rows in groups(cells.assign(**loads), GROUP)}
    coefficients: list[dict[str, Any]] = []
    quality: list[dict[str, Any]] = []
    for group, rows in groups(ok, GROUP):
        inputs = rows["input_tokens"].to_numpy(float)
        outputs = rows["output_tokens"].to_numpy(float)
        energy_per_token_j = rows["energy_per_token_j"].to_numpy(float)
        for form in forms:
            key = {**dict(zip(GROUP, group, strict=True)), "form": form.id}
            reason = obstacle(form, inputs, outputs)
            fit = None if reason else fit_form(form, inputs, outputs, energy_per_token_j)
            if fit:
                coefficients += _coefficient_rows(key, form, fit)
            quality.append(
                {
                    **key,
                    "cells": len(rows),
                    "cells_left_out": attempted[group] - len(rows),
                    "mape_percent": fit.mape_percent if fit else np.nan,
                    "r_squared": fit.r_squared if fit else np.nan,
                    "simulated": bool(rows["simulated"].iloc[0]),
                    "interval": interval_in_words(rows),
                    "status": "ok" if fit else "not fitted",
                    "reason": reason,
                }
            )
    fits = Fits(
        pd.DataFrame(coefficients, columns=_COEFFICIENTS), pd.DataFrame(quality, columns=_QUALITY)
    )
    _refuse_unfitted(fits.quality, forms, len(cells))
    return fits


def significance_counts(coefficients: pd.DataFrame) -> pd.DataFrame:
    """Return one row per coefficient of Eq. 5: models at each level, undefined, and in all.

    The rows must be of one load (requests, max_batch_size), or models would count twice. A
    coefficient is undefined where its fit has no residuals to test against.
    """
    eq5 = coefficients[coefficients["form"] == "memory_flops"]
    marks = pd.crosstab(eq5["term"], eq5["stars"])
    counts = marks.reindex(columns=[*LEVELS.values(), UNDEFINED], fill_value=0)
    counts.columns = pd.Index([*LEVELS, UNDEFINED])
    counts.index.name = "parameter"
    return counts.assign(models=counts.sum(axis="columns"))


def read_fits(folder: Path) -> Fits:
    """Read back what `write_fits` wrote.

    Raises:
        InputError: a file is missing or is not a table.
    """
    try:
        coefficients = _read(folder / "coefficients.csv", _COEFFICIENTS)
        quality = _read(folder / "quality.csv", _QUALITY)
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


def write_fits(cells_csv: Path, out_dir: Path) -> None:
    """Fit a cells.csv: coefficients, quality, sweet_spots and extremes, one .csv each.

    Raises:
        InputError: the cells cannot be read or fitted, or the folder not written.
    """
    cells = read_cells(cells_csv)
    fits = fit_forms(cells)
    tables = {
        "coefficients": fits.coefficients,
        "quality": fits.quality,
        "sweet_spots": sweet_spots(cells, fits.coefficients),
        "extremes": extremes(cells),
    }
    for name, table in tables.items():
        write_text_atomic(out_dir / f"{name}.csv", table.to_csv(index=False))


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    table = read_written(path)
    if list(table.columns) != list(columns):
        raise ValueError(f"{path.name} has other columns than a fit writes")
    return table


def _coefficient_rows(key: dict[str, Any], form: Form, fit: FormFit) -> list[dict[str, Any]]:
    return [
        {
            **key,
            "term": term.name,
            "value": fit.values[i],
            "std_error": fit.std_errors[i],
            "p_value": fit.p_values[i],
            "stars": stars(fit.p_values[i]),
        }
        for i, term in enumerate(form.terms)
    ]


def _refuse_unfitted(quality: pd.DataFrame, forms: tuple[Form, ...], attempted: int) -> None:
    """Refuse a run that leaves a form without a single fit: its tables would be empty."""
    if quality.empty:
        needed = max(form.min_cells for form in forms)
        raise TooFewCellsError(
            f"none of the {attempted} cells has status ok, and a fit needs at least {needed}; "
            "see the cells' reasons"
        )
    for form in reversed(forms):
        tried = quality[quality["form"] == form.id]
        if (tried["status"] == "ok").any():
            continue
        nearest = tried.sort_values("cells", kind="stable").iloc[-1]
        raise TooFewCellsError(
            f"too few cells to fit {form.title} ({form.source}): "
            f"{group_title(tuple(nearest[GROUP]))} {nearest['reason']}; "
            "add lengths to the sweep or measure the failed cells again"
        )
