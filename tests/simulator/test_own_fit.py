"""Fits to measured cells: planted constants are met on held-out cells, bad tables are refused."""

from dataclasses import replace
from itertools import product

import pandas as pd
import pytest

from sweetspot.catalog import gpu
from sweetspot.config import Limits
from sweetspot.errors import InputError
from sweetspot.simulator.calibration import load_calibration
from sweetspot.simulator.constants import stated_constants, transfer
from sweetspot.simulator.own_fit import calibrate_to_cells
from sweetspot.simulator.runs import lay_out

LENGTHS = (64, 512, 2048)


def measured(gpu_id, **changes):
    """Return cells as a board with other constants than the calibration's would give them."""
    board = gpu(gpu_id)
    cells = pd.DataFrame(
        product(("llama-3.2-1b", "qwen2-7b"), (64, 1024), LENGTHS, LENGTHS),
        columns=["model", "max_batch_size", "input_tokens", "output_tokens"],
    ).assign(requests=200, gpu=gpu_id, status="ok", simulated=False)
    truth = transfer(
        replace(
            stated_constants(), run_overhead_s=0.0, flop_energy_j=0.9e-12, step_overhead_s=3e-3
        ),
        gpu("h100-sxm"),
        board,
    )
    energy_j, duration_s = lay_out(cells, board, Limits()).energy_and_duration(board, truth)
    return cells.assign(**{"energy_j": energy_j, "duration_s": duration_s} | changes)


@pytest.mark.parametrize("gpu_id", ["h100-sxm", "a100-80gb"])
def test_planted_constants_are_met_on_cells_that_were_held_out(tmp_path, gpu_id):
    path = tmp_path / "cells.csv"
    measured(gpu_id).to_csv(path, index=False)
    found = calibrate_to_cells(path, gpu_id, hold_out=4)
    assert found.level == "own measurements"
    assert found.seen == [f"{path}: 27 of 36 cells"]
    assert found.held_out_errors_percent["energy_per_token"] < 1
    assert found.held_out_errors_percent["throughput"] < 1
    assert found.constants["run_overhead_s"] == 0
    file = tmp_path / "calibration.json"
    file.write_text(found.model_dump_json(), encoding="utf-8")
    assert load_calibration(gpu(gpu_id), file).level == "own measurements"


def test_cells_of_other_boards_failed_and_simulated_ones_have_no_part(tmp_path):
    path = tmp_path / "cells.csv"
    good = measured("h100-sxm")
    others = [
        good.assign(gpu="a100-80gb", energy_j=1.0),
        good.assign(status="failed", energy_j=float("nan")),
        good.assign(simulated=True, energy_j=1.0),
    ]
    pd.concat([good, *others]).to_csv(path, index=False)
    assert calibrate_to_cells(path, "h100-sxm").held_out_errors_percent["energy_per_token"] < 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energy_j": float("nan")}, "line 2: energy_j must be a positive number"),
        ({"duration_s": -1.0}, "line 2: duration_s must be a positive number"),
        ({"requests": "many"}, "line 2: requests must be a positive number"),
        ({"simulated": True}, "holds simulated cells only"),
        ({"gpu": "l40s"}, "has 0 measured cells on h100-sxm"),
    ],
)
def test_cells_that_cannot_be_fitted_are_refused_with_their_place(tmp_path, changes, message):
    path = tmp_path / "cells.csv"
    measured("h100-sxm", **changes).to_csv(path, index=False)
    with pytest.raises(InputError, match=message):
        calibrate_to_cells(path, "h100-sxm")


def test_files_that_are_no_cells_are_refused(tmp_path):
    path = tmp_path / "cells.csv"
    with pytest.raises(InputError, match="cannot read cells"):
        calibrate_to_cells(path, "h100-sxm")
    path.write_text("model,gpu\n", encoding="utf-8")
    with pytest.raises(InputError, match="lacks the column status"):
        calibrate_to_cells(path, "h100-sxm")
    with pytest.raises(InputError, match="hold_out must be 2 or more"):
        calibrate_to_cells(path, "h100-sxm", hold_out=1)
