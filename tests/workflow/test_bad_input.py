"""Bad input through the commands that a user types: one line, exit code 2, nothing lost.

What is refused, and in which words, stands where it is refused (tests/config, tests/plan,
tests/catalog, tests/cli); here are only the ways from there to the terminal.
"""

import os

import pytest

LLAMA_70B = {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "vocab_size": 128256,
}


def folder_contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"modles": ["opt-1.3b"]}, "unknown key 'modles'; did you mean 'models'"),  # no experiment
        ({"models": ["models/large"]}, "model large does not fit h100-sxm"),  # no plan
        ({"gpu": "./\x1b[2J\u202e.yaml"}, r"cannot read GPU file \x1b[2J\u202e.yaml: No such"),
    ],
    ids=["experiment", "plan", "control characters"],
)
def test_bad_experiment_stops_with_one_line(project, changes, said):
    project.add_model("large", **LLAMA_70B)
    project.results.mkdir(parents=True)
    (project.results / "cells.csv").write_text("results of an earlier run\n")
    before = folder_contents(project.folder / "results")

    project.write(**changes)
    outcome = project.snakemake()
    assert outcome.code == 2
    assert outcome.complaints == outcome.errors
    [line] = outcome.errors
    assert said in line
    assert "Traceback" not in outcome.text
    assert folder_contents(project.folder / "results") == before


@pytest.mark.parametrize("kind", ["YAML", "JSON"])
def test_key_that_stands_twice_is_refused_in_a_file_of_the_command_line(project, kind):
    experiment = project.folder / "experiment.yaml"
    more = []
    if kind == "YAML":
        experiment.write_text(f"{experiment.read_text()}models: [opt-1.3b]\n")
    else:
        experiment = experiment.rename(project.folder / "experiment.json")
        experiment.write_text('{"models": ["opt-2.7b"], "models": ["opt-1.3b"]}')
        more = ["--configfile", str(experiment)]
    outcome = project.snakemake(*more)
    assert outcome.code == 2
    [line] = outcome.errors
    assert f"configuration {experiment} is not valid {kind}: key 'models' stands 2 times" in line


def test_bad_question_is_answered_with_one_line(sweetspot):
    outcome = sweetspot("predict", "--model=opt-1.3b", "--gpu=h100-sxm", "--input=0", "--output=64")
    assert (outcome.code, outcome.out) == (2, "")
    [line] = outcome.err.splitlines()
    assert line == "sweetspot: error: input_tokens must be a positive integer, not 0"


def forbid_writing(folder):
    folder.mkdir(parents=True)
    folder.chmod(0o555)


def put_a_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("in the way")


UNWRITABLE = {
    "results_is_a_file": (put_a_file, "results"),
    "run_is_a_file": (put_a_file, "results/small"),
    "logs_are_a_file": (put_a_file, "results/small/logs"),
}
if os.geteuid() != 0:  # permissions do not bind root
    UNWRITABLE["folder_is_read_only"] = (lambda folder: folder.chmod(0o555), "")
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
