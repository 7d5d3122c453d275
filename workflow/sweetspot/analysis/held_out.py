"""What a fit errs by on cells that it has not seen, without fitting again."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweetspot.energy_models import Array

_ALONE = 1e-9  # a share of information this small is rounding: nothing else carries it


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


def held_out(
    basis: Array, residuals: Array, relative: Array, input_tokens: Array, output_tokens: Array
) -> HeldOut:
    """Return the errors of leaving cells out of a least-squares fit.

    Args:
        basis: (n, k), orthonormal columns that span the (weighted) design.
        residuals: (n,), of the fit to all cells, weighted.
        relative: (n,), what such a residual is to be multiplied with to be a share of the
            observed energy.
        input_tokens: (n,), of the cells.
        output_tokens: (n,), of the cells.
    """
    errors = np.abs(each_left_out(basis, residuals) * relative) * 100

    def mean_error(axis: Array) -> float:
        grouped = left_out(basis, residuals, axis)
        return float(np.mean(np.abs(grouped * relative)) * 100)

    return HeldOut(
        errors, float(np.mean(errors)), mean_error(input_tokens), mean_error(output_tokens)
    )


def each_left_out(basis: Array, residuals: Array) -> Array:
    """Return each cell's residual from the fit to the others; NaN where they carry no such fit."""
    free = 1 - np.sum(basis**2, axis=1)  # one less the leverage
    found = np.full_like(residuals, np.nan)
    np.divide(residuals, free, out=found, where=free > _ALONE)
    return found


def left_out(basis: Array, residuals: Array, axis: Array) -> Array:
    """Return each cell's residual from the fit to all cells that differ from it on the axis.

    NaN where those do not carry the terms.

    Source: of a group g with rows Q_g of the basis it is (1 - Q_g Q_g')⁻¹ e_g, which by Woodbury's
    identity needs only a k x k system: e_g + Q_g (1 - Q_g' Q_g)⁻¹ Q_g' e_g.
    """
    order = np.argsort(axis, kind="stable")
    basis, residuals = basis[order], residuals[order]
    ends = np.append(np.flatnonzero(np.diff(axis[order])) + 1, len(order)).tolist()
    groups = [slice(*bounds) for bounds in pairwise([0, *ends])]
    rest = np.eye(basis.shape[1]) - np.array([basis[rows].T @ basis[rows] for rows in groups])
    target = np.array([basis[rows].T @ residuals[rows] for rows in groups])
    carried = np.linalg.eigvalsh(rest)[:, 0] > _ALONE
    shifts = np.full_like(target, np.nan)
    shifts[carried] = np.linalg.solve(rest[carried], target[carried, :, None])[..., 0]
    found = np.empty_like(residuals)
    found[order] = residuals + np.concatenate(
        [basis[rows] @ shift for rows, shift in zip(groups, shifts, strict=True)]
    )
    return found
