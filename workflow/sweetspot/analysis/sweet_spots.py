"""Where energy per token is least: as observed, and as Eq. 6 estimates."""

from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import GROUP, groups, mean_over_repeats, ok_cells
from sweetspot.energy_models import form, sweet_spot_output_tokens
from sweetspot.errors import InputError

ESTIMATE = ["estimated_output_tokens", "estimated_tokens_per_j"]

SWEET_SPOTS = [
    *GROUP,
    *["input_tokens", "observed_output_tokens", "observed_tokens_per_j"],
    *[*ESTIMATE, "estimate_inside_range"],
    *["output_lengths", "simulated"],
]

EXTREMES = [
    *GROUP,
    *["best_input_tokens", "best_output_tokens", "best_tokens_per_j"],
    *["worst_input_tokens", "worst_output_tokens", "worst_tokens_per_j"],
    *["best_over_worst", "cells", "simulated"],
]


def sweet_spot(coefficients: pd.DataFrame, input_tokens: float) -> pd.DataFrame:
    """Return the output length with the least energy per token at any input length, by Eq. 6.

    Args:
        coefficients: of `Fits`; one row is returned per group that Eq. 5 was fitted to.
        input_tokens: prompt length I.

    Returns:
        The group's columns, input_tokens, and as in `sweet_spots` estimated_output_tokens and
        estimated_tokens_per_j.

    Raises:
        InputError: input_tokens is not a positive number.
    """
    if not 0 < input_tokens < float("inf"):
        raise InputError(f"input_tokens must be a positive number, not {input_tokens!r}")
    rows = [
        {**dict(zip(GROUP, group, strict=True)), "input_tokens": input_tokens}
        | _estimate(alphas, input_tokens)
        for group, alphas in _alphas(coefficients).items()
    ]
    return pd.DataFrame(rows, columns=[*GROUP, "input_tokens", *ESTIMATE])


def sweet_spots(cells: pd.DataFrame, coefficients: pd.DataFrame) -> pd.DataFrame:
    """Return one row per input length of every group that Eq. 5 was fitted to.

    Observed is the measured output length with the least energy per token (the shorter one of
    equals); estimated is Eq. 6 with the group's own coefficients, not rounded, NaN where the fit
    has no minimum. `estimated_tokens_per_j` is the fitted form's efficiency there;
    `estimate_inside_range` says whether the estimate lies between the shortest and the longest
    measured output; outside it is an extrapolation. `output_lengths` counts those measured.
    """
    alphas_of = _alphas(coefficients)
    rows: list[dict[str, Any]] = []
    means = mean_over_repeats(ok_cells(cells))
    for (*group, input_tokens), curve in groups(means, [*GROUP, "input_tokens"]):
        if tuple(group) not in alphas_of:
            continue
        best = _least(curve)
        estimate = _estimate(alphas_of[tuple(group)], float(input_tokens))
        outputs = curve["output_tokens"]
        rows.append(
            {
                **dict(zip(GROUP, group, strict=True)),
                "input_tokens": input_tokens,
                "observed_output_tokens": int(best["output_tokens"]),
                "observed_tokens_per_j": 1 / best["energy_per_token_j"],
                **estimate,
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


def _alphas(coefficients: pd.DataFrame) -> dict[tuple[Any, ...], np.ndarray]:
    """Return alpha0 to alpha5 of every group that Eq. 5 was fitted to."""
    eq5 = form("memory_flops")
    names = [term.name for term in eq5.terms]
    return {
        group: rows.set_index("term").loc[names, "value"].to_numpy(float)
        for group, rows in groups(coefficients[coefficients["form"] == eq5.id], GROUP)
    }


def _estimate(alphas: np.ndarray, input_tokens: float) -> dict[str, float]:
    """Return Eq. 6's length and the fitted form's efficiency there, by the names of `ESTIMATE`."""
    output_tokens = sweet_spot_output_tokens(alphas.tolist(), input_tokens)
    energy_per_token_j = form("memory_flops").energy_per_token_j(
        alphas, [input_tokens], [output_tokens]
    )[0]
    efficiency = float(1 / energy_per_token_j) if energy_per_token_j > 0 else float("nan")
    return dict(zip(ESTIMATE, (output_tokens, efficiency), strict=True))
