"""Where the batch form has its least energy per token, at any I, N and max_batch_size.

With one wave that is Eq. 6 (docs/batch-form.md). Waves and a full KV cache put cliffs into e(O), so
it is searched, with whole waves, and its interval comes from drawing coefficients.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sweetspot.analysis.batch_cells import LOAD
from sweetspot.analysis.batch_fits import ModelBatchFit
from sweetspot.analysis.batch_form import Loads
from sweetspot.analysis.cells import groups
from sweetspot.cliffs import CLIFF, MARGIN, TOLERANCE, Cliff
from sweetspot.energy_models import Array

Mask = NDArray[np.bool_]

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
        "least_output_tokens",
        "lost_percent",
        "cliffs",
    ],
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSpot:
    """The sweet spot of one load and input length, by the fitted form.

    All are NaN where e still falls at the longest length searched.

    Attributes:
        output_tokens: O that is recommended: within the range, and more than 3 % away from each
            cliff; with one wave, and mostly else, that of the least e with whole waves.
        low, high: where that least lies in 95 % of draws of the coefficients, NaN if one has none.
        energy_per_token_j: e of these requests at the recommended length.
        range2_low, range2_high: the lengths around the least e with whole waves between which it is
            at most 2 % more.
        waves: ⌈N/k⌉ at the recommended length.
        least_output_tokens: with the least e of exactly these requests, mostly the last length
            before a cliff.
        least_energy_per_token_j: e there.
        cliffs: inside the range and at its ends, the first one first.
    """

    output_tokens: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    energy_per_token_j: float = float("nan")
    range2_low: float = float("nan")
    range2_high: float = float("nan")
    waves: float = float("nan")
    least_output_tokens: float = float("nan")
    least_energy_per_token_j: float = float("nan")
    cliffs: tuple[Cliff, ...] = ()

    @property
    def lost_percent(self) -> float:
        """By how much the recommended length costs more than the one with the least e."""
        return 100 * (self.energy_per_token_j / self.least_energy_per_token_j - 1)


def batch_spot(
    fitted: ModelBatchFit,
    input_tokens: float,
    *,
    requests: float,
    max_batch_size: float,
) -> BatchSpot:
    """Return the sweet spot at any load, measured or not, up to 4 times the longest output.

    As of a simulated workload (docs/simulator.md#the-sweet-spot) it is looked for with whole waves:
    at each length of as many requests as fill the last wave, as where the sawtooth of exactly N of
    them is least says more about N than about the model. The interval is of 500 draws from the
    multivariate t distribution of the coefficients (its seed is fixed), each of which has its own
    sweet spot.
    """
    values, longest = fitted.fit.values, _BEYOND * fitted.at.output_tokens.max()
    outputs: Array = np.unique(np.round(np.geomspace(1, longest, _LENGTHS)))

    def loads(lengths: Array, *, whole: bool) -> Loads:
        at = fitted.loads(requests, max_batch_size, input_tokens, lengths)
        return replace(at, requests=at.waves * at.in_flight) if whole else at

    design = fitted.form.design_matrix(loads(outputs, whole=True))
    energies = design @ values
    best = int(np.argmin(energies))
    if best == len(outputs) - 1 or energies[best] <= 0:
        return BatchSpot()
    places = np.argmin(_draws(fitted) @ design.T, axis=1)
    low, high = np.quantile(outputs[places], [0.025, 0.975], method="nearest")
    if (places == len(outputs) - 1).mean() > 0.025:
        high = np.nan
    near = outputs[energies <= (1 + TOLERANCE) * energies[best]]

    # Cliffs are between neighbours, so of the range, and a little around it, every length counts.
    first, last = int((1 - MARGIN) * near[0]) - 1, int((1 + MARGIN) * near[-1]) + 1
    lengths = np.arange(max(1, first), last + 1).astype(np.float64)
    at = loads(lengths, whole=False)
    exact = fitted.form.design_matrix(at) @ values
    cliffs = _cliffs(at, exact)
    inside = (near[0] <= lengths) & (lengths <= near[-1])
    clear = inside.copy()
    for cliff in cliffs:
        clear &= ~np.asarray(cliff.is_near(lengths))
    whole = fitted.form.design_matrix(loads(lengths, whole=True)) @ values
    place = _recommended(exact, whole, inside, clear, int(outputs[best] - lengths[0]))
    ends = np.concatenate([outputs, [float(each.output_tokens) for each in cliffs]])
    of_ends = fitted.form.design_matrix(loads(ends, whole=False)) @ values
    least = int(np.argmin(of_ends))
    return BatchSpot(
        output_tokens=float(lengths[place]),
        low=float(low),
        high=float(high),
        energy_per_token_j=float(exact[place]),
        range2_low=float(near[0]),
        range2_high=float(near[-1]),
        waves=float(at.waves[place]),
        least_output_tokens=float(ends[least]),
        least_energy_per_token_j=float(of_ends[least]),
        cliffs=tuple(each for each in cliffs if near[0] - 1 <= each.output_tokens <= near[-1]),
    )


def _recommended(exact: Array, whole: Array, inside: Mask, clear: Mask, best: int) -> int:
    """Return where, of neighbouring lengths, a length is to be relied on.

    That is away from cliffs, where e is within 2 % of its least inside the range, or of what can be
    had of it: the best with whole waves.

    Args:
        exact: e of exactly the requests.
        whole: e with whole waves.
        inside: of the range.
        clear: of these, those away from cliffs.
        best: the place of the best with whole waves of all.
    """
    clear = clear if clear.any() else inside
    at_most_j, had_j = (1 + TOLERANCE) * exact[inside].min(), exact[clear].min()
    at_most_j = at_most_j if had_j <= at_most_j else (1 + TOLERANCE) * had_j
    good = np.flatnonzero(clear & (exact <= at_most_j))
    return best if best in good else int(good[np.argmin(whole[good])])


def _cliffs(at: Loads, energies: Array) -> list[Cliff]:
    """Return where one token more changes e too much, of neighbouring lengths."""
    steps = energies[1:] / energies[:-1] - 1
    return [
        Cliff(
            int(at.output_tokens[place]),
            100 * float(steps[place]),
            int(at.waves[place]),
            int(at.waves[place + 1]),
        )
        for place in np.flatnonzero(np.abs(steps) > CLIFF)
    ]


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
        least_j = spot.least_energy_per_token_j
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
                "lost_at_observed_percent": (at_observed / least_j - 1) * 100,
                "estimate_inside_range": bool(outputs.min() <= spot.output_tokens <= outputs.max()),
                "waves": spot.waves,
                "output_lengths": len(cells),
                "least_output_tokens": spot.least_output_tokens,
                "lost_percent": spot.lost_percent,
                "cliffs": "; ".join(each.words for each in spot.cliffs),
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
