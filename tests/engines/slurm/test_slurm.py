"""The workflow through profiles/slurm on a real SLURM, and after all that ends a job or a head."""

import json
import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tiny
import yaml

from sweetspot.catalog.packaged import read_packaged
from sweetspot.config import parse_experiment
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.measure.cells_table import write_cells
from sweetspot.measure.measure import measure_block
from sweetspot.plan.plan import plan

ROOT = Path(__file__).parents[3]
PROFILE = ROOT / "profiles" / "slurm" / "profile.yaml"
UNSET = 'slurm_partition: ""'
TABLE = "results/small/cells.csv"

pytestmark = pytest.mark.slow(reason="a SLURM of its own")

SIMULATED = {
    "run": "small",
    "engine": "simulator",
    "models": ["llama-3.2-1b", "opt-1.3b"],
    "sweeps": {"grid": {"input_tokens": [64, 256], "output_tokens": [64], "requests": [100]}},
}
MEASURED = {
    "run": "small",
    "models": ["opt-1.3b"],
    "sweeps": {
        "grid": {
            "input_tokens": [16],
            "output_tokens": [8, 16],
            "requests": [4],
            "max_batch_size": [16, 20, 24],
        }
    },
    "limits": {"max_seq_len": 64, "max_batch_size": 24, "max_num_tokens": 128},
    "dataset": {"vocab_size": 1000, "eos_id": 2},
    "measure": {"interval_s": 0.02, "min_window_s": 0, "idle_s": 0},
}


ON_CPU = {
    "run": "small",
    "engine": "transformers",
    "sweeps": {"grid": {"input_tokens": [8], "output_tokens": [3, 9], "requests": [2]}},
    "limits": {"max_seq_len": 64, "max_batch_size": 2, "max_num_tokens": 32},
    "dataset": {"vocab_size": 300, "eos_id": 2},
    "measure": {"idle_s": 0, "min_window_s": 0.5, "interval_s": 0.05},
    "transformers": {"device": "cpu", "weights": "random"},
}


class Head:
    """`snakemake` as it is run on a login node, in a folder of its own."""

    def __init__(self, folder, experiment, partition="gpu", **profile):
        self.folder = folder
        (folder / "profile").mkdir(parents=True)
        (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
        text = PROFILE.read_text(encoding="utf-8")
        assert text.count(UNSET) == 1
        text = text.replace(UNSET, f"slurm_partition: {json.dumps(partition)}")
        for key, value in profile.items():
            text, found = re.subn(rf"(?m)^{key}: \S+", f"{key}: {value}", text)
            assert found == 1
        (folder / "profile" / "profile.yaml").write_text(text, encoding="utf-8")

    @property
    def arguments(self):
        return [
            *("--snakefile", ROOT / "Snakefile", "--directory", self.folder),
            *("--configfile", self.folder / "experiment.yaml"),
            *("--workflow-profile", self.folder / "profile"),
        ]

    def start(self, target=TABLE):
        with (self.folder / "head.log").open("ab") as log:
            return subprocess.Popen(
                ["snakemake", target, *self.arguments],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def end_of(self, started):
        """Return the exit code of a head, and what all heads here have said."""
        try:
            code = started.wait(240)
        finally:
            started.kill()
        return code, (self.folder / "head.log").read_text()

    @property
    def table(self):
        return (self.folder / TABLE).read_bytes()

    def records(self):
        """Return when each cell's record was written, by its cell."""
        folder = self.folder / "results/small/records"
        return {
            path.relative_to(folder).with_suffix("").with_suffix(""): path.stat().st_mtime_ns
            for path in folder.rglob("*.json")
        }


def table_of(experiment, folder):
    """Return the table of the simulated experiment, computed here."""
    experiment = parse_experiment(experiment)
    lines = []
    for number, block in enumerate(plan(experiment).blocks):
        lines.append(folder / f"{number}.jsonl")
        measure_block(block, SimulatorEngine(), folder / "records", lines[-1])
    write_cells(experiment, lines, folder / "cells.csv")
    return (folder / "cells.csv").read_bytes()


def test_cancelled_job_and_drained_nodes_cost_a_second_command_only(
    slurm, tmp_path, wait_until, planted_in
):
    head = Head(tmp_path / "head", SIMULATED)
    slurm("scontrol", "update", "nodename=gpu[1-2]", "state=drain", "reason=test")
    first = head.start()
    wait_until(lambda: len(slurm.jobs(head.folder)) == 2, timeout_s=240)
    jobs = slurm.jobs(head.folder)
    assert {state for _, state, _ in jobs.values()} == {"PENDING"}
    for job, _, _ in jobs.values():
        script = slurm("scontrol", "write", "batch_script", job, "-")
        assert "snakemake" in script
        assert "s3cr3t" not in script + slurm("scontrol", "show", "job", job)
    slurm("scancel", jobs["opt-1.3b_b1024"][0])
    slurm("scontrol", "update", "nodename=gpu2", "state=resume")
    code, said = head.end_of(first)
    assert code == 1
    assert "SLURM status is: 'CANCELLED'" in said
    assert slurm.jobs(head.folder)["llama-3.2-1b_b1024"][1:] == ("COMPLETED", "gpu2")
    done = head.records()
    assert len(done) == 2

    code, said = head.end_of(head.start())
    assert code == 0, said
    assert head.records().items() >= done.items()
    assert head.table == table_of(SIMULATED, tmp_path)
    assert planted_in(head.folder) == []  # what jobs and head have printed, too


@pytest.fixture
def measuring(tmp_path, tensorrt_llm, node_boards):
    """Return a head whose nodes have TensorRT-LLM and the checkpoint."""
    node = {"python": sys.executable, "opt_examples": str(tensorrt_llm.opt_examples)}
    head = Head(tmp_path / "head", MEASURED | {"node": node})
    checkpoint = head.folder / "checkpoints" / "facebook" / "opt-1.3b"
    checkpoint.mkdir(parents=True)
    config = read_packaged("models.yaml")["opt-1.3b"]["config"]
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "model.safetensors").touch()
    return head


def boards_of(head):
    """Return {UUID: [(first, last time of a trace)]} of all cells that were measured."""
    spans = {}
    folder = head.folder / "results/small/records"
    for path in folder.rglob("*.json"):
        trace = path.with_suffix(".trace.csv.gz")
        times_s = np.loadtxt(trace, delimiter=",", skiprows=1, usecols=0)
        uuid = json.loads(path.read_text())["provenance"]["gpu_uuid"]
        spans.setdefault(uuid, []).append((times_s[0], times_s[-1]))
    return spans


def test_measuring_outlives_cancel_limit_lost_node_controller_and_head(
    slurm, measuring, monkeypatch, wait_until, forked_snakemake
):
    head = measuring
    monkeypatch.setenv("FAULT", "hang@n4_i16_o16")
    monkeypatch.setenv("HANG_S", "600")
    first = head.start()
    try:
        wait_until(lambda: len(head.records()) == 3, timeout_s=240)
        done = head.records()
        jobs = slurm.jobs(head.folder)
        assert sorted(node for _, _, node in jobs.values()) == ["gpu1", "gpu1", "gpu2"]
        slurm.restart_controller()
        # All three run: each has a board of its own.
        used = set(boards_of(head))
        assert len(used) == 3
        assert used > {"GPU-0", "GPU-1"}
        on_first, on_second = (
            [j for j, _, n in jobs.values() if n == node] for node in ("gpu1", "gpu2")
        )
        slurm("scancel", on_first[0])
        slurm("scontrol", "update", f"jobid={on_first[1]}", "EndTime=now+1")
        slurm("scontrol", "update", "nodename=gpu2", "state=down", "reason=test")

        def states(jobs):
            return [state for job, state, _ in slurm.jobs(head.folder).values() if job in jobs]

        wait_until(lambda: states(on_first) == ["CANCELLED", "TIMEOUT"], timeout_s=240)
        slurm("scontrol", "update", "nodename=gpu2", "state=resume")
        wait_until(lambda: states(on_second) == ["RUNNING"], timeout_s=240)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()

    monkeypatch.delenv("FAULT")
    locked = forked_snakemake([TABLE, *head.arguments])
    assert locked.returncode == 2
    assert "once they have ended, `snakemake --unlock` with the same options" in locked.stderr
    assert forked_snakemake([*head.arguments, "--unlock"]).returncode == 0
    refused = forked_snakemake([TABLE, *head.arguments])
    assert refused.returncode == 2
    assert f"`scancel {' '.join(on_second)}`" in refused.stderr
    slurm("scancel", *on_second)
    code, said = head.end_of(head.start())
    assert code == 0, said
    assert len(head.records()) == 6
    assert head.records().items() >= done.items()
    for spans in boards_of(head).values():
        assert all(earlier[1] < later[0] for earlier, later in pairwise(sorted(spans)))


def test_pytorch_measures_on_a_cluster_that_forgets_jobs_where_sacct_is_asked(
    forgetful_slurm, tmp_path, node_boards, torch_python, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps(tiny.LLAMA))
    experiment = ON_CPU | {"models": [str(tmp_path / "tiny")], "node": {"python": torch_python}}
    head = Head(tmp_path / "head", experiment, **{"slurm-status-command": "sacct"})
    code, said = head.end_of(head.start())
    assert code == 0, said
    (block,) = (head.folder / "results/small/blocks").rglob("*.jsonl")
    records = [json.loads(line) for line in block.read_text().splitlines()]
    assert [record["engine"] for record in records] == ["transformers"] * 2
    # and says that it is no measurement of a GPU
    assert all("the model ran on the CPU" in record["reason"] for record in records)
    assert all(record["window_s"] >= 0.5 for record in records)
