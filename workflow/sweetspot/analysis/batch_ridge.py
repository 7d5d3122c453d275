"""R of the batch form: how many tokens an iteration computes while it reads the weights.

It is the one number of the form that is not a factor. So it is looked for, in steps of half a
doubling: the fit with the least squares of relative errors has it.
"""

import numpy as np

from sweetspot.analysis.batch_form import RIDGE_TERM, Loads
from sweetspot.analysis.cell_means import Places
from sweetspot.analysis.held_out import without_groups
from sweetspot.analysis.linear_fit import ALONE, LinearFit
from sweetspot.energy_models import Array

TRIED = 2.0 ** np.arange(1, 12, 0.5)


def find_ridges(at: Loads, others: LinearFit, load: Places) -> tuple[float, Array]:
    """Return R in tokens of all cells, and (loads,) of the cells of all loads but each.

    Cells have to be on both sides of it, some with fewer requests in flight and some with more; NaN
    where none lies between them, or the terms are not told apart.

    Args:
        at: (n,) loads.
        others: what a form without R fits to the cells.
        load: (n,), the number of each one's load, from 0 up; of two at least.
    """
    in_flight, basis = at.in_flight, others.terms.basis
    error = others.weighted_errors
    tried = TRIED[(in_flight.min() < TRIED) & (in_flight.max() > TRIED)]
    low, high = _least_of_others(in_flight, load), -_least_of_others(-in_flight, load)
    squares = np.full((len(tried), len(low) + 1), np.inf)
    for place, ridge in enumerate(tried):
        column = others.terms.root * RIDGE_TERM.function(at, ridge)
        own = column - basis @ (basis.T @ column)
        length = np.linalg.norm(own)
        if length <= np.sqrt(ALONE) * np.linalg.norm(column):
            continue  # the other terms say the same
        column = own / length
        left = _squares_without(np.column_stack([basis, column]), error, load)
        squares[place, 0] = error @ error - (column @ error) ** 2
        squares[place, 1:] = np.where((low < ridge) & (ridge < high), left, np.inf)
    if not tried.size:
        return np.nan, np.full(len(low), np.nan)
    found = np.where(np.isfinite(squares.min(axis=0)), tried[squares.argmin(axis=0)], np.nan)
    return float(found[0]), found[1:]


def _squares_without(basis: Array, error: Array, load: Places) -> Array:
    """Return (loads,) the squares that fits to the cells of all loads but each leave.

    Infinite where those do not carry the terms.

    Args:
        basis: (n, k), orthonormal.
        error: (n,), what is fitted.
        load: (n,).
    """
    rest, along = without_groups(basis, error, load)
    left = basis.T @ error - along
    carried = np.linalg.eigvalsh(rest)[:, 0] > ALONE
    square = np.bincount(load, error**2)
    found = np.full(len(square), np.inf)
    solved = np.linalg.solve(rest[carried], left[carried, :, None])[..., 0]
    fitted = np.einsum("ij,ij->i", left[carried], solved)
    found[carried] = square.sum() - square[carried] - fitted
    return found


def _least_of_others(values: Array, load: Places) -> Array:
    """Return (loads,) the least value of all loads but each."""
    of_each = np.full(int(load.max()) + 1, np.inf)
    np.minimum.at(of_each, load, values)
    first, second = np.partition(of_each, 1)[:2]
    return np.asarray(np.where(of_each == first, second, first))
