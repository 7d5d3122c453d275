"""A board's constants from what its kernels took.

Each step is one equation: what the board draws waiting at the step's clock, and joules per FLOP,
per byte and per byte of a KV cache at that clock, times how many of them there were in a second,
are its power. Constants that the steps leave open stay near what data sheets and kernel tables
state.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import optimize, special

from sweetspot.errors import InputError
from sweetspot.metering.samples import FloatArray
from sweetspot.probe.probed import Probed, Taken
from sweetspot.simulator.constants.calibration_file import BoardPart, CalibrationFile
from sweetspot.simulator.constants.constants import (
    BOARD,
    METADATA,
    BoardConstants,
    stated_on,
)
from sweetspot.simulator.cost.clocks import on_die, voltage_squared, waiting_power_w
from sweetspot.simulator.cost.iterations import REFERENCE_QUERIES

FITTED = (
    "active_power_w",
    "flop_energy_j",
    "voltage_share",
    "byte_energy_j",
    "kv_byte_energy_j",
    "on_die_share",
    "kv_energy_sharing",
)
NOISE = 0.02  # of a step's power: what the law does not say of it
PRIOR = 0.5  # deviation of what is stated, in widths of the bounds
LEVEL = 0.95
MIN_STEPS = 8
AT_BOUND = 1e-3  # of the bounds' width
_TOLD = ("tick", "copy", "read", "gemm", "attention")  # of others not all bytes are counted
_NORMAL = float(special.ndtri((1 + LEVEL) / 2))


@dataclass(frozen=True, eq=False, slots=True)
class ProbedBoard:
    """What a probe says of a board.

    Attributes:
        constants: all of a board's; `idle_power_w` is the cold step's power where there is one.
        fitted: names of those that the steps had a say in.
        intervals: of 95 %, by name, within the bounds; with what is stated they know no less than
            that. A step's power is taken to scatter by NOISE at least, that of the cold one, too.
        at_bound: names of those that ended at a bound.
        error_percent: mean error of the steps' powers.
        steps: their ids.
    """

    gpu: str
    constants: BoardConstants
    fitted: tuple[str, ...]
    intervals: dict[str, tuple[float, float]]
    at_bound: tuple[str, ...]
    error_percent: float
    steps: tuple[str, ...]

    def to_file(self, source: str) -> CalibrationFile:
        """Return the board's file; constants are rounded to five digits."""
        rounded = {name: float(f"{getattr(self.constants, name):.5g}") for name in BOARD}
        return CalibrationFile(
            name=f"{self.gpu}, own measurements",
            level="own measurements",
            seen=[source],
            seen_gpu=self.gpu,
            fitted=list(self.fitted),
            errors_percent={"power": round(self.error_percent, 3)},
            at_bound=list(self.at_bound),
            board=BoardPart(gpu=self.gpu, constants=rounded),
        )


def board_of_probe(probed: Probed) -> ProbedBoard:
    """Fit a board's constants to the powers of a probe's steps.

    Raises:
        InputError: the steps ran on a CPU, or too few of them are valid.
    """
    if probed.on_cpu:
        raise InputError("this probe ran on a CPU to try the path: its numbers are no board's")
    usable = [each for each in probed.steps if each.status == "ok"]
    drawn = [
        each
        for each in usable
        if each.kind in _TOLD and each.data != "zeros" and each.precision == "bf16"
    ]
    kinds = {each.kind for each in drawn}
    if len(drawn) < MIN_STEPS or not kinds >= {"gemm", "copy"}:
        raise InputError(
            f"the probe has {len(drawn)} valid steps of {', '.join(sorted(kinds)) or 'no kernel'};"
            f" a board's constants take {MIN_STEPS}, copies and matrix products among them: give it"
            " more minutes"
        )
    board = probed.board
    stated = stated_on(board).board
    cold = [each.power_w for each in usable if each.kind == "cold"]
    if cold:
        stated = replace(stated, idle_power_w=cold[-1])
    scale = {name: getattr(stated, name) / METADATA[name]["stated"] for name in FITTED}
    low, high = (
        np.array([METADATA[name][end] * scale[name] for name in FITTED]) for end in ("low", "high")
    )
    start = np.array([getattr(stated, name) for name in FITTED])
    measured_w = np.array([each.power_w for each in drawn])

    def powers_w(values: FloatArray) -> FloatArray:
        constants = replace(stated, **dict(zip(FITTED, values.tolist(), strict=True)))
        return np.array([power_w(each, constants) for each in drawn])

    def residuals(values: FloatArray) -> FloatArray:
        missed = np.log(powers_w(values) / measured_w) / NOISE
        pull = (values - start) / (PRIOR * (high - low))
        return np.concatenate([missed, pull])

    found: Any = optimize.least_squares(
        residuals, start, bounds=(low, high), x_scale=high - low, loss="soft_l1"
    )
    values = np.asarray(found.x)
    errors = np.abs(powers_w(values) / measured_w - 1)
    covariance = np.linalg.inv(found.jac.T @ found.jac)
    half = _reach(errors, found.jac[: len(drawn)], covariance) * np.sqrt(np.diag(covariance))
    ends = np.clip([values - half, values + half], low, high)
    intervals = {
        name: (float(least), float(most)) for name, least, most in zip(FITTED, *ends, strict=True)
    }
    if cold:
        spread_w = _NORMAL * NOISE * cold[-1]
        intervals["idle_power_w"] = (cold[-1] - spread_w, cold[-1] + spread_w)
    # not scipy's mask, which takes joules of 1e-12 for their bounds
    at_bound = np.minimum(values - low, high - values) < AT_BOUND * (high - low)
    return ProbedBoard(
        gpu=board.id,
        constants=replace(stated, **dict(zip(FITTED, values.tolist(), strict=True))),
        fitted=(*(["idle_power_w"] if cold else []), *FITTED),
        intervals=intervals,
        at_bound=tuple(name for name, there in zip(FITTED, at_bound, strict=True) if there),
        error_percent=100 * float(errors.mean()),
        steps=tuple(each.id for each in drawn),
    )


def _reach(errors: FloatArray, slopes: FloatArray, covariance: FloatArray) -> float:
    """Return how many standard errors, by NOISE alone, an interval reaches to each side.

    Where the (n,) powers are missed by more than NOISE, intervals are wider alike, and by Student's
    t: their scatter is known by the n steps less what they determine of the constants, which what
    is stated determines, too (`slopes` is (n, k), `covariance` with that).
    """
    determined = float(np.trace(slopes @ covariance @ slopes.T))
    df = len(errors) - determined
    scatter = float(np.sqrt(np.sum((errors / NOISE) ** 2) / df))
    return max(_NORMAL, float(special.stdtrit(df, (1 + LEVEL) / 2)) * scatter)


def power_w(taken: Taken, board: BoardConstants) -> float:
    """Return what a board draws in a step, by the simulator's law, in W.

    The clock is the measured one: a step at the power limit says what its work costs there.
    """
    share = taken.clock_share or 1.0
    queries = taken.queries_per_kv_head / REFERENCE_QUERIES
    sharing = float(queries**-board.kv_energy_sharing)
    dynamic_j = (
        board.flop_energy_j * voltage_squared(board, share) * taken.flops
        + board.byte_energy_j * on_die(board, share) * taken.bytes
        + board.kv_byte_energy_j * sharing * on_die(board, share) * taken.kv_bytes
    )
    return float(waiting_power_w(board, share) + dynamic_j * taken.per_s)
