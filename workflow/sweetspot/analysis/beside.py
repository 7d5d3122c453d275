"""Two runs, boards or engines side by side: what B takes over what A takes, cell by cell.

A cell's interval comes from what each side says of itself: from repeats that differ (Welch's t of
the means, each as a share of itself), or from the simulator's interval; both are taken as
independent. A single value says nothing: beside repeats or another one the interval is unknown,
beside a simulated cell it counts as exact, and `interval_from` says which. A model's interval is
that of the mean over its common cells, whose ratios are taken as a sample.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import mean_over_repeats, ok_cells, origin_in_words
from sweetspot.catalog import catalog_id
from sweetspot.cells.cleaning import POINT
from sweetspot.cells.columns import GivenColumns
from sweetspot.cells.observations import Observations, read_observations
from sweetspot.energy_models import Array
from sweetspot.errors import InputError
from sweetspot.words import counted

_OTHERS = {"throughput_ratio": "throughput_tokens_per_s", "power_ratio": "mean_power_w"}
_BOUNDS = ["energy_per_token_low_j", "energy_per_token_high_j", "interval_level"]
_KEPT = [
    *(*POINT, "energy_per_token_a_j", "energy_per_token_b_j"),
    *("ratio", "low", "high", "level", "interval_from", *_OTHERS, "simulated_a", "simulated_b"),
]
_LEVEL = 0.95
_ENDS = 3
_WIDTH = 100

Source = str | os.PathLike[str] | pd.DataFrame


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Beside:
    """Two tables of cells side by side; every ratio is B over A.

    Attributes:
        ratios: one row per common cell: its lengths and load, both energies per token, their
            ratio with low, high, level and interval_from (NaN and why where it is unknown),
            throughput_ratio and power_ratio (NaN where one side lacks it), simulated_a and
            simulated_b.
        by_model: one row per model: cells, the geometric mean of their ratios with low and high
            (95 %; of a single cell its own), the lowest and the highest, and the means of
            throughput and power.
        sides: what A and B are, in words.
        notes: how both tables were understood, one sentence each.
    """

    ratios: pd.DataFrame
    by_model: pd.DataFrame
    sides: tuple[str, str]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<{counted(len(self.ratios), 'cell')} side by side; summary() says what was found>"

    def __str__(self) -> str:
        return self.summary()

    @property
    def intervals(self) -> str:
        """Where the intervals of the cells come from, in words."""
        counts = self.ratios["interval_from"].value_counts(sort=False)
        if len(counts) == 1:
            return f"Intervals of cells: {counts.index[0]}"
        parts = [f"{words} ({count} cells)" for words, count in counts.items()]
        return f"Intervals of cells: {'; '.join(parts)}"

    def ends(self) -> pd.DataFrame:
        """Return the cells of the lowest and of the highest ratios, three each, in order."""
        ordered = self.ratios.sort_values("ratio", kind="stable")
        if len(ordered) <= 2 * _ENDS:
            return ordered
        return pd.concat([ordered.head(_ENDS), ordered.tail(_ENDS)])

    def summary(self) -> str:
        """Return what was found, for a screen."""
        width = max(map(len, self.ratios["model"]))
        models = [
            f"  {row['model']:<{width}}  {with_interval(row)}, {counted(row['cells'], 'cell')}"
            f" from {_digits(row['lowest'])} to {_digits(row['highest'])}{_others(row)}"
            for row in self.by_model.to_dict("records")
        ]
        cells = [
            f"  {row['model']:<{width}}  {with_interval(row)}  N={row['requests']}, "
            f"max_batch_size {row['max_batch_size']}, I={row['input_tokens']}, "
            f"O={row['output_tokens']}"
            for row in self.ends().to_dict("records")
        ]
        return "\n".join(
            [
                *self.sides,
                f"{counted(len(self.ratios), 'cell')} in both; ratios are B over A",
                "energy per token, geometric mean of a model's cells (95 % interval of that mean)",
                *models,
                "cells of the lowest and the highest ratio",
                *cells,
                self.intervals,
                *(
                    fill(note, _WIDTH, subsequent_indent="   ", break_on_hyphens=False)
                    for note in self.notes
                ),
            ]
        )


def compare_runs(
    first: Source,
    second: Source,
    *,
    first_columns: Mapping[str, str] | None = None,
    second_columns: Mapping[str, str] | None = None,
    any_name: bool = True,
) -> Beside:
    """Set two tables of cells side by side: the first is A, the second is B.

    Cells belong together that have the same model, requests, max_batch_size, input and output
    tokens; repeats are averaged. Where each side has one model, they belong together whatever it is
    called, which is said. Simulated may stand beside measured, and is called so.

    Args:
        first: A: a DataFrame, a .csv or .jsonl file, or the folder of a run or a campaign.
        second: B, likewise.
        first_columns: as `columns` of `read_observations`, of A.
        second_columns: of B.
        any_name: whether two sides of one model each belong together under other names, too.

    Raises:
        InputError: a table cannot be read, mixes engines, GPUs or origins in a group, or no cell is
            in both.
    """
    given = (
        GivenColumns(first_columns, "first_columns"),
        GivenColumns(second_columns, "second_columns"),
    )
    read = [
        read_observations(source, columns=columns)
        for source, columns in zip((first, second), given, strict=True)
    ]
    a, b = (_side(observations) for observations in read)
    a, b, said = _one_model_each(a, b) if any_name else (a, b, ())
    both = a.merge(b, on=POINT, suffixes=("_a", "_b"))
    if both.empty:
        raise InputError(_nothing_in_common(a, b, [each.option for each in given]))
    ratios = _with_intervals(both)
    return Beside(
        ratios=ratios[_KEPT],
        by_model=pd.DataFrame(
            [_of_model(str(model), rows) for model, rows in ratios.groupby("model", sort=False)]
        ),
        sides=(f"A: {_words(first, read[0])}", f"B: {_words(second, read[1])}"),
        notes=(
            *said,
            *(
                f"{name}: {note}"
                for name, observations in zip("AB", read, strict=True)
                for note in observations.notes
            ),
        ),
    )


def _side(observations: Observations) -> pd.DataFrame:
    """Return one row per cell: means over its repeats, how much they differ, what bounds it."""
    ok = ok_cells(observations.cells)
    ok = ok.assign(model=ok["model"].map({m: catalog_id(m) or m for m in ok["model"].unique()}))
    numbers = [*_OTHERS.values(), *_BOUNDS]
    for name in numbers:
        values = pd.to_numeric(ok[name], errors="coerce") if name in ok else np.nan
        ok[name] = pd.Series(values, index=ok.index, dtype=float).where(lambda each: each > 0)
    cells = mean_over_repeats(ok, **dict.fromkeys(numbers, "mean"))
    cells = cells.rename(columns={"energy_per_token_j": "energy"})
    low, high, level = (cells[name] for name in _BOUNDS)
    bounded = cells["simulated"] & (high > low) & level.notna()
    repeated = ~bounded & (cells["std"] > 0)  # repeats without noise are all the same
    df = (cells["repeats"] - 1).where(repeated)
    error = (cells["std"] / cells["energy"] / np.sqrt(cells["repeats"])).where(repeated)
    half = (_t(df) * error).mask(bounded, np.log(high / low) / 2)
    return cells.assign(
        kind=np.select([bounded, repeated], ["simulator", "repeats"], "one value"),
        df=df,
        error=error,
        half=half,
        level=level.where(bounded, _LEVEL),
    )


def _one_model_each(
    a: pd.DataFrame, b: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Return two sides of one model each under one name, where theirs differ, and say so."""
    names = [side["model"].unique() for side in (a, b)]
    if any(len(each) > 1 for each in names) or names[0][0] == names[1][0]:
        return a, b, ()
    (of_a,), (of_b,) = names
    both = f"{of_b} / {of_a}"
    note = f"A has the model {of_a}, B {of_b}: other names, set side by side all the same"
    return a.assign(model=both), b.assign(model=both), (note,)


def _with_intervals(both: pd.DataFrame) -> pd.DataFrame:
    ratio = both["energy_b"] / both["energy_a"]
    kinds = both[["kind_a", "kind_b"]]
    welch = (kinds == "repeats").all(axis="columns")
    squares = both["error_a"] ** 2, both["error_b"] ** 2
    variance = squares[0] + squares[1]
    df = variance**2 / (squares[0] ** 2 / both["df_a"] + squares[1] ** 2 / both["df_b"])
    # One value beside a simulated one: that its own error is unknown is said, not made up.
    simulated = (kinds == "simulator").any(axis="columns")
    half = np.sqrt((both[["half_a", "half_b"]] ** 2).sum(axis="columns")).where(simulated)
    half = half.mask(welch, _t(df) * np.sqrt(variance))
    known = half.notna()
    words = [_interval_from(*pair) for pair in zip(both["kind_a"], both["kind_b"], strict=True)]
    return both.assign(
        energy_per_token_a_j=both["energy_a"],
        energy_per_token_b_j=both["energy_b"],
        ratio=ratio,
        low=ratio / np.exp(half),
        high=ratio * np.exp(half),
        level=both[["level_a", "level_b"]].min(axis="columns").where(known),
        interval_from=[
            text if sure else f"unknown, {text}" for text, sure in zip(words, known, strict=True)
        ],
        **{name: both[f"{of}_b"] / both[f"{of}_a"] for name, of in _OTHERS.items()},
    )


def _interval_from(kind_a: str, kind_b: str) -> str:
    return f"{kind_a} of A and B" if kind_a == kind_b else f"{kind_a} of A, {kind_b} of B"


def _of_model(model: str, rows: pd.DataFrame) -> dict[str, Any]:
    logs = np.log(rows["ratio"].to_numpy(float))
    mean = float(np.exp(logs.mean()))
    low, high = (float(rows[name].iloc[0]) for name in ("low", "high"))
    if len(rows) > 1:
        half = float(_t(np.array([len(rows) - 1.0]))[0] * logs.std(ddof=1) / np.sqrt(len(rows)))
        low, high = mean / np.exp(half), mean * np.exp(half)
    return {
        "model": model,
        "cells": len(rows),
        "ratio": mean,
        "low": low,
        "high": high,
        "lowest": rows["ratio"].min(),
        "highest": rows["ratio"].max(),
        **{name: float(np.exp(np.log(rows[name]).mean())) for name in _OTHERS},
    }


def _t(df: Any) -> Array:
    """Return by how many standard errors the 95 % interval reaches to either side."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, (1 + _LEVEL) / 2), dtype=float)


def _words(source: Source, observations: Observations) -> str:
    """Return what one side is: its name, whether it is simulated, engine, board, cells."""
    cells = observations.cells
    ok = cells[cells["status"] == "ok"]
    name = "DataFrame" if isinstance(source, pd.DataFrame) else os.fspath(source)
    return f"{name}: {origin_in_words(ok)}, {counted(len(ok.drop_duplicates(POINT)), 'cell')}"


def _nothing_in_common(a: pd.DataFrame, b: pd.DataFrame, options: Sequence[str]) -> str:
    """Say why no cell is in both: the first quantity that has no value in common."""
    for name in POINT:
        values = [sorted(side[name].unique()) for side in (a, b)]
        if not set(values[0]) & set(values[1]):
            shown = (", ".join(map(str, each[:4])) + ", ..." * (len(each) > 4) for each in values)
            return (
                f"A and B have no cell in common: {name} is {' in A and '.join(shown)} in B; "
                f"{' and '.join(options)} can name another column, or one value for all rows"
            )
    return (
        "A and B have no cell in common: each of model, requests, max_batch_size, input_tokens and "
        "output_tokens has values in common, but never all at once"
    )


def with_interval(row: Mapping[Any, Any]) -> str:
    """Return a ratio, and its interval in brackets where it has one."""
    ratio, low, high = (_digits(row[name]) for name in ("ratio", "low", "high"))
    return ratio if np.isnan(row["low"]) else f"{ratio} ({low} to {high})"


def _digits(ratio: float) -> str:
    return f"{ratio:#.3g}".rstrip(".")


def _others(row: Mapping[Any, Any]) -> str:
    names = {"throughput_ratio": "throughput", "power_ratio": "power"}
    known = [f"{names[key]} {_digits(row[key])}" for key in names if not np.isnan(row[key])]
    return f"; {', '.join(known)}" if known else ""
