"""How far the data of a fit tell its constants apart."""

from dataclasses import dataclass

import numpy as np

from sweetspot.simulator.calibration.fit import Fit
from sweetspot.simulator.constants.constants import FITTED

# A constant may move until the misfit has grown by this share.
MISFIT_SHARE = 0.01
# Singular values below this share of the largest one are taken for it.
FLOOR = 1e-9


@dataclass(frozen=True, slots=True)
class Identifiability:
    """What the residuals at the end of a fit say about its constants.

    Attributes:
        condition_number: of the data's Jacobian, constants in shares of their bounds' width; above
            some thousands, mixtures of constants are left to the stated values.
        play: how far each constant can move, as a share of its bounds' width and with all others
            following, until the misfit has grown by 1 %: near 0 is known, 1 and more is not.
        at_bound: constants that the fit pushed to a bound.
    """

    condition_number: float
    play: dict[str, float]
    at_bound: tuple[str, ...]


def identifiability(fit: Fit) -> Identifiability:
    """Return how well the data, without the pull to the stated values, determine each constant.

    A profile in second order: the misfit along one constant, minimised over the others, is a
    parabola whose curvature is 1 / (inverse Hessian's diagonal element).
    """
    _, singular, directions = np.linalg.svd(fit.jacobian, full_matrices=False)
    singular = np.maximum(singular, FLOOR * singular[0])
    variance = ((directions / singular[:, None]) ** 2).sum(axis=0)
    play = np.sqrt(2 * MISFIT_SHARE * fit.cost * variance)
    return Identifiability(
        condition_number=float(singular[0] / singular[-1]),
        play=dict(zip(FITTED, play.tolist(), strict=True)),
        at_bound=fit.at_bound,
    )
