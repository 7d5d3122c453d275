"""What a finished run leaves: one row a cell, one log a job, a manifest of all."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import shown

from sweetspot.verify.verify import verify

COLUMNS = {
    *("cell", "model", "engine", "gpu", "input_tokens", "output_tokens", "requests"),
    *("max_batch_size", "repeat", "status", "reason", "simulated", "energy_j", "duration_s"),
    *("energy_per_token_j", "tokens_per_j", "mean_power_w", "energy_source"),
}


def test_cells_table_has_a_row_for_each_cell(finished):
    rows = finished.cells()
    assert set(rows[0]) >= COLUMNS
    assert len({row["cell"] for row in rows}) == len(rows) == 18
    assert {row["model"] for row in rows} == {"llama-3.2-1b", "mine"}
    assert {(row["status"], row["simulated"]) for row in rows} == {("ok", "True")}
    for row in rows:
        energy_j, tokens = float(row["energy_j"]), int(row["output_tokens"]) * 100
        assert float(row["energy_per_token_j"]) == pytest.approx(energy_j / tokens)
        assert float(row["tokens_per_j"]) == pytest.approx(tokens / energy_j)
        mean_power_w = energy_j / float(row["duration_s"])
        assert float(row["mean_power_w"]) == pytest.approx(mean_power_w)


@pytest.mark.slow(reason="a run of Snakemake")
def test_independent_run_gives_the_same_rows_whatever_its_blocks(finished, project):
    project.write(models=["models/mine"], measure={"block": "input"})
    outcome = project.snakemake("results/small/cells.csv")
    assert outcome.code == 0, outcome.text
    assert outcome.jobs == {"simulate_1": 1, "cells": 1}
    header, *lines = (finished.results / "cells.csv").read_text().splitlines()
    mine = [line for line in lines if line.startswith("mine/")]
    assert (project.results / "cells.csv").read_text().splitlines() == [header, *mine]


def test_each_job_has_a_log(finished):
    folder = finished.results / "logs"
    logs = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.log")}
    made = {"measure/share_1", "cells", "analyse"}
    assert logs == made | {"tables", "figures", "fit_figures", "page", "explorer", "manifest"}


def test_nothing_that_is_left_can_be_written_by_others(finished, writable_by_others):
    # though Snakemake was started with umask 0 (forked_snakemake)
    assert writable_by_others(finished.folder / "results") == []
    assert writable_by_others(finished.folder / ".snakemake") == []


def test_manifest_lists_what_people_read_with_its_hash(finished):
    manifest = json.loads((finished.results / "manifest.json").read_text())
    assert manifest["simulated"] is True
    assert manifest["experiment"]["models"] == ["llama-3.2-1b", "models/mine"]
    listed = manifest["files"]
    pages = ("report.html", "explorer.html")
    made = [finished.results / name for name in ("cells.csv", "comparison.csv", *pages)]
    for kind in ("fits", "tables", "figures"):
        made += (finished.results / kind).iterdir()
    assert set(listed) == {path.relative_to(finished.results).as_posix() for path in made}
    for name, entry in listed.items():
        data = (finished.results / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()


def test_run_is_verified_and_put_into_a_crate_as_the_page_shows(
    again, monkeypatch, capsys, tmp_path
):
    examples = shown.commands(shown.read("docs/verifying.md"))
    assert [command.split()[1] for command in examples] == ["verify", "crate"]
    monkeypatch.chdir(again.folder)
    for command, output in examples.items():
        out = shown.said(command, capsys)
        # a new table or figure is one file more
        assert re.sub(r"\d+ files", "n files", out) == re.sub(r"\d+ files", "n files", output)
    shutil.unpack_archive(again.folder / "results/small.crate.zip", tmp_path / "crate")
    monkeypatch.chdir(tmp_path / "crate")  # where its models are, one of them its own
    assert verify(Path()).differences == ()
