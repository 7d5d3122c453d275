"""What a fit errs by on cells that it has not seen, without fitting again."""

from dataclasses import dataclass

import numpy as np

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


def held_out(fit: LinearFit, input_tokens: Array, output_tokens: Array) -> HeldOut:
    """Return the errors of leaving cells, (n,) by their lengths, out of a least-squares fit."""
    errors = np.abs(fit.cell_out * fit.relative) * 100

    def mean_error(axis: Array) -> float:
        grouped = left_out(fit.basis, fit.weighted_errors, axis)
        return float(np.mean(np.abs(grouped * fit.relative)) * 100)

    return HeldOut(
        errors, float(np.mean(errors)), mean_error(input_tokens), mean_error(output_tokens)
    )


def left_out(basis: Array, residuals: Array, axis: Array) -> Array:
    """Return each cell's residual from the fit to all cells that differ from it on the axis.

    NaN where those do not carry the terms.

    Source: of a group g with rows Q_g of the basis it is (1 - Q_g Q_g')⁻¹ e_g, which by Woodbury's
    identity needs only a k x k system: e_g + Q_g (1 - Q_g' Q_g)⁻¹ Q_g' e_g.
    """
    order = np.argsort(axis, kind="stable")
    starts = np.flatnonzero(np.diff(axis[order], prepend=np.nan))
    sizes = np.diff(starts, append=len(order))
    found = np.empty_like(residuals)
    for size in np.unique(sizes):  # groups of equal size at once; a grid has one size
        rows = order[starts[sizes == size][:, None] + np.arange(size)]
        of_group, missed = basis[rows], residuals[rows][..., None]
        across = of_group.transpose(0, 2, 1)
        rest, target = np.eye(basis.shape[1]) - across @ of_group, across @ missed
        carried = np.linalg.eigvalsh(rest)[:, 0] > ALONE
        shifts = np.full_like(target, np.nan)
        shifts[carried] = np.linalg.solve(rest[carried], target[carried])
        found[rows] = (missed + of_group @ shifts)[..., 0]
    return found
