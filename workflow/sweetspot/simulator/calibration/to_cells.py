"""Constants fitted to a user's own measured cells, with the error on cells held out of the fit."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from sweetspot.catalog import gpu
from sweetspot.errors import InputError
from sweetspot.simulator.calibration.fit import Fit, Target, fit_constants, fit_from_several
from sweetspot.simulator.calibration.layout import BoolArray, lay_out
from sweetspot.simulator.calibration.own_cells import OwnCells, read_own_cells
from sweetspot.simulator.constants.calibration_file import CalibrationFile, load_calibration
from sweetspot.simulator.constants.constants import Constants

_SETTING = ["model", "max_batch_size", "requests", "input_tokens", "output_tokens"]
_SEED = 0


def calibrate_to_cells(
    path: Path, gpu_id: str, *, hold_out: int = 5, allow_simulated: bool = False
) -> CalibrationFile:
    """Return the calibration fitted to energy and duration of a run's measured cells.

    One cell in `hold_out` is kept out of the fit; the error on these is the calibration's
    evidence. The search begins at, and constants that the cells do not determine stay at, the
    published calibration and the stated values. A measured window ends with the last response,
    so `run_overhead_s` is 0.

    A fit to simulated cells shows that the fit works, and nothing of a GPU: its level is the
    lowest there is, and its name and `seen` say what it is.

    Args:
        path: cells.csv of a run; a manifest.json beside it says the engine's limits.
        gpu_id: the GPU whose cells are taken.
        hold_out: 5 keeps a fifth of the cells out of the fit.
        allow_simulated: whether cells may be simulated ones.

    Raises:
        InputError: the file cannot be read, lacks a column or a number, has too few measured
            cells on this GPU, or cells of several engines.
    """
    if hold_out < 2:
        raise InputError(f"hold_out must be 2 or more, not {hold_out}")
    board = gpu(gpu_id)
    own = read_own_cells(path, board, allow_simulated=allow_simulated)
    held_out = held_out_cells(own.cells, hold_out)
    if not held_out.any():
        raise InputError(
            f"hold_out {hold_out} keeps none of {held_out.size} cells out of the fit; choose fewer"
        )
    targets = own_targets(own)
    fit = fit_own(own, [target.only(~held_out) for target in targets], fit_from_several)
    errors = {
        which: {t.name: t.only(kept).mean_error_percent(board, fit.constants) for t in targets}
        for which, kept in (("fitted to", ~held_out), ("held out", held_out))
    }
    what = f"{path}: {int((~held_out).sum())} of {held_out.size} cells"
    return CalibrationFile.of(
        fit.constants,
        name=f"{board.id}-simulated-cells" if own.simulated else f"{board.id}-own",
        gpu=board.id,
        engine="tensorrt-llm" if own.simulated else own.engine,
        level="data sheet" if own.simulated else "own measurements",
        seen=[f"SIMULATED, no measurement: {what}" if own.simulated else what],
        errors_percent=errors["fitted to"],
        held_out_errors_percent=errors["held out"],
        at_bound=list(fit.at_bound),
        search=fit.search,
        starts=fit.starts,
    )


def own_targets(own: OwnCells) -> list[Target]:
    """Return energy per token and throughput of these cells, as a fit is to meet them."""
    runs = lay_out(own.cells, own.deployments)
    energy_j, duration_s = (
        own.cells[name].to_numpy(np.float64) for name in ("energy_j", "duration_s")
    )
    tokens = runs.total_output_tokens
    return [
        Target("energy_per_token", runs, energy_j / tokens, "energy_per_token_j"),
        Target("throughput", runs, tokens / duration_s, "throughput_tokens_per_s"),
    ]


def shipped_constants(own: OwnCells) -> Constants:
    """Return the constants that ship for the board, for windows as these cells have them."""
    constants = load_calibration(own.board).constants
    return constants if own.simulated else replace(constants, run_overhead_s=0.0)


def fit_own(
    own: OwnCells, targets: Sequence[Target], fit: Callable[..., Fit] = fit_constants
) -> Fit:
    """Return the fit to these targets, which are some of those that the cells give."""
    start = shipped_constants(own)
    return fit(own.board, [t.condensed() for t in targets], held=start, start=start)


def held_out_cells(cells: pd.DataFrame, one_in: int, turn: int = -1) -> BoolArray:
    """Return which cells are held out: drawn, as a step through a grid would take one length.

    Repeats of a cell go the same way, as one of them would give away the others. In turns 0 to
    `one_in` - 1, each is held out once.
    """
    setting = cells.groupby(_SETTING, sort=True).ngroup().to_numpy()
    rank = np.random.default_rng(_SEED).permutation(int(setting.max()) + 1)
    held_out: BoolArray = rank[setting] % one_in == turn % one_in
    return held_out
