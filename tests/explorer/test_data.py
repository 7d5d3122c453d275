"""What the explorer's page holds: cells as means of repeats, surfaces of the paper's board."""

import json

import pandas as pd
import pytest

from sweetspot.cells.observations import read_observations
from sweetspot.explorer.data import cell_rows, page_data
from sweetspot.explorer.grid import Axes
from sweetspot.figures.style import model_looks
from sweetspot.simulator.deployment.deployment import deploy

AXES = Axes((64,), (32, 64))


def measured(**columns):
    table = pd.DataFrame(
        {
            "model": "opt-1.3b",
            "gpu": "my-board",
            "input_tokens": [64, 64, 64],
            "output_tokens": [32, 32, 64],
            "energy_per_token_j": [0.9, 1.1, 2.0],
            **columns,
        }
    )
    return read_observations(table).cells


def test_cells_are_means_of_their_repeats():
    twice, once = cell_rows(measured(mean_power_w=[300, 310, 290]), "mine.csv")
    assert (twice["energy_per_token_j"], twice["repeats"]) == (1.0, 2)
    assert twice["spread"] == pytest.approx(0.1414)
    assert twice["mean_power_w"] == 305
    assert twice["throughput_tokens_per_s"] is None
    assert twice["source"] == "mine.csv"
    assert twice["simulated"] is False
    assert "spread" not in once


def test_cells_have_the_catalogs_ids_by_whatever_name():
    (found, *_) = cell_rows(measured(model="meta-llama/Llama-3.1-8B", gpu="NVIDIA H200"))
    assert (found["model"], found["gpu"]) == ("llama-3.1-8b", "h200-sxm")


def test_cells_that_failed_are_left_out():
    (left,) = cell_rows(measured(status=["failed", "invalid", "ok"]))
    assert left["output_tokens"] == 64


def test_page_describes_models_and_boards_of_grids_and_of_cells():
    served = [deploy("llama-3.2-1b", gpu) for gpu in ("h100-sxm", "h200-sxm")]
    data = page_data("a title", served, AXES, [], cell_rows(measured()), ["a note"])
    assert [each["id"] for each in data["models"]] == ["llama-3.2-1b", "opt-1.3b"]
    assert all(data["engines"][each["engine"]] for each in data["cells"] if each["engine"])
    assert [each["id"] for each in data["gpus"]] == ["h100-sxm", "h200-sxm", "my-board"]
    assert data["gpus"][0]["power_limit_w"] == 700
    assert data["gpus"][2]["active_power_w"] is None
    assert json.loads(json.dumps(data, allow_nan=False))["output_tokens"] == [32, 64]
    looks = model_looks("colorblind", ["llama-3.2-1b", "opt-1.3b"])
    for model in data["models"]:
        shares = [int(model["colour"][at : at + 2], 16) / 255 for at in (1, 3, 5)]
        assert looks[model["id"]].color == pytest.approx(tuple(shares))


def test_page_has_no_more_cells_than_it_has_room_for(monkeypatch):
    monkeypatch.setattr("sweetspot.explorer.data.MOST_CELLS", 1)
    data = page_data("", [deploy("llama-3.2-1b", "h100-sxm")], AXES, [], cell_rows(measured()))
    assert len(data["cells"]) == 1
    assert data["notes"] == ["Of 2 cells the first 1 are here."]


def test_surfaces_are_those_of_the_papers_models_on_its_board():
    others = [{"model": "my-model", "gpu": "h100-sxm"}]
    on_h100, on_h200 = (
        page_data("", [deploy("llama-3.2-1b", gpu)], AXES, [], others)["surfaces"]
        for gpu in ("h100-sxm", "h200-sxm")
    )
    (found,) = on_h100
    assert found["model"] == "llama-3.2-1b"
    assert found["coefficients"][0] == 5.005153e-03
    assert len(found["coefficients"]) == 6
    assert on_h200 == []
