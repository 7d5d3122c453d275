"""Where energy per token is least: as observed, and as Eq. 6 estimates."""

from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import GROUP, groups, mean_over_repeats, ok_cells
from sweetspot.analysis.fits import Fits
from sweetspot.analysis.least_squares import FormFit
from sweetspot.analysis.sweet_spot_intervals import (
    delta_interval,
    fieller_interval,
    within_percent,
)
from sweetspot.energy_models import sweet_spot_output_tokens
from sweetspot.errors import InputError

ESTIMATE = [
    *["estimated_output_tokens", "estimated_low", "estimated_high"],
    *["fieller_low", "fieller_high", "estimated_tokens_per_j"],
    *["range2_low", "range2_high", "range5_low", "range5_high"],
]

SWEET_SPOTS = [
    *GROUP,
    *["input_tokens", "observed_output_tokens", "observed_tokens_per_j"],
    *[*ESTIMATE, "lost_at_observed_percent", "estimate_inside_range"],
    *["output_lengths", "simulated"],
]

EXTREMES = [
    *GROUP,
    *["best_input_tokens", "best_output_tokens", "best_tokens_per_j"],
    *["worst_input_tokens", "worst_output_tokens", "worst_tokens_per_j"],
    *["best_over_worst", "cells", "simulated"],
]


def sweet_spot(fits: Fits, input_tokens: float) -> pd.DataFrame:
    """Return the output length with the least energy per token at any input length, by Eq. 6.

    Args:
        fits: of `fit_forms`; one row is returned per group that Eq. 5 was fitted to.
        input_tokens: prompt length I.

    Returns:
        The group's columns, input_tokens, and what `sweet_spots` says of the estimate.

    Raises:
        InputError: input_tokens is not a positive number.
    """
    if not 0 < input_tokens < float("inf"):
        raise InputError(f"input_tokens must be a positive number, not {input_tokens!r}")
    rows = [
        {**dict(zip(GROUP, group, strict=True)), "input_tokens": input_tokens}
        | _estimate(fit, input_tokens)
        for group, fit in fits.of_form("memory_flops").items()
    ]
    return pd.DataFrame(rows, columns=[*GROUP, "input_tokens", *ESTIMATE])


def sweet_spots(cells: pd.DataFrame, fits: Fits) -> pd.DataFrame:
    """Return one row per input length of every group that Eq. 5 was fitted to.

    Observed is the measured output length with the least energy per token (the shorter one of
    equals); estimated is Eq. 6 with the group's own coefficients, not rounded, NaN where the fit
    has no minimum. Of the estimate there are two 95 % intervals, `estimated_low` and
    `estimated_high` by the delta method, `fieller_low` and `fieller_high` by Fieller's theorem
    (the high one is inf where the fit does not bound it); the fitted form's efficiency there,
    `estimated_tokens_per_j`; and the output lengths between which the fitted energy per token is
    at most 2 % or 5 % above its least. `lost_at_observed_percent` is how far it is above at the
    observed length. `estimate_inside_range` says whether the estimate lies between the shortest
    and the longest measured output; outside it is an extrapolation. `output_lengths` counts those
    measured.
    """
    fit_of = fits.of_form("memory_flops")
    rows: list[dict[str, Any]] = []
    means = mean_over_repeats(ok_cells(cells))
    for (*group, input_tokens), curve in groups(means, [*GROUP, "input_tokens"]):
        fit = fit_of.get(tuple(group))
        if fit is None:
            continue
        best = _least(curve)
        observed = int(best["output_tokens"])
        estimate = _estimate(fit, float(input_tokens))
        outputs = curve["output_tokens"]
        at_observed = fit.energy_per_token_j([input_tokens], [observed])[0]
        rows.append(
            {
                **dict(zip(GROUP, group, strict=True)),
                "input_tokens": input_tokens,
                "observed_output_tokens": observed,
                "observed_tokens_per_j": 1 / best["energy_per_token_j"],
                **estimate,
                "lost_at_observed_percent": float(
                    (at_observed * estimate["estimated_tokens_per_j"] - 1) * 100
                ),
                "estimate_inside_range": bool(
                    outputs.min() <= estimate["estimated_output_tokens"] <= outputs.max()
                ),
                "output_lengths": len(curve),
                "simulated": bool(best["simulated"]),
            }
        )
    return pd.DataFrame(rows, columns=SWEET_SPOTS)


def extremes(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row per group: its most and least efficient cell, and their ratio."""
    rows: list[dict[str, Any]] = []
    for group, grid in groups(mean_over_repeats(ok_cells(cells)), GROUP):
        best = _least(grid)
        worst = grid.sort_values("energy_per_token_j", kind="stable").iloc[-1]
        rows.append(
            {
                **dict(zip(GROUP, group, strict=True)),
                "best_input_tokens": int(best["input_tokens"]),
                "best_output_tokens": int(best["output_tokens"]),
                "best_tokens_per_j": 1 / best["energy_per_token_j"],
                "worst_input_tokens": int(worst["input_tokens"]),
                "worst_output_tokens": int(worst["output_tokens"]),
                "worst_tokens_per_j": 1 / worst["energy_per_token_j"],
                "best_over_worst": worst["energy_per_token_j"] / best["energy_per_token_j"],
                "cells": len(grid),
                "simulated": bool(best["simulated"]),
            }
        )
    return pd.DataFrame(rows, columns=EXTREMES)


def _least(curve: pd.DataFrame) -> "pd.Series[Any]":
    """Return the row with the least energy per token; among equals the shortest lengths."""
    order = ["energy_per_token_j", "output_tokens", "input_tokens"]
    return curve.sort_values(order).iloc[0]


def _estimate(fit: FormFit, input_tokens: float) -> dict[str, float]:
    """Return Eq. 6's length and what is known of it, by the names of `ESTIMATE`."""
    if np.isnan(fit.r_squared):  # all energies are equal: a minimum would be one of rounding
        return dict.fromkeys(ESTIMATE, float("nan"))
    output_tokens = sweet_spot_output_tokens(fit.values.tolist(), input_tokens)
    energy_per_token_j = fit.energy_per_token_j([input_tokens], [output_tokens])[0]
    efficiency = float(1 / energy_per_token_j) if energy_per_token_j > 0 else float("nan")
    values = (
        output_tokens,
        *delta_interval(fit, input_tokens),
        *fieller_interval(fit, input_tokens),
        efficiency,
        *within_percent(fit, input_tokens, 2),
        *within_percent(fit, input_tokens, 5),
    )
    return dict(zip(ESTIMATE, values, strict=True))
