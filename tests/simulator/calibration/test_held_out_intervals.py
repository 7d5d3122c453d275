"""The held-out error that travels with a calibration to somebody's own cells."""

from math import log

import numpy as np
import pandas as pd
import pytest

from sweetspot.catalog import gpu
from sweetspot.config import Limits
from sweetspot.schema.writing import json_text
from sweetspot.simulator.calibration import fit
from sweetspot.simulator.calibration.layout import deployments_of, lay_out
from sweetspot.simulator.calibration.to_cells import calibrate_to_cells
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.constants.constants import stated_on

BOARD = "h100-sxm"


@pytest.fixture(autouse=True)
def _one_start(monkeypatch):
    monkeypatch.setattr(fit, "OTHER_STARTS", 0)


def cells_of(path, models, spoilt=()):
    """Write cells as the stated constants give them; energies of some models 30 % higher."""
    board = gpu(BOARD)
    lengths = (64, 512, 2048)
    cells = pd.DataFrame(
        [(m, b, i, o) for m in models for b in (64, 1024) for i in lengths for o in lengths],
        columns=["model", "max_batch_size", "input_tokens", "output_tokens"],
    ).assign(requests=200, gpu=BOARD, status="ok", simulated=False, engine="tensorrt-llm")
    served = deployments_of(cells, board, Limits())
    taken = lay_out(cells, served).taken(board, stated_on(board).having(run_overhead_s=0.0))
    factor = np.where(cells["model"].isin(list(spoilt)), 1.3, 1.0)
    cells.assign(energy_j=taken.energy_j * factor, duration_s=taken.duration_s).to_csv(path)
    return path


def test_a_model_unlike_the_others_widens_the_interval_of_all(tmp_path):
    models = ("llama-3.2-1b", "qwen2-7b", "opt-1.3b")
    alike, unlike = (
        calibrate_to_cells(cells_of(tmp_path / name, models, spoilt), BOARD).held_out_intervals
        for name, spoilt in (("alike.csv", ()), ("unlike.csv", ("opt-1.3b",)))
    )
    assert alike.energy.factor < 1.03
    assert (alike.energy.models, alike.energy.cells, alike.energy.level) == (3, 54, 0.75)
    assert log(unlike.energy.factor) > 0.5 * log(1.3)
    # its times are as those of the others, but at the power limit joules cost time
    assert unlike.throughput.factor < 1.2 < unlike.energy.factor


def test_one_model_promises_half_of_the_cells(tmp_path):
    found = calibrate_to_cells(cells_of(tmp_path / "cells.csv", ("qwen2-7b",)), BOARD)
    assert found.held_out_intervals.energy.level == 0.5
    assert found.held_out_intervals.energy.models == 1


def test_an_answer_has_the_interval_of_the_calibration_that_it_was_made_with(tmp_path):
    found = calibrate_to_cells(cells_of(tmp_path / "cells.csv", ("qwen2-7b", "opt-1.3b")), BOARD)
    path = tmp_path / "own.json"
    path.write_text(json_text(found), encoding="utf-8")
    assert load_calibration(gpu(BOARD), path).intervals == found.held_out_intervals


def test_simulated_cells_give_no_interval(tmp_path):
    path = cells_of(tmp_path / "cells.csv", ("qwen2-7b", "opt-1.3b"))
    pd.read_csv(path).assign(simulated=True, engine="simulator").to_csv(path)
    found = calibrate_to_cells(path, BOARD, allow_simulated=True)
    assert found.held_out_intervals is None
