"""Bad input through the commands that a user types: one line, exit code 2, nothing lost."""

import os

import pytest

GRID = {"input_tokens": [64, 256], "output_tokens": [64, 256], "requests": [100]}
LLAMA_70B = {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "vocab_size": 128256,
}

EXPERIMENTS = {
    "unknown_key": ({"modles": ["opt-1.3b"]}, ["unknown key 'modles'", "did you mean 'models'"]),
    "unknown_model": (
        {"models": ["llama-3.1-8"]},
        ["unknown model 'llama-3.1-8'", "did you mean 'llama-3.1-8b'"],
    ),
    "unknown_gpu": ({"gpu": "h101"}, ["unknown GPU 'h101'", "did you mean 'h100-"]),
    "length_not_positive": (
        {"sweeps": {"grid": GRID | {"input_tokens": [64, -1]}}},
        ["input_tokens must be a positive integer, not -1"],
    ),
    "sequence_too_long": (
        {"sweeps": {"grid": GRID | {"input_tokens": [8000]}}},
        ["8000 + output_tokens 256 = 8256", "limits.max_seq_len 8192"],
    ),
    "no_requests": (
        {"sweeps": {"grid": GRID | {"requests": [0]}}},
        ["requests must be a positive integer, not 0"],
    ),
    "empty_list": (
        {"sweeps": {"grid": GRID | {"input_tokens": []}}},
        ["sweeps.grid.input_tokens is empty; it needs at least one entry"],
    ),
    "duplicate_cell": (
        {"sweeps": {"grid": GRID | {"output_tokens": [64, 256, 64]}}},
        ["duplicate cell: output_tokens lists 64 twice"],
    ),
    "model_does_not_fit": (
        {"models": ["models/large"]},
        ["model large does not fit h100-sxm", "choose a smaller model or a GPU with more memory"],
    ),
    "corrupt_config_json": ({"models": ["models/corrupt"]}, ["models/corrupt", "not valid JSON"]),
}


def folder_contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_bad_experiment_stops_with_one_line(project, name):
    changes, said = EXPERIMENTS[name]
    project.add_model("large", **LLAMA_70B)
    project.add_model("corrupt")
    corrupt = project.folder / "models/corrupt/config.json"
    corrupt.write_text(corrupt.read_text()[:-20])
    project.results.mkdir(parents=True)
    (project.results / "cells.csv").write_text("results of an earlier run\n")
    before = folder_contents(project.folder / "results")

    project.write(**changes)
    outcome = project.snakemake()
    assert outcome.code == 2
    assert outcome.complaints == outcome.errors
    [line] = outcome.errors
    assert [part for part in said if part not in line] == []
    assert "Traceback" not in outcome.text
    assert folder_contents(project.folder / "results") == before


PREDICT = {"model": "opt-1.3b", "gpu": "h100-sxm", "input": 64, "output": 64}
QUESTIONS = {
    "unknown_model": ({"model": "opt-1.3"}, "did you mean 'opt-1.3b'"),
    "unknown_gpu": ({"gpu": "h100-smx"}, "did you mean 'h100-sxm'"),
    "no_input": ({"input": 0}, "input_tokens must be a positive integer, not 0"),
    "negative_output": ({"output": -5}, "output_tokens must be a positive integer, not -5"),
    "length_is_no_number": ({"input": "many"}, "invalid int value: 'many'"),
    "no_requests": ({"requests": 0}, "requests must be a positive integer, not 0"),
    "missing_config_json": ({"model": "/nowhere/config.json"}, "/nowhere/config.json"),
    "missing_calibration": ({"calibration": "/nowhere/c.json"}, "/nowhere/c.json"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_bad_question_is_answered_with_one_line(sweetspot, name):
    changes, said = QUESTIONS[name]
    options = [f"--{key}={value}" for key, value in (PREDICT | changes).items()]
    outcome = sweetspot("predict", *options)
    assert (outcome.code, outcome.out) == (2, "")
    [line] = outcome.err.splitlines()
    assert line.startswith("sweetspot")
    assert said in line


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "No such file"), ("cell,status\na,ok\n", "lacks the columns")],
    ids=["missing", "other_table"],
)
def test_bad_table_of_cells_is_refused_with_one_line(sweetspot, tmp_path, text, said):
    table, out = tmp_path / "cells.csv", tmp_path / "fits"
    if text:
        table.write_text(text)
    outcome = sweetspot("fit", table, "--out", out)
    assert (outcome.code, outcome.out) == (2, "")
    [line] = outcome.err.splitlines()
    assert line.startswith("sweetspot: error:")
    assert str(table) in line
    assert said in line
    assert not out.exists()


def forbid_writing(folder):
    folder.mkdir(parents=True)
    folder.chmod(0o555)


def put_a_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("in the way")


UNWRITABLE = {
    "results_is_a_file": (put_a_file, "results"),
    "run_is_a_file": (put_a_file, "results/small"),
}
if os.geteuid() != 0:  # permissions do not bind root
    UNWRITABLE["results_is_read_only"] = (forbid_writing, "results")
    UNWRITABLE["run_is_read_only"] = (forbid_writing, "results/small")


@pytest.mark.parametrize("name", UNWRITABLE)
def test_unwritable_results_stop_with_one_line(project, name):
    spoil, where = UNWRITABLE[name]
    spoil(project.folder / where)
    outcome = project.snakemake()
    assert outcome.code == 2
    [line] = outcome.errors
    assert "cannot write results/small" in line
    assert "Traceback" not in outcome.text
    assert "Finished jobid" not in outcome.text
