"""The sweet spot of one fit of Eq. 5 at one input length, and how sure it is.

On the fitted curve e(O) = c + alpha4·O + A/O, with A = alpha1·I² + alpha3·I + alpha5 and
c = alpha0 + alpha2·I, the least e is where O² = A / alpha4 (Eq. 6).
"""

from typing import Literal, NamedTuple

import numpy as np

from sweetspot.analysis.least_squares import LEVEL, FormFit
from sweetspot.energy_models import Array, sweet_spot_output_tokens

_ALPHA4 = 4
_SINGULAR = 1e-9  # of columns of length 1: drawn cells that do not tell the terms apart


class Interval(NamedTuple):
    """Output lengths, in tokens; an end that the fit does not bound is inf."""

    low: float
    high: float


_NONE = Interval(float("nan"), float("nan"))


def delta_interval(fit: FormFit, input_tokens: float) -> Interval:
    """Return the 95 % interval of Eq. 6's length by the delta method, not below 0.

    It takes the length for linear in the coefficients, so it is good where alpha4 is well
    determined; NaN where the fit has no minimum.
    """
    length = sweet_spot_output_tokens(fit.values.tolist(), input_tokens)
    if np.isnan(length):
        return _NONE
    # O* = √(A / alpha4): dO*/dA = 1 / (2·alpha4·O*), dO*/dalpha4 = -O* / (2·alpha4)
    gradient = _amortised(input_tokens) / length
    gradient[_ALPHA4] = -length
    gradient /= 2 * fit.values[_ALPHA4]
    half = fit.t_quantile * float(np.sqrt(gradient @ fit.covariance @ gradient))
    return Interval(max(0.0, length - half), length + half)


def fieller_interval(fit: FormFit, input_tokens: float) -> Interval:
    """Return the 95 % interval of Eq. 6's length by Fieller's theorem.

    O*² is a ratio of two linear combinations of the coefficients, A / alpha4; the interval holds
    every ratio r for which A - r·alpha4 is not significantly other than 0. It is exact for normal
    errors, also where alpha4 is poorly determined: then it has no upper end (inf), and where the
    ratios that it holds are two pieces, both are covered. NaN where the fit has no minimum.

    Source: E. C. Fieller, "Some problems in interval estimation", 1954.
    """
    if np.isnan(sweet_spot_output_tokens(fit.values.tolist(), input_tokens)):
        return _NONE
    contrast = _amortised(input_tokens)
    numerator, denominator = float(contrast @ fit.values), float(fit.values[_ALPHA4])
    t_square = fit.t_quantile**2
    of_both = fit.covariance[_ALPHA4]
    # (numerator - r·denominator)² <= t²·variance, as a·r² - 2·b·r + c <= 0
    a = denominator**2 - t_square * of_both[_ALPHA4]
    b = numerator * denominator - t_square * float(of_both @ contrast)
    c = numerator**2 - t_square * float(contrast @ fit.covariance @ contrast)
    # The estimate is in the set, so with a > 0 there are two roots.
    root = float(np.sqrt(max(0.0, b * b - a * c)))
    if a > 0:
        return Interval(*(float(np.sqrt(max(0.0, r))) for r in ((b - root) / a, (b + root) / a)))
    # Outside of the two roots, or everywhere: from 0 on, unless the lower piece is not positive.
    lower, upper = ((b + root) / a, (b - root) / a) if a < 0 else (0.0, 0.0)
    bounded_below = root > 0 and lower <= 0 < upper
    return Interval(float(np.sqrt(upper)) if bounded_below else 0.0, float("inf"))


def within_percent(fit: FormFit, input_tokens: float, percent: float) -> Interval:
    """Return the output lengths at which the fitted e is at most this much above its least.

    NaN where the fit has no minimum, or a negative one.
    """
    length = sweet_spot_output_tokens(fit.values.tolist(), input_tokens)
    least = fit.energy_per_token_j([input_tokens], [length])[0]
    if not least > 0:
        return _NONE
    alpha4 = float(fit.values[_ALPHA4])
    # alpha4·O² - (2·alpha4·O* + allowed)·O + alpha4·O*² = 0, as A = alpha4·O*²
    middle = length + percent / 100 * float(least) / (2 * alpha4)
    half = float(np.sqrt(middle**2 - length**2))
    return Interval(length**2 / (middle + half), middle + half)


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
    out.
    """
    rng = np.random.default_rng(seed)
    lengths = [
        sweet_spot_output_tokens(coefficients, input_tokens)
        for coefficients in _drawn_again(fit, rng, by, draws).tolist()
    ]
    tail = (1 - LEVEL) / 2
    bounds = np.quantile(
        np.nan_to_num(lengths, nan=np.inf), [tail, 1 - tail], method="inverted_cdf"
    )
    return Interval(*bounds.tolist())


def _drawn_again(fit: FormFit, rng: np.random.Generator, by: str, draws: int) -> Array:
    """Return the coefficients of every draw, (draws, k)."""
    root = 1 / fit.observed_j if fit.weights == "relative" else np.ones_like(fit.observed_j)
    design = fit.form.design_matrix(fit.input_tokens, fit.output_tokens) * root[:, None]
    scale = np.linalg.norm(design, axis=0)
    design /= scale
    if by == "residuals":
        residuals = (fit.observed_j - fit.fitted_j) * root / np.sqrt(1 - fit.leverage)
        drawn = rng.choice(residuals - residuals.mean(), (draws, len(residuals)))
        return np.asarray((fit.fitted_j * root + drawn) @ np.linalg.pinv(design).T / scale)
    cells = len(root)
    times = rng.multinomial(cells, np.full(cells, 1 / cells), draws)
    normal = np.einsum("dn,ni,nj->dij", times, design, design, optimize=True)
    target = np.einsum("dn,ni,n->di", times, design, fit.observed_j * root, optimize=True)
    carry = np.linalg.eigvalsh(normal)[:, 0] > _SINGULAR
    return np.asarray(np.linalg.solve(normal[carry], target[carry, :, None])[..., 0] / scale)


def _amortised(input_tokens: float) -> Array:
    """Return what the coefficients are multiplied with in A."""
    return np.array([0, input_tokens**2, 0, input_tokens, 0, 1], dtype=np.float64)
