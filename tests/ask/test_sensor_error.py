"""The paper's sensor over the paper's grid: what is known by hand, the page, the command."""

import json
from pathlib import Path

import pytest

from sweetspot.ask.sensor_error import NONE, TAIL, TRUTH, read_grid
from sweetspot.catalog import gpu
from sweetspot.cli import main
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.run import simulate_benchmark

DOCS = Path(__file__).parents[2] / "docs"


pytestmark = pytest.mark.slow(reason="a sensor at every phase over 637 cells")


@pytest.fixture(scope="module")
def readings():
    board = gpu("h100-sxm")
    return read_grid(board, load_calibration(board).constants)


def test_tail_adds_its_idle_energy_to_every_cell_and_to_alpha5_alone(readings):
    cells = readings.cells
    assert len(cells) == 13 * 49
    assert (cells[TAIL] - cells[TRUTH]).to_numpy() == pytest.approx(readings.idle_w, rel=1e-6)
    added = readings.alpha5["with_tail"] - readings.alpha5["truth"]
    assert added.to_numpy() == pytest.approx(readings.idle_w / 1000, rel=1e-6)


def test_window_without_a_tail_lacks_energy_in_every_cell(readings):
    assert (readings.cells[NONE] < readings.cells[TRUTH]).all()
    assert (readings.alpha5["without_tail"] < readings.alpha5["truth"]).all()


def test_mean_over_phases_lies_between_them(readings):
    cells = readings.cells
    rounding_j = 2e-3 * cells[TRUTH]  # a few phases stand for all
    assert (cells["least_phase_j"] <= cells[TAIL] + rounding_j).all()
    assert (cells["most_phase_j"] >= cells[TAIL] - rounding_j).all()


def test_end_of_a_run_is_not_in_the_truth(readings):
    """It stands for the tail already, and would count twice."""
    board = gpu("h100-sxm")
    constants = load_calibration(board).constants
    assert constants.engine.run_overhead_s == 1
    cell = readings.cells.loc[readings.cells["duration_s"].idxmin()]
    lengths = {"input_tokens": cell["input_tokens"], "output_tokens": cell["output_tokens"]}
    run = simulate_benchmark(deploy(cell["model"], board), requests=1000, **lengths)
    assert run.duration_s == pytest.approx(cell["duration_s"] + 1)


def test_page_and_figure_are_what_the_command_gives(capsys, tmp_path, monkeypatch, readings):
    def known(board, constants, progress):
        assert board == gpu("h100-sxm")
        assert constants == load_calibration(board).constants
        return readings  # of these two, which takes seconds

    monkeypatch.setattr("sweetspot.ask.sensor_error.read_grid", known)
    stem = tmp_path / "sensor"
    assert main(["sensor", "--page", f"{stem}.md", "--figure", str(stem), "--json"]) == 0
    committed = (DOCS / "sensor.md").read_text(encoding="utf-8")
    drifted = "docs/sensor.md has drifted: run `make sensor`"
    assert (tmp_path / "sensor.md").read_text(encoding="utf-8") == committed, drifted
    assert stem.with_suffix(".png").stat().st_size > 10_000
    found = json.loads(capsys.readouterr().out)
    assert found["simulated"] is True
    assert found["calibration"].startswith("h100-sxm, published numbers + tensorrt-llm, ")
    assert len(found["alpha5_j"]) == 13


def test_bad_input_is_answered_in_one_line(capsys):
    assert main(["sensor", "--calibration", "nowhere.json"]) == 2
    assert capsys.readouterr().err == (
        "sweetspot: error: cannot read calibration nowhere.json: No such file or directory\n"
    )
