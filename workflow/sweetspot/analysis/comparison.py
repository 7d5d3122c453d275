"""Ours beside the paper's, number by number and cell by cell.

Published numbers enter one column only; "ours" is computed from cells and fits alone.
"""

from collections.abc import Collection, Iterator
from itertools import chain

import numpy as np
import pandas as pd

from sweetspot import published
from sweetspot.analysis.cells import ok_cells
from sweetspot.analysis.comparison_rows import (
    HEADLINE,
    TABLE5,
    Pair,
    table3_pairs,
    table4_pairs,
    table5_pairs,
)
from sweetspot.analysis.fits import Fits
from sweetspot.analysis.headline_rows import headline_pairs, surface_pairs
from sweetspot.cells.intervals import interval_in_words

INDEPENDENT = "independent"
NOT_INDEPENDENT = {
    TABLE5: "not independent: the simulator's constants were fitted to Table 5",
    HEADLINE: "not independent: the simulator's constants were fitted to this figure",
}
IS_TABLE5 = "not independent: these cells are Table 5's surface, not data"

COLUMNS = (
    *("where", "quantity", "model", "condition", "unit", "published", "ours"),
    *("difference", "relative_difference_percent", "cells", "simulated", "engine", "gpu"),
    *("calibration", "interval", "evidence", "claim", "holds", "note"),
)


def compare(cells: pd.DataFrame, fits: Fits, *, seen: Collection[str] = ()) -> pd.DataFrame:
    """Return one row per published number that these cells can answer, with COLUMNS.

    `seen` is what the simulator's calibration was fitted to: "published-table5" and
    "published-headline", each possibly with more behind it (such as one model's id). It decides
    `evidence`: what derives from the paper's grid (N = 1000, max_batch_size 1024) is not evidence
    for simulated cells whose constants were fitted to Table 5; other loads stay independent.
    `cells` counts our cells behind a number, `engine` and `gpu` name what they ran on,
    `calibration` the constants of simulated ones and what is other than the paper's one GPU in 16
    bits, `interval` how sure their energies are. What this run has no cells or fits for has no row;
    an average over the 13 models needs all of them. Rows without a published number (errors against
    the surfaces) have NaN in `published`. Where the paper makes a statement rather than gives a
    number, `claim` is what it says of ours ("> 1") and `holds` whether that is so ("yes" or "no");
    such rows have no relative difference. `note` is what is to be known of a published number.

    Raises:
        InputError: a row of the cells cannot be used (`ok_cells`).
    """
    ok = ok_cells(cells)
    pairs: Iterator[Pair] = chain(
        table3_pairs(ok, fits.quality),
        table4_pairs(ok, fits),
        table5_pairs(ok, fits),
        headline_pairs(ok, fits),
        surface_pairs(ok),
    )
    table = pd.DataFrame([pair._asdict() for pair in pairs], columns=list(Pair._fields))
    stated = table["relation"] != ""
    table["claim"] = [
        f"{relation} {value:g}" if relation else ""
        for relation, value in zip(table["relation"], table["published"], strict=True)
    ]
    table["holds"] = np.where(stated, np.where(_holds(table), "yes", "no"), "")
    table["published"] = table["published"].mask(table["relation"].isin([">", "<"]))
    table["difference"] = table["ours"] - table["published"]
    # A published 0 (Table 4 has many) has no relative difference.
    base = table["published"].where((table["published"] != 0) & ~stated)
    table["relative_difference_percent"] = table["difference"] / base.abs() * 100
    is_surface = "energy_source" in ok and (ok["energy_source"] == published.SURFACE_SOURCE).any()
    table["evidence"] = [
        IS_TABLE5 if is_surface else _evidence(simulated, sources, seen)
        for simulated, sources in zip(table["simulated"], table["sources"], strict=True)
    ]
    for column in ("engine", "gpu", "calibration"):
        named = ok.get(column, pd.Series(dtype=str)).astype(object).fillna("").astype(str).unique()
        table[column] = " and ".join(filter(None, named))
    table["interval"] = interval_in_words(ok)
    return table[list(COLUMNS)]


def _holds(table: pd.DataFrame) -> "pd.Series[bool]":
    ours, bound, relation = table["ours"], table["published"], table["relation"]
    held = (relation == "=") & (ours == bound)
    return held | ((relation == ">") & (ours > bound)) | ((relation == "<") & (ours < bound))


def _evidence(simulated: bool, sources: Collection[str], seen: Collection[str]) -> str:
    """Return whether agreement here says anything that the calibration did not put in."""
    for source in sources if simulated else ():
        if any(name.startswith(source) for name in seen):
            return NOT_INDEPENDENT[source]
    return INDEPENDENT


def seen_by(cells: pd.DataFrame) -> frozenset[str]:
    """Return what the calibration of simulated cells was fitted to (column calibration_seen)."""
    if "calibration_seen" not in cells:
        return frozenset()
    names = cells["calibration_seen"].astype(object).fillna("").astype(str)
    return frozenset(name for entry in names for name in entry.split(";") if name)
