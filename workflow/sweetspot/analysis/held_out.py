"""What a fit errs by on cells that it has not seen, without fitting again."""

from dataclasses import dataclass

import numpy as np

from sweetspot.analysis.cell_means import CellMeans, Places
from sweetspot.analysis.linear_fit import ALONE, LinearFit
from sweetspot.energy_models import Array


@dataclass(frozen=True, eq=False, slots=True)
class HeldOut:
    """Mean absolute errors, in % of what was observed; NaN where a part cannot be left out.

    It cannot where the others do not carry the form: of three input lengths, each is needed to
    tell the terms of Eq. 5 apart.

    Attributes:
        errors_percent: (n,), of each cell by the fit to the others.
        cell, input_length, output_length: the mean over cells of leaving out one cell, all cells
            of its input length, or all of its output length.
    """

    errors_percent: Array
    cell: float
    input_length: float
    output_length: float

    def worst(self, input_tokens: Array, output_tokens: Array) -> tuple[str, float]:
        """Return the cell ("I/O") that the others predict worst, and by how many %.

        Cells that cannot be left out are passed over; ("", NaN) where none can.
        """
        if np.isnan(self.errors_percent).all():
            return "", float("nan")
        place = int(np.nanargmax(self.errors_percent))
        cell = f"{input_tokens[place]:.0f}/{output_tokens[place]:.0f}"
        return cell, float(self.errors_percent[place])


def held_out(fit: LinearFit, cells: CellMeans) -> HeldOut:
    """Return the errors of leaving cells out of a least-squares fit to them."""
    errors = np.abs(fit.cell_out * fit.relative) * 100

    def mean_error(lengths: Places) -> float:
        return float(np.mean(np.abs(left_out(fit, lengths) * fit.relative)) * 100)

    return HeldOut(
        errors,
        float(np.mean(errors)),
        mean_error(cells.input_places),
        mean_error(cells.output_places),
    )


def left_out(fit: LinearFit, group: Places) -> Array:
    """Return each cell's weighted error by the fit to the cells of all groups but its own.

    NaN where those do not carry the terms.

    Args:
        fit: of n cells.
        group: (n,), the number of each one's group, from 0 up.

    Source: of a group g with rows Q_g of the basis it is (1 - Q_g Q_g')⁻¹ e_g, which by Woodbury's
    identity needs only a k x k system: e_g + Q_g (1 - Q_g' Q_g)⁻¹ Q_g' e_g.
    """
    basis, errors = fit.terms.basis, fit.weighted_errors
    rest, target = without_groups(basis, errors, group)
    carried = np.linalg.eigvalsh(rest)[:, 0] > ALONE
    shifts = np.full_like(target, np.nan)
    shifts[carried] = np.linalg.solve(rest[carried], target[carried, :, None])[..., 0]
    return np.asarray(errors + np.einsum("ij,ij->i", basis, shifts.take(group, axis=0)))


def without_groups(basis: Array, values: Array, group: Places) -> tuple[Array, Array]:
    """Return 1 - Q_g'Q_g, (groups, k, k), and Q_g'v_g, (groups, k), of an orthonormal basis."""
    count, terms = int(group.max()) + 1, basis.shape[1]
    rest = np.empty((count, terms, terms))
    product = np.empty_like(values)  # one for all: of a million cells, new memory takes longer
    for i, j in zip(*np.triu_indices(terms), strict=True):
        np.multiply(basis[:, i], basis[:, j], out=product)
        rest[:, i, j] = rest[:, j, i] = float(i == j) - np.bincount(group, product, count)
    target = np.empty((count, terms))
    for place, column in enumerate(basis.T):
        np.multiply(column, values, out=product)
        target[:, place] = np.bincount(group, product, count)
    return rest, target
