"""The cells that the batch form is fitted to: repeats averaged, loads told apart."""

from typing import Any

import pandas as pd

from sweetspot.analysis.cell_means import CellMeans, Places

LOAD = ["requests", "batch_limit"]
"""A load: N, and min(N, max_batch_size). No more requests are in flight than there are, so that a
limit above N changes nothing: such cells are repeats of each other, and are left out together."""

CELL = [*LOAD, "input_tokens", "output_tokens"]


def cell_means(ok: pd.DataFrame) -> pd.DataFrame:
    """Return one row per load and lengths: repeats share whatever a form misses there."""
    # cells of one load may differ in how many requests its engines had memory for
    keys = [*CELL, *(["max_concurrency"] if "max_concurrency" in ok else [])]
    kept = {"max_num_tokens": ("max_num_tokens", "min")} if "max_num_tokens" in ok else {}
    energy = "energy_per_token_j"
    rows = ok.groupby(keys, sort=False, dropna=False, as_index=False)
    cells = rows.agg(**{energy: (energy, "mean")}, repeats=("model", "size"), **kept)
    number = rows.ngroup().to_numpy()
    squares = (ok[energy] - cells[energy].to_numpy()[number]) ** 2
    return cells.assign(spread_j2=squares.groupby(number, sort=False).sum())


def means_of(cells: pd.DataFrame) -> CellMeans:
    """Return the cells of `ModelBatchFit`, or some of them, as `linear_fit` takes them."""
    names = ("input_tokens", "output_tokens", "energy_per_token_j", "repeats", "spread_j2")
    return CellMeans(*(cells[name].to_numpy(float) for name in names))


def load_places(cells: pd.DataFrame) -> Places:
    """Return the number of each cell's load, from 0 up."""
    return cells.groupby(LOAD, sort=False).ngroup().to_numpy()


def cell_name(cell: "pd.Series[Any]") -> str:
    """Return how messages name a cell: N, min(N, max_batch_size), I and O."""
    n, limit, inputs, outputs = (int(cell[name]) for name in CELL)
    return f"n{n}/b{limit}/i{inputs}_o{outputs}"
