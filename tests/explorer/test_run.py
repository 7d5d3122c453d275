"""The explorer of a run: grids of what most of its cells are, within bounds whatever the run."""

import pytest

from sweetspot.config import parse_experiment
from sweetspot.explorer import run
from sweetspot.explorer.run import write_run_page
from sweetspot.published import surface_cells

PAPER = ["llama-3.2-1b", "opt-1.3b"]


@pytest.fixture
def page_of(monkeypatch, tmp_path):
    """Return a function that returns the data of an experiment's page."""

    def made(experiment, cells):
        pages = []
        monkeypatch.setattr(run, "write_page", lambda data, path: pages.append(data))
        path = tmp_path / "cells.csv"
        cells.to_csv(path, index=False)
        write_run_page(path, parse_experiment(experiment, "the test"), tmp_path / "explorer.html")
        return pages[0]

    return made


def test_page_of_a_run_has_its_cells_and_a_grid_of_each_model(page_of):
    experiment = {
        "run": "mine",
        "engine": "vllm",
        "models": PAPER,
        "sweeps": {
            "few": {"input_tokens": [64], "output_tokens": [64], "requests": [10]},
            "grid": {
                "input_tokens": [64, 512, 2048],
                "output_tokens": [64, 1024],
                "requests": [50],
                "max_batch_size": [128],
            },
        },
    }
    cells = surface_cells(PAPER, [64, 512], [64, 1024])
    cells.loc[0, "status"] = "failed"
    data = page_of(experiment, cells)
    assert data["title"] == "Measured: mine"
    assert [(each["model"], each["engine"]) for each in data["grids"]] == [
        (model, "vllm") for model in PAPER
    ]
    for grid in data["grids"]:
        assert (grid["load"], grid["max_batch_size"]) == ({"requests": 50}, 128)
        assert grid["simulated"] is True
        assert [spot is not None for spot in grid["sweet_spots"]] == [True, True, True]
    assert data["input_tokens"] == (64, 512, 2048)
    assert (data["output_tokens"][0], data["output_tokens"][-1]) == (64, 1024)
    assert len(data["output_tokens"]) == 25
    assert len(data["cells"]) == 7
    assert {each["simulated"] for each in data["cells"]} == {False}
    assert [each["model"] for each in data["surfaces"]] == PAPER


def test_page_of_many_models_simulates_no_more_cells(page_of, monkeypatch):
    grid = {"input_tokens": [64, 128, 256, 4096], "output_tokens": [64, 4096], "requests": [10]}
    experiment = {"engine": "simulator", "models": PAPER, "sweeps": {"grid": grid}}
    monkeypatch.setattr(run, "CELLS", 48)
    monkeypatch.setattr(run, "SEARCHES", 1)
    data = page_of(experiment, surface_cells(PAPER).assign(engine="simulator", simulated=True))
    assert {each["engine"] for each in (*data["grids"], *data["cells"])} == {"tensorrt-llm"}
    assert (len(data["input_tokens"]), len(data["output_tokens"])) == (3, 8)
    assert (data["input_tokens"][0], data["input_tokens"][-1]) == (64, 4096)
    assert all(each["sweet_spots"] == [None] * 3 for each in data["grids"])

    monkeypatch.setattr(run, "SEARCHES", 2)
    for grid in page_of(experiment, surface_cells(PAPER))["grids"]:
        assert [spot is not None for spot in grid["sweet_spots"]] == [False, True, False]

    monkeypatch.setattr(run, "MOST_MODELS", 1)
    data = page_of(experiment, surface_cells(PAPER))
    assert len(data["grids"]) == 1
    assert "Of 2 models the first 1 have a grid." in data["notes"]


def test_page_of_one_cell_has_a_grid_of_one(page_of):
    sweep = {"input_tokens": [64], "output_tokens": [128], "requests": [10]}
    experiment = {"engine": "simulator", "models": PAPER[:1], "sweeps": {"one": sweep}}
    data = page_of(experiment, surface_cells(PAPER[:1], [64], [128]))
    assert (data["input_tokens"], data["output_tokens"]) == ((64,), (128,))
