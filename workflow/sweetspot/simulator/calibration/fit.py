"""Fit the simulator's constants to energies and throughputs, within their physical bounds.

Energy alone does not tell power from time: a slow card at low power and a fast one at its limit
spend the same joules. So one fit sees both: energy per token of some cells, throughput of others
or of the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from scipy.optimize import least_squares

from sweetspot.catalog import Gpu, gpu
from sweetspot.simulator.calibration.runs import BoolArray, Runs, condensed
from sweetspot.simulator.constants.constants import (
    FITTED,
    REFERENCE_GPU,
    Constants,
    at_bound,
    stated_constants,
    transfer,
)
from sweetspot.simulator.cost.work import FloatArray

# Residuals beyond 3 % count linearly: a surface is itself a fit, wrong by up to tens of percent
# in its corners.
SOFT_L1_SCALE = 0.03
# Constants that the data do not tell stay near what kernel tables and data sheets state: moving
# from there by the width of the bounds costs as much as one cell that is 10 % off.
PRIOR_WEIGHT = 0.1

_META = {f.name: f.metadata for f in fields(Constants)}
_LOW = np.array([_META[name]["low"] for name in FITTED])
_WIDTH = np.array([_META[name]["high"] - _META[name]["low"] for name in FITTED])


@dataclass(frozen=True, eq=False, slots=True)
class Target:
    """Numbers that a fit is to meet, one per run.

    Attributes:
        name: what they are, as calibrations and evaluations name it.
        quantity: energy in J per output token, or output tokens per second.
        weight: of a relative error, against 1 for that of a cell's energy.
    """

    name: str
    runs: Runs
    values: FloatArray
    quantity: Literal["energy_per_token_j", "throughput_tokens_per_s"]
    weight: float = 1.0

    def ratios(self, board: Gpu, constants: Constants) -> FloatArray:
        """Return simulated over target, one per run."""
        energy_j, duration_s = self.runs.energy_and_duration(board, constants)
        tokens = self.runs.total_output_tokens
        energy = self.quantity == "energy_per_token_j"
        return (energy_j / tokens if energy else tokens / duration_s) / self.values

    def errors_percent(self, board: Gpu, constants: Constants) -> FloatArray:
        """Return absolute relative errors in %, one per run."""
        return 100 * np.abs(self.ratios(board, constants) - 1)

    def mean_error_percent(self, board: Gpu, constants: Constants) -> float:
        """Return the mean of these, to three decimals."""
        return round(float(self.errors_percent(board, constants).mean()), 3)

    def only(self, kept: BoolArray, weight: float | None = None) -> "Target":
        """Return the target for some of the runs."""
        weight = self.weight if weight is None else weight
        return replace(self, runs=self.runs.only(kept), values=self.values[kept], weight=weight)

    def condensed(self) -> "Target":
        """Return the target with runs that are quick to cost."""
        return replace(self, runs=condensed(self.runs))


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """What a fit found.

    Attributes:
        constants: all of them, held ones included.
        at_bound: names of those that the data pushed to a bound.
        jacobian: (residuals of data, fitted constants) of weighted, softened relative errors, in
            shares of the bounds' width.
        cost: half the sum of squares of these residuals.
    """

    constants: Constants
    at_bound: tuple[str, ...]
    jacobian: FloatArray
    cost: float


def fit_constants(
    board: Gpu,
    targets: Sequence[Target],
    *,
    held: Constants | None = None,
    start: Constants | None = None,
) -> Fit:
    """Return the constants with the smallest relative errors on all targets, within the bounds.

    Bounds and stated values are an H100 SXM's; another board's are scaled by data sheet.

    Args:
        board: the GPU whose constants these are.
        targets: condensed ones make it quick.
        held: the board's constants, for those that no fit changes; None for the stated ones.
        start: where the search begins; None for the stated constants.
    """
    reference = gpu(REFERENCE_GPU)
    held = stated_constants() if held is None else transfer(held, board, reference)
    first = stated_constants() if start is None else transfer(start, board, reference)
    prior = shares_of(stated_constants())

    def residuals(shares: FloatArray) -> FloatArray:
        candidate = transfer(at_shares(shares, held), reference, board)
        data = [t.weight * np.log(t.ratios(board, candidate)) for t in targets]
        return np.concatenate([*data, PRIOR_WEIGHT * (shares - prior)])

    result = least_squares(
        residuals,
        np.clip(shares_of(first), 0.005, 0.995),
        bounds=(0.0, 1.0),
        loss="soft_l1",
        f_scale=SOFT_L1_SCALE,
        ftol=1e-10,
        xtol=1e-10,
        max_nfev=100,
    )
    of_data = result.fun.size - len(FITTED)
    soft = SOFT_L1_SCALE**2 * 2 * (np.sqrt(1 + (result.fun[:of_data] / SOFT_L1_SCALE) ** 2) - 1)
    found = at_shares(result.x, held)
    return Fit(
        transfer(found, reference, board),
        tuple(at_bound(found)),
        result.jac[:of_data],
        float(soft.sum() / 2),
    )


def at_shares(shares: FloatArray, held: Constants) -> Constants:
    """Return the fitted constants at these places between their bounds (0 to 1)."""
    values = (_LOW + shares * _WIDTH).tolist()
    return replace(held, **dict(zip(FITTED, values, strict=True)))


def shares_of(constants: Constants) -> FloatArray:
    """Return where the fitted constants lie between their bounds, 0 to 1."""
    shares: FloatArray = (np.array([getattr(constants, n) for n in FITTED]) - _LOW) / _WIDTH
    return shares
