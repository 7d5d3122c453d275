"""Least squares of one form on one set of cells, and what it says of its own trust."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sweetspot.analysis.cell_means import CellMeans, cell_means
from sweetspot.analysis.held_out import held_out
from sweetspot.config import FitWeights
from sweetspot.energy_models import Array, Form

LEVEL = 0.95
"""Of all intervals of a fit."""

_EXACT = 1e-12  # residuals below this share of the data are rounding, and carry no statistics


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FormFit:
    """What a fit found: per term in the form's order and the terms' units, and per cell.

    Per term, (k,), are values, std_errors, low and high (the 95 % interval, by Student's t),
    p_values (two-sided test against zero), vif (variance inflation factor; NaN of the constant),
    the covariances (k, k), and with the prefix hc3_ what does not assume that all cells err alike
    (MacKinnon and White's HC3, with the same t). Per cell, (n,), are its lengths, observed energy
    (mean of its repeats), fitted energy, leverage, and the error of its prediction by the others.

    Where the form meets every cell exactly nothing can be tested: p-values, AIC, BIC and F are NaN.

    Attributes:
        weights: "equal": the squares of the errors in J are summed; "relative": of the errors as a
            share of the observed energy.
        observations: rows, of which repeats were averaged to the cells.
        df: degrees of freedom: cells less coefficients.
        t_quantile: how many standard errors the 95 % intervals reach to each side.
        sigma: residual standard deviation, in J or as a share, as the weights say.
        rmse_j: root mean square error, in J per token; mape_percent: mean absolute error.
        r_squared: share of the (weighted) variance about the mean; NaN where all cells are equal.
        aic, bic: with Gaussian errors; sigma is not counted as a parameter.
        condition_number: of the weighted terms, each scaled to length 1.
        leave_one_cell_out_percent, leave_one_input_out_percent, leave_one_output_out_percent:
            mean absolute error on cells left out (`HeldOut`).
        worst: the cell ("I/O") that the others predict worst, and its error in %.
        pure_error: standard deviation of repeats about their cell's mean, as sigma; NaN without.
        lack_of_fit_f, lack_of_fit_p: whether the means are further from the form than repeats are
            from their mean; NaN without repeats.
    """

    form: Form
    weights: FitWeights
    input_tokens: Array
    output_tokens: Array
    observed_j: Array
    fitted_j: Array
    observations: int
    values: Array
    std_errors: Array
    hc3_std_errors: Array
    low: Array
    high: Array
    p_values: Array
    hc3_p_values: Array
    vif: Array
    covariance: Array
    hc3_covariance: Array
    leverage: Array
    held_out_percent: Array
    df: int
    t_quantile: float
    sigma: float
    rmse_j: float
    mape_percent: float
    r_squared: float
    aic: float
    bic: float
    condition_number: float
    leave_one_cell_out_percent: float
    leave_one_input_out_percent: float
    leave_one_output_out_percent: float
    worst: tuple[str, float]
    pure_error: float
    lack_of_fit_f: float
    lack_of_fit_p: float

    def energy_per_token_j(self, input_tokens: ArrayLike, output_tokens: ArrayLike) -> Array:
        """Return the fitted e at each of the n cells, in J per output token."""
        return self.form.energy_per_token_j(self.values, input_tokens, output_tokens)

    def interval(self, input_tokens: ArrayLike, output_tokens: ArrayLike) -> tuple[Array, Array]:
        """Return where the fitted e lies at each of the n cells with 95 %: (low, high), in J.

        It is of the mean: a single measurement scatters about it by its own noise.
        """
        design = self.form.design_matrix(input_tokens, output_tokens)
        half = self.t_quantile * np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))
        middle = design @ self.values
        return middle - half, middle + half


def obstacle(form: Form, cells: CellMeans) -> str:
    """Return why these cells cannot carry this form; empty where they can."""
    lengths = cells.input_tokens, cells.output_tokens
    count = len(cells.repeats)
    needs = (
        f"needs at least {form.min_cells} cells over {form.input_lengths} input and "
        f"{form.output_lengths} output lengths"
    )
    inputs, outputs = (len(np.unique(axis)) for axis in lengths)
    has = f"has {count} over {inputs} and {outputs}"
    if count < form.min_cells:
        return f"{needs}, {has}"
    rank = np.linalg.matrix_rank(_scaled(form.design_matrix(*lengths))[0])
    if rank < len(form.terms):
        return f"{needs} that vary independently, {has} (rank {rank} of {len(form.terms)})"
    return ""


def fit_form(
    form: Form,
    input_tokens: Array,
    output_tokens: Array,
    energy_per_token_j: Array,
    *,
    weights: FitWeights = "equal",
) -> FormFit:
    """Fit e(I, O) to rows of cells, repeats averaged; they must carry the form (`obstacle`).

    Source: equal weights on J/token reproduce the paper's Table 3 from its Table 5; weights on
    total energy or on relative error do not.
    """
    return fit_means(
        form, cell_means(input_tokens, output_tokens, energy_per_token_j), weights=weights
    )


def fit_means(form: Form, cells: CellMeans, *, weights: FitWeights = "equal") -> FormFit:
    """Fit e(I, O) to cells whose repeats were averaged; as `fit_form`."""
    # Takes a second to import, which those who only read fits need not wait for.
    from scipy.stats import t
    from statsmodels.regression.linear_model import WLS

    observed = cells.energy_per_token_j
    # I²/O is 10⁵ times the constant; unscaled columns would cost half the digits of the inverse.
    design, scale = _scaled(form.design_matrix(cells.input_tokens, cells.output_tokens))
    root = 1 / observed if weights == "relative" else np.ones_like(observed)
    weighted = design * root[:, None]
    basis, triangle = np.linalg.qr(weighted)
    with np.errstate(divide="ignore", invalid="ignore"):
        result = WLS(observed, design, weights=root**2).fit()
        r_squared, aic, bic = float(result.rsquared), float(result.aic), float(result.bic)
    residuals, values = np.asarray(result.wresid), np.asarray(result.params)
    std_errors, df = np.asarray(result.bse), int(result.df_resid)
    out = held_out(basis, residuals, 1 / (root * observed), cells.input_tokens, cells.output_tokens)
    # HC3 takes the residual that a cell has from the others for the size of its error.
    influence = np.asarray(result.model.pinv_wexog) * out.residuals
    hc3_covariance = influence @ influence.T
    hc3_std_errors = np.sqrt(np.diag(hc3_covariance))
    exact = bool(np.linalg.norm(residuals) <= _EXACT * np.linalg.norm(observed * root))
    p_values, hc3_p_values = (
        np.full(len(values), np.nan) if exact else 2 * t.sf(np.abs(values / errors), df)
        for errors in (std_errors, hc3_std_errors)
    )
    pure_error, f_value, f_p_value = _lack_of_fit(cells, weighted, root, exact=exact)
    t_quantile = float(t.ppf((1 + LEVEL) / 2, df))
    errors_j, units = residuals / root, np.outer(scale, scale)
    return FormFit(
        form=form,
        weights=weights,
        input_tokens=cells.input_tokens,
        output_tokens=cells.output_tokens,
        observed_j=observed,
        fitted_j=observed - errors_j,
        observations=cells.observations,
        values=values / scale,
        std_errors=std_errors / scale,
        hc3_std_errors=hc3_std_errors / scale,
        low=(values - t_quantile * std_errors) / scale,
        high=(values + t_quantile * std_errors) / scale,
        p_values=p_values,
        hc3_p_values=hc3_p_values,
        vif=_inflation(design, root**2, np.diag(result.normalized_cov_params)),
        covariance=np.asarray(result.cov_params()) / units,
        hc3_covariance=hc3_covariance / units,
        leverage=np.sum(basis**2, axis=1),
        held_out_percent=out.errors_percent,
        df=df,
        t_quantile=t_quantile,
        sigma=float(np.sqrt(result.scale)),
        rmse_j=float(np.sqrt(np.mean(errors_j**2))),
        mape_percent=float(np.mean(np.abs(errors_j) / observed) * 100),
        r_squared=float("nan") if np.ptp(observed) == 0 else r_squared,
        aic=float("nan") if exact else aic,
        bic=float("nan") if exact else bic,
        condition_number=float(np.linalg.cond(_scaled(triangle)[0])),
        leave_one_cell_out_percent=out.cell,
        leave_one_input_out_percent=out.input_length,
        leave_one_output_out_percent=out.output_length,
        worst=out.worst(cells.input_tokens, cells.output_tokens),
        pure_error=pure_error,
        lack_of_fit_f=f_value,
        lack_of_fit_p=f_p_value,
    )


def _inflation(design: Array, weights: Array, unscaled_variances: Array) -> Array:
    """Return each term's VIF: its variance over what it were if it were alone with the constant."""
    means = np.average(design, axis=0, weights=weights)
    about_mean = weights @ (design - means) ** 2
    constant = np.ptp(design, axis=0) == 0
    return np.where(constant, np.nan, unscaled_variances * about_mean)


def _lack_of_fit(
    cells: CellMeans, weighted: Array, root: Array, *, exact: bool
) -> tuple[float, float, float]:
    """Return the pure error, and F and p of the test that the form is all that is in the means.

    The test is the classical one, of a fit in which each row counts; where all cells have as many
    repeats that is the fit to the means.
    """
    from scipy.stats import f

    nan = float("nan")
    pure_df = cells.observations - len(root)
    if pure_df == 0:
        return nan, nan, nan
    pure_square = float(root**2 @ cells.spread_j2) / pure_df
    pure_error = float(np.sqrt(pure_square))
    if exact or pure_error <= _EXACT * np.sqrt(np.mean((cells.energy_per_token_j * root) ** 2)):
        return pure_error, nan, nan
    rows = np.sqrt(cells.repeats)
    target = cells.energy_per_token_j * root * rows
    design = weighted * rows[:, None]
    missed = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    missed_df = len(root) - design.shape[1]
    f_value = float(missed @ missed) / missed_df / pure_square
    return pure_error, f_value, float(f.sf(f_value, missed_df, pure_df))


def _scaled(design: Array) -> tuple[Array, Array]:
    """Return the columns at length 1, and the lengths; t and p do not change by it."""
    scale = np.linalg.norm(design, axis=0)
    return design / scale, scale
