"""Predictions corrected by measured cells: which count, what they change, and how that is said."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sweetspot
from sweetspot.analysis.batch_fits import fit_model
from sweetspot.analysis.batch_form import COUNTED_FORMS, loads
from sweetspot.ask.corrected import corrected
from sweetspot.cli import main
from sweetspot.errors import InputError
from sweetspot.simulator.correction import Correction, Point

H200 = Path(__file__).parents[2] / "data" / "h200-vllm"
ASK = {"engine": "vllm-uncompiled", "requests": 128, "max_batch_size": 512}


@pytest.fixture(scope="module")
def cells():
    return sweetspot.read_cells(H200 / "records.jsonl")


@pytest.fixture(scope="module")
def answer():
    return sweetspot.predict("llama-3.1-8b", "h200-sxm", 512, 256, **ASK)


def test_four_cells_and_others_correct_towards_the_measured_energy(cells, answer):
    own = cells[cells["model"] == "llama-3.1-8b"].reset_index(drop=True)
    (measured_j,) = own.loc[
        (own["requests"] == 128) & (own["input_tokens"] == 512) & (own["output_tokens"] == 256),
        "energy_per_token_j",
    ]
    others = cells[cells["model"] != "llama-3.1-8b"]
    chosen = own.query("requests == 128").iloc[[0, 2, 6, 8]]  # the corners
    found = corrected(answer, pd.concat([chosen, others]))
    assert (found.own_cells, found.other_cells) == (4, len(others))
    assert found.other_models == ("llama-3.2-1b", "gemma-2-2b")
    assert found.simulated_per_token_j == answer.energy_per_token_j
    errors = (
        found.energy_per_token_j / measured_j - 1,
        found.simulated_per_token_j / measured_j - 1,
    )
    assert abs(errors[0]) < abs(errors[1])
    assert found.energy_per_token_low_j < measured_j < found.energy_per_token_high_j
    widths = [
        each.energy_per_token_high_j / each.energy_per_token_low_j for each in (found, answer)
    ]
    assert widths[0] < widths[1]


def test_eq5_takes_over_where_it_misses_less_and_only_within_its_lengths(cells, answer):
    found = corrected(answer, H200)
    assert found.basis == "Eq. 5"
    assert found.own_cells == 9
    assert found.left_out_percent < found.simulated_left_out_percent
    beyond = sweetspot.predict("llama-3.1-8b", "h200-sxm", 512, 4096, **ASK)
    assert corrected(beyond, H200).basis == "simulator, corrected"


def test_eq5_does_not_take_over_where_it_misses_more(cells, answer):
    load = cells[(cells["model"] == "llama-3.1-8b") & (cells["requests"] == 128)]
    lengths = load[["input_tokens", "output_tokens"]].itertuples(index=False)
    simulated_j = [
        sweetspot.predict("llama-3.1-8b", "h200-sxm", *each, **ASK).energy_per_token_j
        for each in lengths
    ]
    found = corrected(answer, load.assign(energy_per_token_j=simulated_j))
    assert found.basis == "simulator, corrected"
    assert found.left_out_percent < 0.1
    assert found.energy_per_token_j == pytest.approx(answer.energy_per_token_j, rel=1e-3)


def test_bases_are_compared_on_the_same_cells(cells, answer):
    own = cells[cells["model"] == "llama-3.1-8b"].reset_index(drop=True)
    found = corrected(answer, own)
    assert found.left_out == "9 cells of the asked load"
    columns = ["model", "input_tokens", "output_tokens", "requests"]
    points = [Point(*row) for row in own[columns].itertuples(index=False)]
    asked = {"gpu": "h200-sxm", "engine": "vllm-uncompiled", "max_batch_size": 512}
    simulated_j = [
        sweetspot.predict(**point._asdict(), **asked).energy_per_token_j for point in points
    ]
    errors = Correction(points, np.log(own["energy_per_token_j"] / simulated_j).to_numpy())
    of_load = errors.left_out("llama-3.1-8b")[own["requests"] == 128]
    of_batch = fit_model("llama-3.1-8b", own)
    of_load_by_batch = of_batch.cell_out[of_batch.cells["requests"] == 128]
    assert found.others_left_out_percent == {
        "simulator, corrected": pytest.approx(100 * np.abs(of_load).mean()),
        "batch form": pytest.approx(100 * np.abs(of_load_by_batch).mean()),
    }


PLANTED = np.array([0.03, 4e-7, 4e-5, 0.03, 2.0, 9.0, 500.0])
LENGTHS = [*product((128, 512, 1024), (64, 256, 1024))]


def planted(requests, lengths=LENGTHS):
    """Return cells as the form has them, far from what is simulated."""
    inputs, outputs = np.array(lengths).T
    energies = COUNTED_FORMS[0].design_matrix(loads(requests, 512, inputs, outputs)) @ PLANTED
    scatter = 1 + 0.01 * np.random.default_rng(requests).standard_normal(len(energies))
    return pd.DataFrame(
        {
            "model": "llama-3.1-8b",
            "requests": requests,
            "max_batch_size": 512,
            "input_tokens": inputs,
            "output_tokens": outputs,
            "energy_per_token_j": energies * scatter,
        }
    )


@pytest.fixture(scope="module")
def several():
    return pd.concat(planted(requests) for requests in (8, 32, 256))


def test_batch_form_answers_for_a_load_that_nobody_measured(several, answer):
    found = corrected(answer, several)
    assert (found.basis, found.own_cells) == ("batch form", 27)
    assert found.left_out == "3 loads with 27 cells"
    assert found.left_out_percent < found.others_left_out_percent["simulator, corrected"]
    (at,) = COUNTED_FORMS[0].design_matrix(loads(128, 512, 512, 256)) @ PLANTED
    assert found.energy_per_token_low_j < at < found.energy_per_token_high_j
    assert "by the corrected simulator by" in found.words
    assert any(note == "Eq. 5 says nothing: no cell is of the asked load" for note in found.notes)


def test_batch_form_says_nothing_beyond_its_loads_and_lengths(several, answer):
    for change, reason in (
        ({"requests": 300}, "N 300 is not between the measured 8 and 256"),
        ({"output_tokens": 2048}, "output length 2048 is not between the measured 64 and 1024"),
        ({"max_batch_size": 50}, "no cell has as many waves"),
    ):
        asked = {"input_tokens": 512, "output_tokens": 256, **ASK} | change
        at = sweetspot.predict("llama-3.1-8b", "h200-sxm", **asked)
        found = corrected(at, several)
        assert found.basis == "simulator, corrected"
        assert found.left_out == "27 cells"
        assert f"the batch form says nothing: {reason}" in found.notes


def test_batch_form_of_two_loads_says_why_it_cannot_be_compared(several, answer):
    two = several[several["requests"] != 32]
    found = corrected(answer, two)
    assert (found.basis, found.left_out) == ("simulator, corrected", "18 cells")
    assert found.simulated_left_out_percent > 0
    assert any("says nothing: no load can be left out" in note for note in found.notes)


def test_cells_of_another_board_engine_or_kind_do_not_count(cells, answer):
    own = cells[cells["model"] == "llama-3.1-8b"].iloc[:4]
    for change in ({"gpu": "h100-sxm"}, {"engine": "tensorrt-llm"}, {"simulated": True}):
        mixed = pd.concat([own.iloc[:1], own.iloc[1:].assign(**change)])
        found = corrected(answer, mixed)
        assert found.own_cells == 1
        assert any(note.startswith("left out: 3 cells") for note in found.notes)
        with pytest.raises(InputError, match="left out: 4 cells"):
            corrected(answer, own.assign(**change))


def test_cells_of_two_boards_at_one_load_keep_the_name_of_their_model(cells, answer):
    own = cells[cells["model"] == "llama-3.1-8b"].head(4)
    strange = own.assign(gpu="NVIDIA Other", energy_per_token_j=9.0)
    found = corrected(answer, pd.concat([own, strange]))
    assert (found.own_cells, found.other_cells) == (4, 0)
    assert not any("told apart" in note for note in found.notes)


def test_a_board_that_only_a_file_describes_is_known_by_its_id(tmp_path, cells):
    entry = """
        name: Somebody's board
        nvml_name: NVIDIA Somebody 96GB
        memory_mib: 97871
        bandwidth_gb_per_s: 4000
        fp16_tflops: 900
        fp8_tflops: 1800
        power_limit_w: 600
        nvlink_gb_per_s: null
        pcie_gb_per_s: 128
        max_clock_mhz: 1980
        source: its data sheet
    """
    (tmp_path / "somebodys.yaml").write_text(entry, encoding="utf-8")
    board = str(tmp_path / "somebodys.yaml")
    answer = sweetspot.predict("llama-3.1-8b", board, 512, 256, **ASK)
    own = cells[cells["model"] == "llama-3.1-8b"].head(3)
    for name in ("somebodys", "NVIDIA Somebody 96GB"):
        assert corrected(answer, own.assign(gpu=name)).own_cells == 3
    with pytest.raises(InputError, match=r"of another GPU than somebodys \(NVIDIA Other\)"):
        corrected(answer, own.assign(gpu="NVIDIA Other"))


def test_cells_of_a_model_that_nobody_knows_are_left_out_and_plain_tables_taken(answer):
    table = pd.DataFrame(
        {
            "model": ["llama-3.1-8b", "somebodys-own"],
            "input_tokens": [512, 512],
            "output_tokens": [256, 256],
            "requests": [128, 128],
            "J/token": [2 * answer.energy_per_token_j, 0.1],
        }
    )
    found = corrected(answer, table, columns={"energy_per_token_j": "J/token"})
    assert (found.own_cells, found.other_cells) == (1, 0)
    assert found.left_out_percent is None
    assert found.energy_per_token_j > 1.3 * answer.energy_per_token_j
    assert any("somebodys-own" in note for note in found.notes)


def test_command_prints_the_corrected_energy_beside_the_simulated_one(capsys):
    line = ["predict", "--model", "qwen2-7b", "--gpu", "h200", "--engine", "vllm-uncompiled"]
    line += ["--input", "512", "--output", "300", "--requests", "128", "--cells", str(H200)]
    assert main(line) == 0
    out = capsys.readouterr().out
    assert "  corrected by your cells" in out
    assert "by 0 cells of this model and 42 of 3 others" in out
    assert main([*line, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["corrected"]["simulated_per_token_j"] == found["energy_per_token_j"]
    assert main([*line[:3], "--gpu", "h100", *line[5:]]) == 2
    assert "of another GPU than h100-sxm" in capsys.readouterr().err


def test_cells_a_thousand_times_the_simulator_correct_nothing(answer, cells):
    """A small model's energies in another unit are joules that some other model would take."""
    own = cells[cells["model"] == "llama-3.1-8b"].head(3)
    slipped = own.assign(energy_per_token_j=own["energy_per_token_j"] * 100)
    corrected(answer, own)
    with pytest.raises(InputError, match=r"times the simulator, .* explains: look at the unit"):
        corrected(answer, slipped)


def test_model_that_nobody_knows_is_the_reason_given(answer, cells):
    with pytest.raises(InputError, match=r"can be simulated: left out: \d+ cells of x: unknown"):
        corrected(answer, cells.assign(model="x"))
