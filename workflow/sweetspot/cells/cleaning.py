"""Rows of somebody's measurements: which count, which are left out, and which are repeats.

No row makes a table worthless: what cannot be used is counted, named and left out, by rules that
are said.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sweetspot.cells.columns import GivenColumns
from sweetspot.cells.read import COUNTS
from sweetspot.cells.units import beyond_usual
from sweetspot.errors import InputError
from sweetspot.units import J_PER_KWH
from sweetspot.words import counted

GROUP = ["model", "requests", "max_batch_size"]
POINT = [*GROUP, "input_tokens", "output_tokens"]

Only = Callable[[pd.DataFrame], tuple[pd.DataFrame, list[str]]]
"""Chooses among rows, and says in sentences what it left out."""

_GOOD = {"", "ok", "true", "1", "1.0", "success", "succeeded", "successful", "done", "completed"}
_GOOD |= {"complete", "passed", "pass", "valid", "finished", "200", "yes"}
_TRUE = {"true", "1", "1.0", "yes"}
_SHOWN = 5
_FEW_ROWS = 20

_OTHER_UNITS = {"mJ": 1e-3, "J per 1000 tokens": 1e-3, "Wh": 3600.0, "kWh": J_PER_KWH}
_DISAGREE = 10.0
# beyond these a number is a slip, and its square no number
_COUNTS_WITHIN, _ENERGIES_WITHIN = (1, 1e9), (1e-12, 1e12)


def clean(
    cells: pd.DataFrame, where: str, given: GivenColumns, only: Only | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows whose model, load and lengths are known, and in sentences what was done.

    Args:
        cells: texts, and numbers that are NaN where there are none; the index counts the rows.
        where: what the table is called in messages.
        given: how columns are named in messages.
        only: which of the rows are asked for, before any are told apart or counted as repeats.

    Raises:
        InputError: no row can be used.
    """
    status = _status(cells)
    fates = _Fates(len(cells))
    fates.add("the same in all columns as an earlier one", _copies(cells))
    cells = cells.assign(
        **{name: texts(cells[name]) for name in ("model", "engine", "gpu")},
        simulated=_flags(cells, "simulated"),
    )
    fates.add("without a model", cells["model"] == "")
    for name in COUNTS:
        for kind, bad in _wrong(cells[name], whole=True):
            fates.add(f"with {name} {kind}", bad)
    known = fates.of == 0
    for word in ("failed", "invalid"):
        fates.add(f"with status {word}", status == word)
    for kind, bad in _wrong(cells["energy_per_token_j"], whole=False):
        fates.add(f"with energy_per_token_j {kind}", bad)
    said = fates.said(cells.index)
    usable = fates.of == 0
    if not usable.any():
        raise InputError(f"{where}: none of its {len(cells)} rows can be used: {'; '.join(said)}")

    energy_j = cells["energy_per_token_j"].where(usable)
    spoiled = (status == "ok") & ~usable
    cells = cells.assign(
        status=np.where(spoiled, "invalid", status),
        reason=np.where(spoiled, fates.words(), cells["reason"].to_numpy(object)),
        energy_per_token_j=energy_j,
        tokens_per_j=1 / energy_j,
        beyond_native_context=_flags(cells, "beyond_native_context"),
    )[known]
    cells = cells.assign(**{name: cells[name].astype("int64") for name in COUNTS})
    cells, others = only(cells) if only else (cells, [])
    cells, mixed = _separated(cells.reset_index(drop=True))
    points = cells.groupby(POINT, sort=False)
    point = points.ngroup()
    cells = cells.assign(repeat=_repeats(cells, point, points.cumcount()))
    cells = cells.assign(cell=_names(cells))
    notes = [f"left out: {'; '.join(said)}"] if said else []
    return cells, [*notes, *others, *mixed, *_of_repeats(cells, point), *_magnitude(cells, given)]


class _Fates:
    """Why rows are left out: the first reason that applies to each."""

    def __init__(self, rows: int) -> None:
        self.of = np.zeros(rows, dtype=int)  # 0: it counts
        self._reasons = [""]

    def add(self, reason: str, rows: "pd.Series | NDArray[np.bool_]") -> None:
        """Leave rows out that are still in."""
        self.of[(self.of == 0) & np.asarray(rows, dtype=bool)] = len(self._reasons)
        self._reasons.append(reason)

    def words(self) -> NDArray[np.object_]:
        """Return each row's reason."""
        return np.array(self._reasons, dtype=object)[self.of]

    def said(self, index: pd.Index) -> list[str]:
        """Return for each reason how many rows it has, and which; they count from 1."""
        found = []
        for number, reason in enumerate(self._reasons[1:], start=1):
            rows = [int(row) + 1 for row in index[self.of == number]]
            if rows:
                plural = "s" * (len(rows) > 1)
                some = ", ".join(map(str, rows[:_SHOWN])) + ", ..." * (len(rows) > _SHOWN)
                found.append(f"{len(rows)} row{plural} {reason} (row{plural} {some})")
        return found


def texts(values: "pd.Series") -> "pd.Series":
    """Return texts without blanks around them, empty where there is none."""
    codes, known = pd.factorize(values)  # the few that there are: a million rows take no second
    words = pd.Series([*(str(value).strip() for value in known), ""])
    return words.iloc[codes].set_axis(values.index)  # of none the code is -1: the last


def _copies(cells: pd.DataFrame) -> "pd.Series":
    """Return which rows are the same in all columns as an earlier one.

    Where a cell has many, two measurements may well agree to the last digit that was written.
    """
    alike = cells[cells["energy_per_token_j"].duplicated(keep=False)]  # of distinct rows, none
    try:
        found = alike.duplicated()
    except TypeError:  # a DataFrame may hold lists
        found = alike.astype(str).duplicated()
    copies = found.reindex(cells.index, fill_value=False)
    if copies.any():
        copies &= cells.groupby(POINT, dropna=False)["model"].transform("size") <= _FEW_ROWS
    return copies


def _flags(cells: pd.DataFrame, name: str) -> "pd.Series":
    if name not in cells:
        return pd.Series(data=False, index=cells.index)
    known = cells[name].unique()
    return cells[name].map({each: str(each).strip().lower() in _TRUE for each in known})


def _wrong(values: "pd.Series", *, whole: bool) -> Iterator[tuple[str, "pd.Series"]]:
    """Return what is wrong with numbers that are to be positive, and with which."""
    yield "missing or no number", values.isna()
    yield "negative", values < 0
    yield "zero", values == 0
    yield "infinite", values == np.inf
    low, high = _COUNTS_WITHIN if whole else _ENERGIES_WITHIN
    yield f"not within {low:g} and {high:g}", (values < low) | (values > high)
    if whole:
        yield "that is no whole number", values != values.round()


def _status(cells: pd.DataFrame) -> NDArray[np.object_]:
    """Return ok, failed or invalid; a word that we do not know for success is failed."""
    if "status" not in cells:
        return np.full(len(cells), "ok", dtype=object)
    said = texts(cells["status"]).str.lower()
    return np.select([said.isin(_GOOD), said == "invalid"], ["ok", "invalid"], "failed").astype(
        object
    )


def _separated(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Tell cells apart by their model's name where engines, GPUs or origins are mixed.

    A fit is of one of each, and simulated cells are never of the same fit as measured ones.
    """
    notes = []
    for name in ("simulated", "gpu", "engine"):
        if cells[name].nunique() < 2:
            continue
        kinds = cells.groupby(GROUP, sort=False)[name].transform("nunique")
        if not (kinds > 1).any():
            continue
        said = cells[name]
        if name == "simulated":
            said = said.map({True: "simulated", False: "measured"})
        else:
            said = said.mask(said == "", f"no {name}")
        models = cells["model"].mask(kinds > 1, cells["model"] + " (" + said + ")")
        cells = cells.assign(model=models)
        what = ", ".join(sorted(set(said[kinds > 1])))
        notes.append(f"fitted apart, and told apart by the model's name: cells of {what}")
    return cells, notes


def _repeats(cells: pd.DataFrame, point: "pd.Series", order: "pd.Series") -> "pd.Series":
    """Return the number of each repeat of a cell: its own where that is one, else its order.

    Args:
        cells: the rows.
        point: the number of the cell that each of them is a repeat of.
        order: how many of that cell come before it.
    """
    if "repeat" not in cells:
        return order
    own = pd.to_numeric(cells["repeat"], errors="coerce")
    usable = own.notna().all() and (own >= 0).all() and (own % 1 == 0).all()
    if usable and not pd.DataFrame({"point": point, "repeat": own}).duplicated().any():
        return own.astype("int64")
    return order


def _names(cells: pd.DataFrame) -> NDArray[np.object_]:
    """Return the ids of cells, as `Cell.id` makes them."""
    # of a million rows there are far fewer of both halves
    begins, of_begins = _distinct(cells, [*GROUP, "input_tokens"])
    ends, of_ends = _distinct(cells, ["output_tokens", "repeat"])
    begin = np.array([f"{model}/b{b}/n{n}/i{i}" for model, n, b, i in of_begins], dtype=object)
    end = np.array([f"_o{o}/r{repeat}" for o, repeat in of_ends], dtype=object)
    return np.asarray(begin[begins] + end[ends])


def _distinct(cells: pd.DataFrame, keys: list[str]) -> tuple["pd.Series", Iterator[Any]]:
    """Return the number of each row's values of these columns, and the values by their number."""
    number = cells.groupby(keys, sort=False).ngroup()
    return number, cells.loc[~number.duplicated(), keys].itertuples(index=False, name=None)


def _of_repeats(cells: pd.DataFrame, point: "pd.Series") -> list[str]:
    """Say which cells were measured several times, and which of them disagree."""
    ok = (cells["status"] == "ok").to_numpy()
    several = ok & (np.bincount(point[ok], minlength=len(point))[point] > 1)
    if not several.any():
        return []
    repeated = (
        cells.loc[several, "energy_per_token_j"]
        .groupby(point[several], sort=False)
        .agg(["count", "min", "max"])
    )
    notes = [
        f"{repeated['count'].sum()} rows are repeats of {counted(len(repeated), 'cell')}: a fit"
        " takes each cell's mean"
    ]
    apart = repeated[repeated["max"] >= _DISAGREE * repeated["min"]]
    if len(apart):
        model, _, _, inputs, outputs = cells.loc[ok & (point == apart.index[0]), POINT].iloc[0]
        low, high = apart.iloc[0][["min", "max"]]
        notes.append(
            f"Warning: the repeats of {counted(len(apart), 'cell')} differ "
            f"{_DISAGREE:.0f} times or more, such as {model} at I {inputs}, O {outputs}: "
            f"{low:.4g} to {high:.4g} J; look for another unit or another load"
        )
    return notes


def _magnitude(cells: pd.DataFrame, given: GivenColumns) -> list[str]:
    """Warn of numbers that can hardly be joules per token."""
    median_j = float(cells["energy_per_token_j"].median())
    unusual = beyond_usual(median_j)
    if not unusual:
        return []
    likely = [unit for unit, factor in _OTHER_UNITS.items() if not beyond_usual(median_j * factor)]
    guess = f"; in {likely[0]} it would be usual" if likely else ""
    return [
        f"{unusual}, at the median{guess}; look at the unit: name it in the column's name, as in "
        "energy_per_token_mj, or say it: "
        f"{given.advice({'energy_per_token_mj': 'COLUMN'})}"
    ]
