"""The workflow on a synthetic GPU node, from `snakemake --cores all` to cells.csv."""

import csv
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tiny

from sweetspot.catalog.packaged import read_packaged
from sweetspot.cli import main
from sweetspot.config import parse_experiment
from sweetspot.plan.plan import plan
from sweetspot.verify.records import check_cells, check_traces, read_records

ROOT = Path(__file__).parents[2]

EXPERIMENT = {
    "run": "synthetic",
    "models": ["opt-1.3b"],
    "sweeps": {
        "grid": {
            "input_tokens": [16],
            "output_tokens": [8],
            "requests": [4],
            "max_batch_size": [16, 32],
        }
    },
    "limits": {"max_seq_len": 64, "max_batch_size": 32, "max_num_tokens": 128},
    "dataset": {"vocab_size": 1000, "eos_id": 2},
    "measure": {"interval_s": 0.02, "min_window_s": 0, "idle_s": 0},
}


def command(folder, experiment, *more):
    node = {"python": sys.executable, "opt_examples": str(folder / "tensorrt_llm" / "opt")}
    (folder / "experiment.json").write_text(json.dumps({"node": node} | experiment))
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--directory", str(folder), "--configfile", str(folder / "experiment.json")),
        *("--cores", "2", *more),
    ]


def snakemake(folder, *more, experiment=EXPERIMENT):
    """Run the workflow; a fork would not find the board, which the loader looks for at a start."""
    return subprocess.run(
        command(folder, experiment, *more),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        umask=0,
    )


@pytest.fixture
def node(tmp_path, tensorrt_llm, fake_nvml):
    """A folder to work in, with one GPU and the checkpoint where the configuration looks for it."""
    fake_nvml({})
    checkpoint = tmp_path / "checkpoints" / "facebook" / "opt-1.3b"
    checkpoint.mkdir(parents=True)
    config = read_packaged("models.yaml")["opt-1.3b"]["config"]
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "model.safetensors").touch()
    return tmp_path


@pytest.mark.slow(reason="a measuring run of Snakemake")
def test_two_blocks_are_measured_one_after_the_other(node, writable_by_others):
    run = node / "results" / "synthetic"
    # --resources as on a node with two GPUs, where there is one: the second job waits for it
    done = snakemake(node, "results/synthetic/cells.csv", "--resources", "gpu=2")
    assert done.returncode == 0, done.stderr
    with (run / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["status"], row["max_batch_size"]) for row in rows] == [("ok", "16"), ("ok", "32")]
    for row in rows:
        assert row["simulated"] == "False"
        energy_j, duration_s = float(row["energy_integration_j"]), float(row["duration_s"])
        assert energy_j == pytest.approx(300 * duration_s, rel=1e-3)
    assert [path.name for path in (run / "datasets").rglob("*.jsonl")] == ["n4_i16_o8.jsonl"]
    assert writable_by_others(run.parent) == []  # engines, logs and data sets, too
    spans = sorted(
        np.loadtxt(trace, delimiter=",", skiprows=1, usecols=0)[[0, -1]].tolist()
        for trace in run.glob("records/**/*.trace.csv.gz")
    )
    assert len(spans) == 2
    assert all(earlier[1] < later[0] for earlier, later in pairwise(spans))
    planned = plan(parse_experiment(EXPERIMENT))
    found, of_records = read_records(planned, run / "records")
    (of_traces,) = check_traces(planned, found, run / "records")
    checks = [of_records, of_traces, check_cells(planned, found, run / "cells.csv")]
    assert [(each.count, each.differences) for each in checks] == [(2, ())] * 3


@pytest.mark.slow(reason="a measuring run of Snakemake")
def test_profile_of_a_node_runs_as_many_jobs_as_there_are_gpus(node, fake_nvml, monkeypatch):
    fake_nvml({}, {}, {})
    (node / "worker").mkdir()
    monkeypatch.setenv("FAULT", "meet@n4_i16_o8")  # neither ends before both have begun
    profile = ("--workflow-profile", str(ROOT / "profiles" / "gpu-node"))
    done = snakemake(node, "results/synthetic/cells.csv", *profile)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Provided resources: gpu=\D*3\D*$", done.stderr, re.MULTILINE)
    used = {
        json.loads(path.read_text())["provenance"]["gpu_uuid"]
        for path in (node / "results/synthetic/records").rglob("*.json")
    }
    assert len(used) == 2  # two blocks at the same time


def test_missing_checkpoint_is_said_before_any_job(node, forked_snakemake):
    (node / "checkpoints").rename(node / "elsewhere")
    done = forked_snakemake(command(node, EXPERIMENT)[3:])
    assert done.returncode == 2
    assert "no checkpoint in checkpoints/facebook/opt-1.3b" in done.stderr
    assert not (node / "results" / "synthetic" / "datasets").exists()


@pytest.mark.slow(reason="two measuring runs of Snakemake")
def test_kill_costs_the_cell_that_ran_and_leaves_no_lock_and_no_process(
    node, monkeypatch, wait_until, is_alive, capsys
):
    grid = {"input_tokens": [16], "output_tokens": [8, 12, 16], "requests": [4]}
    experiment = EXPERIMENT | {"sweeps": {"grid": grid}}
    records = node / "results" / "synthetic" / "records"
    table = "results/synthetic/cells.csv"
    monkeypatch.setenv("FAULT", "hang@n4_i16_o16")
    monkeypatch.setenv("HANG_S", "600")
    with subprocess.Popen(
        command(node, experiment, table),
        cwd=node,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        wait_until(lambda: (node / "worker").exists() and (node / "worker").read_text())
        worker = int((node / "worker").read_text())
        assert is_alive(worker)
        run.kill()  # Snakemake alone: its job, which hangs, ends with it
    wait_until(lambda: not is_alive(worker))
    assert main(["progress", str(node / "results" / "synthetic")]) == 0
    assert capsys.readouterr().out.startswith("2/3 cells done, its command has ended")
    assert len(list(records.rglob("*.json"))) == 2
    assert len(list(records.rglob("*.samples.csv"))) == 1  # what was seen of the third

    monkeypatch.delenv("FAULT")
    again = snakemake(node, table, experiment=experiment)
    assert again.returncode == 0, again.stderr
    assert "opt-1.3b/b32: 3 cells, 2 of them reused" in again.stdout + again.stderr
    assert "waiting for" not in again.stdout + again.stderr
    assert len(list(records.rglob("*.json"))) == 3
    assert not list(records.rglob("*.samples.csv"))


@pytest.fixture
def outlives(tmp_path, forked_snakemake_here, interruptions):
    """Return a function that interrupts an experiment and checks what there is in the end."""
    run = tmp_path / "results" / "synthetic"

    def records():
        paths = run.glob("records/**/*.json")
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}

    def check(experiment, rounds=10):
        """Return the status of each of its cells."""
        planned = plan(parse_experiment(experiment))
        count = len(list(planned.cells))
        arguments = command(tmp_path, experiment, "results/synthetic/cells.csv")[3:]
        done = {}

        def start():
            more = ["--forcerun", "measure"] if len(done) == count else []
            return forked_snakemake_here.start([*arguments, *more])

        def left():  # of a job that does many; else each job is a moment of its own
            return count - len(records()) if len(planned.blocks) == 1 else 0

        for _ in interruptions(start, rounds, left):
            assert records().items() >= done.items()
            done = records()
        last = forked_snakemake_here(arguments)
        assert last.returncode == 0, last.stderr
        assert len(records()) == count
        assert records().items() >= done.items()
        assert not list(run.rglob("*.samples.csv"))
        found, of_records = read_records(planned, run / "records")
        (of_traces,) = check_traces(planned, found, run / "records")
        checks = [of_records, of_traces, check_cells(planned, found, run / "cells.csv")]
        assert [(each.count, each.differences) for each in checks] == [(count, ())] * 3
        with (run / "cells.csv").open(newline="") as file:
            return [row["status"] for row in csv.DictReader(file)]

    return check


@pytest.mark.slow(reason="ten runs of Snakemake that are interrupted, and one that is not")
@pytest.mark.usefixtures("node")
def test_interrupted_measuring_loses_and_repeats_no_finished_cell(outlives):
    grid = EXPERIMENT["sweeps"]["grid"] | {"output_tokens": [8, 12], "max_batch_size": [16, 24, 32]}
    assert outlives(EXPERIMENT | {"sweeps": {"grid": grid}}) == ["ok"] * 6


@pytest.mark.slow(reason="three such runs, each of which loads PyTorch")
def test_interrupted_pytorch_loses_and_repeats_no_finished_cell(
    outlives, tmp_path, fake_nvml, torch_python, monkeypatch
):
    fake_nvml({})
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps(tiny.LLAMA | {"vocab_size": 1024}))
    on_cpu = {
        "engine": "transformers",
        "models": [str(tmp_path / "tiny")],
        "sweeps": {
            "grid": {"input_tokens": [8, 16], "output_tokens": [3, 9], "requests": [2, 3, 4]}
        },
        "transformers": {"device": "cpu", "weights": "random"},
        "measure": {"idle_s": 0, "min_window_s": 0.3, "interval_s": 0.05},
        "node": {"python": torch_python},
    }
    # what is measured is no GPU
    assert outlives(EXPERIMENT | on_cpu, rounds=3) == ["invalid"] * 12
