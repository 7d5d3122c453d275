"""Fits of the six forms to cells: per model and engine load, as tidy tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.cell_means import cell_means
from sweetspot.analysis.cells import GROUP, group_title, groups, has_noise, ok_cells
from sweetspot.analysis.least_squares import FormFit, fit_means, obstacle, terms_at
from sweetspot.analysis.significance import stars
from sweetspot.cells.intervals import interval_in_words
from sweetspot.config import FitWeights
from sweetspot.energy_models import FORMS, Array, Form
from sweetspot.errors import TooFewCellsError

COEFFICIENTS = (
    *GROUP,
    *("form", "term", "value", "std_error", "hc3_std_error", "low", "high"),
    *("p_value", "hc3_p_value", "stars", "hc3_stars", "vif"),
)
_HELD_OUT = (
    *("leave_one_cell_out_percent", "leave_one_input_out_percent", "leave_one_output_out_percent"),
)
_TEST = ("f_over_eq4", "f_p_value", "f_p_value_holm")
QUALITY = (
    *GROUP,
    *("form", "weights", "cells", "observations", "cells_left_out", "df", "sigma", "rmse_j"),
    *("mape_percent", "r_squared", "aic", "bic", "condition_number"),
    *_HELD_OUT,
    *("worst_cell", "worst_cell_percent", "max_leverage"),
    *_TEST,
    *("lack_of_fit_f", "lack_of_fit_p", "simulated", "noise", "interval", "status", "reason"),
)
_Key = tuple[Any, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Fits:
    """All fits of one run; a group is (model, requests, max_batch_size).

    Attributes:
        coefficients: one row per group, form and term, with COEFFICIENTS: value, standard errors,
            the 95 % interval, p-values, and their stars, "no noise" where the cells are simulated
            without any. Forms that were not fitted have no rows.
        quality: one row per group and form, with QUALITY: distinct cells, the observations that
            were averaged to them, those left out (failed or invalid), what `FormFit` says, of
            Eq. 5 the F-test over Eq. 4 and its p corrected by Holm over the models of a load,
            whether simulated and with how much noise, the interval of simulated energies in words,
            status "ok" or "not fitted", and the reason.
    """

    coefficients: pd.DataFrame
    quality: pd.DataFrame
    _found: Mapping[_Key, FormFit] = field(default_factory=dict, repr=False)

    def of_form(self, form_id: str) -> dict[_Key, FormFit]:
        """Return the fits of one form, by group; none where the tables were read from files."""
        return {key[:-1]: fit for key, fit in self._found.items() if key[-1] == form_id}


def fit_forms(
    cells: pd.DataFrame, forms: Iterable[Form] = FORMS, *, weights: FitWeights = "equal"
) -> Fits:
    """Fit every form to every group of cells that can carry it.

    Raises:
        InputError: a row cannot be used (`ok_cells`).
        TooFewCellsError: no group carries any form.
    """
    forms = tuple(forms)
    ok = ok_cells(cells)
    others = cells[cells["status"] != "ok"]
    loads = {column: pd.to_numeric(others[column], errors="coerce") for column in GROUP[1:]}
    left_out = others.assign(**loads).groupby(GROUP, sort=False).size().to_dict()
    found: dict[_Key, FormFit] = {}
    coefficients: list[dict[str, Any]] = []
    quality: list[dict[str, Any]] = []
    for group, rows in groups(ok, GROUP):
        inputs, outputs, energies = (
            rows[name].to_numpy(float)
            for name in ("input_tokens", "output_tokens", "energy_per_token_j")
        )
        means = cell_means(inputs, outputs, energies)
        of_group = {
            "cells": len(means.repeats),
            "observations": means.observations,
            "cells_left_out": left_out.get(group, 0),
            "simulated": bool(rows["simulated"].iloc[0]),
            "noise": rows["noise"].iloc[0] if "noise" in rows else np.nan,
            "interval": interval_in_words(rows),
        }
        noise = has_noise(rows)
        for form in forms:
            key = {**dict(zip(GROUP, group, strict=True)), "form": form.id, "weights": weights}
            terms = terms_at(form, means, weights)
            reason = obstacle(form, means, terms)
            row = key | of_group
            if reason:
                quality.append(row | {"worst_cell": "", "status": "not fitted", "reason": reason})
                continue
            fit = fit_means(form, means, terms)
            found[*group, form.id] = fit
            coefficients += _coefficient_rows(key, fit, noise=noise)
            quality.append(row | _quality(fit) | {"status": "ok", "reason": ""})
    if not found:
        _refuse(quality, forms, len(cells))
    tested = _over_eq4(pd.DataFrame(quality), found)
    return Fits(
        pd.DataFrame(coefficients, columns=list(COEFFICIENTS)),
        tested.reindex(columns=list(QUALITY)),
        found,
    )


def _coefficient_rows(key: dict[str, Any], fit: FormFit, *, noise: bool) -> list[dict[str, Any]]:
    return [
        {
            **key,
            "term": term.name,
            "value": fit.values[i],
            "std_error": fit.std_errors[i],
            "hc3_std_error": fit.hc3_std_errors[i],
            "low": fit.low[i],
            "high": fit.high[i],
            "p_value": fit.p_values[i],
            "hc3_p_value": fit.hc3_p_values[i],
            "stars": stars(fit.p_values[i], noise=noise),
            "hc3_stars": stars(fit.hc3_p_values[i], noise=noise),
            "vif": fit.vif[i],
        }
        for i, term in enumerate(fit.form.terms)
    ]


def _quality(fit: FormFit) -> dict[str, Any]:
    same = (
        *("df", "sigma", "rmse_j", "mape_percent", "r_squared", "aic", "bic", "condition_number"),
        *_HELD_OUT,
        *("lack_of_fit_f", "lack_of_fit_p"),
    )
    cell, percent = fit.worst
    return {
        **{name: getattr(fit, name) for name in same},
        "worst_cell": cell,
        "worst_cell_percent": percent,
        "max_leverage": float(fit.leverage.max()),
    }


def _over_eq4(quality: pd.DataFrame, found: Mapping[_Key, FormFit]) -> pd.DataFrame:
    """Add to the rows of Eq. 5 the F-test of its one term more than Eq. 4, by load."""
    quality = quality.assign(**dict.fromkeys(_TEST, np.nan))
    eq5 = quality[(quality["form"] == "memory_flops") & (quality["status"] == "ok")]
    for _, of_load in groups(eq5, GROUP[1:]):
        fits = [found[*row, "memory_flops"] for row in of_load[GROUP].itertuples(index=False)]
        # Of one term, F is the square of t, and its p-value that of t.
        p_values = np.array([fit.p_values[-1] for fit in fits])
        tested = ~np.isnan(p_values)
        corrected = np.full(len(fits), np.nan)
        if tested.any():
            corrected[tested] = _holm(p_values[tested])
        f_values = [(fit.values[-1] / fit.std_errors[-1]) ** 2 for fit in fits]
        quality.loc[of_load.index, "f_over_eq4"] = np.where(tested, f_values, np.nan)
        quality.loc[of_load.index, "f_p_value"] = p_values
        quality.loc[of_load.index, "f_p_value_holm"] = corrected
    return quality


def _holm(p_values: Array) -> Array:
    """Return p-values corrected for how many there are, by Holm's steps down."""
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


def _refuse(quality: list[dict[str, Any]], forms: tuple[Form, ...], attempted: int) -> None:
    """Refuse a run that leaves no form with a fit: there would be nothing to show."""
    if not quality:
        needed = min(form.min_cells for form in forms)
        raise TooFewCellsError(
            f"none of the {attempted} cells has status ok, and a fit needs at least {needed}; "
            "see the cells' reasons"
        )
    easiest = min(forms, key=lambda form: form.min_cells)
    tried = [row for row in quality if row["form"] == easiest.id]
    nearest = max(tried, key=lambda row: int(row["cells"]))
    group = tuple(nearest[column] for column in GROUP)
    raise TooFewCellsError(
        f"too few cells to fit {easiest.title} ({easiest.source}): "
        f"{group_title(group)} {nearest['reason']}; "
        "measure other lengths, or what failed again"
    )
