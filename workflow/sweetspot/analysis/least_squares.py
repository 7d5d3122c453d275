"""Ordinary least squares of one form on one set of cells."""

from dataclasses import dataclass

import numpy as np

from sweetspot.energy_models import Array, Form

_EXACT = 1e-12  # residuals below this share of the data are rounding, and carry no statistics


@dataclass(frozen=True, eq=False, slots=True)
class FormFit:
    """What a fit found; arrays are in the order of the form's terms, in the terms' units.

    Attributes:
        p_values: two-sided t-test of each coefficient against zero; NaN where the form meets
            every cell exactly, since nothing can be tested without residuals.
        r_squared: share of the variance about the mean; NaN where all cells are equal.
    """

    values: Array
    std_errors: Array
    p_values: Array
    mape_percent: float
    r_squared: float


def obstacle(form: Form, input_tokens: Array, output_tokens: Array) -> str:
    """Return why these cells cannot carry this form; empty where they can."""
    lengths = np.unique(np.column_stack([input_tokens, output_tokens]), axis=0)
    needs = (
        f"needs at least {form.min_cells} cells over {form.input_lengths} input and "
        f"{form.output_lengths} output lengths"
    )
    inputs, outputs = (len(np.unique(axis)) for axis in lengths.T)
    has = f"has {len(lengths)} over {inputs} and {outputs}"
    if len(lengths) < form.min_cells:
        return f"{needs}, {has}"
    rank = np.linalg.matrix_rank(_scaled(form.design_matrix(*lengths.T))[0])
    if rank < len(form.terms):
        return f"{needs} that vary independently, {has} (rank {rank} of {len(form.terms)})"
    return ""


def fit_form(
    form: Form, input_tokens: Array, output_tokens: Array, energy_per_token_j: Array
) -> FormFit:
    """Fit e(I, O) with every cell weighted alike; the cells must carry the form (`obstacle`).

    Source: equal weights on J/token reproduce the paper's Table 3 from its Table 5; weights on
    total energy or on relative error do not.
    """
    # Takes a second to import, which those who only read fits need not wait for.
    from statsmodels.regression.linear_model import OLS

    # I²/O is 10⁵ times the constant; unscaled columns would cost half the digits of the inverse.
    design, scale = _scaled(form.design_matrix(input_tokens, output_tokens))
    with np.errstate(divide="ignore", invalid="ignore"):
        result = OLS(energy_per_token_j, design).fit()
        p_values = np.asarray(result.pvalues, dtype=float)
        r_squared = float(result.rsquared)
    if np.linalg.norm(result.resid) <= _EXACT * np.linalg.norm(energy_per_token_j):
        p_values = np.full(len(form.terms), np.nan)
    if np.ptp(energy_per_token_j) == 0:
        r_squared = float("nan")
    return FormFit(
        values=np.asarray(result.params) / scale,
        std_errors=np.asarray(result.bse) / scale,
        p_values=p_values,
        mape_percent=float(np.mean(np.abs(result.resid) / energy_per_token_j) * 100),
        r_squared=r_squared,
    )


def _scaled(design: Array) -> tuple[Array, Array]:
    """Return the columns at length 1, and the lengths; t and p do not change by it."""
    scale = np.linalg.norm(design, axis=0)
    return design / scale, scale
