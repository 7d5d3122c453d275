"""Fit the simulator's constants to energies and throughputs, within their physical bounds.

Energy alone does not separate power from time: a slow card at low power and a fast one at its limit
spend the same joules. So one fit sees both: energy per token of some cells, throughput of others
or of the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize

from sweetspot.catalog import Gpu
from sweetspot.simulator.calibration.layout import (
    BIN_WIDTH,
    BoolArray,
    Runs,
    Taken,
    condensed,
    joined,
)
from sweetspot.simulator.constants.calibration_file import Search, Starts
from sweetspot.simulator.constants.constants import (
    FITTED,
    METADATA,
    Constants,
    scales,
    stated_on,
)
from sweetspot.simulator.cost.dual import some, variable
from sweetspot.simulator.cost.work import FloatArray

# Residuals beyond 3 % count linearly: a surface is itself a fit, wrong by up to tens of percent
# in its corners.
SOFT_L1_SCALE = 0.03
# Constants that the data leave open stay near what kernel tables and data sheets state: moving
# from there by the width of the bounds costs as much as one cell that is 10 % off.
PRIOR_WEIGHT = 0.1
# A search ends where a step changes the cost by less; costs of the fits here are 0.01 to 0.3.
TOLERANCE = 1e-8
MAX_STEPS = 500
# Starts that `fit_from_several` adds to its first.
OTHER_STARTS = 4
# A constant's play is how far it may move until the misfit has grown by this share.
MISFIT_SHARE = 0.01
# Singular values below this share of the largest one are taken for it.
FLOOR = 1e-9


@dataclass(frozen=True, eq=False, slots=True)
class Target:
    """Numbers that a fit is to meet, one per run.

    Attributes:
        name: what they are, as calibrations and evaluations name it.
        quantity: energy in J per output token, output tokens per second, or the mean clock as a
            share of the board's highest.
        weight: of a relative error, against 1 for that of a cell's energy.
    """

    name: str
    runs: Runs
    values: FloatArray
    quantity: Literal["energy_per_token_j", "throughput_tokens_per_s", "clock_share"]
    weight: float = 1.0

    def ratios(self, board: Gpu, constants: Constants) -> FloatArray:
        """Return simulated over target, one per run."""
        return self.ratios_of(self.runs.taken(board, constants))

    def ratios_of(self, taken: Taken) -> FloatArray:
        """Return the same from what the runs take."""
        tokens = self.runs.total_output_tokens
        if self.quantity == "clock_share":
            return taken.clock_share / self.values
        energy = self.quantity == "energy_per_token_j"
        return (taken.energy_j / tokens if energy else tokens / taken.duration_s) / self.values

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
        """Return the target with runs that are quick to cost.

        What weighs more is condensed less: a step that stands for many passes the power limit at
        once, and the derivatives of the error jump there.
        """
        return replace(self, runs=condensed(self.runs, BIN_WIDTH / self.weight))


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


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """What a fit found.

    Attributes:
        constants: all of them, held ones included.
        fitted: names of those that were not held.
        at_bound: names of those that the data pushed to a bound.
        jacobian: (residuals of data, fitted constants) of weighted, softened relative errors, in
            shares of the bounds' width.
        cost: half the sum of squares of these residuals.
        objective: the cost with the pull to the stated values, which the search made smallest.
        search: how it ended.
        starts: what others found beside it; None where there was one start.
    """

    constants: Constants
    fitted: tuple[str, ...]
    at_bound: tuple[str, ...]
    jacobian: FloatArray
    cost: float
    objective: float
    search: Search
    starts: Starts | None = None

    def identifiability(self) -> Identifiability:
        """Return how well the data, without the pull to the stated values, determine each constant.

        A profile in second order: the misfit along one constant, minimised over the others, is a
        parabola whose curvature is 1 / (inverse Hessian's diagonal element).
        """
        _, singular, directions = np.linalg.svd(self.jacobian, full_matrices=False)
        singular = np.maximum(singular, FLOOR * singular[0])
        variance = ((directions / singular[:, None]) ** 2).sum(axis=0)
        play = np.sqrt(2 * MISFIT_SHARE * self.cost * variance)
        return Identifiability(
            condition_number=float(singular[0] / singular[-1]),
            play=dict(zip(self.fitted, play.tolist(), strict=True)),
            at_bound=self.at_bound,
        )


def fit_constants(
    board: Gpu,
    targets: Sequence[Target],
    *,
    names: Sequence[str] = FITTED,
    held: Constants | None = None,
    start: Constants | None = None,
    prior: Constants | None = None,
) -> Fit:
    """Return the constants with the smallest relative errors on all targets, within the bounds.

    Bounds and stated values are an H100 SXM's; another board's are scaled by data sheet.

    The search is a quasi-Newton method with an active set of bounds (SLSQP) on the derivatives of
    `cost`. One that builds on the Jacobian alone (Gauss-Newton, Levenberg-Marquardt) takes steps
    that come to nothing: where iterations pass in and out of the power limit, the cost bends far
    more than these derivatives say.

    Args:
        board: the GPU whose constants these are.
        targets: condensed ones make it quick.
        names: constants that are fitted.
        held: all others; None for the stated ones.
        start: where the search begins; None for the stated constants.
        prior: what the data leave open stays near these; None for the stated constants.
    """
    stated = stated_on(board) if prior is None else prior
    space = Space(board, tuple(names), stated)
    centre = space.shares_of(stated)
    held = stated if held is None else held
    first = centre if start is None else space.shares_of(start)
    runs = joined([t.runs for t in targets])
    clock_slopes = any(t.quantity == "clock_share" for t in targets)
    taken_with = runs.on(board, held.kernels, clock_slopes=clock_slopes)
    ends = np.cumsum([t.values.size for t in targets])
    # Having freed one large array, glibc keeps as much memory from then on. Else arrays of a few
    # hundred kB go back to the system after each operation, a third of the time of a large fit.
    np.empty(2**21)

    @lru_cache(maxsize=1)  # most searches end where they looked last
    def errors(*shares: float) -> tuple[FloatArray, FloatArray]:
        """Return weighted errors of the data, and their Jacobian."""
        varied = [variable(n, share) for n, share in zip(names, shares, strict=True)]
        taken = taken_with(space.at(varied, held))
        parts: list[Any] = []
        for target, end in zip(targets, ends, strict=True):
            places = slice(end - target.values.size, end)
            ratios = target.ratios_of(Taken(*(some(each, places) for each in taken)))
            parts.append(target.weight * np.log(ratios))
        values = np.concatenate([part.value for part in parts])
        return values, np.concatenate([part.jacobian(names) for part in parts])

    def objective(shares: FloatArray) -> tuple[float, FloatArray]:
        data, jacobian = errors(*shares.tolist())
        pull = PRIOR_WEIGHT * (shares - centre)
        slope = jacobian.T @ _soft_slope(data) + PRIOR_WEIGHT * _soft_slope(pull)
        return float(softened(data).sum() + softened(pull).sum()), slope

    found = minimize(
        objective,
        np.clip(first, 0.005, 0.995),
        jac=True,
        bounds=[(0.0, 1.0)] * len(names),
        method="SLSQP",
        options={"ftol": TOLERANCE, "maxiter": MAX_STEPS},
    )
    data, jacobian = errors(*found.x.tolist())
    return Fit(
        constants=space.at(found.x.tolist(), held),
        fitted=space.names,
        at_bound=space.at_bound(found.x),
        jacobian=jacobian * (1 + (data / SOFT_L1_SCALE) ** 2)[:, None] ** -0.75,
        cost=float(softened(data).sum()),
        objective=float(found.fun),
        search=Search(bool(found.success), _in_short(found), int(found.nfev)),
    )


def fit_from_several(
    board: Gpu,
    targets: Sequence[Target],
    *,
    names: Sequence[str] = FITTED,
    held: Constants | None = None,
    start: Constants | None = None,
    prior: Constants | None = None,
) -> Fit:
    """Return the best of several fits, `fit_constants` from `start` and from places drawn.

    Args:
        board: as `fit_constants`.
        targets: as `fit_constants`.
        names: as `fit_constants`.
        held: as `fit_constants`.
        start: as `fit_constants`.
        prior: as `fit_constants`.
    """
    space = Space(board, tuple(names), prior)
    drawn = np.random.default_rng(0).uniform(0.05, 0.95, (OTHER_STARTS, len(names)))
    others = [space.at(shares.tolist(), stated_on(board)) for shares in drawn]
    fits = [
        fit_constants(board, targets, names=names, held=held, start=each, prior=prior)
        for each in (start, *others)
    ]
    costs = [fit.objective for fit in fits]
    ratios = [np.concatenate([t.ratios(board, fit.constants) for t in targets]) for fit in fits]
    apart = np.max(ratios, axis=0) / np.min(ratios, axis=0) - 1
    starts = Starts(
        count=len(fits),
        converged=sum(fit.search.converged for fit in fits),
        cost_percent=100 * (max(costs) / min(costs) - 1),
        prediction_percent=100 * float(apart.max()),
    )
    return replace(fits[costs.index(min(costs))], starts=starts)


def misfit(board: Gpu, targets: Sequence[Target], fit: Fit, constants: Constants) -> float:
    """Return the `objective` that a fit to these targets would have at these constants."""
    data = [t.weight * np.log(t.ratios(board, constants)) for t in targets]
    space = Space(board, fit.fitted)
    pull = PRIOR_WEIGHT * (space.shares_of(constants) - space.shares_of(stated_on(board)))
    return float(softened(np.concatenate([*data, pull])).sum())


@dataclass(frozen=True)
class Space:
    """Where a fit searches: some constants of a board, each between its bounds, from 0 to 1.

    Bounds are TensorRT-LLM's. What is stated of another engine may be beyond one (Transformers'
    host), which then is twice as high.
    """

    board: Gpu
    names: tuple[str, ...]
    stated: Constants | None = None

    @cached_property
    def _bounds(self) -> list[tuple[float, float]]:
        """Return where each begins, and how wide it is."""
        scale = scales(self.board)
        found = []
        for name in self.names:
            low, high = (scale.get(name, 1.0) * METADATA[name][end] for end in ("low", "high"))
            stated = low if self.stated is None else self.stated.of(name)
            found.append((low, (2 * stated if stated > high else high) - low))
        return found

    def at(self, shares: Sequence[Any], held: Constants) -> Constants:
        """Return the constants at these places, the others as they are held."""
        places = zip(self.names, self._bounds, shares, strict=True)
        return held.having(**{name: low + share * width for name, (low, width), share in places})

    def shares_of(self, constants: Constants) -> FloatArray:
        """Return where constants lie."""
        places = zip(self.names, self._bounds, strict=True)
        return np.array([(constants.of(name) - low) / width for name, (low, width) in places])

    def at_bound(self, shares: FloatArray) -> tuple[str, ...]:
        """Return the names of those within 1 % of a bound."""
        places = zip(self.names, shares.tolist(), strict=True)
        return tuple(name for name, share in places if not 0.01 < share < 0.99)


def softened(errors: FloatArray) -> FloatArray:
    """Return what relative errors cost: half their square, in the large a straight line."""
    cost: FloatArray = SOFT_L1_SCALE**2 * (np.sqrt(1 + (errors / SOFT_L1_SCALE) ** 2) - 1)
    return cost


def _soft_slope(errors: FloatArray) -> FloatArray:
    """Return the derivative of `softened`."""
    slope: FloatArray = errors / np.sqrt(1 + (errors / SOFT_L1_SCALE) ** 2)
    return slope


def _in_short(found: Any) -> str:
    """Return how the optimiser ended."""
    if found.success:
        return "converged"
    if found.nit >= MAX_STEPS:
        return f"stopped after {MAX_STEPS} steps"
    return str(found.message).partition("(")[0].strip().lower()
