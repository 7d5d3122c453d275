"""Means of repeats with their intervals, by hand; what is not ok says nothing."""

from pathlib import Path

import pandas as pd
import pytest

import sweetspot
from sweetspot.analysis.repeats import repeats_of
from sweetspot.cli import main
from sweetspot.errors import InputError

DATA = Path(__file__).parents[2] / "data"

COLUMNS = {"model": "tiny", "gpu": "h100-sxm", "status": "ok", "simulated": False}
COLUMNS |= {"max_batch_size": 8, "requests": 4, "input_tokens": 16, "output_tokens": 32}


def cells(*energies_j, **columns):
    return pd.DataFrame({"energy_per_token_j": energies_j}).assign(
        **(COLUMNS | {"engine": "vllm"} | columns)
    )


def test_interval_of_a_mean_is_student_s():
    (row,) = repeats_of(cells(0.09, 0.1, 0.11)).itertuples()
    assert (row.repeats, row.energy_per_token_j) == (3, pytest.approx(0.1))
    half_j = 4.30265 * 0.01 / 3**0.5  # t of 2 degrees of freedom
    assert (row.low_j, row.high_j) == pytest.approx((0.1 - half_j, 0.1 + half_j), rel=1e-5)


def test_command_says_each_cell_in_a_line_and_what_is_left_out(tmp_path, capsys):
    path = tmp_path / "cells.csv"
    table = [
        cells(0.1, 0.1),
        cells(0.2, output_tokens=64),
        cells(None, output_tokens=128, status="failed"),
        cells(0.3, engine="transformers"),  # beside the first: engines are not mixed
    ]
    pd.concat(table).to_csv(path, index=False)
    assert main(["repeats", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tiny vllm b8 n4 i16 o32: 0.1 J/token, 0.1 to 0.1 (95 %, 2 repeats)",
        "tiny vllm b8 n4 i16 o64: 0.2 J/token, measured once: measure.repeats gives an interval",
        "tiny vllm b8 n4 i16 o128: no repeat is ok",
        "tiny transformers b8 n4 i16 o32: 0.3 J/token, measured once: measure.repeats gives an"
        " interval",
        f"1 cell is not ok and left out; the reasons are in {path}",
    ]


def test_records_of_a_campaign_are_cells_too():
    found = repeats_of(sweetspot.read_cells(DATA / "h200-vllm" / "records.jsonl"))
    assert (found["repeats"] == 1).all()
    assert found["low_j"].isna().all()


def test_a_cell_without_an_energy_is_refused():
    with pytest.raises(InputError, match="energy_per_token_j must be a positive number"):
        repeats_of(cells(0.1, -1.0))
