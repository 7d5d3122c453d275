"""The sweet spot of one fit of Eq. 5 at any input length, and how sure it is.

On the fitted curve e(O) = c + alpha4·O + A/O, with A = alpha1·I² + alpha3·I + alpha5 and
c = alpha0 + alpha2·I, the least e is where O² = A / alpha4 (Eq. 6). Input lengths are a number or
an array, and answers are arrays of the same shape, NaN where the fit has no minimum.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sweetspot.analysis.least_squares import FormFit
from sweetspot.analysis.linear_fit import ALONE, LEVEL
from sweetspot.energy_models import Array, sweet_spot_output_tokens

_ALPHA4 = 4


class Interval(NamedTuple):
    """Output lengths, in tokens; an end that the fit does not bound is inf."""

    low: Array
    high: Array


def sweet_spot_lengths(fit: FormFit, input_tokens: ArrayLike) -> Array:
    """Return Eq. 6's output lengths, not rounded (`energy_models.sweet_spot_output_tokens`)."""
    inputs = np.asarray(input_tokens, dtype=np.float64)
    if np.isnan(fit.r_squared):  # all energies are equal: a minimum would be one of rounding
        return np.full_like(inputs, np.nan)
    values = fit.without_rounding.tolist()
    found = [sweet_spot_output_tokens(values, each) for each in inputs.flat]
    return np.reshape(found, inputs.shape)


def delta_interval(fit: FormFit, input_tokens: ArrayLike) -> Interval:
    """Return the 95 % interval of Eq. 6's length by the delta method, not below 0.

    It takes the length for linear in the coefficients, so it is good where alpha4 is well
    determined.
    """
    lengths = sweet_spot_lengths(fit, input_tokens)
    # O* = √(A / alpha4): dO*/dA = 1 / (2·alpha4·O*), dO*/dalpha4 = -O* / (2·alpha4)
    gradient = _amortised(input_tokens) / lengths[..., None]
    gradient[..., _ALPHA4] = -lengths
    gradient /= 2 * fit.values[_ALPHA4]
    half = fit.t_quantile * np.sqrt(_variance(fit, gradient))
    return Interval(np.maximum(0.0, lengths - half), lengths + half)


def fieller_interval(fit: FormFit, input_tokens: ArrayLike) -> Interval:
    """Return the 95 % interval of Eq. 6's length by Fieller's theorem.

    O*² is a ratio of two linear combinations of the coefficients, A / alpha4; the interval holds
    every ratio r for which A - r·alpha4 is not significantly other than 0. It is exact for normal
    errors, also where alpha4 is poorly determined: then it has no upper end (inf), and where the
    ratios that it holds are two pieces, both are covered.

    Source: E. C. Fieller, "Some problems in interval estimation", 1954.
    """
    contrast = _amortised(input_tokens)
    numerator, denominator = contrast @ fit.values, fit.values[_ALPHA4]
    t_square, of_alpha4 = fit.t_quantile**2, fit.covariance[_ALPHA4]
    # (numerator - r·denominator)² <= t²·variance, as a·r² - 2·b·r + c <= 0
    a = denominator**2 - t_square * of_alpha4[_ALPHA4]
    b = numerator * denominator - t_square * contrast @ of_alpha4
    c = numerator**2 - t_square * _variance(fit, contrast)
    root = np.sqrt(np.maximum(0.0, b**2 - a * c))
    lower, upper = np.maximum(0.0, (b - root) / a), np.maximum(0.0, (b + root) / a)
    if a < 0:
        # All but what lies between the roots, or everything where there are none: from the larger
        # root on, or from 0 on if some ratio below the smaller one is positive, too.
        lower = np.where((root > 0) & (upper == 0), lower, 0.0)
        upper = np.full_like(lower, np.inf)
    nothing = np.isnan(sweet_spot_lengths(fit, input_tokens))
    return Interval(*(np.where(nothing, np.nan, np.sqrt(ratio)) for ratio in (lower, upper)))


def within_percent(fit: FormFit, input_tokens: ArrayLike, percent: float) -> Interval:
    """Return the output lengths at which the fitted e is at most this much above its least.

    NaN also where that least is not positive.
    """
    inputs, lengths = np.asarray(input_tokens), sweet_spot_lengths(fit, input_tokens)
    least = fit.energy_per_token_j(inputs.ravel(), lengths.ravel()).reshape(inputs.shape)
    least = np.where(least > 0, least, np.nan)
    # O² - 2·middle·O + O*² = 0, as A = alpha4·O*²
    middle = lengths + percent / 100 * least / (2 * fit.values[_ALPHA4])
    high = middle + np.sqrt(middle**2 - lengths**2)
    return Interval(lengths**2 / high, high)


def bootstrap(
    fit: FormFit,
    input_tokens: float,
    *,
    by: Literal["residuals", "cells"],
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return the 95 % interval of Eq. 6's length by drawing again: a check of the other two.

    Args:
        fit: of Eq. 5.
        input_tokens: I.
        by: "residuals": the fitted energies with residuals drawn from all cells, each scaled to
            its leverage, by the fit's weights; "cells": cells drawn with replacement, which also
            holds where cells err differently.
        draws: how many.
        seed: of numpy's default generator.

    A draw without a minimum counts as one at inf; one of cells that do not carry the form is left
    out, and NaN is the answer where that leaves none.
    """
    rng = np.random.default_rng(seed)
    lengths = [
        sweet_spot_output_tokens(coefficients, input_tokens)
        for coefficients in _drawn_again(fit, rng, by, draws).tolist()
    ]
    if not lengths:
        return Interval(np.array(np.nan), np.array(np.nan))
    tail = (1 - LEVEL) / 2
    bounds = np.quantile(
        np.nan_to_num(lengths, nan=np.inf), [tail, 1 - tail], method="inverted_cdf"
    )
    return Interval(*bounds)


def _drawn_again(fit: FormFit, rng: np.random.Generator, by: str, draws: int) -> Array:
    """Return the coefficients of every draw, (draws, k)."""
    basis, cells = fit.terms.basis, len(fit.observed_j)
    inverse = np.linalg.inv(fit.terms.triangle) / fit.terms.scale[:, None]
    target = fit.observed_j * fit.terms.root
    if by == "residuals":
        residuals = fit.weighted_errors / np.sqrt(np.maximum(1 - fit.leverage, ALONE))
        drawn = rng.choice(residuals - residuals.mean(), (draws, cells))
        return np.asarray((target - fit.weighted_errors + drawn) @ basis @ inverse.T)
    times = rng.multinomial(cells, np.full(cells, 1 / cells), draws)
    normal = np.einsum("dn,ni,nj->dij", times, basis, basis, optimize=True)
    projected = np.einsum("dn,ni,n->di", times, basis, target, optimize=True)
    carry = np.linalg.eigvalsh(normal)[:, 0] > ALONE  # drawn cells that tell the terms apart
    found = np.linalg.solve(normal[carry], projected[carry, :, None])[..., 0]
    return np.asarray(found @ inverse.T)


def _amortised(input_tokens: ArrayLike) -> Array:
    """Return what the coefficients are multiplied with in A, (..., 6)."""
    inputs = np.asarray(input_tokens, dtype=np.float64)
    none = np.zeros_like(inputs)
    return np.stack([none, inputs**2, none, inputs, none, none + 1], axis=-1)


def _variance(fit: FormFit, contrast: Array) -> Array:
    """Return the variance of linear combinations of the coefficients."""
    variance = np.einsum("...i,ij,...j->...", contrast, fit.covariance, contrast)
    return np.asarray(np.maximum(0.0, variance))  # which rounding could make less
