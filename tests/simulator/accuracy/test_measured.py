"""Measured cells as tests: planted boards are met or missed by what was planted."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweetspot.catalog import gpu
from sweetspot.config import Limits
from sweetspot.errors import InputError
from sweetspot.simulator.accuracy.measured import (
    chosen_in_view,
    from_other_cells,
    from_other_models,
    idle_power,
    measured_tests,
    nothing_fitted,
    power_at_measured_time,
    read_measured,
)
from sweetspot.simulator.calibration import fit
from sweetspot.simulator.calibration.layout import deployments_of, lay_out
from sweetspot.simulator.calibration.to_cells import own_targets
from sweetspot.simulator.constants import constants as of_constants
from sweetspot.simulator.constants.calibration_file import engine_traits, load_calibration
from sweetspot.simulator.constants.constants import (
    CHOSEN_IN_VIEW,
    METADATA,
    stated_on,
    transfer,
)
from sweetspot.simulator.cost.clocks import LIMIT_SHARE

DATA = Path(__file__).parents[3] / "data" / "h200-vllm"
BOARD = gpu("h200-sxm")
MODELS = ("llama-3.2-1b", "qwen2-7b", "opt-2.7b")


def write(folder, *, energy=1.0, time=1.0, **changes):
    """Write the records of a board that takes so many times the stated joules and time."""
    cells = pd.DataFrame(
        product(MODELS, (64, 1024), (8, 256), (64, 512)),
        columns=["model", "input_tokens", "output_tokens", "requests"],
    ).assign(max_batch_size=256, gpu=BOARD.id, status="ok", simulated=False, engine="vllm")
    constants = stated_on(BOARD, "vllm")
    served = deployments_of(cells, BOARD, Limits(max_batch_size=256), traits=engine_traits("vllm"))
    taken = lay_out(cells, served).taken(BOARD, constants)
    cells = cells.assign(
        energy_j=energy * taken.energy_j,
        duration_s=time * taken.duration_s,
        mean_sm_mhz=BOARD.max_clock_mhz * taken.clock_share,
        idle_before_w=constants.board.active_power_w,
    )
    folder.mkdir(exist_ok=True)
    cells.assign(**changes).to_json(folder / "records.jsonl", orient="records", lines=True)
    experiment = {"models": list(MODELS), "limits": {"max_batch_size": 256}}
    (folder / "manifest.json").write_text(json.dumps({"experiment": experiment}))
    return folder


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    """Fits from one start, which are near their end soon."""
    monkeypatch.setattr(fit, "OTHER_STARTS", 0)
    monkeypatch.setattr(fit, "MAX_STEPS", 5)


def figures(row):
    return {figure.name: figure.value for figure in row.figures}


def test_board_as_it_is_stated_is_predicted(tmp_path):
    row = nothing_fitted(read_measured(write(tmp_path / "same")))
    assert row.predicted
    assert row.level == "data sheet"
    found = figures(row)
    for name in ("energy per token, mean", "throughput, opt-2.7b", "clock, qwen2-7b"):
        assert found[name] == pytest.approx(0, abs=1e-6)


def test_board_unlike_the_stated_one_is_missed_by_what_it_differs(tmp_path):
    row = nothing_fitted(read_measured(write(tmp_path / "other", energy=1.25, time=0.8)))
    assert figures(row)["energy per token, mean"] == pytest.approx(20)
    assert figures(row)["throughput, mean"] == pytest.approx(20)


def test_power_at_the_measured_time_is_that_of_joules_alone(tmp_path):
    """With the surfaces' joules: twice the time changes waiting power only."""
    (same, slow) = (read_measured(write(tmp_path / str(time), time=time)) for time in (1.0, 2.0))
    row = power_at_measured_time(same)
    assert row.predicted
    assert row.seen[0] == "published-table5"
    (energy, *_) = same.targets
    reference = load_calibration(gpu("h100-sxm")).constants.board
    constants = stated_on(BOARD, "vllm").having(
        flop_energy_j=transfer(reference, BOARD).flop_energy_j,
        byte_energy_j=transfer(reference, BOARD).byte_energy_j,
        kv_byte_energy_j=reference.kv_byte_energy_j,
    )
    taken = energy.runs.taken(BOARD, constants)
    waiting_w = constants.board.active_power_w
    for measured, factor in ((same, 1.0), (slow, 2.0)):
        duration_s = measured.own.cells["duration_s"].to_numpy()
        dynamic_w = (taken.energy_j - waiting_w * taken.duration_s) / duration_s
        assert duration_s == pytest.approx(factor * taken.duration_s, rel=0.2)
        power_w = np.minimum(waiting_w + dynamic_w, LIMIT_SHARE * BOARD.power_limit_w)
        errors = power_w / (measured.own.cells["energy_j"] / duration_s) - 1
        found = figures(power_at_measured_time(measured))
        assert found["mean"] == pytest.approx(100 * errors.abs().mean())


@pytest.mark.parametrize(("before_w", "error"), [(126.0, 0.0), (157.5, 20.0)])
def test_idle_board_is_held_against_what_is_stated(tmp_path, before_w, error):
    row = idle_power(read_measured(write(tmp_path / "idle", idle_before_w=before_w)))
    assert figures(row)["error"] == pytest.approx(error)
    assert not row.predicted


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
    # the same simulated joules, within their error of the measured ones, over twice these
    error = before["energy per token, opt-2.7b"]
    assert after["energy per token, opt-2.7b"] == pytest.approx(50, abs=1 + error / 2)
    assert after["energy per token, qwen2-7b"] != pytest.approx(
        before["energy per token, qwen2-7b"], abs=0.1
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gpu": "no-such-gpu"}, "unknown GPU 'no-such-gpu'"),
        (
            {"gpu": ["h200-sxm", "h100-sxm"] * 12},
            "has cells of h100-sxm and h200-sxm, not",
        ),
        ({"engine": "sglang"}, "has cells of sglang"),
    ],
)
def test_data_that_cannot_be_compared_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_measured(write(tmp_path / "bad", **changes))


def test_folder_without_records_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no records.jsonl; name a folder such as"):
        read_measured(tmp_path)


def test_data_of_the_project_can_be_used_as_they_are():
    of_all = [f"measured-h200-vllm{part}" for part in ("", "-in-view", "-power", "-idle")]
    of_fits = [f"measured-h200-vllm-{part}" for part in ("other-cells", "other-models")]
    assert [name for name, _ in measured_tests(read_measured(DATA))] == [*of_all, *of_fits]
    own = read_measured(DATA).own
    assert len(own.cells) == 42
    assert (own.engine, own.version) == ("vllm-uncompiled", "0.24.0")
    assert {d.limits.max_seq_len for d in own.deployments} == {8192}
    assert own.deployments[-1].words == "sliding windows, CUDA graphs of vLLM"


def test_constants_chosen_with_cells_in_sight_have_no_part_in_tests_on_them(monkeypatch):
    monkeypatch.setattr(fit, "MAX_STEPS", 1)
    tests = (nothing_fitted, power_at_measured_time, from_other_models, chosen_in_view)
    before = [figures(test(read_measured(DATA))) for test in tests]
    monkeypatch.setattr(of_constants, "OTHER_BYTE_ENERGY_J", 2e-10)
    *held_out, in_view = [figures(test(read_measured(DATA))) for test in tests]
    assert held_out == before[:-1]
    assert in_view["energy per token, mean"] > 1.5 * before[-1]["energy per token, mean"]
    assert not chosen_in_view(read_measured(DATA)).predicted


def test_every_constant_that_names_the_cells_as_its_source_stands_aside_or_is_said():
    measured = read_measured(DATA)
    of_cells = {n for n, meta in METADATA.items() if meta["source"].startswith("data/h200-vllm")}
    said = {text.partition(":")[0] for text in nothing_fitted(measured).seen}
    assert of_cells <= {*CHOSEN_IN_VIEW["data/h200-vllm"], *said}
    assert said == {"active_power_w", "idle_power_w"}


def test_page_tells_what_windows_do_to_the_one_cell_beyond_them():
    """Simulated over measured energy per token of Gemma 2 2B, with windows and without."""
    own = read_measured(DATA).own
    constants = load_calibration(BOARD, engine=own.engine).constants

    def too_high_percent(windows):
        served = [each.with_traits(sliding_windows=windows) for each in own.deployments]
        (energy, *_) = own_targets(replace(own, deployments=served))
        ratios = energy.ratios(BOARD, constants)
        return {
            (cell.model, cell.input_tokens): 100 * (ratio - 1)
            for cell, ratio in zip(own.cells.itertuples(), ratios, strict=True)
        }["gemma-2-2b", 7168]

    page = " ".join((DATA.parents[1] / "docs" / "simulator.md").read_text().split())
    with_windows, without = (too_high_percent(windows) for windows in (True, False))
    assert f"energy is {-with_windows:.0f} % too low, without them {without:.0f} % too high" in page
