"""Where energy per token is least: as observed, and as Eq. 6 estimates."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sweetspot.analysis.cells import GROUP, mean_over_repeats, ok_cells
from sweetspot.analysis.fits import Fits
from sweetspot.analysis.least_squares import FormFit
from sweetspot.analysis.sweet_spot_intervals import (
    delta_interval,
    fieller_interval,
    sweet_spot_lengths,
    within_percent,
)
from sweetspot.energy_models import Array
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

_ORDER = ["energy_per_token_j", "output_tokens", "input_tokens"]


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
        | {name: float(value) for name, value in _estimates(fit, input_tokens).items()}
        for group, fit in fits.of_form("memory_flops").items()
    ]
    return pd.DataFrame(rows, columns=[*GROUP, "input_tokens", *ESTIMATE])


def sweet_spots(fits: Fits) -> pd.DataFrame:
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
    quality = fits.quality[fits.quality["form"] == "memory_flops"].set_index(GROUP)
    tables = []
    for group, fit in fits.of_form("memory_flops").items():
        spots = _observed(fit)
        inputs, observed = spots["input_tokens"], spots["observed_output_tokens"]
        spots = spots.assign(**_estimates(fit, inputs))
        best, estimated = spots["estimated_tokens_per_j"], spots["estimated_output_tokens"]
        at_observed = fit.energy_per_token_j(inputs, observed)
        tables.append(
            spots.assign(
                **dict(zip(GROUP, group, strict=True)),
                lost_at_observed_percent=(at_observed * best - 1) * 100,
                estimate_inside_range=estimated.between(spots["shortest"], spots["longest"]),
                simulated=bool(quality.loc[group, "simulated"]),
            )
        )
    if not tables:
        return pd.DataFrame(columns=SWEET_SPOTS)
    return pd.concat(tables, ignore_index=True)[SWEET_SPOTS]


def extremes(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row per group: its most and least efficient cell, and their ratio."""
    means = mean_over_repeats(ok_cells(cells))
    count = means.groupby(GROUP, sort=False).size()
    rising = means.sort_values("energy_per_token_j", kind="stable")
    # among equals the shortest lengths
    best, worst = (
        ends.set_index(GROUP).loc[count.index]
        for ends in (
            means.sort_values(_ORDER).drop_duplicates(GROUP),
            rising.drop_duplicates(GROUP, keep="last"),
        )
    )
    found = pd.DataFrame(
        {
            "best_input_tokens": best["input_tokens"],
            "best_output_tokens": best["output_tokens"],
            "best_tokens_per_j": 1 / best["energy_per_token_j"],
            "worst_input_tokens": worst["input_tokens"],
            "worst_output_tokens": worst["output_tokens"],
            "worst_tokens_per_j": 1 / worst["energy_per_token_j"],
            "best_over_worst": worst["energy_per_token_j"] / best["energy_per_token_j"],
            "cells": count,
            "simulated": best["simulated"],
        }
    )
    return found.reset_index()[EXTREMES]


def _observed(fit: FormFit) -> pd.DataFrame:
    """Return what was measured at each input length of a fit's cells: its best, and its range."""
    inputs, outputs, energies = fit.input_tokens, fit.output_tokens, fit.observed_j
    starts = np.flatnonzero(np.diff(inputs, prepend=np.nan) != 0)  # cells are in order of I, then O
    ends = np.append(starts[1:], len(inputs)) - 1
    least = np.repeat(np.minimum.reduceat(energies, starts), ends - starts + 1)
    equals = np.flatnonzero(energies == least)
    best = equals[np.searchsorted(equals, starts)]  # of equals the shortest output, the first
    return pd.DataFrame(
        {
            "input_tokens": inputs[starts].astype("int64"),
            "shortest": outputs[starts].astype("int64"),
            "longest": outputs[ends].astype("int64"),
            "output_lengths": ends - starts + 1,
            "observed_output_tokens": outputs[best].astype("int64"),
            "observed_tokens_per_j": 1 / energies[best],
        }
    )


def _estimates(fit: FormFit, input_tokens: ArrayLike) -> dict[str, Array]:
    """Return Eq. 6's lengths and what is known of them, by the names of `ESTIMATE`."""
    inputs = np.asarray(input_tokens, dtype=np.float64)
    lengths = sweet_spot_lengths(fit, inputs)
    energy_per_token_j = fit.energy_per_token_j(inputs.ravel(), lengths.ravel())
    least = np.where(energy_per_token_j > 0, energy_per_token_j, np.nan).reshape(inputs.shape)
    values = (
        lengths,
        *delta_interval(fit, inputs),
        *fieller_interval(fit, inputs),
        1 / least,
        *within_percent(fit, inputs, 2),
        *within_percent(fit, inputs, 5),
    )
    return dict(zip(ESTIMATE, values, strict=True))
