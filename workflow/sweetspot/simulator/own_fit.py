"""Constants fitted to a user's own measured cells, with the error on cells held out of the fit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from sweetspot.catalog import Gpu, gpu
from sweetspot.config import Limits
from sweetspot.errors import InputError
from sweetspot.simulator.calibration import CalibrationFile, load_calibration
from sweetspot.simulator.constants import FITTED, Constants
from sweetspot.simulator.fitting import Target, fit_constants
from sweetspot.simulator.runs import lay_out

MIN_CELLS = 10
_WORDS = ("model", "gpu", "status", "simulated")
_NUMBERS = (
    "requests",
    "max_batch_size",
    "input_tokens",
    "output_tokens",
    "energy_j",
    "duration_s",
)


def calibrate_to_cells(
    path: Path, gpu_id: str, *, hold_out: int = 5, limits: Limits | None = None
) -> CalibrationFile:
    """Return the calibration fitted to energy and duration of a run's measured cells.

    Every `hold_out`-th cell is kept out; the error on these is the calibration's evidence. The
    search begins at, and constants that the cells do not tell stay at, the published calibration
    and the stated values. A measured window ends with the last response, so `run_overhead_s` is 0.

    Args:
        path: cells.csv of a run.
        gpu_id: the GPU whose cells are taken.
        hold_out: 5 keeps every fifth cell out of the fit.
        limits: those that the engine was built with; None for the paper's.

    Raises:
        InputError: the file cannot be read, lacks a column or a number, or has too few measured
            cells on this GPU.
    """
    if hold_out < 2:
        raise InputError(f"hold_out must be 2 or more, not {hold_out}")
    board = gpu(gpu_id)
    cells = measured_cells(path, board)
    runs = lay_out(cells, board, limits or Limits())
    energy_j, duration_s = (cells[name].to_numpy(np.float64) for name in ("energy_j", "duration_s"))
    tokens = runs.total_output_tokens
    targets = [
        Target("energy_per_token", runs, energy_j / tokens, "energy_per_token_j"),
        Target("throughput", runs, tokens / duration_s, "throughput_tokens_per_s"),
    ]
    held_out = np.arange(len(cells)) % hold_out == hold_out - 1
    start = _without_end(load_calibration(board).constants)
    fit = fit_constants(
        board, [t.only(~held_out).condensed() for t in targets], held=start, start=start
    )
    errors = {
        which: {t.name: t.only(kept).mean_error_percent(board, fit.constants) for t in targets}
        for which, kept in (("seen", ~held_out), ("held out", held_out))
    }
    return CalibrationFile.of(
        fit.constants,
        name=f"{gpu_id}-own",
        gpu=gpu_id,
        level="own measurements",
        seen=[f"{path}: {int((~held_out).sum())} of {len(cells)} cells"],
        errors_percent=errors["seen"],
        held_out_errors_percent=errors["held out"],
        at_bound=list(fit.at_bound),
    )


def measured_cells(path: Path, board: Gpu) -> pd.DataFrame:
    """Return the measured cells of a run on this GPU.

    Raises:
        InputError: the file cannot be read, lacks a column or a number, or has too few of them.
    """
    try:
        cells = pd.read_csv(path)
    except (OSError, ValueError) as e:
        raise InputError(f"cannot read cells {path}: {e}") from e
    missing = [name for name in _WORDS + _NUMBERS if name not in cells]
    if missing:
        raise InputError(f"{path} is no cells.csv: it lacks the column {missing[0]}")
    simulated = cells["simulated"].astype(str).str.lower() == "true"
    if len(cells) and simulated.all():
        raise InputError(
            f"{path} holds simulated cells only; constants are fitted to measured ones"
        )
    cells = cells[~simulated & (cells["status"] == "ok") & (cells["gpu"] == board.id)]
    if len(cells) < MIN_CELLS:
        raise InputError(
            f"{path} has {len(cells)} measured cells on {board.id}; a fit of {len(FITTED)}"
            f" constants needs {MIN_CELLS} or more, of several lengths and batch sizes"
        )
    for name in _NUMBERS:
        values = pd.to_numeric(cells[name], errors="coerce").to_numpy(np.float64)
        bad = ~(np.isfinite(values) & (values > 0))
        if bad.any():
            row = int(cells.index[int(bad.argmax())]) + 2
            raise InputError(f"{path}, line {row}: {name} must be a positive number")
    return cells.reset_index(drop=True)


def _without_end(constants: Constants) -> Constants:
    """Return the constants for windows that end with the last response."""
    return replace(constants, run_overhead_s=0.0)
