"""Damage: corrupt files and kills cost what was damaged, and nothing else."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from sweetspot.config import parse_experiment
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.measure.cells_table import write_cells
from sweetspot.measure.measure import measure_block
from sweetspot.plan.plan import plan

CELLS = "results/small/cells.csv"
LENGTHS = [64 * step for step in range(1, 13)]
MANY = {"input_tokens": LENGTHS, "output_tokens": LENGTHS, "requests": [100]}
MANY_CELLS = len(LENGTHS) ** 2


@pytest.mark.slow(reason="runs of Snakemake")
def test_truncated_files_cost_one_cell_and_say_so(again):
    table = (again.folder / CELLS).read_bytes()
    block = again.results / "blocks/mine/b1024.jsonl"
    block.write_text(block.read_text()[:-100])
    outcome = again.snakemake(CELLS)
    assert outcome.code != 0
    line = (again.results / "logs/cells.log").read_text().strip()
    assert line.startswith("sweetspot: error: results/small/blocks/mine/b1024.jsonl line 9 is not")
    assert "delete the file and run again" in line
    assert line in outcome.err
    assert "Traceback" not in outcome.text

    block.unlink()  # as told
    [damaged] = (again.results / "records/mine/b1024/n100/i64_o256").glob("*.json")
    damaged.write_text(damaged.read_text()[:100])
    before = again.records()
    outcome = again.snakemake(CELLS)
    assert outcome.code == 0, outcome.text
    assert outcome.jobs == {"simulate_1": 1, "cells": 1}
    aside = damaged.with_name(f"{damaged.name}.corrupt")
    assert f"set aside as {aside.relative_to(again.folder)}" in outcome.text
    assert aside.stat().st_size == 100
    assert "mine/b1024: 9 cells, 8 of them reused" in outcome.text
    after = again.records()
    assert {path for path in before if after[path] != before[path]} == {damaged}
    assert (again.folder / CELLS).read_bytes() == table


@pytest.mark.parametrize("gone", ["tables/table3_mape.md", "fits/quality.csv"])
def test_deleted_result_is_made_again(again, gone):
    (again.results / gone).unlink()
    [name] = {"tables": ["tables"], "fits": ["analyse"]}[gone.split("/")[0]]
    planned = again.plan().jobs
    assert planned[name] == 1
    assert not {"measure", "simulate_1"} & planned.keys()


@pytest.mark.slow(reason="runs of Snakemake")
def test_lock_of_another_machine_is_left_to_the_user(project):
    project.write(models=["models/mine"])
    lock = project.folder / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(f"{CELLS}\n")
    project.results.mkdir(parents=True)
    holder = {"host": "elsewhere", "pid": 1, "since": "2026-01-01 12:00:00 UTC", "mark": "1.1"}
    (project.results / ".lock").write_text(json.dumps(holder))
    outcome = project.snakemake(CELLS, "--quiet", "all")
    assert outcome.code == 2
    [line] = outcome.complaints
    assert "(process 1 on elsewhere, since 2026-01-01 12:00:00 UTC), which may still run" in line
    assert "once they have ended, `snakemake --unlock` with the same options" in line
    assert lock.exists()
    assert project.snakemake("--unlock").code == 0
    assert project.snakemake(CELLS).code == 0


def kill_when_some_are_done(project, wanted):
    """Start the run, kill its whole process group once some records exist; return those."""
    for _ in range(5):  # a busy machine may look when all are done
        kill_when_done(project, wanted)
        records = project.records()
        if len(records) < MANY_CELLS:
            return records
        shutil.rmtree(project.results)
    pytest.fail("the run ended each time before it could be killed")


def kill_when_done(project, wanted):
    process = subprocess.Popen(
        project.command(CELLS),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 240
        while len(project.records()) < wanted:
            assert time.monotonic() < deadline, "no record was written"
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow(reason="runs of Snakemake")
def test_killed_run_goes_on_where_it_was(project, tmp_path, monkeypatch):
    project.write(models=["models/mine"], sweeps={"grid": MANY})

    done = kill_when_some_are_done(project, wanted=5)
    assert 5 <= len(done) < MANY_CELLS
    assert not (project.results / "blocks/mine/b1024.jsonl").exists()

    outcome = project.snakemake(CELLS)
    assert outcome.code == 0, outcome.text
    assert "sweetspot: the last command on results/small was killed (process " in outcome.err
    assert f"{MANY_CELLS} cells, {len(done)} of them reused" in outcome.text
    records = project.records()
    assert len(records) == MANY_CELLS
    assert {path: records[path] for path in done} == done

    # the same undisturbed
    monkeypatch.chdir(project.folder)
    experiment = parse_experiment(yaml.safe_load(Path("experiment.yaml").read_text()))
    [block] = plan(experiment).blocks
    lines, table = tmp_path / "block.jsonl", tmp_path / "cells.csv"
    measure_block(block, SimulatorEngine(), tmp_path / "records", lines)
    write_cells(experiment, [lines], table)
    assert (project.folder / CELLS).read_bytes() == table.read_bytes()
