"""Least squares of energies on any terms, and what the fit says of its own trust."""

from dataclasses import dataclass

import numpy as np

from sweetspot.analysis.cell_means import CellMeans
from sweetspot.config import FitWeights
from sweetspot.energy_models import Array

LEVEL = 0.95
"""Of all intervals of a fit."""

ALONE = 1e-9
"""A share of information this small is rounding: nothing else carries it."""

_EXACT = 1e-12  # residuals below this share of the data are rounding, and carry no statistics


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class LinearFit:
    """What a fit found: per term in the terms' units, and per cell.

    Per term, (k,), are values, std_errors, low and high (the 95 % interval, by Student's t),
    p_values (two-sided test against zero), vif (variance inflation factor; NaN of the constant),
    the covariances (k, k), and with the prefix hc3_ what does not assume that all cells err alike
    (MacKinnon and White's HC3, with the same t). Per cell, (n,), are its observed energy (mean of
    its repeats), fitted energy and leverage.

    Where the terms meet every cell exactly nothing can be tested: p-values, AIC, BIC and F are NaN.

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
        pure_error: standard deviation of repeats about their cell's mean, as sigma; NaN without.
        lack_of_fit_f, lack_of_fit_p: whether the means are further from the form than repeats are
            from their mean; NaN without repeats.
        basis: (n, k), orthonormal columns that span the weighted terms.
        weighted_errors: (n,), observed less fitted, weighted.
        cell_out: (n,), the same of each cell by the fit to the others; NaN where those do not
            carry the terms.
    """

    weights: FitWeights
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
    df: int
    t_quantile: float
    sigma: float
    rmse_j: float
    mape_percent: float
    r_squared: float
    aic: float
    bic: float
    condition_number: float
    pure_error: float
    lack_of_fit_f: float
    lack_of_fit_p: float
    basis: Array
    weighted_errors: Array
    cell_out: Array

    @property
    def relative(self) -> Array:
        """(n,), what makes a weighted error a share of the observed energy."""
        return 1 / self.observed_j if self.weights == "equal" else np.ones_like(self.observed_j)


def linear_fit(design: Array, cells: CellMeans, *, weights: FitWeights = "equal") -> LinearFit:
    """Fit energies to terms, (n, k) of full rank, with repeats averaged to n > k cells.

    One of the terms is a constant.
    """
    # The functions of scipy.stats, which takes a second to import.
    from scipy.special import stdtr, stdtrit

    observed = cells.energy_per_token_j
    weighted, scale, root = weighted_terms(design, cells.energy_per_token_j, weights)
    basis, triangle = np.linalg.qr(weighted)
    inverse = np.linalg.solve(triangle, basis.T)
    terms, weights_of, target = design / scale, root**2, root * observed
    values, unscaled = inverse @ target, inverse @ inverse.T
    residuals, df = target - weighted @ values, len(observed) - len(values)
    square = float(residuals @ residuals)
    covariance = square / df * unscaled
    std_errors = np.sqrt(np.diag(covariance))
    about_mean = observed - np.average(observed, weights=weights_of)
    with np.errstate(divide="ignore", invalid="ignore"):
        r_squared = float(1 - square / np.sum(weights_of * about_mean**2))
        aic, bic = _information(residuals, weights_of, len(values))
    leverage = np.sum(basis**2, axis=1)
    cell_out = each_left_out(residuals, leverage)
    # HC3 takes the residual that a cell has from the others for the size of its error.
    influence = inverse * cell_out
    hc3_covariance = influence @ influence.T
    hc3_std_errors = np.sqrt(np.diag(hc3_covariance))
    exact = bool(np.linalg.norm(residuals) <= _EXACT * np.linalg.norm(observed * root))
    p_values, hc3_p_values = (
        np.full(len(values), np.nan) if exact else 2 * stdtr(df, -np.abs(values / errors))
        for errors in (std_errors, hc3_std_errors)
    )
    pure_error, f_value, f_p_value = _lack_of_fit(cells, weighted, root, exact=exact)
    t_quantile = float(stdtrit(df, (1 + LEVEL) / 2))
    errors_j, units = residuals / root, np.outer(scale, scale)
    return LinearFit(
        weights=weights,
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
        vif=_inflation(terms, weights_of, np.diag(unscaled)),
        covariance=covariance / units,
        hc3_covariance=hc3_covariance / units,
        leverage=leverage,
        df=df,
        t_quantile=t_quantile,
        sigma=float(np.sqrt(square / df)),
        rmse_j=float(np.sqrt(np.mean(errors_j**2))),
        mape_percent=float(np.mean(np.abs(errors_j) / observed) * 100),
        r_squared=float("nan") if np.ptp(observed) == 0 else r_squared,
        aic=float("nan") if exact else aic,
        bic=float("nan") if exact else bic,
        condition_number=float(np.linalg.cond(triangle)),
        pure_error=pure_error,
        lack_of_fit_f=f_value,
        lack_of_fit_p=f_p_value,
        basis=basis,
        weighted_errors=residuals,
        cell_out=cell_out,
    )


def weighted_terms(
    design: Array, energy_per_token_j: Array, weights: FitWeights
) -> tuple[Array, Array, Array]:
    """Return the terms times the root of each cell's weight, as columns of length 1; both factors.

    I²/O is 10⁵ times the constant: unscaled columns would cost half the digits of the inverse. t
    and p do not change by it.
    """
    ones = np.ones_like(energy_per_token_j)
    root = 1 / energy_per_token_j if weights == "relative" else ones
    weighted = design * root[:, None]
    scale = np.linalg.norm(weighted, axis=0)
    return weighted / scale, scale, root


def each_left_out(residuals: Array, leverage: Array) -> Array:
    """Return each cell's residual from the fit to the others; NaN where they carry no such fit."""
    found, free = np.full_like(residuals, np.nan), 1 - leverage
    np.divide(residuals, free, out=found, where=free > ALONE)
    return found


def _information(residuals: Array, weights: Array, terms: int) -> tuple[float, float]:
    """Return AIC and BIC with Gaussian errors, whose variance is not counted as a parameter."""
    half = len(residuals) / 2
    log_likelihood = -np.log(np.sum(residuals**2)) * half
    log_likelihood -= (1 + np.log(np.pi / half)) * half
    log_likelihood += 0.5 * np.sum(np.log(weights))
    return float(2 * terms - 2 * log_likelihood), float(
        np.log(len(residuals)) * terms - 2 * log_likelihood
    )


def _inflation(design: Array, weights: Array, unscaled_variances: Array) -> Array:
    """Return each term's VIF: its variance over what it were if it were alone with the constant."""
    means = np.average(design, axis=0, weights=weights)
    about_mean = weights @ (design - means) ** 2
    constant = (design == design[0]).all(axis=0)
    return np.where(constant, np.nan, unscaled_variances * about_mean)


def _lack_of_fit(
    cells: CellMeans, weighted: Array, root: Array, *, exact: bool
) -> tuple[float, float, float]:
    """Return the pure error, and F and p of the test that the form is all that is in the means.

    The test is the classical one, of a fit in which each row counts; where all cells have as many
    repeats that is the fit to the means.
    """
    from scipy.special import fdtrc

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
    return pure_error, f_value, float(fdtrc(missed_df, pure_df, f_value))
