"""Rows of somebody's measurements: which count, which are left out, and which are repeats.

No row makes a table worthless: what cannot be used is counted, named and left out, by rules that
are said.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from sweetspot.cells.read import COUNTS
from sweetspot.errors import InputError

GROUP = ["model", "requests", "max_batch_size"]
POINT = [*GROUP, "input_tokens", "output_tokens"]

_GOOD = {"", "ok", "true", "1", "1.0", "success", "succeeded", "successful", "done", "completed"}
_GOOD |= {"complete", "passed", "pass", "valid", "finished", "200", "yes"}
_TRUE = {"true", "1", "1.0", "yes"}
_SHOWN = 5

# No board is known to give 20 000 output tokens for a joule, none to take a kilojoule for one of an
# answer of usual length.
_LOWEST_J, _HIGHEST_J = 5e-5, 1e3
_USUAL_J = (1e-3, 30.0)
_OTHER_UNITS = {"mJ": 1e-3, "J per 1000 tokens": 1e-3, "Wh": 3600.0, "kWh": 3.6e6}
_DISAGREE = 10.0


def clean(cells: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows whose model, load and lengths are known, and in sentences what was done.

    Args:
        cells: texts, and numbers that are NaN where there are none; the index counts the rows.
        where: what the table is called in messages.

    Raises:
        InputError: no row can be used.
    """
    left = pd.Series("", index=cells.index)
    left[_copies(cells)] = "the same in all columns as an earlier one"
    cells = cells.assign(
        **{name: _texts(cells[name]) for name in ("model", "engine", "gpu")},
        simulated=_texts(cells["simulated"]).str.lower().isin(_TRUE),
    )
    left = left.mask((left == "") & (cells["model"] == ""), "without a model")
    for name in COUNTS:
        for kind, bad in _wrong(cells[name], whole=True):
            left = left.mask((left == "") & bad, f"with {name} {kind}")
    total, cells = len(cells), cells[left == ""]
    cells = cells.assign(**{name: cells[name].astype("int64") for name in COUNTS})

    status = _status(cells)
    worse = ("with status " + status).mask(status == "ok", "")
    for kind, bad in _wrong(cells["energy_per_token_j"], whole=False):
        worse = worse.mask((worse == "") & bad, f"with energy_per_token_j {kind}")
    ok = worse == ""
    out = pd.concat([left[left != ""], worse[~ok]])
    said = [_left_out(str(why), rows) for why, rows in out.groupby(out, sort=False)]
    if not ok.any():
        raise InputError(
            f"{where}: none of its {total} rows can be used: {'; '.join(said) or 'no row is left'}"
        )
    notes = [f"left out: {each}" for each in said]

    energy_j = cells["energy_per_token_j"].where(ok)
    cells = cells.assign(
        status=status.mask((status == "ok") & ~ok, "invalid"),
        reason=cells["reason"].mask((status == "ok") & ~ok, worse),
        energy_per_token_j=energy_j,
        tokens_per_j=1 / energy_j,
        beyond_native_context=_flags(cells, "beyond_native_context"),
    )
    cells, mixed = _separated(cells)
    cells = cells.assign(repeat=_repeats(cells))
    cells = cells.assign(cell=_names(cells))
    return cells.reset_index(drop=True), [*notes, *mixed, *_of_repeats(cells), *_magnitude(cells)]


def _copies(cells: pd.DataFrame) -> "pd.Series":
    try:
        return cells.duplicated()
    except TypeError:  # a DataFrame may hold lists
        return cells.astype(str).duplicated()


def _texts(values: "pd.Series") -> "pd.Series":
    return values.astype(object).fillna("").astype(str).str.strip()


def _flags(cells: pd.DataFrame, name: str) -> "pd.Series":
    if name not in cells:
        return pd.Series(data=False, index=cells.index)
    return _texts(cells[name]).str.lower().isin(_TRUE)


def _wrong(values: "pd.Series", *, whole: bool) -> Iterator[tuple[str, "pd.Series"]]:
    """Return what is wrong with numbers that are to be positive, and with which."""
    yield "missing or no number", values.isna()
    yield "negative", values < 0
    yield "zero", values == 0
    yield "infinite", values == np.inf
    if whole:
        yield "that is no whole number", values % 1 != 0


def _status(cells: pd.DataFrame) -> "pd.Series":
    """Return ok, failed or invalid; a word that we do not know for success is failed."""
    if "status" not in cells:
        return pd.Series("ok", index=cells.index)
    said = _texts(cells["status"]).str.lower()
    return pd.Series(
        np.select([said.isin(_GOOD), said == "invalid"], ["ok", "invalid"], "failed"),
        index=cells.index,
    )


def _left_out(why: str, rows: "pd.Series") -> str:
    """Return how many rows are left out, why, and which; rows count from 1 below the names."""
    some = ", ".join(str(row + 1) for row in sorted(rows.index)[:_SHOWN])
    more = ", ..." * (len(rows) > _SHOWN)
    return f"{len(rows)} row{'s' * (len(rows) > 1)} {why} (row{'s' * (len(rows) > 1)} {some}{more})"


def _separated(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Tell cells apart by their model's name where engines, GPUs or origins are mixed.

    A fit is of one of each, and simulated cells are never of the same fit as measured ones.
    """
    notes = []
    for name in ("simulated", "gpu", "engine"):
        kinds = cells.groupby(GROUP, sort=False)[name].transform("nunique")
        if not (kinds > 1).any():
            continue
        texts = cells[name]
        if name == "simulated":
            texts = texts.map({True: "simulated", False: "measured"})
        else:
            texts = texts.mask(texts == "", f"no {name}")
        cells = cells.assign(
            model=cells["model"].mask(kinds > 1, cells["model"] + " (" + texts + ")")
        )
        notes.append(f"cells of several {name}s are told apart by the model's name, fitted apart")
    return cells, [note.replace("simulateds", "origins, simulated and measured,") for note in notes]


def _repeats(cells: pd.DataFrame) -> "pd.Series":
    """Return the number of each repeat of a cell: its own where that is one, else its order."""
    order = cells.groupby(POINT, sort=False).cumcount()
    if "repeat" not in cells:
        return order
    own = pd.to_numeric(cells["repeat"], errors="coerce")
    usable = own.notna().all() and (own >= 0).all() and (own % 1 == 0).all()
    if usable and not cells.assign(repeat=own).duplicated([*POINT, "repeat"]).any():
        return own.astype("int64")
    return order


def _names(cells: pd.DataFrame) -> list[str]:
    """Return the ids of cells, as `Cell.id` makes them."""
    columns = ("model", "max_batch_size", "requests", "input_tokens", "output_tokens", "repeat")
    values = zip(*(cells[name].tolist() for name in columns), strict=True)
    return [f"{m}/b{b}/n{n}/i{i}_o{o}/r{r}" for m, b, n, i, o, r in values]


def _of_repeats(cells: pd.DataFrame) -> list[str]:
    """Say which cells were measured several times, and which of them disagree."""
    ok = cells[cells["status"] == "ok"]
    energies = ok.groupby(POINT, sort=False)["energy_per_token_j"].agg(["count", "min", "max"])
    repeated = energies[energies["count"] > 1]
    if repeated.empty:
        return []
    notes = [
        f"{repeated['count'].sum()} rows are repeats of {len(repeated)} cells: a fit takes each "
        "cell's mean"
    ]
    apart = repeated[repeated["max"] >= _DISAGREE * repeated["min"]]
    if len(apart):
        model, _, _, inputs, outputs = apart.index[0]
        low, high = apart.iloc[0][["min", "max"]]
        notes.append(
            f"Warning: the repeats of {len(apart)} cell{'s' * (len(apart) > 1)} differ "
            f"{_DISAGREE:.0f} times or more, such as {model} at I {inputs}, O {outputs}: "
            f"{low:.4g} to {high:.4g} J; look for another unit or another load"
        )
    return notes


def _magnitude(cells: pd.DataFrame) -> list[str]:
    """Warn of numbers that can hardly be joules per token."""
    median_j = float(cells["energy_per_token_j"].median())
    if _LOWEST_J <= median_j <= _HIGHEST_J:
        return []
    likely = [
        unit
        for unit, factor in _OTHER_UNITS.items()
        if _USUAL_J[0] <= median_j * factor <= _USUAL_J[1]
    ]
    guess = f"; they would be usual in {likely[0]}" if likely else ""
    return [
        f"Warning: half of the cells take more than {median_j:.3g} J per output token, half less: "
        f"that can hardly be{guess}; name the unit in the column's name, or by "
        "--columns energy_per_token_mj=COLUMN"
    ]
