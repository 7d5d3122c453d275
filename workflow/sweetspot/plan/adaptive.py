"""Which lengths are measured next, and when those measured are enough.

Lengths come in the order of `informative_first`: to choose by a refit after each gains nothing over
it (docs/few-cells.md). What a refit tells is when to stop: what the fitted surface errs by at most
with 95 %, from how far it misses what was measured and how well what was measured ties it down.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sweetspot.config import Adaptive
from sweetspot.energy_models import Array
from sweetspot.plan.lengths import (
    EQ5,
    Lengths,
    carries_eq5,
    informative_first,
    typical_energy_per_token_j,
)

NOISE = 0.02
"""By how much cells are taken to scatter, before a fit has residuals enough to say."""

NOISE_CELLS = 1
"""In cells, how much that counts beside the residuals: more would deny a noise that is larger."""

LEAST_SHARE = 0.05  # of the median energy: a fit that falls below has no relative error
MOST_FACTOR = 10.0  # a sweet spot that is known no better is not known
Z95 = 1.6449  # of a normal variable: exceeded in one case of 20
_ALPHA4 = 4


class Expected(NamedTuple):
    """What a fit of Eq. 5 to some cells errs by at most, with 95 %.

    Attributes:
        error_percent: of the surface, mean over all lengths.
        spot_factor: within which the sweet spot is known with 95 %, median over the input lengths;
            infinite where half of them have none.
    """

    error_percent: float
    spot_factor: float

    def meets(self, target: Adaptive) -> bool:
        """Return whether it is small enough."""
        return (target.error_percent is None or self.error_percent <= target.error_percent) and (
            target.spot_factor is None or self.spot_factor <= target.spot_factor
        )

    @property
    def in_words(self) -> str:
        """Both in words."""
        known = self.spot_factor < MOST_FACTOR
        spot = f"within x{self.spot_factor:.2f}" if known else "not known"
        return f"Eq. 5 errs by {self.error_percent:.2f} % at most (95 %), sweet spot {spot}"


@dataclass(frozen=True, slots=True)
class Next:
    """More is to be measured.

    Attributes:
        lengths: all that are left, in the order in which they are worth measuring.
        needed: how many of them are expected to be needed until it is enough.
        expected: of what was measured; None where that does not carry Eq. 5.
    """

    lengths: tuple[Lengths, ...]
    needed: int
    expected: Expected | None

    @property
    def reason(self) -> str:
        """Why, in words."""
        if self.expected is None:
            return f"Eq. 5 takes {EQ5.min_cells} at least, of 3 input and 3 output lengths"
        return self.expected.in_words


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more is to be measured.

    Attributes:
        is_enough: whether the target was met; else there is nothing left.
        expected: of what was measured; None where that does not carry Eq. 5.
    """

    is_enough: bool
    expected: Expected | None

    @property
    def reason(self) -> str:
        """Why, in words."""
        known = self.expected.in_words if self.expected else "too few to carry Eq. 5"
        return known if self.is_enough else f"no length is left: {known}"


def next_cells(
    measured: Mapping[Lengths, float],
    candidates: Iterable[Lengths],
    requests: int,
    target: Adaptive,
) -> Next | Stop:
    """Return what to measure next at one load of a model, or that what was measured is enough.

    It hangs on nothing else, so that a run that goes on decides as one that never ended.

    Args:
        measured: energy per output token by lengths, in J, mean of repeats.
        candidates: lengths that can be measured; those that failed are not among them.
        requests: N of each run.
        target: what is enough.
    """
    left = informative_first(candidates, requests, measured)
    known = sorted(measured)
    lengths = sorted({*known, *left})
    expected = None
    if carries_eq5(known):
        fit = _Fit(known, np.array([measured[each] for each in known]), lengths)
        expected = fit.expected(known)
        if expected.meets(target):
            return Stop(True, expected)
        least = 1
    elif left and carries_eq5(lengths):
        fit = _Fit(lengths, typical_energy_per_token_j(lengths), lengths, scatter=NOISE)
        counts = range(1, len(left) + 1)
        least = next(count for count in counts if carries_eq5([*known, *left[:count]]))
    else:
        return Next(left, len(left), None) if left else Stop(False, None)
    if not left:
        return Stop(False, expected)
    # every further cell ties the fit down, so the first number that is enough can be bisected
    more = bisect_left(
        range(least, len(left)),
        True,
        key=lambda count: fit.expected([*known, *left[:count]]).meets(target),
    )
    return Next(left, least + more, expected)


class _Fit:
    """A relative fit of Eq. 5, and what it would err by were other cells measured than its own."""

    def __init__(
        self,
        known: Sequence[Lengths],
        energy_per_token_j: Array,
        lengths: Sequence[Lengths],
        scatter: float | None = None,
    ) -> None:
        """Fit the energies, (n,), of known lengths; the error counts over all `lengths`.

        Cells err by `scatter`, a share, or else as the residuals say.
        """
        design = EQ5.design_matrix(*np.array(known, dtype=float).T)
        relative = design / energy_per_token_j[:, None]
        self.scale = np.sqrt(np.mean(relative**2, axis=0))
        found = np.linalg.lstsq(relative / self.scale, np.ones(len(known)), rcond=None)[0]
        residuals = 1 - relative / self.scale @ found
        self.values = found / self.scale
        if scatter is None:
            squares = residuals @ residuals + NOISE_CELLS * NOISE**2
            scatter = float(np.sqrt(squares / self._freedom(known)))
        self.scatter = scatter
        at = np.array(lengths, dtype=float)
        everywhere = EQ5.design_matrix(*at.T)
        least_j = LEAST_SHARE * np.median(energy_per_token_j)
        fitted_j = np.maximum(everywhere @ self.values, least_j)
        self.terms = everywhere / fitted_j[:, None] / self.scale
        self.places = {each: place for place, each in enumerate(lengths)}
        self.input_tokens = np.unique(at[:, 0])

    def _freedom(self, cells: Sequence[Lengths]) -> float:
        """Return degrees of freedom of the scatter that so many cells show."""
        return len(cells) - len(self.values) + NOISE_CELLS

    def expected(self, cells: Sequence[Lengths]) -> Expected:
        """Return what the fit errs by where these cells are measured; they carry Eq. 5.

        The error at a length is normal, so its mean size is sqrt(2/pi) of its deviation. How far
        the mean over lengths may lie above that hangs on how many of the coefficients matter
        (Satterthwaite), and on how well few residuals tell their scatter: an F quantile.
        """
        freedom = self._freedom(cells)
        places = [self.places[each] for each in cells]
        inverse = np.linalg.inv(np.linalg.qr(self.terms[places]).R)
        spread = self.terms @ inverse
        mean_error = np.sqrt(2 / np.pi) * np.mean(np.linalg.norm(spread, axis=1))
        parts = np.linalg.eigvalsh(spread.T @ spread)
        most = upper_f(float(parts.sum() ** 2 / (parts @ parts)), freedom)
        error = self.scatter * mean_error * np.sqrt(most)
        covariance = self.scatter**2 * (inverse @ inverse.T) / np.outer(self.scale, self.scale)
        return Expected(100 * float(error), self._spot_factor(covariance, freedom))

    def _spot_factor(self, covariance: Array, freedom: float) -> float:
        """Return within which factor the sweet spot is known, by the delta method on its log.

        Its length squared is A / alpha4 (Eq. 6), with A = alpha1·I² + alpha3·I + alpha5.
        """
        inputs = self.input_tokens
        amortised = np.zeros((len(inputs), len(self.values)))
        amortised[:, 1], amortised[:, 3], amortised[:, 5] = inputs**2, inputs, 1
        amortised_j, slope = amortised @ self.values, float(self.values[_ALPHA4])
        if slope <= 0:
            return np.inf
        has_spot = amortised_j > 0
        gradient = amortised[has_spot] / (2 * amortised_j[has_spot, None])
        gradient[:, _ALPHA4] = -1 / (2 * slope)
        variance = np.einsum("ij,jk,ik->i", gradient, covariance, gradient)
        logs = np.full(len(inputs), np.inf)
        logs[has_spot] = np.sqrt(upper_f(1, freedom) * np.maximum(0.0, variance))
        # the lower middle one of an even number, as the mean with an infinite one tells nothing
        middle = np.sort(logs)[(len(logs) - 1) // 2]
        return float(np.exp(min(middle, 700.0))) if np.isfinite(middle) else np.inf


def upper_f(parts: float, freedom: float) -> float:
    """Return what an F variable exceeds in one case of 20, for 2 degrees of freedom or more.

    Of one part it is the square of Student's t at 97.5 %. Its root is within 1.4 % from 4 degrees
    on, 3 % too large at 3 and 13 % at 2; scipy knows it better, and is not on a bare node.

    Source: Paulson, "An approximate normalization of the analysis of variance distribution", Annals
    of Mathematical Statistics 13 (1942): the cube root of F is nearly normal.
    """
    ours, theirs = 2 / (9 * parts), 2 / (9 * freedom)
    square = (1 - theirs) ** 2 - Z95**2 * theirs
    half = (1 - theirs) * (1 - ours)
    root = half + np.sqrt(half**2 - square * ((1 - ours) ** 2 - Z95**2 * ours))
    return float((root / square) ** 3)
