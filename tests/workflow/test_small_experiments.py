"""Experiments that give less than the paper's: too few cells, no grid, cells that fail."""

import csv
import re

import pytest

# About 38 GB of weights and 1.6 MB of KV cache per token: on a 40 GB GPU some 2100 tokens are
# left, room for one short request and none for a long one.
TIGHT = {
    "hidden_size": 8192,
    "num_hidden_layers": 50,
    "num_attention_heads": 64,
    "num_key_value_heads": 64,
}


@pytest.mark.slow(reason="a whole run of Snakemake")
def test_few_cells_are_fitted_with_the_forms_that_they_carry(project):
    lengths = [64, 256]
    grid = {"input_tokens": lengths, "output_tokens": lengths, "requests": [100]}
    project.write(models=["models/mine"], sweeps={"grid": grid})
    planned = project.plan().text
    assert set(re.findall(r"tables/(\w+)\.csv", planned)) == {
        *("table1_forms", "table2_models", "table3_mape")
    }
    outcome = project.snakemake("results/small/tables/table3_mape.csv")
    assert outcome.code == 0, outcome.text
    with (project.results / "fits/quality.csv").open(newline="") as file:
        rows = {row["form"]: row for row in csv.DictReader(file)}
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(["baseline1", "baseline2", "baseline3", "baseline4"], "ok"),
        **dict.fromkeys(["flops", "memory_flops"], "not fitted"),
    }
    assert rows["memory_flops"]["reason"] == (
        "needs at least 7 cells over 3 input and 3 output lengths, has 4 over 2 and 2"
    )


def test_batch_sweep_alone_plans_nothing_that_needs_a_grid(project):
    batch = {"input_tokens": [64], "output_tokens": [64, 256], "max_batch_size": [16, 64]}
    project.write(models=["models/mine"], sweeps={"batch": batch | {"requests": [100]}})
    outcome = project.plan()
    assert outcome.code == 0, outcome.text
    assert outcome.jobs == {
        "simulate_1": 1,
        "cells": 1,
        "analyse": 1,
        "tables": 1,
        "figures": 1,
        "page": 1,
        "explorer": 1,
        "manifest": 1,
        "all": 1,
    }
    assert set(re.findall(r"(?:tables|figures)/(\w+)\.(?:csv|png)", outcome.text)) == {
        "table1_forms",
        "table2_models",
        "table3_mape",
        "figure2_output_length",
        "figure4_batch",
    }


@pytest.mark.slow(reason="a whole run of Snakemake")
def test_cells_beyond_the_kv_cache_fail_with_a_reason_and_the_run_goes_on(project):
    project.add_model("tight", **TIGHT)
    project.write(
        gpu="a100-40gb",
        models=["models/tight"],
        limits={"max_batch_size": 64, "max_num_tokens": 1024},
        sweeps={
            "grid": {
                "input_tokens": [64, 128, 256, 4096],
                "output_tokens": [64, 128, 256, 4096],
                "requests": [10],
            }
        },
    )
    outcome = project.snakemake("results/small/fits/quality.csv")
    assert outcome.code == 0, outcome.text
    assert "7 NOT ok" in outcome.text

    rows = project.cells()
    failed = [row for row in rows if "4096" in (row["input_tokens"], row["output_tokens"])]
    assert {row["status"] for row in failed} == {"failed"}
    assert all("does not fit in the KV cache of tight" in row["reason"] for row in failed)
    assert {row["energy_j"] for row in failed} == {""}
    others = [row for row in rows if row not in failed]
    assert len(others) == 9
    assert {(row["status"], row["reason"]) for row in others} == {("ok", "")}
    with (project.results / "fits/quality.csv").open(newline="") as file:
        assert {row["model"] for row in csv.DictReader(file)} == {"tight"}
