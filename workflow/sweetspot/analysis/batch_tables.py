"""What the batch form's fits say, as tidy tables beside Eq. 5 fitted to each load, and in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sweetspot.analysis.batch_across import across_models
from sweetspot.analysis.batch_cells import LOAD, cell_name, means_of
from sweetspot.analysis.batch_fits import ONE_LOAD, ModelBatchFit, fit_model
from sweetspot.analysis.batch_form import MAX_NUM_TOKENS, check_max_num_tokens
from sweetspot.analysis.batch_spots import BATCH_SPOTS, BatchSpot, batch_spot, batch_spots
from sweetspot.analysis.batch_words import summary_lines
from sweetspot.analysis.cells import groups, has_noise, ok_cells
from sweetspot.analysis.least_squares import obstacle, terms_at
from sweetspot.analysis.linear_fit import each_left_out, least_squares
from sweetspot.analysis.significance import stars
from sweetspot.cells.intervals import interval_in_words
from sweetspot.energy_models import Array, form
from sweetspot.errors import InputError

_EQ5 = form("memory_flops")

_BY_TERM = ("std_error", "hc3_std_error", "p_value", "hc3_p_value")
COEFFICIENTS = [
    *["model", "form", "term", "unit", "value", "std_error", "hc3_std_error", "low", "high"],
    *["p_value", "hc3_p_value", "stars", "hc3_stars", "vif", "meaning"],
]
_OF_FIT = ("sigma", "r_squared", "aic", "bic", "condition_number", "pure_error", "lack_of_fit_p")
QUALITY = [
    *["model", "form", "loads", "cells", "observations", "cells_left_out", "df", *_OF_FIT],
    *["mape_percent", "max_leverage", "leave_one_cell_out_percent", "worst_cell"],
    *["worst_cell_percent", "leave_one_load_out_percent", "worst_load_percent", "loads_left_out"],
    "leave_one_model_out_percent",
    *["eq5_loads", "eq5_coefficients", "eq5_mape_percent", "eq5_leave_one_cell_out_percent"],
    *[
        "eq5_all_loads_mape_percent",
        "ridge_tokens",
        "max_num_tokens",
        "kv_cache_tokens",
        "kv_cache_from",
    ],
    *["cells_of_several_waves", "cells_bound_by_kv_cache"],
    *["simulated", "noise", "interval", "status", "reason"],
]
LOADS = [
    *["model", *LOAD, "cells", "mape_percent", "left_out_percent"],
    *["eq5_mape_percent", "eq5_leave_one_cell_out_percent", "simulated"],
]


@dataclass(frozen=True, eq=False, slots=True)
class BatchFit:
    """The fits of all models that have several loads, each to all of them at once.

    Attributes:
        fits: by model; none where the tables were read back.
        coefficients: one row per model and term, with standard errors, 95 % intervals by Student's
            t, and the term's meaning.
        quality: one row per model of several loads: errors of the fit and of what was left out of
            it, Eq. 5 fitted to each load beside it (averaged over the cells), what of the form the
            cells put to the test, status "ok" or "not fitted", and the reason, also of a shorter
            form than `batch`.
        per_load: the same errors, one row per load.
        spots: one row per load and input length, `batch_spots`.
        across: one row per model and term, `across_models`.
    """

    fits: Mapping[str, ModelBatchFit] = field(repr=False)
    coefficients: pd.DataFrame
    quality: pd.DataFrame
    per_load: pd.DataFrame
    spots: pd.DataFrame
    across: pd.DataFrame

    def sweet_spot(
        self, model: str, input_tokens: float, *, requests: float, max_batch_size: float
    ) -> BatchSpot:
        """Return a model's sweet spot at any load and input length (`batch_spot`).

        Raises:
            InputError: the form was not fitted to the model, or a number is not positive.
        """
        fitted = self._fit_of(model)
        _require_positive(
            input_tokens=input_tokens, requests=requests, max_batch_size=max_batch_size
        )
        return batch_spot(fitted, input_tokens, requests=requests, max_batch_size=max_batch_size)

    def energy_per_token_j(
        self,
        model: str,
        requests: ArrayLike,
        max_batch_size: ArrayLike,
        input_tokens: ArrayLike,
        output_tokens: ArrayLike,
    ) -> Array:
        """Return a model's e at each of n loads, measured or not, in J per output token.

        Raises:
            InputError: the form was not fitted to the model.
        """
        fitted = self._fit_of(model)
        return fitted.energy_per_token_j(requests, max_batch_size, input_tokens, output_tokens)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        names = ("coefficients", "quality", "per_load", "spots", "across")
        return {name: getattr(self, name) for name in names}

    @property
    def energies(self) -> dict[str, Callable[[int, int, Array, Array], Array]]:
        """By model e at N, max_batch_size, I and O, for figures."""
        return {model: fitted.energy_per_token_j for model, fitted in self.fits.items()}

    def _fit_of(self, model: str) -> ModelBatchFit:
        if model not in self.fits:
            known = ", ".join(self.fits) or "no model"
            raise InputError(
                f"the batch form was not fitted to {model!r} but to {known}: it takes cells of"
                " several loads (N, max_batch_size) and lengths"
            )
        return self.fits[model]

    def summary_lines(self, model: str | None = None) -> list[str]:
        """Return all of it for a screen of 100 columns; empty where no model has several loads."""
        lines: list[str] = []
        for row in self.quality.itertuples():
            if model is None or row.model == model:
                terms, spots = (
                    frame[frame["model"] == row.model] for frame in (self.coefficients, self.spots)
                )
                lines += summary_lines(row, terms, spots)
        return lines


def batch_fit(cells: pd.DataFrame, *, max_num_tokens: float = MAX_NUM_TOKENS) -> BatchFit:
    """Fit each model that was measured or simulated under several loads (N, max_batch_size).

    Args:
        cells: as `fit_forms` takes them; `max_concurrency` (most requests in flight) and
            `max_num_tokens` are used where they are columns.
        max_num_tokens: T, where they do not say.

    Raises:
        InputError: a row cannot be used (`ok_cells`), or an iteration takes no token.
    """
    check_max_num_tokens(max_num_tokens)
    left_out = cells.loc[cells["status"] != "ok", "model"].astype(str).value_counts()
    fits: dict[str, ModelBatchFit] = {}
    coefficients: list[dict[str, Any]] = []
    quality: list[dict[str, Any]] = []
    loads: list[dict[str, Any]] = []
    for (model,), of_model in groups(ok_cells(cells), ["model"]):
        fitted = fit_model(model, of_model, max_num_tokens=max_num_tokens)
        if isinstance(fitted, str):
            if fitted != ONE_LOAD:
                quality.append({"model": model, "status": "not fitted", "reason": fitted})
            continue
        fits[model] = fitted
        simulated = bool(of_model["simulated"].iloc[0])
        per_load = [row | {"simulated": simulated} for row in _load_rows(fitted)]
        noise = pd.to_numeric(of_model["noise"]).max() if "noise" in of_model else np.nan
        quality.append(
            {
                **_quality_row(fitted, per_load),
                "observations": len(of_model),
                "cells_left_out": int(left_out.get(model, 0)),
                "simulated": simulated,
                "noise": noise,
                "interval": interval_in_words(of_model),
            }
        )
        coefficients += _coefficient_rows(fitted, noise=has_noise(of_model))
        loads += per_load
    spots = [batch_spots(fitted) for fitted in fits.values()]
    across = across_models(fits)
    by_others = across.groupby("model")["energy_error_percent"].first()
    for row in quality:
        row["leave_one_model_out_percent"] = by_others.get(row["model"], np.nan)
    return BatchFit(
        fits,
        pd.DataFrame(coefficients, columns=COEFFICIENTS),
        pd.DataFrame(quality, columns=QUALITY),
        pd.DataFrame(loads, columns=LOADS),
        pd.concat(spots) if spots else pd.DataFrame(columns=BATCH_SPOTS),
        across,
    )


def _require_positive(**numbers: float) -> None:
    for name, value in numbers.items():
        if not 0 < value < float("inf"):
            raise InputError(f"{name} must be a positive number, not {value!r}")


def _percent(errors: Array) -> float:
    """Return the mean absolute error of those that there are, in %."""
    known = errors[~np.isnan(errors)]
    return float(np.mean(np.abs(known)) * 100) if known.size else float("nan")


def _coefficient_rows(fitted: ModelBatchFit, *, noise: bool) -> list[dict[str, Any]]:
    fit = fitted.fit
    return [
        {
            "model": fitted.model,
            "form": fitted.form.id,
            "term": term.name,
            "unit": term.unit,
            **{name: getattr(fit, f"{name}s")[i] for name in ("value", *_BY_TERM)},
            "low": fit.low[i],
            "high": fit.high[i],
            "vif": fit.vif[i],
            "stars": stars(fit.p_values[i], noise=noise),
            "hc3_stars": stars(fit.hc3_p_values[i], noise=noise),
            "meaning": term.meaning,
        }
        for i, term in enumerate(fitted.form.terms)
    ]


def _load_rows(fitted: ModelBatchFit) -> list[dict[str, Any]]:
    errors, rows = fitted.fit.fitted_j / fitted.fit.observed_j - 1, []
    for load, of_load in groups(fitted.cells, LOAD):
        place = of_load.index.to_numpy()
        eq5 = _eq5(of_load)
        rows.append(
            {
                "model": fitted.model,
                **dict(zip(LOAD, load, strict=True)),
                "cells": len(of_load),
                "mape_percent": _percent(errors[place]),
                "left_out_percent": _percent(fitted.load_out[place]),
                "eq5_mape_percent": eq5[0],
                "eq5_leave_one_cell_out_percent": eq5[1],
            }
        )
    return rows


def _eq5(cells: pd.DataFrame) -> tuple[float, float]:
    """Return Eq. 5's mean error and that of leaving cells out, in %; NaN if it is not carried."""
    means = means_of(cells)
    terms = terms_at(_EQ5, means, "relative")
    if obstacle(_EQ5, means, terms):
        return float("nan"), float("nan")
    observed = means.energy_per_token_j
    _, errors = least_squares(terms, observed)
    left_out = each_left_out(errors, terms.leverage)
    mape = float(np.mean(np.abs(errors / terms.root) / observed) * 100)
    return mape, float(np.mean(np.abs(left_out) * 100))


def _quality_row(fitted: ModelBatchFit, per_load: Sequence[dict[str, Any]]) -> dict[str, Any]:
    fit, at, cells = fitted.fit, fitted.at, fitted.cells
    worst = int(np.argmax(np.abs(fitted.cell_out)))
    held = [row["left_out_percent"] for row in per_load if not np.isnan(row["left_out_percent"])]
    eq5 = [row for row in per_load if not np.isnan(row["eq5_mape_percent"])]
    nan = float("nan")

    def over_cells(name: str) -> float:
        weights = [row["cells"] for row in eq5]
        return float(np.average([row[name] for row in eq5], weights=weights)) if eq5 else nan

    return {
        "model": fitted.model,
        "form": fitted.form.id,
        "loads": len(per_load),
        "cells": len(cells),
        "df": fit.df,
        **{name: getattr(fit, name) for name in _OF_FIT},
        "mape_percent": fit.mape_percent,
        "max_leverage": float(fit.leverage.max()),
        "leave_one_cell_out_percent": _percent(fitted.cell_out),
        "worst_cell": cell_name(cells.iloc[worst]),
        "worst_cell_percent": float(np.abs(fitted.cell_out[worst]) * 100),
        "leave_one_load_out_percent": float(np.mean(held)) if held else nan,
        "worst_load_percent": max(held, default=nan),
        "loads_left_out": len(held),
        "eq5_loads": len(eq5),
        "eq5_coefficients": len(_EQ5.terms) * len(eq5),
        "eq5_mape_percent": over_cells("eq5_mape_percent"),
        "eq5_leave_one_cell_out_percent": over_cells("eq5_leave_one_cell_out_percent"),
        "eq5_all_loads_mape_percent": _eq5(cells)[0],
        "ridge_tokens": fitted.form.ridge_tokens,
        "max_num_tokens": fitted.limits.max_num_tokens,
        "kv_cache_tokens": fitted.limits.kv_cache_tokens,
        "kv_cache_from": fitted.limits.known_from,
        "cells_of_several_waves": int((at.waves > 1).sum()),
        "cells_bound_by_kv_cache": int((at.in_flight < cells["batch_limit"]).sum()),
        "status": "ok",
        "reason": "; ".join(f"{name}: {why}" for name, why in fitted.not_carried.items()),
    }
