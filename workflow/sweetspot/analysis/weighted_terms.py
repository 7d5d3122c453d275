"""The terms of a form at some cells, weighted, as an orthonormal basis and a triangle.

All that least squares needs follows from these two without losing digits. Of a million cells the
basis is made in blocks that fit into a processor's cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweetspot.config import FitWeights
from sweetspot.energy_models import Array

_BLOCK = 4096


@dataclass(frozen=True, eq=False, slots=True)
class WeightedTerms:
    """The k terms at n cells: basis @ triangle * scale is each term times the root of its weight.

    Attributes:
        weights: "equal": the squares of the errors in J are summed; "relative": of the errors as a
            share of the observed energy.
        root: (n,), of each cell's weight.
        scale: (k,), lengths of the weighted terms. I²/O is 10⁵ times the constant: unscaled, the
            inverse would lose half its digits. t and p do not change by it.
        basis: (n, k), orthonormal columns.
        triangle: (k, k), upper.
        constant: (k,), which terms are the same at all cells.
        leverage: (n,), how far a fit follows each cell.
    """

    weights: FitWeights
    root: Array
    scale: Array
    basis: Array
    triangle: Array
    constant: NDArray[np.bool_]
    leverage: Array

    @property
    def rank(self) -> int:
        """How many terms the cells tell apart."""
        tolerance = max(len(self.root), len(self.scale)) * np.finfo(float).eps
        return int(np.linalg.matrix_rank(self.triangle, rtol=tolerance))

    @property
    def about_mean(self) -> Array:
        """(k,), each scaled term's weighted sum of squares about its mean; NaN of the constant.

        It is the square of what of a column is not along the constant's.
        """
        first = np.argsort(~self.constant, kind="stable")
        along = np.linalg.qr(self.triangle[:, first]).R
        found = np.empty_like(self.scale)
        found[first] = np.sum(along[1:] ** 2, axis=0)
        found[self.constant] = np.nan
        return found


def weighted_terms(
    terms: Sequence[Array] | Array, energy_per_token_j: Array, weights: FitWeights
) -> WeightedTerms:
    """Return k terms, (n,) each, weighted by the energies, (n,), that are to be fitted to them."""
    ones = np.ones_like(energy_per_token_j)
    root = 1 / energy_per_token_j if weights == "relative" else ones
    weighted = np.empty((len(root), len(terms)), order="F")
    for place, term in enumerate(terms):
        np.multiply(term, root, out=weighted[:, place])
    scale = np.sqrt(np.einsum("ij,ij->j", weighted, weighted))
    weighted /= scale
    basis, triangle = _basis(weighted)
    constant = np.array([bool((term == term[0]).all()) for term in terms])
    leverage = np.einsum("ij,ij->i", basis, basis)
    return WeightedTerms(weights, root, scale, basis, triangle, constant, leverage)


def _basis(columns: Array) -> tuple[Array, Array]:
    """Return Q, which takes the place of the columns, (n, k) and in one piece each, and their R.

    Source: J. Demmel and others, "Communication-optimal parallel and sequential QR and LU
    factorizations", 2012: blocks' triangles below each other have the same R.
    """
    blocks = np.array_split(np.arange(len(columns)), max(1, len(columns) // _BLOCK))
    places = [slice(rows[0], rows[-1] + 1) for rows in blocks]
    parts = [np.linalg.qr(columns[place]) for place in places]
    mixed, triangle = np.linalg.qr(np.concatenate([part.R for part in parts]))
    basis = columns[:, : mixed.shape[1]]
    of_part = np.split(mixed, np.cumsum([len(part.R) for part in parts])[:-1])
    for place, part, mix in zip(places, parts, of_part, strict=True):
        basis[place] = part.Q @ mix
    return basis, triangle
