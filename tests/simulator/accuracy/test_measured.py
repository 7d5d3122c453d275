"""Measured cells as tests: planted boards are met or missed by what was planted."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from sweetspot.catalog import gpu
from sweetspot.config import Limits
from sweetspot.errors import InputError
from sweetspot.simulator.accuracy.measured import (
    as_it_ships,
    from_other_cells,
    from_other_models,
    measured_tests,
    read_measured,
)
from sweetspot.simulator.calibration.layout import deployments_of, lay_out
from sweetspot.simulator.calibration.to_cells import own_targets
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.deployment.deployment import TRAITS

DATA = Path(__file__).parents[3] / "data" / "h200-vllm"
BOARD = gpu("h200-sxm")
MODELS = ("llama-3.2-1b", "qwen2-7b", "opt-2.7b")


def write(folder, *, energy=1.0, time=1.0, **changes):
    """Write the records of a board that takes so many times the calibration's joules and time."""
    cells = pd.DataFrame(
        product(MODELS, (64, 1024), (8, 256), (64, 512)),
        columns=["model", "input_tokens", "output_tokens", "requests"],
    ).assign(max_batch_size=256, gpu=BOARD.id, status="ok", simulated=False, engine="vllm")
    constants = replace(load_calibration(BOARD).constants, run_overhead_s=0.0)
    limits = Limits(max_batch_size=256)
    runs = lay_out(cells, deployments_of(cells, BOARD, limits, traits=TRAITS["vllm"]))
    energy_j, duration_s = runs.energy_and_duration(BOARD, constants)
    cells = cells.assign(energy_j=energy * energy_j, duration_s=time * duration_s)
    folder.mkdir(exist_ok=True)
    cells.assign(**changes).to_json(folder / "records.jsonl", orient="records", lines=True)
    experiment = {"models": list(MODELS), "limits": {"max_batch_size": 256}}
    (folder / "manifest.json").write_text(json.dumps({"experiment": experiment}))
    return folder


def figures(row):
    return {figure.name: figure.value for figure in row.figures}


def test_board_like_the_calibration_is_predicted(tmp_path):
    row = as_it_ships(read_measured(write(tmp_path / "same")))
    assert row.predicted
    assert row.level == "data sheet"
    assert figures(row)["energy per token, mean"] == pytest.approx(0, abs=1e-6)
    assert figures(row)["throughput, opt-2.7b"] == pytest.approx(0, abs=1e-6)


def test_board_unlike_the_calibration_is_missed_by_what_it_differs(tmp_path):
    row = as_it_ships(read_measured(write(tmp_path / "other", energy=1.25, time=0.8)))
    assert figures(row)["energy per token, mean"] == pytest.approx(20)
    assert figures(row)["throughput, mean"] == pytest.approx(20)


def test_fit_to_other_cells_or_models_comes_nearer(tmp_path):
    measured = read_measured(write(tmp_path / "other", energy=1.1, time=1.05))
    for test in (from_other_cells, from_other_models):
        row = test(measured)
        assert row.predicted
        assert row.level == "own measurements"
        assert figures(row)["energy per token, mean"] < 5


def test_cells_of_a_model_have_no_part_in_its_prediction(tmp_path):
    before = figures(from_other_models(read_measured(write(tmp_path / "a", energy=1.1))))
    spoilt = write(tmp_path / "b", energy=1.1)
    cells = pd.read_json(spoilt / "records.jsonl", lines=True)
    ours = cells["model"] == "opt-2.7b"
    cells.loc[ours, "energy_j"] *= 2
    cells.to_json(spoilt / "records.jsonl", orient="records", lines=True)
    after = figures(from_other_models(read_measured(spoilt)))
    # the same simulated joules over twice the measured ones
    simulated = 1 + before["energy per token, opt-2.7b"] / 100
    assert after["energy per token, opt-2.7b"] == pytest.approx(100 - 50 * simulated, abs=3)
    assert after["energy per token, qwen2-7b"] != pytest.approx(
        before["energy per token, qwen2-7b"], abs=0.5
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gpu": "no-such-gpu"}, "unknown GPU 'no-such-gpu'"),
        (
            {"gpu": ["h200-sxm", "h100-sxm"] * 12},
            "has cells of h100-sxm and h200-sxm, not",
        ),
        ({"engine": "transformers"}, "has cells of transformers"),
    ],
)
def test_data_that_cannot_be_compared_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_measured(write(tmp_path / "bad", **changes))


def test_folder_without_records_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no records.jsonl; name a folder such as"):
        read_measured(tmp_path)


def test_data_of_the_project_can_be_used_as_they_are():
    assert [name for name, _ in measured_tests(DATA)] == [
        *("measured-h200-vllm", "measured-h200-vllm-other-cells"),
        "measured-h200-vllm-other-models",
    ]
    measured = read_measured(DATA)
    assert len(measured.own.cells) == 42
    assert {d.limits.max_seq_len for d in measured.own.deployments} == {8192}
    assert {d.words for d in measured.own.deployments[-1:]} == {
        "sliding windows, CUDA graphs of vLLM"
    }


def test_page_tells_what_windows_do_to_the_one_cell_beyond_them():
    """Simulated over measured energy per token of Gemma 2 2B, with windows and without."""
    own = read_measured(DATA).own
    constants = replace(load_calibration(BOARD).constants, run_overhead_s=0.0)

    def too_low_percent(traits):
        served = [replace(each, traits=traits) for each in own.deployments]
        (energy, _) = own_targets(replace(own, deployments=served))
        ratios = energy.ratios(BOARD, constants)
        return {
            (cell.model, cell.input_tokens): 100 * (1 - ratio)
            for cell, ratio in zip(own.cells.itertuples(), ratios, strict=True)
        }

    place = ("gemma-2-2b", 7168)
    with_windows, without = (
        too_low_percent(TRAITS[engine])[place] for engine in ("vllm", "tensorrt-llm")
    )
    page = " ".join((DATA.parents[1] / "docs" / "simulator.md").read_text().split())
    assert f"energy is {with_windows:.0f} % too low" in page
    assert f"without them {without:.0f} %." in page
