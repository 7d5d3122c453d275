"""Where the batch form has its least energy per token, at any I, N and max_batch_size.

With one wave that is Eq. 6 (`one_wave_alphas`). Waves and a full KV cache put steps into e(O), so
it is searched, and its interval comes from drawing coefficients.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sweetspot.analysis.batch_fits import LOAD, ModelBatchFit
from sweetspot.analysis.cells import groups
from sweetspot.energy_models import Array

_MOST_ROWS = 100
DRAWS, SEED = 500, 1
_LENGTHS = 1500  # looked at: every one up to a hundred, then in steps of half a percent
_BEYOND = 4  # how far the search goes, in longest measured output lengths

BATCH_SPOTS = [
    *["model", *LOAD, "input_tokens", "observed_output_tokens", "observed_tokens_per_j"],
    *["estimated_output_tokens", "estimated_low", "estimated_high", "estimated_tokens_per_j"],
    *[
        "range2_low",
        "range2_high",
        "lost_at_observed_percent",
        "estimate_inside_range",
        "waves",
        "output_lengths",
    ],
]


class BatchSpot(NamedTuple):
    """The sweet spot of one load and input length, by the fitted form.

    Attributes:
        output_tokens: O with the least e; NaN where e still falls at the longest length searched.
        low, high: where that lies in 95 % of draws of the coefficients, NaN if one has none.
        energy_per_token_j: e there.
        range2_low, range2_high: the lengths around it where e is within 2 % of that.
        waves: ⌈N/k⌉ there.
    """

    output_tokens: float
    low: float
    high: float
    energy_per_token_j: float
    range2_low: float
    range2_high: float
    waves: float


def batch_spot(
    fitted: ModelBatchFit,
    input_tokens: float,
    *,
    requests: float,
    max_batch_size: float,
) -> BatchSpot:
    """Return the sweet spot at any load, measured or not, up to 4 times the longest output.

    The interval is of 500 draws from the multivariate t distribution of the coefficients (its seed
    is fixed), each of which has its own sweet spot.
    """
    longest = _BEYOND * fitted.at.output_tokens.max()
    outputs = np.unique(np.round(np.geomspace(1, longest, _LENGTHS)))
    at = fitted.loads(requests, max_batch_size, input_tokens, outputs)
    design = fitted.form.design_matrix(at)
    energies = design @ fitted.fit.values
    best = int(np.argmin(energies))
    if best == len(outputs) - 1 or energies[best] <= 0:
        return BatchSpot(*([float("nan")] * len(BatchSpot._fields)))
    places = np.argmin(_draws(fitted) @ design.T, axis=1)
    low, high = np.quantile(outputs[places], [0.025, 0.975], method="nearest")
    if (places == len(outputs) - 1).mean() > 0.025:
        high = np.nan
    near = outputs[energies <= 1.02 * energies[best]]
    return BatchSpot(
        *(float(outputs[best]), float(low), float(high), float(energies[best])),
        *(float(near[0]), float(near[-1]), float(at.waves[best])),
    )


def batch_spots(fitted: ModelBatchFit) -> pd.DataFrame:
    """Return the sweet spots of the loads and input lengths that the fit knows, one row each.

    Of more than 100 they are those of every so many, as each is a search.
    """
    rows: list[dict[str, Any]] = []
    curve = fitted.cells.groupby([*LOAD, "input_tokens"], sort=False).ngroup()
    every = -(-(curve.max() + 1) // _MOST_ROWS)
    shown = fitted.cells[curve % every == 0]
    for (requests, limit, input_tokens), cells in groups(shown, [*LOAD, "input_tokens"]):
        spot = batch_spot(fitted, input_tokens, requests=requests, max_batch_size=limit)
        outputs, observed = cells["output_tokens"], _least(cells)
        at_observed = fitted.energy_per_token_j(
            requests, limit, input_tokens, observed["output_tokens"]
        )[0]
        rows.append(
            {
                "model": fitted.model,
                "requests": requests,
                "batch_limit": limit,
                "input_tokens": input_tokens,
                "observed_output_tokens": int(observed["output_tokens"]),
                "observed_tokens_per_j": 1 / observed["energy_per_token_j"],
                "estimated_output_tokens": spot.output_tokens,
                "estimated_low": spot.low,
                "estimated_high": spot.high,
                "estimated_tokens_per_j": 1 / spot.energy_per_token_j,
                "range2_low": spot.range2_low,
                "range2_high": spot.range2_high,
                "lost_at_observed_percent": (at_observed / spot.energy_per_token_j - 1) * 100,
                "estimate_inside_range": bool(outputs.min() <= spot.output_tokens <= outputs.max()),
                "waves": spot.waves,
                "output_lengths": len(cells),
            }
        )
    return pd.DataFrame(rows, columns=BATCH_SPOTS)


def _least(cells: pd.DataFrame) -> "pd.Series[Any]":
    return cells.sort_values(["energy_per_token_j", "output_tokens"]).iloc[0]


def _draws(fitted: ModelBatchFit) -> Array:
    """Return (draws, k) coefficients as the fit knows them."""
    fit, random = fitted.fit, np.random.default_rng(SEED)
    scale = np.sqrt(np.diag(fit.covariance))
    root = np.linalg.cholesky(fit.covariance / np.outer(scale, scale)) * scale[:, None]
    wide = np.sqrt(fit.df / random.chisquare(fit.df, DRAWS))
    normal = random.standard_normal((len(fit.values), DRAWS))
    return np.asarray(fit.values[:, None] + root @ normal * wide).T
