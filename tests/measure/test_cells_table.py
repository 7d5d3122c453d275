"""cells.csv: one row a cell, in the experiment's order, whatever the order of its blocks."""

import csv
import math
from dataclasses import replace

import pandas as pd
import pytest

from sweetspot.cells.read import read_cells
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.errors import InputError
from sweetspot.measure.cells_table import write_cells
from sweetspot.measure.measure import measure_block
from sweetspot.measure.record import read_block
from sweetspot.plan.plan import plan
from sweetspot.schema.writing import json_text


@pytest.fixture
def experiment(small_experiment):
    return small_experiment(
        models=["opt-1.3b", "llama-3.2-1b"],
        sweeps={
            "grid": {"input_tokens": [64, 128], "output_tokens": [8, 16], "requests": [10]},
            "batch": {
                "models": ["llama-3.2-1b"],
                "input_tokens": [64],
                "output_tokens": [8, 16],
                "requests": [10],
                "max_batch_size": [4, 1024],
            },
        },
    )


@pytest.fixture
def blocks(experiment, tmp_path):
    paths = []
    for block in plan(experiment).blocks:
        paths.append(tmp_path / "blocks" / f"{block.id}.jsonl")
        measure_block(block, SimulatorEngine(), tmp_path / "records", paths[-1])
    return paths


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_table_has_one_row_a_cell_in_the_experiments_order(experiment, blocks, tmp_path):
    out = tmp_path / "cells.csv"
    write_cells(experiment, reversed(blocks), out)
    rows = rows_of(out)
    assert [row["cell"] for row in rows] == list(plan(experiment).sweeps)
    assert len(rows) == 4 + 4 + 2
    assert [row["sweeps"] for row in rows if row["model"] == "opt-1.3b"] == ["grid"] * 4
    both = [row["cell"] for row in rows if row["sweeps"] == "grid;batch"]
    assert both == [f"llama-3.2-1b/b1024/n10/i64_o{o}/r0" for o in (8, 16)]


def test_table_holds_the_records_numbers_to_their_last_bit(experiment, blocks, tmp_path):
    out = tmp_path / "cells.csv"
    write_cells(experiment, blocks, out)
    cells = read_cells(out).set_index("cell")
    for block in blocks:
        for record in read_block(block):
            row = cells.loc[record.cell]
            assert row["energy_j"] == record.energy_j
            assert row["duration_s"] == record.duration_s
            assert bool(row["simulated"]) is True


def test_same_records_give_the_same_bytes(experiment, blocks, tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    write_cells(experiment, blocks, first)
    write_cells(experiment, blocks[::-1], second)
    assert first.read_bytes() == second.read_bytes()


def test_failed_cell_is_a_row_of_empty_numbers(experiment, blocks, tmp_path):
    records = read_block(blocks[0])
    reason = 'one, "two"\nthree'
    failed = dict.fromkeys(("energy_j", "duration_s", "tokens_per_j", "mean_power_w"))
    records[0] = replace(records[0], **(failed | {"status": "failed", "reason": reason}))
    blocks[0].write_text("".join(f"{json_text(r)}\n" for r in records), encoding="utf-8")
    out = tmp_path / "cells.csv"
    write_cells(experiment, blocks, out)
    row = next(row for row in rows_of(out) if row["cell"] == records[0].cell)
    assert (row["status"], row["reason"], row["energy_j"]) == ("failed", reason, "")
    cells = pd.read_csv(out)
    assert len(cells) == 10
    assert math.isnan(cells.set_index("cell").loc[records[0].cell, "energy_j"])


def test_missing_cells_are_counted_and_one_is_named(experiment, blocks, tmp_path):
    with pytest.raises(InputError, match=r"4 cells have no record, opt-1\.3b/b1024/n10/i64_o8/r0"):
        write_cells(experiment, [b for b in blocks if "opt" not in str(b)], tmp_path / "cells.csv")
    assert not (tmp_path / "cells.csv").exists()
