"""What a few measured cells say of the simulator's error, and so of cells that nobody measured.

The logarithm of measured over simulated energy is taken for a smooth function of lengths and
requests, of which a part is common to all models on a board with an engine and a part is the
model's own: a Gaussian process. One cell of a model moves all its answers; more say how the error
changes from short to long; cells of other models say what the model shares with them. How much a
model's error scatters is no better known than from a few models, so its own cells say that, too:
its scale has an inverse-gamma prior, and what is left is Student's t.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), sections 2.2, 5.4
and 9.9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sweetspot.metering.samples import FloatArray

IntArray = npt.NDArray[np.integer[Any]]

# Deviations of the parts, how far they reach, and a cell's own noise: rounded from what is most
# likely of 42 cells of three models (data/h200-vllm) beside constants that were not fitted to them,
# three of which were chosen with them in sight.
COMMON_OFFSET, COMMON_CHANGE = 0.03, 0.07
OWN_OFFSET, OWN_CHANGE = 0.03, 0.04
REACH_OCTAVES = 4.0
NOISE = 0.015
KNOWN_AS_FROM = 4.0
"""Of how many cells' worth it is known before how much the error of a model scatters."""


class Point(NamedTuple):
    """Where an energy is, or is to be, known."""

    model: str
    input_tokens: int
    output_tokens: int
    requests: int


@dataclass(frozen=True, slots=True)
class Corrected:
    """What to multiply a simulated energy with.

    Attributes:
        factor: measured over simulated, expected.
        deviation: scale of its logarithm, for one measurement.
        df: degrees of freedom of Student's t that it scales.
    """

    factor: float
    deviation: float
    df: float

    def times(self, level: float) -> float:
        """Return by what to multiply and divide for the interval of this level."""
        from scipy.special import stdtrit

        return float(np.exp(self.deviation * stdtrit(self.df, (1 + level) / 2)))


@dataclass(frozen=True, eq=False, slots=True)
class Correction:
    """The simulator's error as far as cells show it.

    Attributes:
        points: (n) of the cells.
        log_ratios: (n,) logarithms of measured over simulated energy.
    """

    points: Sequence[Point]
    log_ratios: FloatArray

    def at(self, points: Sequence[Point]) -> list[Corrected]:
        """Return what to correct energies at these points with."""
        scales = {model: self._scale(model) for model in {point.model for point in points}}
        return [
            Corrected(
                float(np.exp(mean)), deviation * scales[point.model][0], scales[point.model][1]
            )
            for point, mean, deviation in zip(
                points, *_posterior(self.points, self.log_ratios, points), strict=True
            )
        ]

    def _scale(self, model: str) -> tuple[float, float]:
        """Return by what to scale a model's deviations, and the degrees of freedom of that.

        Of how far its cells are from what the others' say of them.
        """
        own = np.array([point.model == model for point in self.points], dtype=bool)
        count = int(own.sum())
        square = 0.0
        if count:
            whole, others = _noisy(self.points), ~own
            missed, spread = self.log_ratios[own], whole[np.ix_(own, own)]
            if others.any():
                across = whole[np.ix_(others, own)]
                told = np.linalg.solve(whole[np.ix_(others, others)], across)
                missed = missed - told.T @ self.log_ratios[others]
                spread = spread - told.T @ across
            square = float(missed @ np.linalg.solve(spread, missed))
        df = KNOWN_AS_FROM + count
        return float(np.sqrt((KNOWN_AS_FROM + square) / df)), df

    def left_out(self, model: str, groups: IntArray | None = None) -> FloatArray:
        """Return (k,) relative errors of a model's cells, each corrected by all cells but itself.

        With `groups`, (k,), by all but those of its own group.

        Source: section 5.4.2; of a group it is the block of the inverse that is inverted.
        """
        own = np.flatnonzero([point.model == model for point in self.points])
        inverse = np.linalg.inv(_noisy(self.points))
        target = (inverse @ self.log_ratios)[own]
        block = inverse[np.ix_(own, own)]
        group = np.arange(len(own)) if groups is None else groups
        missed = np.empty(len(own))
        for each in np.unique(group):
            of_group = group == each
            missed[of_group] = np.linalg.solve(block[np.ix_(of_group, of_group)], target[of_group])
        return np.asarray(np.expm1(-missed))


def _posterior(
    seen: Sequence[Point], log_ratios: FloatArray, points: Sequence[Point]
) -> tuple[FloatArray, FloatArray]:
    """Return means and standard deviations of the logarithms at points, scale apart."""
    variance = _covariance(points[:1], points[:1])[0, 0] + NOISE**2
    if not seen:
        return np.zeros(len(points)), np.full(len(points), np.sqrt(variance))
    across = _covariance(points, seen)
    weights = np.linalg.solve(_noisy(seen), across.T).T
    means = weights @ log_ratios
    left = variance - np.einsum("ij,ij->i", weights, across)
    return means, np.sqrt(left)


def _noisy(points: Sequence[Point]) -> FloatArray:
    return _covariance(points, points) + NOISE**2 * np.eye(len(points))


def _covariance(some: Sequence[Point], others: Sequence[Point]) -> FloatArray:
    """Return how much the logarithms at some points tell of those at others."""
    apart = _octaves(some)[:, None] - _octaves(others)
    near = np.exp(-0.5 * (apart**2).sum(axis=-1) / REACH_OCTAVES**2)
    same = np.array([[a.model == b.model for b in others] for a in some], dtype=float)
    common = COMMON_OFFSET**2 + COMMON_CHANGE**2 * near
    return np.asarray(common + same * (OWN_OFFSET**2 + OWN_CHANGE**2 * near))


def _octaves(points: Sequence[Point]) -> FloatArray:
    return np.log2([[p.input_tokens, p.output_tokens, p.requests] for p in points])
