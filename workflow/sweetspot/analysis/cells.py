"""Which rows of a table of cells a fit may use, and how they belong together."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from sweetspot.cells.cleaning import POINT
from sweetspot.cells.read import COUNTS, booleans, positive, require_columns
from sweetspot.errors import InputError

GROUP = ["model", "requests", "max_batch_size"]
"""Cells that differ in nothing but their lengths (and repeat) are fitted together."""

_POSITIVE = (*COUNTS, "energy_per_token_j")
_REQUIRED = ("cell", "model", "engine", "gpu", "status", "simulated", *_POSITIVE)


def ok_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with status "ok", after checking that their numbers are usable.

    Raises:
        InputError: a column is missing; an "ok" row has a number that is not positive and finite;
            or one group mixes engines, GPUs, or simulated and measured rows.
    """
    where = "the table of cells"
    require_columns(cells, _REQUIRED, where)
    ok = of_status_ok(cells)
    checked: dict[str, pd.Series[Any]] = {"simulated": booleans(ok, "simulated", where)}
    for column in _POSITIVE:
        numbers = positive(ok, column, where)
        checked[column] = numbers.astype("int64") if column in COUNTS else numbers
    ok = ok.assign(**checked)
    for column in ("simulated", "engine", "gpu"):
        for group, rows in groups(ok, GROUP) if ok[column].nunique() > 1 else ():
            values = rows[column].unique()
            if len(values) > 1:
                raise InputError(
                    f"{group_title(group)} mixes cells with {column} "
                    f"{' and '.join(map(str, values))}; put them into separate tables"
                )
    return ok


def of_status_ok(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with status "ok"; many rows are not copied where all have it."""
    ok = cells["status"] == "ok"
    return cells if ok.all() else cells[ok]


def groups(frame: pd.DataFrame, by: list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Return each group's key (a tuple of the `by` columns) and rows, in order of appearance."""
    grouped = frame.groupby(by, sort=False)
    if grouped.ngroups == 1 and not frame[by].isna().any(axis=None):  # many rows are not copied
        return zip(frame[by][:1].itertuples(index=False, name=None), [frame], strict=True)
    return iter(grouped)


def group_title(group: tuple[str, int, int]) -> str:
    """Return how messages name a (model, requests, max_batch_size) group."""
    model, requests, max_batch_size = group
    return f"{model} (N={requests}, max_batch_size {max_batch_size})"


def origin_in_words(ok: pd.DataFrame) -> str:
    """Return where cells come from: measured, simulated or published, by what engine, on what."""
    sources = ok[["energy_source", "simulated"]].drop_duplicates().itertuples(index=False)
    kinds = {
        source if source.startswith("published") else "simulated" if simulated else "measured"
        for source, simulated in sources
    }
    engine, gpu = (" and ".join(filter(None, ok[each].unique())) for each in ("engine", "gpu"))
    where = f"{engine} on {gpu}" if engine and gpu else engine or gpu
    return ", ".join(filter(None, [" and ".join(sorted(kinds)), where]))


def mean_over_repeats(ok: pd.DataFrame, by: Sequence[str] = POINT, **others: Any) -> pd.DataFrame:
    """Return one row per cell: mean `energy_per_token_j` of its `repeats`, and their `std`.

    Args:
        ok: rows that count.
        by: what a cell is told apart by: group, I and O.
        others: what else is kept, and how repeats are made one, as pandas names it.
    """
    energy = "energy_per_token_j"
    return ok.groupby(list(by), sort=False, as_index=False).agg(
        **{energy: (energy, "mean"), "std": (energy, "std"), "repeats": (energy, "size")},
        simulated=("simulated", "first"),
        **{name: (name, how) for name, how in others.items()},
    )


def has_noise(rows: pd.DataFrame) -> bool:
    """Return whether chance had a part in these cells of one group: all but plainly simulated."""
    noise = pd.to_numeric(rows["noise"], errors="coerce") if "noise" in rows else pd.Series()
    return bool((noise > 0).any()) or not rows["simulated"].any()
