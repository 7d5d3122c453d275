"""The command `calibrate`, in one process: its file works with `predict`; what it refuses."""

import json
import re
import shlex
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweetspot.catalog import gpu
from sweetspot.cli import main
from sweetspot.config import Limits
from sweetspot.schema.writing import plain
from sweetspot.simulator.calibration import fit
from sweetspot.simulator.calibration.layout import deployments_of, lay_out
from sweetspot.simulator.constants.calibration_file import (
    engine_traits,
    load_calibration,
    shipped_boards,
    shipped_engine,
)
from sweetspot.simulator.constants.constants import stated_on

LENGTHS = (64, 512, 2048)
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _one_start(request, monkeypatch):
    """Searches from one start, where nothing is said of what they find."""
    if not any(name in request.node.name for name in ("simulators_page", "that_ship")):
        monkeypatch.setattr(fit, "OTHER_STARTS", 0)


@pytest.fixture
def cells(tmp_path):
    """Return a cells.csv of a board with the stated constants."""
    board = gpu("h100-sxm")
    table = pd.DataFrame(
        product((64, 1024), LENGTHS, LENGTHS),
        columns=["max_batch_size", "input_tokens", "output_tokens"],
    ).assign(
        model="llama-3.2-1b",
        requests=200,
        gpu=board.id,
        engine="tensorrt-llm",
        status="ok",
        simulated=False,
    )
    truth = stated_on(board).having(run_overhead_s=0.0)
    taken = lay_out(table, deployments_of(table, board, Limits())).taken(board, truth)
    path = tmp_path / "cells.csv"
    table.assign(energy_j=taken.energy_j, duration_s=taken.duration_s).to_csv(path, index=False)
    return path


def refused(capsys, *arguments):
    """Return the one line that bad input prints."""
    assert main(["calibrate", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("sweetspot: error: ")
    return err


def test_calibration_to_cells_is_one_that_predict_takes_and_names(capsys, cells, tmp_path):
    out = tmp_path / "new" / "mine.json"
    options = ["--cells", str(cells), "--gpu", "h100-sxm", "--out", str(out), "--hold-out", "3"]
    assert main(["calibrate", *options]) == 0
    said = capsys.readouterr().out
    assert f"h100-sxm-own (own measurements), fitted to {cells}: 12 of 18 cells" in said
    assert "mean error on cells held out, energy_per_token: " in said
    assert "mean error on what it was fitted to, no evidence, throughput: " in said
    question = "predict --model opt-1.3b --gpu h100-sxm --input 64 --output 64 --calibration"
    assert main([*question.split(), str(out)]) == 0
    said = capsys.readouterr().out
    assert "engine: tensorrt-llm; constants: h100-sxm-own (own measurements)" in said


def test_records_of_a_campaign_are_fitted_and_the_file_brings_its_engine(capsys, tmp_path):
    """As its cells.csv are; and the engine's part goes to another GPU."""
    records = ROOT / "data" / "h200-vllm" / "records.jsonl"
    out, engine = tmp_path / "h200.json", tmp_path / "vllm.json"
    options = ["--cells", str(records), "--gpu", "h200-sxm", "--out", str(out)]
    assert main(["calibrate", *options, "--engine-out", str(engine)]) == 0
    said = capsys.readouterr().out
    assert f"h200-sxm-own (own measurements), fitted to {records}: 34 of 42 cells" in said
    last = said.splitlines()[-1]
    command = last.removeprefix("use it: sweetspot ").removesuffix(" ...")
    assert command == f"predict --calibration {out}"
    question = "--model gemma-2-2b --gpu h200-sxm --input 7168 --output 512"
    assert main([*command.split(), *question.split()]) == 0
    said = capsys.readouterr().out
    assert "  sliding windows, CUDA graphs of vLLM\n" in said
    assert "engine: vllm-uncompiled 0.24.0; constants: h200-sxm-own (own measurements)" in said
    question = question.replace("h200-sxm", "h100-sxm").split()
    assert main(["predict", "--calibration", str(engine), *question]) == 0
    assert "engine: vllm-uncompiled 0.24.0; constants: h100-sxm, pub" in capsys.readouterr().out
    table = tmp_path / "run" / "cells.csv"
    table.parent.mkdir()
    cells = pd.read_json(records, lines=True).drop(columns="provenance")
    cells.to_csv(table, index=False)
    manifest = records.with_name("manifest.json").read_bytes()
    table.with_name("manifest.json").write_bytes(manifest)
    same = tmp_path / "same.json"
    assert main(["calibrate", "--cells", str(table), *options[2:4], "--out", str(same)]) == 0
    found, expected = (json.loads(path.read_text(encoding="utf-8")) for path in (same, out))
    assert (found["board"], found["engine"]) == (expected["board"], expected["engine"])


@pytest.mark.slow(reason="fits from several starts")
def test_published_cells_give_the_files_that_ship(tmp_path):
    """As `make calibration` makes them; rounding of another machine may move the last digits."""
    records = ROOT / "data" / "h200-vllm" / "records.jsonl"
    command = ["calibrate", "--cells", str(records), "--gpu", "h200-sxm"]
    board, engine = tmp_path / "board.json", tmp_path / "engine.json"
    places = ["--board-out", str(board), "--engine-out", str(engine)]
    assert main([*command, "--published", "data/h200-vllm", *places]) == 0
    for path, ships in (
        (board, shipped_boards()["h200-sxm"]),
        (engine, shipped_engine("vllm-uncompiled")),
    ):
        found = json.loads(path.read_text(encoding="utf-8"))
        expected = plain(ships)
        of_search = ("search", "starts")
        ended, ships_ended = ([each.pop(k) for k in of_search] for each in (found, expected))
        assert [each["converged"] for each in ended] == [each["converged"] for each in ships_ended]
        assert _numbers(found) == pytest.approx(_numbers(expected), rel=5e-3)
        assert _words(found) == _words(expected)


def _numbers(content):
    """Return all numbers of a file, in its order."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        return [number for each in content for number in _numbers(each)]
    return [content] if isinstance(content, float) else []


def _words(content):
    """Return a file without its numbers."""
    if isinstance(content, dict):
        return {name: _words(each) for name, each in content.items()}
    return 0.0 if isinstance(content, float) else content


def test_cells_of_transformers_are_laid_out_in_static_batches(tmp_path):
    """Of 64 prompts of 512 tokens, as no limit of tokens cuts them; its host is found again."""
    board = gpu("h200-sxm")
    table = pd.DataFrame(
        product((8, 64), (64, 512), (64, 256), ("llama-3.2-1b", "llama-3.1-8b")),
        columns=["max_batch_size", "input_tokens", "output_tokens", "model"],
    ).assign(requests=64, gpu=board.id, engine="transformers", status="ok", simulated=False)
    limits, traits = Limits(max_num_tokens=64 * 512), engine_traits("transformers")
    runs = lay_out(table, deployments_of(table, board, limits, traits=traits))
    truth = stated_on(board, "transformers").having(step_overhead_s=0.03)
    energy_j, duration_s, _ = runs.taken(board, truth)
    cells, out = tmp_path / "cells.csv", tmp_path / "mine.json"
    table.assign(energy_j=energy_j, duration_s=duration_s).to_csv(cells, index=False)
    options = ["--cells", str(cells), "--gpu", "h200-sxm", "--engine-out", str(out)]
    assert main(["calibrate", *options]) == 0
    engine = json.loads(out.read_text(encoding="utf-8"))["engine"]
    assert engine["name"] == "transformers"
    assert engine["traits"]["static_batching"]
    assert engine["constants"]["step_overhead_s"] == pytest.approx(0.03, rel=0.01)


def test_fit_that_its_evidence_speaks_against_is_not_written_unless_accepted(
    capsys, cells, tmp_path
):
    """Energies without a law: nobody could predict those that are held out."""
    table = pd.read_csv(cells)
    drawn = np.random.default_rng(0).lognormal(0.0, 1.5, len(table))
    table.assign(energy_j=table["energy_j"] * drawn).to_csv(cells, index=False)
    out = tmp_path / "mine.json"
    options = ["--cells", str(cells), "--gpu", "h100-sxm", "--out", str(out)]
    said = refused(capsys, *options)
    assert re.search(r"energies of cells held out are missed by \d+ %, more than 20 %", said)
    assert "--accept-error" in said
    assert not out.exists()
    assert main(["calibrate", *options, "--accept-error"]) == 0
    assert "use it: sweetspot predict" in capsys.readouterr().out
    assert out.exists()


@pytest.mark.parametrize(("at_bound", "written"), [(1, True), (2, False)])
def test_fit_with_more_than_a_third_of_its_constants_at_bounds_is_not_written(
    capsys, cells, tmp_path, monkeypatch, at_bound, written
):
    vllm = shipped_engine("vllm")
    found = replace(vllm, at_bound=vllm.fitted[:at_bound])
    function = "sweetspot.simulator.calibration.to_cells.calibrate_to_cells"
    monkeypatch.setattr(function, lambda *_, **__: found)
    out = tmp_path / "mine.json"
    options = ["--cells", str(cells), "--gpu", "h100-sxm", "--engine-out", str(out)]
    if written:
        assert main(["calibrate", *options]) == 0
    else:
        said = refused(capsys, *options)
        assert "2 of 4 fitted constants are at a bound (layer_overhead_s, step_overhead_s)" in said
    assert out.exists() == written


def test_json_is_the_file(capsys, cells, tmp_path):
    out = tmp_path / "mine.json"
    options = ["--cells", str(cells), "--gpu", "h100-sxm", "--out", str(out), "--json"]
    assert main(["calibrate", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(out.read_text(encoding="utf-8"))
    assert set(found["held_out_errors_percent"]) == {"energy_per_token", "throughput"}


def test_simulated_cells_are_refused_unless_asked_for(capsys, cells, tmp_path):
    table = pd.read_csv(cells)
    run_j, run_s = table["energy_j"] + 150.0, table["duration_s"] + 1.0  # and the end of a run
    table = table.assign(simulated=True, engine="simulator", energy_j=run_j, duration_s=run_s)
    table.to_csv(cells, index=False)
    out = tmp_path / "mine.json"
    options = ["--cells", str(cells), "--gpu", "h100-sxm", "--out", str(out)]
    assert "holds simulated cells only" in refused(capsys, *options)
    assert not out.exists()
    assert main(["calibrate", *options, "--allow-simulated"]) == 0
    assert "h100-sxm-simulated-cells (data sheet), fitted to SIMULATED" in capsys.readouterr().out


@pytest.mark.slow(reason="fits from several starts")
def test_example_of_the_simulators_page_prints_what_is_shown(capsys, tmp_path, monkeypatch):
    """Its cells are of three models, nine pairs of lengths and two batch limits."""
    monkeypatch.chdir(tmp_path)
    board = gpu("h100-sxm")
    table = pd.DataFrame(
        product(("llama-3.2-1b", "opt-2.7b", "gemma-2-2b"), (64, 1024), LENGTHS, LENGTHS),
        columns=["model", "max_batch_size", "input_tokens", "output_tokens"],
    ).assign(requests=1000, engine="simulator", gpu=board.id, status="ok", simulated=True)
    runs = lay_out(table, deployments_of(table, board, Limits()))
    energy_j, duration_s, _ = runs.taken(board, load_calibration(board).constants)
    run = tmp_path / "results" / "small"
    run.mkdir(parents=True)
    table.assign(energy_j=energy_j, duration_s=duration_s).to_csv(run / "cells.csv", index=False)
    block = PAGE.partition("$ sweetspot calibrate --cells results/small")
    command, shown = "".join(block[1:]).removeprefix("$ ").partition("```")[0].split("\n", 1)
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == shown
    error = re.search(r"held out, energy_per_token: (.*) %", shown)[1]
    assert f"({error} % off on held-out cells" in " ".join(PAGE.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cells", "nowhere.csv", "--gpu", "h100-sxm"), "cannot read cells nowhere.csv"),
        (("--cells", "cells.csv", "--gpu", "h101"), "unknown GPU 'h101'; did you mean"),
        (("--cells", "cells.csv", "--gpu", "l40s"), "0 measured cells on l40s"),
        (("--cells", "cells.csv"), "--cells needs --gpu"),
        (("--cells", "cells.csv", "--gpu", "h100-sxm", "--hold-out", "0"), "2 or more, not 0"),
        (("--gpu", "h100-sxm"), "--gpu is for --cells"),
        (("--hold-out", "3"), "--hold-out is for --cells"),
        (("--accept-error",), "--accept-error is for --cells"),
        (("--published", "mine"), "--published is for --cells"),
        (("--allow-simulated",), "--allow-simulated is for --cells"),
    ],
)
def test_bad_question_is_answered_in_one_line(
    capsys, cells, tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *options, "--out", "mine.json")
    assert not (tmp_path / "mine.json").exists()


def test_place_that_cannot_be_written_is_refused_before_the_fit(capsys, monkeypatch, tmp_path):
    function = "sweetspot.simulator.calibration.to_published.calibrate_to_published"
    monkeypatch.setattr(function, lambda: pytest.fail("fitted first"))
    (tmp_path / "file").touch()
    assert "cannot write" in refused(capsys, "--out", tmp_path / "file" / "x")


def test_every_column_that_is_named_counts(tmp_path, capsys):
    words = ["--gpu", "h100-sxm", "--out", str(tmp_path / "x.json")]
    words += ["--cells", "mine.csv", "--columns", "energy_j=a", "energy_j=b"]
    assert main(["calibrate", *words]) == 2
    assert "--columns names energy_j twice: 'a' and 'b'" in capsys.readouterr().err
