"""Anybody's measurements as cells: columns found by name, units converted, rows checked."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sweetspot.cells.assignment import Assignment, Taken
from sweetspot.cells.cleaning import Only, clean, texts
from sweetspot.cells.columns import ACCEPTED, TEXTS, GivenColumns, recognise
from sweetspot.cells.formats import read_table
from sweetspot.cells.read import COUNTS, OPTIONAL_TEXTS
from sweetspot.errors import InputError

COLUMNS = (
    *("cell", "model", "engine", "gpu", "status", "reason", "simulated"),
    *("requests", "max_batch_size", "input_tokens", "output_tokens", "repeat"),
    *("load_is_given", "energy_per_token_j", "tokens_per_j", "energy_source", "noise"),
    *("beyond_native_context", "calibration"),
)
"""Columns that every table of observations has; those of its file follow."""
OF_RUNS = ("energy_j", "duration_s")
"""What a whole run took, in tables that say it, or say enough to work it out."""

_LENGTHS = ("input_tokens", "output_tokens")
_WAYS = (
    ("energy_per_token_j",),
    ("tokens_per_j",),
    ("energy_per_request_j",),
    ("energy_j",),
    ("mean_power_w", "throughput_tokens_per_s"),
    ("mean_power_w", "duration_s"),
)
"""To the energy per output token, the first that is there counts."""
_IDENTITY = ("model", "engine", "gpu", "simulated", *COUNTS)


@dataclass(frozen=True, eq=False, slots=True)
class Observations:
    """Somebody's measurements, as fits, tables and figures take them.

    Attributes:
        cells: one row per measurement, columns of `COLUMNS` as docs/cells.md says, and others that
            the file has; `load_is_given` is whether the file says how many requests they are of.
            Rows without usable lengths are not among them; those without a usable energy have the
            status "invalid" and a reason.
        notes: how the file was understood, one sentence each; those that begin with "Warning" are
            reasons to doubt a number.
    """

    cells: pd.DataFrame
    notes: tuple[str, ...]


def read_observations(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    only: Only | None = None,
) -> Observations:
    """Read measurements of energy over input and output lengths.

    Needed are input_tokens, output_tokens and an energy: per token, per request, of a run of so
    many requests, or power with throughput or with duration. Columns are found by name, units by
    what stands in the name; what is missing gets a default, and all that is said in `notes`.

    Args:
        source: a DataFrame, a .csv or .jsonl file, or the folder of a run or of a campaign.
        columns: the column of a quantity where its name does not say it, or a number that holds
            for all rows: {"energy_per_token_j": "E", "requests": "100"}.
        only: chooses among the rows that can be used, and says what it left out; None takes all.

    Raises:
        InputError: the source is no table, a needed quantity is missing or ambiguous, or no row
            at all can be used.
    """
    notes: list[str] = []
    given = GivenColumns(columns)
    if isinstance(source, pd.DataFrame):
        where, stem = "the DataFrame", "model"
        table = source.rename(columns=str).reset_index(drop=True)
        if table.empty:
            raise InputError("the DataFrame has no rows")
    else:
        path = Path(source)
        where, stem = str(path), path.stem
        named = {column for name, column in given.items() if name in TEXTS}
        table, notes = read_table(path, lambda name: name in named or _is_text(name))
    assignment = Assignment(table, given, where)
    found = _lengths(assignment)
    energy = _energy(assignment, found)
    taken = [each.note for each in (*found.values(), *energy.sources) if each.note]
    notes += [f"columns: {'; '.join(taken)}"] if taken else []
    runs = _of_runs(assignment, found, energy.per_token_j)
    cells, defaults = _cells(table, found, energy.per_token_j, runs, stem)
    cells, said = clean(cells, where, given, only)
    return Observations(cells[[*COLUMNS, *_others(cells)]], (*notes, *defaults, *said))


def _and(way: Sequence[str]) -> str:
    return f"{' and '.join(way)} {'are' if len(way) > 1 else 'is'}"


def _is_text(column: str) -> bool:
    match = recognise(column)
    return match is not None and (match.quantity in TEXTS or match.quantity == "cell")


def _others(cells: pd.DataFrame) -> list[str]:
    return [name for name in cells.columns if name not in COLUMNS]


def _lengths(assignment: Assignment) -> dict[str, Taken]:
    """Return what identifies a row: model, engine, GPU, load and lengths, as far as it is there.

    Raises:
        InputError: a length is missing or ambiguous.
    """
    found = {
        name: taken
        for name in (*_IDENTITY, "status", "repeat", "max_num_tokens")
        if (taken := assignment.take(name)) is not None
    }
    for length in _LENGTHS:
        total = assignment.take(f"total_{length}")
        if length not in found and total and "requests" in found:
            mean = (total.values / found["requests"].values).round()
            note = f"{length} is {total.column!r} / requests, in whole tokens"
            found[length] = Taken(length, total.column, mean, note)
    lacking = {length: length for length in _LENGTHS if length not in found}
    if lacking:
        energy = {} if _energy_ways(assignment) else {"energy": "energy_per_token_j"}
        raise assignment.lacks(**lacking, **energy)
    return found


@dataclass(frozen=True, eq=False, slots=True)
class _Energy:
    per_token_j: "pd.Series"
    sources: tuple[Taken, ...]


def _energy_ways(assignment: Assignment) -> list[tuple[str, ...]]:
    """Return the ways to an energy per token that the columns allow."""
    return [way for way in _WAYS if all(map(assignment.has, way))]


def _energy(assignment: Assignment, found: Mapping[str, Taken]) -> _Energy:
    """Return the energy per output token by the first way that the columns allow.

    Raises:
        InputError: there is none, it is ambiguous, or the requests that it is of are missing.
    """
    possible = _energy_ways(assignment)
    if not possible:
        raise assignment.lacks(energy="energy_per_token_j")
    # what its owner named goes before what was recognised
    way = min(possible, key=lambda names: not any(name in assignment.given for name in names))
    taken = [each for name in way if (each := assignment.take(name)) is not None]
    first = taken[0].values
    outputs = found["output_tokens"].values
    with np.errstate(divide="ignore", invalid="ignore"):
        if way == ("energy_per_token_j",):
            return _Energy(first, tuple(taken))
        if way == ("tokens_per_j",):
            return _Energy(1 / first, tuple(taken))
        if way == ("energy_per_request_j",):
            return _Energy(first / outputs, tuple(taken))
        if way == ("mean_power_w", "throughput_tokens_per_s"):
            return _Energy(first / taken[1].values, tuple(taken))
        load = found.get("requests") or found.get("max_batch_size")
        if load is None:
            raise InputError(
                f"{assignment.where}: {_and(way)} of a whole run, so its number of "
                f"requests is needed: a column such as {ACCEPTED['requests']}, or one number for "
                f"all rows: {assignment.said.advice({'requests': '1'})} where each row is of one "
                "request"
            )
        energy_j = first if way == ("energy_j",) else first * taken[1].values
        return _Energy(energy_j / (load.values * outputs), tuple(taken))


def _of_runs(
    assignment: Assignment, found: Mapping[str, Taken], energy_per_token_j: "pd.Series"
) -> dict[str, "pd.Series"]:
    """Return energy and duration of whole runs, as far as the columns say them.

    A latency is that of a request, not of a run, unless each row is of one.
    """
    if "requests" not in found:
        return {}
    requests = found["requests"].values
    tokens = requests * found["output_tokens"].values
    energy = _unambiguous(assignment, "energy_j")
    runs = {"energy_j": energy_per_token_j * tokens if energy is None else energy.values}
    duration = _unambiguous(assignment, "duration_s")
    match = recognise(duration.column) if duration else None
    of_request = "duration_s" not in assignment.given and match is not None and match.rank > 1
    throughput = _unambiguous(assignment, "throughput_tokens_per_s")
    if duration is not None and (not of_request or (requests == 1).all()):
        runs["duration_s"] = duration.values
    elif throughput is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            runs["duration_s"] = tokens / throughput.values
    return runs


def _unambiguous(assignment: Assignment, quantity: str) -> Taken | None:
    """Return a quantity that nothing needs; None also where several columns may be it."""
    try:
        return assignment.take(quantity)
    except InputError:
        return None


def _cells(
    table: pd.DataFrame,
    found: Mapping[str, Taken],
    energy_per_token_j: "pd.Series",
    runs: Mapping[str, "pd.Series"],
    model: str,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the table under our names, and what was assumed where it says nothing."""
    values: dict[str, Any] = {name: taken.values for name, taken in found.items()}
    values |= {"energy_per_token_j": energy_per_token_j, **runs}
    values["load_is_given"] = "requests" in found or "max_batch_size" in found
    assumed = []
    if "model" not in found:
        values["model"] = model
        assumed.append(f"one model, {model!r}")
    if "requests" not in found and "max_batch_size" in found:
        values["requests"] = values["max_batch_size"]
        assumed.append("one batch of requests per row")
    elif "requests" not in found:
        values["requests"] = 1
        assumed.append("1 request (a label only)")
    if "max_batch_size" not in found:
        values["max_batch_size"] = values["requests"]
        assumed.append("a batch of all requests")
    if "simulated" not in found:
        values["simulated"] = False
        assumed.append("measured, not simulated")
    unnamed = [name for name in ("engine", "gpu") if name not in found]
    values |= dict.fromkeys(unnamed, "")
    if unnamed:
        assumed.append(f"one {' and one '.join(unnamed)}".replace("gpu", "GPU") + ", unnamed")
    taken = {each.column for each in found.values()} | set(values)
    others = {column: table[column] for column in table.columns if column not in taken}
    for name in dict.fromkeys(("reason", "energy_source", "calibration", *OPTIONAL_TEXTS)):
        if name in others:
            values[name] = texts(others.pop(name))
        elif name in COLUMNS and name != "cell":
            values[name] = ""
    noise = others.pop("noise", pd.Series(np.nan, index=table.index))
    values["noise"] = pd.to_numeric(noise, errors="coerce")
    notes = [f"assumed, as no column says so: {'; '.join(assumed)}"] if assumed else []
    return pd.DataFrame(values | others, index=table.index), notes
