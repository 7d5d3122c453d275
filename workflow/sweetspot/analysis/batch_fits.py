"""The form that knows the batch, fitted to all loads of a model at once, beside Eq. 5 per load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sweetspot.analysis.batch_form import BATCH_FORMS, MAX_NUM_TOKENS, BatchForm, Loads, loads
from sweetspot.analysis.cell_means import cell_means
from sweetspot.analysis.cells import GROUP, groups, ok_cells
from sweetspot.analysis.least_squares import obstacle
from sweetspot.cells.intervals import interval_in_words
from sweetspot.energy_models import Array, form

LOAD = GROUP[1:]
"""Of which no more requests are in flight than there are: a batch limit above N changes nothing, so
such loads are one, and their cells are repeats of each other."""

_CELL = [*LOAD, "input_tokens", "output_tokens"]
_ALONE = 1e-9  # a share of information this small is rounding: nothing else carries it
_EQ5 = form("memory_flops")

COEFFICIENTS = [
    *["model", "form", "term", "unit", "value", "std_error", "hc3_std_error", "low", "high"],
    "meaning",
]
QUALITY = [
    *["model", "form", "loads", "cells", "observations", "cells_left_out", "df", "sigma"],
    *["mape_percent", "max_leverage", "leave_one_cell_out_percent", "worst_cell"],
    *["worst_cell_percent", "leave_one_load_out_percent", "worst_load_percent", "loads_left_out"],
    *["eq5_loads", "eq5_coefficients", "eq5_mape_percent", "eq5_leave_one_cell_out_percent"],
    *["eq5_pooled_mape_percent", "max_num_tokens", "kv_cache_tokens"],
    *["cells_of_several_waves", "cells_bound_by_kv_cache"],
    *["simulated", "noise", "interval", "status", "reason"],
]
LOADS = [
    *GROUP,
    *["cells", "mape_percent", "left_out_percent"],
    *["eq5_mape_percent", "eq5_leave_one_cell_out_percent", "simulated"],
]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class LeastSquares:
    """A fit that minimises the squares of relative errors; (k,) per term, (n,) per cell.

    Attributes:
        cell_out, load_out: errors of each cell, as a share of what was observed, by a fit without
            it, and by one without all cells of its load; NaN where the others do not tell the
            terms apart.
    """

    values: Array
    covariance: Array
    hc3_covariance: Array
    leverage: Array
    errors: Array
    cell_out: Array
    load_out: Array
    df: int
    sigma: float


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ModelBatchFit:
    """One model's fit.

    Attributes:
        cells: means over repeats, one row per load and lengths.
        at: their loads.
        not_carried: longer forms, each with why the cells cannot carry it.
        kv_cache_tokens: K as the cells tell it; infinite where it bounded none of them.
    """

    model: str
    form: BatchForm
    cells: pd.DataFrame
    at: Loads
    fit: LeastSquares
    not_carried: Mapping[str, str]
    kv_cache_tokens: float
    max_num_tokens: float

    @property
    def coefficients(self) -> dict[str, float]:
        """Values by name."""
        names = (term.name for term in self.form.terms)
        return dict(zip(names, self.fit.values.tolist(), strict=True))

    def loads(
        self,
        requests: ArrayLike,
        max_batch_size: ArrayLike,
        input_tokens: ArrayLike,
        output_tokens: ArrayLike,
    ) -> Loads:
        """Return loads under the limits that the cells had."""
        return loads(
            *(requests, max_batch_size, input_tokens, output_tokens),
            kv_cache_tokens=self.kv_cache_tokens,
            max_num_tokens=self.max_num_tokens,
        )

    def energy_per_token_j(
        self,
        requests: ArrayLike,
        max_batch_size: ArrayLike,
        input_tokens: ArrayLike,
        output_tokens: ArrayLike,
    ) -> Array:
        """Return the fitted e at each of n loads, measured or not, in J per output token."""
        at = self.loads(requests, max_batch_size, input_tokens, output_tokens)
        return np.asarray(self.form.design_matrix(at) @ self.fit.values)


@dataclass(frozen=True, eq=False, slots=True)
class BatchFit:
    """The fits of all models that have several loads.

    Attributes:
        fits: by model.
        not_fitted: why others were not, by model; those of one load are not named.
        coefficients, quality, per_load: what `write_batch_fit` writes.
    """

    fits: Mapping[str, ModelBatchFit]
    not_fitted: Mapping[str, str]
    coefficients: pd.DataFrame
    quality: pd.DataFrame
    per_load: pd.DataFrame


def batch_fit(cells: pd.DataFrame, *, max_num_tokens: float = MAX_NUM_TOKENS) -> BatchFit:
    """Fit each model that was measured or simulated under several loads (N, max_batch_size).

    Args:
        cells: as `fit_forms` takes them. How many requests are in flight at most follows from
            `max_concurrency`; where a cell does not say, its batch limit alone bounds them.
        max_num_tokens: T, where cells have no column of that name.

    Raises:
        InputError: a row cannot be used (`ok_cells`).
    """
    ok = ok_cells(cells)
    attempted = cells["model"].astype(str).value_counts()
    fits: dict[str, ModelBatchFit] = {}
    reasons: dict[str, str] = {}
    rows: dict[str, list[dict[str, Any]]] = {"coefficients": [], "quality": [], "loads": []}
    limited = ok.assign(max_batch_size=ok[LOAD].min(axis="columns"))
    for (model,), of_model in groups(limited, ["model"]):
        if of_model.drop_duplicates(LOAD).shape[0] < 2:
            continue
        fitted = fit_model(model, of_model, max_num_tokens=max_num_tokens)
        if isinstance(fitted, str):
            reasons[model] = fitted
            continue
        fits[model] = fitted
        per_load = _load_rows(fitted, of_model)
        rows["coefficients"] += _coefficient_rows(fitted)
        rows["loads"] += per_load
        rows["quality"].append(
            _quality_row(fitted, of_model, int(attempted[model]) - len(of_model), per_load)
        )
    for model, reason in reasons.items():
        rows["quality"].append({"model": model, "status": "not fitted", "reason": reason})
    return BatchFit(
        fits,
        reasons,
        pd.DataFrame(rows["coefficients"], columns=COEFFICIENTS),
        pd.DataFrame(rows["quality"], columns=QUALITY),
        pd.DataFrame(rows["loads"], columns=LOADS),
    )


def fit_model(
    model: str, ok: pd.DataFrame, *, max_num_tokens: float = MAX_NUM_TOKENS
) -> ModelBatchFit | str:
    """Fit the longest form whose terms the cells of one model tell apart; else return why none.

    A form is carried where no term hangs on a single cell: leaving that out, nothing would be
    known of the term, so neither could an error of it be seen.
    """
    cells = _cell_means(ok)
    at, kv_cache_tokens, per_iteration = _loads_of(cells, max_num_tokens)
    energies = cells["energy_per_token_j"].to_numpy(float)
    load = cells.groupby(LOAD, sort=False).ngroup().to_numpy()
    not_carried: dict[str, str] = {}
    for candidate in BATCH_FORMS:
        design = candidate.design_matrix(at)
        reason = _obstacle(candidate, design / energies[:, None], cells)
        if reason:
            not_carried[candidate.id] = reason
            continue
        return ModelBatchFit(
            model=model,
            form=candidate,
            cells=cells,
            at=at,
            fit=least_squares(design, energies, load),
            not_carried=not_carried,
            kv_cache_tokens=kv_cache_tokens,
            max_num_tokens=per_iteration,
        )
    return not_carried[BATCH_FORMS[-1].id]


def least_squares(design: Array, energies: Array, load: NDArray[np.integer[Any]]) -> LeastSquares:
    """Fit with every cell's error relative to its energy; the cells must carry the form."""
    weighted = design / energies[:, None]
    scale = np.linalg.norm(weighted, axis=0)
    basis, upper = np.linalg.qr(weighted / scale)
    ones = np.ones_like(energies)
    solve = np.linalg.inv(upper) / scale[:, None]
    missed = ones - basis @ (basis.T @ ones)
    leverage = np.sum(basis**2, axis=1)
    df = len(energies) - design.shape[1]
    sigma = float(np.sqrt(missed @ missed / df))
    cell_out = missed / (1 - leverage)
    inner = solve @ basis.T * cell_out
    return LeastSquares(
        values=solve @ (basis.T @ ones),
        covariance=sigma**2 * solve @ solve.T,
        hc3_covariance=inner @ inner.T,
        leverage=leverage,
        errors=-missed,
        cell_out=-cell_out,
        load_out=-_left_out(basis, missed, load),
        df=df,
        sigma=sigma,
    )


def _left_out(basis: Array, residuals: Array, axis: NDArray[np.integer[Any]]) -> Array:
    """Return each cell's residual from the fit to the cells of all other groups of the axis.

    Source: of a group g with rows Q_g of the basis it is (1 - Q_g Q_g')⁻¹ e_g, which by Woodbury's
    identity needs only a k x k system: e_g + Q_g (1 - Q_g' Q_g)⁻¹ Q_g' e_g.
    """
    found = np.full_like(residuals, np.nan)
    for group in np.unique(axis):
        rows = axis == group
        of_group = basis[rows]
        rest = np.eye(basis.shape[1]) - of_group.T @ of_group
        if np.linalg.eigvalsh(rest)[0] > _ALONE:
            shift = np.linalg.solve(rest, of_group.T @ residuals[rows])
            found[rows] = residuals[rows] + of_group @ shift
    return found


def _obstacle(candidate: BatchForm, weighted: Array, cells: pd.DataFrame) -> str:
    terms = len(candidate.terms)
    if len(cells) <= terms:
        return f"needs more than {terms} cells, has {len(cells)}"
    scaled = weighted / np.linalg.norm(weighted, axis=0)
    rank = int(np.linalg.matrix_rank(scaled))
    if rank < terms:
        return f"the cells tell {rank} of {terms} terms apart"
    leverage = np.sum(np.linalg.qr(scaled)[0] ** 2, axis=1)
    if leverage.max() > 1 - _ALONE:
        names = [_cell_name(cells.iloc[place]) for place in np.flatnonzero(leverage > 1 - _ALONE)]
        return f"one cell alone tells {terms} terms apart ({', '.join(names)})"
    return ""


def _cell_means(ok: pd.DataFrame) -> pd.DataFrame:
    """Return one row per load and lengths: repeats share whatever a form misses there."""
    kept = {
        name: (name, "min")
        for name in ("max_concurrency", "max_num_tokens")
        if name in ok and ok[name].notna().any()
    }
    return ok.groupby(_CELL, sort=False, as_index=False).agg(
        energy_per_token_j=("energy_per_token_j", "mean"), repeats=("model", "size"), **kept
    )


def _loads_of(cells: pd.DataFrame, max_num_tokens: float) -> tuple[Loads, float, float]:
    """Return the cells' loads, K and T.

    K is known where a cell says that fewer requests than its batch limit fit at once, to the
    rounding of that number: the largest I + O times it.
    """
    requests, limit, inputs, outputs = (cells[name].to_numpy(float) for name in _CELL)
    per_iteration = np.full_like(requests, max_num_tokens)
    if "max_num_tokens" in cells:
        per_iteration = cells["max_num_tokens"].fillna(max_num_tokens).to_numpy(float)
    fit_at_once = limit
    if "max_concurrency" in cells:
        fit_at_once = cells["max_concurrency"].fillna(np.inf).to_numpy(float)
    bound = fit_at_once < limit
    cache = float((fit_at_once * (inputs + outputs))[bound].max()) if bound.any() else np.inf
    in_flight = np.minimum.reduce([requests, limit, fit_at_once])
    at = Loads(requests, in_flight, inputs, outputs, per_iteration)
    return at, cache, float(np.median(per_iteration))


def _percent(errors: Array) -> float:
    """Return the mean absolute error of those that there are, in %."""
    known = errors[~np.isnan(errors)]
    return float(np.mean(np.abs(known)) * 100) if known.size else float("nan")


def _coefficient_rows(fitted: ModelBatchFit) -> list[dict[str, Any]]:
    from scipy.stats import t

    fit = fitted.fit
    std_errors = np.sqrt(np.diag(fit.covariance))
    half = float(t.ppf(0.975, fit.df)) * std_errors
    hc3 = np.sqrt(np.diag(fit.hc3_covariance))
    return [
        {
            "model": fitted.model,
            "form": fitted.form.id,
            "term": term.name,
            "unit": term.unit,
            "value": fit.values[i],
            "std_error": std_errors[i],
            "hc3_std_error": hc3[i],
            "low": fit.values[i] - half[i],
            "high": fit.values[i] + half[i],
            "meaning": term.meaning,
        }
        for i, term in enumerate(fitted.form.terms)
    ]


def _load_rows(fitted: ModelBatchFit, ok: pd.DataFrame) -> list[dict[str, Any]]:
    fit, rows = fitted.fit, []
    for load, of_load in groups(fitted.cells.reset_index(drop=True), LOAD):
        place = of_load.index.to_numpy()
        eq5 = _eq5(of_load)
        rows.append(
            {
                "model": fitted.model,
                **dict(zip(LOAD, load, strict=True)),
                "cells": len(of_load),
                "mape_percent": _percent(fit.errors[place]),
                "left_out_percent": _percent(fit.load_out[place]),
                "eq5_mape_percent": _percent(eq5[0]),
                "eq5_leave_one_cell_out_percent": _percent(eq5[1]),
                "simulated": bool(ok["simulated"].iloc[0]),
            }
        )
    return rows


def _eq5(cells: pd.DataFrame) -> tuple[Array, Array]:
    """Return the errors of Eq. 5 and those of leaving cells out; NaN where it is not carried."""
    inputs, outputs, energies = (
        cells[name].to_numpy(float)
        for name in ("input_tokens", "output_tokens", "energy_per_token_j")
    )
    if obstacle(_EQ5, cell_means(inputs, outputs, energies)):
        nothing = np.full_like(energies, np.nan)
        return nothing, nothing
    fit = least_squares(_EQ5.design_matrix(inputs, outputs), energies, np.arange(len(energies)))
    return fit.errors, fit.load_out


def _quality_row(
    fitted: ModelBatchFit,
    ok: pd.DataFrame,
    cells_left_out: int,
    per_load: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    fit, at, cells = fitted.fit, fitted.at, fitted.cells
    worst = int(np.argmax(np.abs(fit.cell_out)))
    held = [row for row in per_load if not np.isnan(row["left_out_percent"])]
    eq5 = [row for row in per_load if not np.isnan(row["eq5_mape_percent"])]
    weights = [row["cells"] for row in eq5]
    pooled = _eq5(cells)[0]
    limit = np.minimum(at.requests, cells["max_batch_size"].to_numpy(float))

    def mean_of(name: str) -> float:
        values = [row[name] for row in eq5]
        return float(np.average(values, weights=weights)) if eq5 else float("nan")

    return {
        "model": fitted.model,
        "form": fitted.form.id,
        "loads": len(per_load),
        "cells": len(cells),
        "observations": len(ok),
        "cells_left_out": cells_left_out,
        "df": fit.df,
        "sigma": fit.sigma,
        "mape_percent": _percent(fit.errors),
        "max_leverage": float(fit.leverage.max()),
        "leave_one_cell_out_percent": _percent(fit.cell_out),
        "worst_cell": _cell_name(cells.iloc[worst]),
        "worst_cell_percent": float(np.abs(fit.cell_out[worst]) * 100),
        "leave_one_load_out_percent": (
            float(np.mean([row["left_out_percent"] for row in held])) if held else float("nan")
        ),
        "worst_load_percent": max((row["left_out_percent"] for row in held), default=float("nan")),
        "loads_left_out": len(held),
        "eq5_loads": len(eq5),
        "eq5_coefficients": len(_EQ5.terms) * len(eq5),
        "eq5_mape_percent": mean_of("eq5_mape_percent"),
        "eq5_leave_one_cell_out_percent": mean_of("eq5_leave_one_cell_out_percent"),
        "eq5_pooled_mape_percent": _percent(pooled),
        "max_num_tokens": fitted.max_num_tokens,
        "kv_cache_tokens": (
            fitted.kv_cache_tokens if np.isfinite(fitted.kv_cache_tokens) else float("nan")
        ),
        "cells_of_several_waves": int((at.waves > 1).sum()),
        "cells_bound_by_kv_cache": int((at.in_flight < limit).sum()),
        "simulated": bool(ok["simulated"].iloc[0]),
        "noise": pd.to_numeric(ok["noise"]).max() if "noise" in ok else float("nan"),
        "interval": interval_in_words(ok),
        "status": "ok",
        "reason": "; ".join(f"{name}: {why}" for name, why in fitted.not_carried.items()),
    }


def _cell_name(cell: "pd.Series[Any]") -> str:
    n, limit, inputs, outputs = (int(cell[name]) for name in _CELL)
    return f"n{n}/b{limit}/i{inputs}_o{outputs}"
