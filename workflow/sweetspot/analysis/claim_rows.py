"""What sections 6 to 8 of the paper say of several cells, loads or models at once, beside ours."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sweetspot import published
from sweetspot.analysis.comparison_rows import (
    ALL_MODELS,
    GRID_CELLS,
    HEADLINE,
    LOAD,
    PAPER_LOAD,
    TABLE5,
    Pair,
    Row,
    cells_of,
    condition,
    on_paper_load,
)
from sweetspot.energy_models import sweet_spot_output_tokens


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """This run, as the paper's statements need it.

    Attributes:
        means: one row per cell on the paper's lengths, the mean of its repeats.
        mape_percent: of each form (columns) and model (rows) under the paper's load.
        alphas: of Eq. 5 (columns) and model (rows) under the paper's load.
        fitted_over: from which cells these fits are, in words.
    """

    means: pd.DataFrame
    mape_percent: pd.DataFrame
    alphas: pd.DataFrame
    fitted_over: str


class _Ours(NamedTuple):
    """What this run says to one statement.

    Attributes:
        cells: those that it was made from.
        among: how many of them the paper had.
    """

    value: float
    cells: pd.DataFrame
    load: str
    among: int


def claim_pairs(found: Found) -> Iterator[Pair]:
    """Return the statements that this run's cells can answer."""
    for row in published.headline().to_dict("records"):
        statistic = str(row["statistic"])
        if statistic not in _CLAIMS:
            continue
        quantity, answer = _CLAIMS[statistic]
        ours = answer(row, found)
        if ours is None:
            continue
        of_model = pd.notna(row["model"])
        on_grid = set(ours.cells[["requests", "max_batch_size"]].itertuples(index=False, name=None))
        yield Pair(
            str(row["where"]),
            quantity,
            str(row["model"]) if of_model else ALL_MODELS,
            condition(ours.load, len(ours.cells), ours.among),
            str(row["unit"]),
            float(row["value"]),
            float(ours.value),
            len(ours.cells),
            bool(ours.cells["simulated"].any()),
            (TABLE5, HEADLINE) if on_grid == {PAPER_LOAD} else (HEADLINE,),
            row["relation"],
            row["note"],
        )


def _range(row: Row, found: Found) -> _Ours | None:
    grid = cells_of(found.means, row)
    if len(grid) < 2:
        return None
    energy = grid["energy_per_token_j"]
    return _Ours(energy.max() / energy.min(), grid, _load(row), GRID_CELLS)


def _peak_shift(row: Row, found: Found) -> _Ours | None:
    """Output length of the best cell at few requests over that at the paper's many."""
    few, many = (
        cells_of(found.means, row),
        cells_of(found.means, {**row, "requests": PAPER_LOAD[0]}),
    )
    if few.empty or many.empty:
        return None
    lengths = [_best(cells)["output_tokens"] for cells in (few, many)]
    load = f"B={row['max_batch_size']}, N={row['requests']} over N={PAPER_LOAD[0]}"
    load += f" (O={lengths[0]} over O={lengths[1]})"
    return _Ours(lengths[0] / lengths[1], pd.concat([few, many]), load, 2 * GRID_CELLS)


def _rank(row: Row, found: Found) -> _Ours | None:
    """Place of a model's highest efficiency among those of all, from the highest."""
    cells = _of_all(cells_of(found.means, {**row, "model": None}))
    if cells is None:
        return None
    least = cells.groupby("model")["energy_per_token_j"].min()
    return _Ours(least.rank()[row["model"]], cells, _load(row), _lines())


def _interior_peaks(row: Row, found: Found) -> _Ours | None:
    cells = _of_all(cells_of(found.means, row))
    if cells is None:
        return None
    peaks = [
        of_model["output_tokens"].min()
        < _best(of_model)["output_tokens"]
        < of_model["output_tokens"].max()
        for _, of_model in cells.groupby("model")
    ]
    return _Ours(sum(peaks), cells, _load(row), _lines())


def _worst_cells(row: Row, found: Found) -> _Ours | None:
    """Models whose worst cell has the longest input and the shortest output."""
    cells = _of_all(cells_of(found.means, row))
    if cells is None:
        return None
    worst = cells.loc[cells.groupby("model")["energy_per_token_j"].idxmax()]
    ends = [max(published.GRID), min(published.GRID)]
    holds = (worst[["input_tokens", "output_tokens"]] == ends).all(axis="columns")
    return _Ours(holds.sum(), cells, _load(row), _grids())


def _better_than_baselines(_: Row, found: Found) -> _Ours | None:
    def better(mape: pd.DataFrame) -> "pd.Series[bool]":
        least = mape[[name for name in mape if str(name).startswith("baseline")]].min(
            axis="columns"
        )
        worst: pd.Series[float] = mape[["flops", "memory_flops"]].max(axis="columns")
        return worst < least

    return _of_fits(found, better)


def _better_than_flops(_: Row, found: Found) -> _Ours | None:
    return _of_fits(found, lambda mape: mape["memory_flops"] < mape["flops"])


def _estimates_at_observed(row: Row, found: Found) -> _Ours | None:
    """Models whose estimate by Eq. 6 is nearer to the observed output length than to another.

    Nearer on the grid, whose steps are factors of 2; at the input length of the observed one.
    """
    cells = _of_all(cells_of(found.means, row))
    if cells is None or not set(cells["model"]) <= set(found.alphas.index):
        return None
    grid = np.log2(published.GRID)
    equal = 0
    for model, of_model in cells.groupby("model"):
        best = _best(of_model)
        alphas = found.alphas.loc[[model]].to_numpy(float)[0].tolist()
        estimate = sweet_spot_output_tokens(alphas, float(best["input_tokens"]))
        if not np.isnan(estimate):
            nearest = published.GRID[int(np.abs(grid - np.log2(estimate)).argmin())]
            equal += nearest == best["output_tokens"]
    return _Ours(equal, cells, LOAD, _grids())


def _batch_above_requests(row: Row, found: Found) -> _Ours | None:
    """The most, in %, that any limit above N changes any cell's efficiency against a limit of N."""
    at = cells_of(found.means, row)
    line = found.means[(found.means["model"] == row["model"])]
    line = line[
        (line["requests"] == row["requests"]) & (line["input_tokens"] == row["input_tokens"])
    ]
    above = line[line["max_batch_size"] > row["requests"]]
    both = above.merge(at, on="output_tokens", suffixes=("", "_at"))
    if both.empty:
        return None
    gains = both["energy_per_token_j_at"] / both["energy_per_token_j"] - 1
    limits = ", ".join(map(str, sorted(above["max_batch_size"].unique())))
    load = f"N={row['requests']}, I={row['input_tokens']}, B={limits} over B={row['requests']}"
    cells = pd.concat([at, above])
    # The paper's: limits of 128 to 1024
    return _Ours(100 * gains.abs().max(), cells, load, 4 * len(published.GRID))


def _batch_below_requests(row: Row, found: Found) -> _Ours | None:
    """Highest efficiency at a limit below N over that at a limit of N."""
    return _limits(row, found, row["requests"])


def _batch_gap(row: Row, found: Found) -> _Ours | None:
    """Highest or only efficiency at the paper's limit over that at a smaller one."""
    ours = _limits(row, found, PAPER_LOAD[1])
    if ours is None:
        return None
    load = f"{_at(row)}, B={PAPER_LOAD[1]} over B={row['max_batch_size']}"
    return ours._replace(value=1 / ours.value, load=load)


def _batch_gap_shrinks(row: Row, found: Found) -> _Ours | None:
    """What the limit is worth at the longest output over what it is worth at the peak."""
    long, peak = (_batch_gap(each, found) for each in (row, {**row, "output_tokens": pd.NA}))
    if long is None or peak is None:
        return None
    return peak._replace(value=long.value / peak.value, load=f"{long.load}, over that of the peaks")


def _limits(row: Row, found: Found, limit: int) -> _Ours | None:
    small, large = (
        cells_of(found.means, {**row, "max_batch_size": each})
        for each in (row["max_batch_size"], limit)
    )
    if small.empty or large.empty:
        return None
    ratio = large["energy_per_token_j"].min() / small["energy_per_token_j"].min()
    load = f"{_at(row)}, B={row['max_batch_size']} over B={limit}"
    per_limit: int = len(published.GRID) if pd.isna(row["output_tokens"]) else 1
    return _Ours(ratio, pd.concat([small, large]), load, 2 * per_limit)


_CLAIMS: Mapping[str, tuple[str, Callable[[Row, Found], _Ours | None]]] = {
    "range": ("efficiency, highest over lowest", _range),
    "peak_shift": ("output length of the best cell, ratio", _peak_shift),
    "rank": ("rank by highest efficiency", _rank),
    "interior_peaks": ("models with a peak inside the output lengths", _interior_peaks),
    "worst_cells": ("models worst at the longest input and shortest output", _worst_cells),
    "better_than_baselines": (
        "models that Eqs. 4 and 5 fit better than all baselines",
        _better_than_baselines,
    ),
    "better_than_flops": ("models that Eq. 5 fits better than Eq. 4", _better_than_flops),
    "estimates_at_observed": (
        "models whose estimate is nearest to the observed length",
        _estimates_at_observed,
    ),
    "batch_above_requests": (
        "most that max_batch_size above N changes efficiency",
        _batch_above_requests,
    ),
    "batch_below_requests": ("highest efficiency, ratio", _batch_below_requests),
    "batch_gap": ("efficiency, ratio", _batch_gap),
    "batch_gap_shrinks": ("efficiency, ratio of ratios", _batch_gap_shrinks),
}


def _of_all(cells: pd.DataFrame) -> pd.DataFrame | None:
    """Return the cells of the paper's models; None where one of them is missing."""
    models = published.table5()["model"]
    cells = cells[cells["model"].isin(models)]
    return cells if cells["model"].nunique() == len(models) else None


def _of_fits(found: Found, holds: Callable[[pd.DataFrame], "pd.Series[bool]"]) -> _Ours | None:
    """Count the models of whose fits something holds; None where one was not fitted."""
    mape = found.mape_percent.reindex(published.table5()["model"])
    if mape.empty or mape.isna().any(axis=None):
        return None
    cells = on_paper_load(found.means)
    cells = cells[cells["model"].isin(mape.index)]
    return _Ours(holds(mape).sum(), cells, found.fitted_over, 0)


def _best(cells: pd.DataFrame) -> "pd.Series[Any]":
    """Return the most efficient cell; among equals the shortest."""
    return cells.sort_values(["energy_per_token_j", "output_tokens", "input_tokens"]).iloc[0]


def _at(row: Row) -> str:
    output: str = "" if pd.isna(row["output_tokens"]) else f", O={row['output_tokens']}"
    return f"N={row['requests']}, I={row['input_tokens']}{output}"


def _load(row: Row) -> str:
    words = f"N={row['requests']}, B={row['max_batch_size']}"
    return words if pd.isna(row["input_tokens"]) else f"{words}, I={row['input_tokens']}"


def _lines() -> int:
    return len(published.GRID) * len(published.table5())


def _grids() -> int:
    return GRID_CELLS * len(published.table5())
