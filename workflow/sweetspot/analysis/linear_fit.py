"""Least squares of energies on any terms, and what the fit says of its own trust."""

from dataclasses import dataclass

import numpy as np

from sweetspot.analysis.cell_means import CellMeans
from sweetspot.analysis.weighted_terms import WeightedTerms
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
        terms: what energies were fitted to, weighted.
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
        weighted_errors: (n,), observed less fitted, weighted.
        cell_out: (n,), the same of each cell by the fit to the others; NaN where those do not
            carry the terms.
    """

    terms: WeightedTerms
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
    weighted_errors: Array
    cell_out: Array

    @property
    def weights(self) -> FitWeights:
        """By which errors counted: as a share of the observed energy, or equally, in J."""
        return self.terms.weights

    @property
    def is_exact(self) -> bool:
        """Whether the terms meet every cell, so that nothing can be tested."""
        return bool(np.isnan(self.p_values).all())

    @property
    def relative(self) -> Array:
        """(n,), what makes a weighted error a share of the observed energy."""
        return 1 / self.observed_j if self.weights == "equal" else np.ones_like(self.observed_j)


def linear_fit(terms: WeightedTerms, cells: CellMeans) -> LinearFit:
    """Fit the energies of n > k cells to terms of full rank, one of which is a constant."""
    # The functions of scipy.stats, which takes a second to import.
    from scipy.special import stdtr, stdtrit

    observed, root, scale, basis = cells.energy_per_token_j, terms.root, terms.scale, terms.basis
    target, weights_of = root * observed, root**2
    projected, residuals = least_squares(terms, observed)
    inverse = np.linalg.inv(terms.triangle)
    values, unscaled = inverse @ projected, inverse @ inverse.T
    df = len(observed) - len(values)
    square = float(residuals @ residuals)
    covariance = square / df * unscaled
    std_errors = np.sqrt(np.diag(covariance))
    about_mean = observed - np.average(observed, weights=weights_of)
    with np.errstate(divide="ignore", invalid="ignore"):
        r_squared = float(1 - square / np.sum(weights_of * about_mean**2))
        aic, bic = _information(residuals, root, len(values))
    cell_out = each_left_out(residuals, terms.leverage)
    # HC3 takes the residual that a cell has from the others for the size of its error.
    influence = basis * cell_out[:, None]
    hc3_covariance = inverse @ (influence.T @ influence) @ inverse.T
    hc3_std_errors = np.sqrt(np.diag(hc3_covariance))
    exact = bool(np.linalg.norm(residuals) <= _EXACT * np.linalg.norm(target))
    p_values, hc3_p_values = (
        np.full(len(values), np.nan) if exact else 2 * stdtr(df, -np.abs(values / errors))
        for errors in (std_errors, hc3_std_errors)
    )
    pure_error, f_value, f_p_value = _lack_of_fit(cells, terms, target, exact=exact)
    t_quantile = float(stdtrit(df, (1 + LEVEL) / 2))
    errors_j, units = residuals / root, np.outer(scale, scale)
    return LinearFit(
        terms=terms,
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
        vif=np.diag(unscaled) * terms.about_mean,
        covariance=covariance / units,
        hc3_covariance=hc3_covariance / units,
        leverage=terms.leverage,
        df=df,
        t_quantile=t_quantile,
        sigma=float(np.sqrt(square / df)),
        rmse_j=float(np.sqrt(np.mean(errors_j**2))),
        mape_percent=float(np.mean(np.abs(errors_j) / observed) * 100),
        r_squared=float("nan") if np.ptp(observed) == 0 else r_squared,
        aic=float("nan") if exact else aic,
        bic=float("nan") if exact else bic,
        condition_number=float(np.linalg.cond(terms.triangle)),
        pure_error=pure_error,
        lack_of_fit_f=f_value,
        lack_of_fit_p=f_p_value,
        weighted_errors=residuals,
        cell_out=cell_out,
    )


def least_squares(terms: WeightedTerms, observed_j: Array) -> tuple[Array, Array]:
    """Return what energies are along the basis, (k,), and their weighted errors, (n,)."""
    target = terms.root * observed_j
    projected = terms.basis.T @ target
    return projected, target - terms.basis @ projected


def each_left_out(residuals: Array, leverage: Array) -> Array:
    """Return each cell's residual from the fit to the others; NaN where they carry no such fit."""
    found, free = np.full_like(residuals, np.nan), 1 - leverage
    np.divide(residuals, free, out=found, where=free > ALONE)
    return found


def _information(residuals: Array, root: Array, terms: int) -> tuple[float, float]:
    """Return AIC and BIC with Gaussian errors, whose variance is not counted as a parameter."""
    half = len(residuals) / 2
    log_likelihood = -np.log(np.sum(residuals**2)) * half
    log_likelihood -= (1 + np.log(np.pi / half)) * half
    log_likelihood += np.sum(np.log(root))
    return float(2 * terms - 2 * log_likelihood), float(
        np.log(len(residuals)) * terms - 2 * log_likelihood
    )


def _lack_of_fit(
    cells: CellMeans, terms: WeightedTerms, target: Array, *, exact: bool
) -> tuple[float, float, float]:
    """Return the pure error, and F and p of the test that the form is all that is in the means.

    The test is the classical one, of a fit in which each row counts; where all cells have as many
    repeats that is the fit to the means.
    """
    from scipy.special import fdtrc

    nan, root, basis = float("nan"), terms.root, terms.basis
    pure_df = cells.observations - len(root)
    if pure_df == 0:
        return nan, nan, nan
    pure_square = float(root**2 @ cells.spread_j2) / pure_df
    pure_error = float(np.sqrt(pure_square))
    if exact or pure_error <= _EXACT * np.sqrt(np.mean(target**2)):
        return pure_error, nan, nan
    # Normal equations lose no digits here: the basis is orthonormal where a cell counts once.
    several = cells.repeats > 1
    more = basis[several] * (cells.repeats[several, None] - 1)
    normal = np.eye(basis.shape[1]) + more.T @ basis[several]
    projected = basis.T @ target + more.T @ target[several]
    missed = target - basis @ np.linalg.solve(normal, projected)
    missed_df = len(root) - basis.shape[1]
    f_value = float(cells.repeats @ missed**2) / missed_df / pure_square
    return pure_error, f_value, float(fdtrc(missed_df, pure_df, f_value))
