"""Which cells a figure draws, and as what numbers."""

from typing import TypeVar

import numpy as np
import pandas as pd

from sweetspot.figures.evidence import is_true, valid_cells

_Item = TypeVar("_Item")

_SETTING = ["requests", "max_batch_size"]
_LOAD = ["model", *_SETTING]


def evenly(items: list[_Item], most: int) -> list[_Item]:
    """Return at most so many of the items, evenly spread: the first, and of several the last."""
    if len(items) <= most:
        return items
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, most)]


def grids(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of those (model, N, max_batch_size) that vary both lengths."""
    loads = cells.groupby(_LOAD)
    inputs, outputs = (loads[f"{end}_tokens"].transform("nunique") for end in ("input", "output"))
    of_grids: pd.DataFrame = cells[(inputs > 1) & (outputs > 1)]
    return of_grids


def curves(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of those (model, N, max_batch_size, I) that vary the output length."""
    outputs = cells.groupby([*_LOAD, "input_tokens"])["output_tokens"].transform("nunique")
    of_curves: pd.DataFrame = cells[outputs > 1]
    return of_curves


def common_setting(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of the one (N, max_batch_size) that most models share.

    Sweeps over N or over the batch size vary one model only; the grid covers them all. Where two
    settings cover as many models and lengths, the one with more requests counts (saturation).
    """
    groups = cells.groupby(_SETTING)
    ranks = pd.DataFrame({"models": groups["model"].nunique(), "cells": groups.size()})
    ranks = ranks.reset_index().sort_values(["models", "cells", *_SETTING])
    best = ranks.iloc[-1]
    shared: pd.DataFrame = cells[
        (cells["requests"] == best["requests"])
        & (cells["max_batch_size"] == best["max_batch_size"])
    ]
    return shared


def shortest_input(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of the shortest input length."""
    shortest: pd.DataFrame = cells[cells["input_tokens"] == cells["input_tokens"].min()]
    return shortest


def beyond_context(cells: pd.DataFrame) -> "pd.Series[bool]":
    """Return where I + O passes the model's native context, as far as the cells know it."""
    if "beyond_native_context" not in cells:
        return pd.Series(False, index=cells.index)
    return is_true(cells["beyond_native_context"])


def efficiency_grid(cells: pd.DataFrame) -> pd.DataFrame:
    """Return tokens/J by input length (rows) and output length (columns), mean over repeats.

    The axes hold every length of the cells, failed ones too; a gap is NaN.
    """
    means = valid_cells(cells).pivot_table("tokens_per_j", "input_tokens", "output_tokens")
    inputs = sorted(cells["input_tokens"].unique())
    outputs = sorted(cells["output_tokens"].unique())
    return means.reindex(index=inputs, columns=outputs).astype(float)


def beyond_context_grid(cells: pd.DataFrame) -> pd.DataFrame:
    """Return, on the axes of `efficiency_grid`, where I + O passes the model's native context."""
    beyond = cells.assign(beyond=beyond_context(cells))
    table = beyond.pivot_table("beyond", "input_tokens", "output_tokens", aggfunc="any")
    return table.eq(True)


def efficiency_curve(cells: pd.DataFrame) -> pd.DataFrame:
    """Return tokens/J by output length: columns mean, low, high over repeats, and beyond_context.

    The index holds every output length of the cells, failed ones too; a gap is NaN.
    """
    curve = valid_cells(cells).groupby("output_tokens")["tokens_per_j"].agg(["mean", "min", "max"])
    curve = curve.rename(columns={"min": "low", "max": "high"})
    curve = curve.reindex(sorted(cells["output_tokens"].unique())).astype(float)
    beyond = beyond_context(cells)
    curve["beyond_context"] = beyond.groupby(cells["output_tokens"]).any()
    return curve


def gaps_note(cells: pd.DataFrame, mark: str) -> str:
    """Return the note on cells without a valid number, or nothing where there is none."""
    setting = [*_LOAD, "input_tokens", "output_tokens"]
    asked = len(cells.drop_duplicates(setting))
    missing = asked - len(valid_cells(cells).drop_duplicates(setting))
    return f"{mark}: no valid result ({missing} of {asked} cells)." if missing else ""
