"""Where energy per token is least: as observed, and as Eq. 6 estimates."""

from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import GROUP, groups, mean_over_repeats, ok_cells
from sweetspot.energy_models import form, sweet_spot_output_tokens

SWEET_SPOTS = [
    *GROUP,
    *["input_tokens", "observed_output_tokens", "observed_tokens_per_j"],
    *["estimated_output_tokens", "estimated_tokens_per_j", "estimate_inside_range"],
    *["output_lengths", "simulated"],
]

EXTREMES = [
    *GROUP,
    *["best_input_tokens", "best_output_tokens", "best_tokens_per_j"],
    *["worst_input_tokens", "worst_output_tokens", "worst_tokens_per_j"],
    *["best_over_worst", "cells", "simulated"],
]


def sweet_spots(cells: pd.DataFrame, coefficients: pd.DataFrame) -> pd.DataFrame:
    """Return one row per input length of every group that Eq. 5 was fitted to.

    Observed is the measured output length with the least energy per token (the shorter one of
    equals); estimated is Eq. 6 with the group's own coefficients, not rounded, NaN where the fit
    has no minimum. `estimated_tokens_per_j` is the fitted form's efficiency there;
    `estimate_inside_range` says whether the estimate lies between the shortest and the longest
    measured output; outside it is an extrapolation. `output_lengths` counts those measured.
    """
    eq5 = form("memory_flops")
    names = [term.name for term in eq5.terms]
    alphas_of = {
        group: rows.set_index("term").loc[names, "value"].to_numpy(float)
        for group, rows in groups(coefficients[coefficients["form"] == eq5.id], GROUP)
    }
    rows: list[dict[str, Any]] = []
    means = mean_over_repeats(ok_cells(cells))
    for (*group, input_tokens), curve in groups(means, [*GROUP, "input_tokens"]):
        if tuple(group) not in alphas_of:
            continue
        alphas = alphas_of[tuple(group)]
        best = _least(curve)
        estimate = sweet_spot_output_tokens(alphas.tolist(), float(input_tokens))
        outputs = curve["output_tokens"]
        rows.append(
            {
                **dict(zip(GROUP, group, strict=True)),
                "input_tokens": input_tokens,
                "observed_output_tokens": int(best["output_tokens"]),
                "observed_tokens_per_j": 1 / best["energy_per_token_j"],
                "estimated_output_tokens": estimate,
                "estimated_tokens_per_j": _efficiency(alphas, input_tokens, estimate),
                "estimate_inside_range": bool(outputs.min() <= estimate <= outputs.max()),
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


def _efficiency(alphas: np.ndarray, input_tokens: float, output_tokens: float) -> float:
    energy_per_token_j = form("memory_flops").energy_per_token_j(
        alphas, [input_tokens], [output_tokens]
    )[0]
    return float(1 / energy_per_token_j) if energy_per_token_j > 0 else float("nan")
