"""Fits to measured cells: planted constants are met on held-out cells, bad tables are refused."""

import json
import logging
from itertools import product

import numpy as np
import pandas as pd
import pytest

import sweetspot
from sweetspot.catalog import gpu
from sweetspot.cli.fit_folder import kept_cells
from sweetspot.config import Limits
from sweetspot.errors import InputError
from sweetspot.schema.writing import json_text
from sweetspot.simulator.calibration import fit
from sweetspot.simulator.calibration.layout import deployments_of, lay_out
from sweetspot.simulator.calibration.own_cells import read_own_cells
from sweetspot.simulator.calibration.to_cells import (
    _SETTING,
    OF_BOARD,
    OF_ENGINE,
    OF_REQUESTS,
    calibrate_to_cells,
    determines_board,
    fit_own,
    held_out_cells,
    own_constants,
    own_targets,
)
from sweetspot.simulator.constants.calibration_file import engine_traits, load_calibration
from sweetspot.simulator.constants.constants import stated_on

LENGTHS = (64, 512, 2048)


def truth_of(board, engine="tensorrt-llm"):
    """Return constants other than the stated ones, as a board and an engine might have them."""
    return stated_on(board, engine).having(
        active_power_w=0.19 * board.power_limit_w,
        flop_energy_j=1.15 * stated_on(board).board.flop_energy_j,
        byte_energy_j=180e-12,
        layer_overhead_s=8e-5,
        sequence_overhead_s=1e-5,
        run_overhead_s=0.0,
    )


def measured(gpu_id, ran="tensorrt-llm", batches=(64, 1024), lengths=LENGTHS, **changes):
    """Return cells as a board with other constants than the calibration's would give them."""
    board = gpu(gpu_id)
    cells = pd.DataFrame(
        product(("llama-3.2-1b", "qwen2-7b"), batches, lengths, LENGTHS),
        columns=["model", "max_batch_size", "input_tokens", "output_tokens"],
    ).assign(requests=200, gpu=gpu_id, status="ok", simulated=False, engine=ran)
    truth = truth_of(board, ran)
    served = deployments_of(cells, board, Limits(), traits=engine_traits(ran))
    taken = lay_out(cells, served).taken(board, truth)
    numbers = {
        "energy_j": taken.energy_j,
        "duration_s": taken.duration_s,
        "mean_sm_mhz": taken.clock_share * board.max_clock_mhz,
        "idle_before_w": truth.board.active_power_w,
    }
    return cells.assign(**numbers | changes)


@pytest.fixture(autouse=True)
def _two_starts(monkeypatch):
    """Five take longer, and find the same."""
    monkeypatch.setattr(fit, "OTHER_STARTS", 1)


@pytest.fixture
def one_step(monkeypatch):
    """Fits that are not taken to their end, where only what they are of is looked at."""
    monkeypatch.setattr(fit, "OTHER_STARTS", 0)
    monkeypatch.setattr(fit, "MAX_STEPS", 1)


@pytest.mark.parametrize(
    ("gpu_id", "engine"), [("h100-sxm", "tensorrt-llm"), ("a100-80gb", "vllm")]
)
def test_planted_constants_are_met_on_cells_that_were_held_out(tmp_path, gpu_id, engine):
    path = tmp_path / "cells.csv"
    measured(gpu_id, engine).to_csv(path, index=False)
    found = calibrate_to_cells(path, gpu_id, hold_out=4)
    assert found.level == "own measurements"
    assert found.seen == [f"{path}: 27 of 36 cells"]
    requests = OF_REQUESTS if engine == "tensorrt-llm" else ()
    assert found.fitted == [*OF_ENGINE, *requests, *OF_BOARD]
    for name, error in found.held_out_errors_percent.items():
        assert error < 1, name
    assert set(found.held_out_errors_percent) == {"energy_per_token", "throughput", "clock"}
    assert found.engine.constants["run_overhead_s"] == 0
    board = gpu(gpu_id)
    assert found.board.constants["active_power_w"] == pytest.approx(0.19 * board.power_limit_w)
    assert found.search.converged
    assert found.starts.count == 2
    file = tmp_path / "calibration.json"
    file.write_text(json_text(found), encoding="utf-8")
    loaded = load_calibration(board, file)
    assert (loaded.level, loaded.engine) == ("own measurements", engine)
    assert found.engine.traits == engine_traits(engine)


@pytest.mark.parametrize(
    "grid", [{"batches": (64,)}, {"lengths": (512,)}], ids=["one batch size", "one input length"]
)
def test_cells_that_cannot_tell_board_from_engine_leave_the_board_alone(tmp_path, grid):
    path = tmp_path / "cells.csv"
    measured("h100-sxm", **grid).to_csv(path, index=False)
    own = read_own_cells(path, gpu("h100-sxm"))
    assert not determines_board(own.cells)
    found = fit_own(own, own_targets(own))
    assert found.fitted == OF_ENGINE
    assert found.constants.board == own_constants(own, stated_on(own.board)).board
    assert own_targets(own)[1].mean_error_percent(own.board, found.constants) < 3


@pytest.mark.parametrize("lengths", [LENGTHS, (1024, 2048)], ids=["short ones too", "long alone"])
def test_what_a_request_costs_is_found_in_noise_where_some_are_short(tmp_path, lengths):
    """And what weights cost goes to the board's bytes: cells know the sum alone."""
    path, board = tmp_path / "cells.csv", gpu("h100-sxm")
    cells = pd.DataFrame(
        product(("llama-3.2-1b", "llama-3.1-8b"), (64, 1024), lengths, lengths),
        columns=["model", "max_batch_size", "input_tokens", "output_tokens"],
    ).assign(requests=200, gpu=board.id, status="ok", simulated=False, engine="tensorrt-llm")
    truth = stated_on(board).having(
        request_energy_j=0.45, weight_byte_energy_j=5e-11, run_overhead_s=0.0
    )
    taken = lay_out(cells, deployments_of(cells, board, Limits())).taken(board, truth)
    noise = np.exp(0.02 * np.random.default_rng(3).standard_normal((2, len(cells))))
    numbers = {"energy_j": taken.energy_j * noise[0], "duration_s": taken.duration_s * noise[1]}
    cells.assign(**numbers).to_csv(path, index=False)
    own = read_own_cells(path, board)
    found = fit_own(own, own_targets(own))
    short = min(lengths) == 64
    assert (OF_REQUESTS[0] in found.fitted) == short
    if short:
        assert found.constants.engine.request_energy_j == pytest.approx(0.45, rel=0.1)
    assert found.constants.board.byte_energy_j == pytest.approx(2.1e-10, rel=0.06)


def test_clocks_are_a_target_where_all_cells_have_them(tmp_path):
    path = tmp_path / "cells.csv"
    cells = measured("h100-sxm")
    names = []
    for changed in (cells, cells.drop(columns="mean_sm_mhz"), cells.assign(mean_sm_mhz=[0.0] * 36)):
        changed.to_csv(path, index=False)
        names.append([t.name for t in own_targets(read_own_cells(path, gpu("h100-sxm")))])
    assert names == [["energy_per_token", "throughput", "clock"]] + 2 * [
        ["energy_per_token", "throughput"]
    ]


def test_power_before_cells_is_that_of_a_board_with_nothing_to_do(tmp_path):
    path = tmp_path / "cells.csv"
    board, idle_w = gpu("h100-sxm"), stated_on(gpu("h100-sxm")).board.idle_power_w
    for before_w, expected_w in ((150.0, 150.0), (idle_w - 1, 126.0), (float("nan"), 126.0)):
        measured("h100-sxm", idle_before_w=before_w).to_csv(path, index=False)
        own = read_own_cells(path, board)
        found = own_constants(own, stated_on(board))
        assert found.board.active_power_w == expected_w
        assert found.engine.run_overhead_s == 0


def test_cells_of_other_boards_failed_and_simulated_ones_have_no_part(tmp_path):
    path = tmp_path / "cells.csv"
    good = measured("h100-sxm")
    others = [
        good.assign(gpu="a100-80gb", energy_j=1.0),
        good.assign(status="failed", energy_j=float("nan")),
        good.assign(simulated=True, energy_j=1.0),
    ]
    pd.concat([good, *others]).to_csv(path, index=False)
    found = read_own_cells(path, gpu("h100-sxm")).cells
    assert found["energy_j"].tolist() == pytest.approx(good["energy_j"].tolist())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energy_j": float("nan")}, "row 1: energy_j must be a positive number"),
        ({"duration_s": -1.0}, "row 1: duration_s must be a positive number"),
        ({"requests": "many"}, "row 1: requests must be a positive integer"),
        ({"simulated": True}, "holds simulated cells only"),
        ({"gpu": "l40s"}, r"has 0 measured cells on h100-sxm \(other cells: l40s\)"),
        ({"engine": "sglang"}, "has cells of sglang"),
        ({"engine": ["vllm", "tensorrt-llm"] * 18}, "has cells of tensorrt-llm, vllm"),
        ({"model": "no-such-model"}, "unknown model 'no-such-model'"),
    ],
)
def test_cells_that_cannot_be_fitted_are_refused_with_their_place(tmp_path, changes, message):
    path = tmp_path / "cells.csv"
    measured("h100-sxm", **changes).to_csv(path, index=False)
    with pytest.raises(InputError, match=message):
        calibrate_to_cells(path, "h100-sxm")


@pytest.mark.usefixtures("one_step")
def test_repeats_of_a_cell_are_held_out_together(tmp_path):
    """A repeat in the fit would tell the one that is held out."""
    path = tmp_path / "cells.csv"
    cells = measured("h100-sxm")
    noise = cells["energy_j"] * (1 + 0.2 * (-1.0) ** cells.index)
    pd.concat([cells.assign(repeat=r, energy_j=noise) for r in range(3)]).to_csv(path, index=False)
    found = calibrate_to_cells(path, "h100-sxm", hold_out=4)
    assert found.seen == [f"{path}: 81 of 108 cells"]
    own = read_own_cells(path, gpu("h100-sxm")).cells
    held_out = own.assign(held_out=held_out_cells(own, 4)).groupby(_SETTING)["held_out"]
    assert (held_out.nunique() == 1).all()


@pytest.mark.parametrize("one_in", [2, 3, 7, 9])
def test_held_out_cells_are_of_several_lengths(one_in):
    """Every ninth cell of this grid, for one, has the same lengths."""
    cells = measured("h100-sxm")
    held_out = cells[held_out_cells(cells, one_in)]
    assert len(held_out) == len(cells) // one_in
    assert held_out["output_tokens"].nunique() > 1
    assert held_out["model"].nunique() > 1


@pytest.mark.usefixtures("one_step")
def test_fit_to_simulated_cells_is_marked_wherever_it_is_named(tmp_path):
    path = tmp_path / "cells.csv"
    measured("h100-sxm", simulated=True, engine="simulator").to_csv(path, index=False)
    found = calibrate_to_cells(path, "h100-sxm", allow_simulated=True)
    assert (found.name, found.level) == ("h100-sxm-simulated-cells", "data sheet")
    assert found.seen[0].startswith("SIMULATED, no measurement: ")


def test_simulated_cells_of_a_board_that_was_set_are_taken_as_such(tmp_path):
    path, full = tmp_path / "cells.csv", gpu("h100-sxm")
    cells = measured("h100-sxm", simulated=True, engine="simulator")
    runs = lay_out(cells, deployments_of(cells, full, Limits()))
    energy_j, duration_s, _ = runs.taken(full.set_to(power_limit_w=400), stated_on(full))
    kept = cells.drop(columns=["mean_sm_mhz", "idle_before_w"])
    kept.assign(energy_j=energy_j, duration_s=duration_s).to_csv(path, index=False)
    settings = {"engine": "simulator", "gpu_settings": {"power_limit_w": 400}}
    (tmp_path / "manifest.json").write_text(json.dumps({"experiment": settings}), encoding="utf-8")
    own = read_own_cells(path, full, allow_simulated=True)
    for target in own_targets(own):
        np.testing.assert_allclose(target.ratios(own.board, stated_on(own.board)), 1.0, rtol=1e-9)


@pytest.mark.usefixtures("one_step")
def test_leave_for_simulated_cells_never_mixes_them_with_measured_ones(tmp_path):
    path = tmp_path / "cells.csv"
    good = measured("h100-sxm")
    pd.concat([good, good.assign(simulated=True, energy_j=1.0)]).to_csv(path, index=False)
    found = calibrate_to_cells(path, "h100-sxm", allow_simulated=True)
    assert found.level == "own measurements"
    own = read_own_cells(path, gpu("h100-sxm"), allow_simulated=True).cells
    assert own["energy_j"].tolist() == pytest.approx(good["energy_j"].tolist())


@pytest.mark.usefixtures("one_step")
def test_model_of_a_holdout_is_compared_and_no_fit_sees_it(tmp_path, caplog):
    path, cells = tmp_path / "cells.csv", measured("h100-sxm")
    unseen = cells["model"] == "qwen2-7b"
    experiment = {"models": ["llama-3.2-1b", "qwen2-7b"], "holdout": ["qwen2-7b"]}
    (tmp_path / "manifest.json").write_text(json.dumps({"experiment": experiment}))
    found = []
    for wrong in (1.0, 3.0):  # energies that any fit to them would follow
        energy_j = cells["energy_j"].where(~unseen, wrong * cells["energy_j"])
        cells.assign(energy_j=energy_j).to_csv(path, index=False)
        with caplog.at_level(logging.INFO):
            found.append(calibrate_to_cells(path, "h100-sxm"))
    one, other = found
    assert (one.board, one.engine) == (other.board, other.engine)
    assert one.held_out_errors_percent == other.held_out_errors_percent
    assert one.held_out_intervals != other.held_out_intervals  # of it, by a fit to the others
    assert f"of {len(cells)} cells" in one.seen[0]
    said = [text for text in caplog.messages if text.startswith("qwen2-7b is held out")]
    assert len(set(said)) == 2
    experiment["holdout"] = experiment["models"]
    (tmp_path / "manifest.json").write_text(json.dumps({"experiment": experiment}))
    with pytest.raises(InputError, match=r"has 0 cells besides those of llama-3\.2-1b, qwen2-7b"):
        calibrate_to_cells(path, "h100-sxm")


def test_manifest_beside_the_cells_says_limits_and_where_models_are(tmp_path, write_model):
    path = tmp_path / "cells.csv"
    model = write_model(tmp_path / "mine", num_hidden_layers=2)
    measured("h100-sxm").assign(model="mine").to_csv(path, index=False)
    limits = {"max_seq_len": 9000}
    manifest = {"experiment": {"models": [model], "limits": limits}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    own = read_own_cells(path, gpu("h100-sxm"))
    assert {each.limits.max_seq_len for each in own.deployments} == {9000}
    assert {each.model.layers for each in own.deployments} == {2}
    assert set(own.cells["model"]) == {model}
    for text, message in (
        ("{}", "names no experiment"),
        ("[]", "must be a mapping"),
        ("[" * 50_000, "nested too deeply"),
    ):
        (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=rf"^manifest .*manifest\.json.*{message}"):
            read_own_cells(path, gpu("h100-sxm"))


def test_files_that_are_not_cells_are_refused(tmp_path):
    path = tmp_path / "cells.csv"
    with pytest.raises(InputError, match="cannot read cells"):
        calibrate_to_cells(path, "h100-sxm")
    path.write_text("model,gpu\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no rows; its columns are model, gpu"):
        calibrate_to_cells(path, "h100-sxm")
    with pytest.raises(InputError, match="hold_out must be 2 or more"):
        calibrate_to_cells(path, "h100-sxm", hold_out=1)
    measured("h100-sxm").to_csv(path, index=False)
    with pytest.raises(InputError, match="hold_out 50 keeps none of 36 cells out"):
        calibrate_to_cells(path, "h100-sxm", hold_out=50)


def own_table(path, **changes):
    """Write cells as a stranger would: other names and units, nothing of a run."""
    cells = measured("h100-sxm", "vllm", **changes)
    kept = ["model", "requests", "max_batch_size", "input_tokens", "output_tokens"]
    table = cells[kept].assign(
        **{"energy (Wh)": cells["energy_j"] / 3600, "duration (min)": cells["duration_s"] / 60}
    )
    table.to_csv(path, index=False)
    return cells


def test_table_of_a_stranger_is_read_as_a_fit_reads_it(tmp_path):
    cells = own_table(tmp_path / "mine.csv")
    own = read_own_cells(tmp_path / "mine.csv", gpu("h100-sxm"), engine="vllm")
    assert (own.engine, own.simulated, own.board.id) == ("vllm", False, "h100-sxm")
    for name in ("energy_j", "duration_s"):
        assert own.cells[name].to_numpy() == pytest.approx(cells[name].to_numpy())


def test_what_a_fit_leaves_can_be_calibrated_to(tmp_path):
    own_table(tmp_path / "mine.csv")
    table = pd.read_csv(tmp_path / "mine.csv").assign(
        engine="vllm", gpu="NVIDIA H100 80GB HBM3", remark="x"
    )
    table.to_csv(tmp_path / "mine.csv", index=False)
    found = sweetspot.fit(tmp_path / "mine.csv")
    kept, others = kept_cells(found.observations.cells)
    assert others == ["remark"]
    kept.to_csv(tmp_path / "cells.csv", index=False)
    own = read_own_cells(tmp_path / "cells.csv", gpu("h100-sxm")).cells
    assert own["duration_s"].to_numpy() == pytest.approx(60 * table["duration (min)"].to_numpy())
    assert own["energy_j"].to_numpy() == pytest.approx(3600 * table["energy (Wh)"].to_numpy())


@pytest.mark.parametrize(
    ("dropped", "engine", "message"),
    [
        ([], None, r"names no engine; add a column engine, or --engine tensorrt-llm\|vllm"),
        (
            ["duration (min)"],
            "vllm",
            "lacks duration_s of its runs: .* add a column durat",
        ),
        (["requests", "max_batch_size"], "vllm", "requests"),
    ],
)
def test_table_of_a_stranger_that_says_too_little_is_refused_with_what_to_add(
    tmp_path, dropped, engine, message
):
    own_table(tmp_path / "mine.csv")
    table = pd.read_csv(tmp_path / "mine.csv").drop(columns=dropped)
    table.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(InputError, match=message):
        read_own_cells(tmp_path / "mine.csv", gpu("h100-sxm"), engine=engine)
