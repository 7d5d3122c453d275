"""Sweet spots as a page shows them: a line, a table of all models, and each model in detail."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import GROUP, groups
from sweetspot.figures.words import quantity
from sweetspot.report import html
from sweetspot.report.numbers import number, percent
from sweetspot.tables.names import printed_name
from sweetspot.tables.table import MISSING
from sweetspot.words import counted

Group = tuple[str, int, int]

_INPUTS = 4  # columns of the table
_MOST_SPOTS = 24  # rows of a group's own table
_NOTE = (
    "The output length O with the least energy per token, by Eq. 6 of the fit of Eq. 5, and its"
    " 95 % interval."
)
_DETAILS = "Each in detail: efficiency, what was observed, what is lost there"
_BEYOND = " *: beyond the output lengths that were run, extrapolated."
_NO_NOISE = (
    " These cells have no noise: the intervals measure how far the form is from the simulator, not"
    " chance."
)


def sweet_spots(
    spots: pd.DataFrame,
    *,
    best: Mapping[Group, str] | None = None,
    load_is_given: bool = True,
    has_noise: bool = True,
) -> list[str]:
    """Return the sweet spots as a table, or in detail where there is one group only.

    Args:
        spots: of `analysis.sweet_spots`.
        best: what is known of each group's most efficient cell; None: nothing.
        load_is_given: whether the loads were said by whoever measured.
        has_noise: whether chance had a part in the cells.
    """
    of_models = (rows for _, rows in groups(spots, ["model"]))
    found = [each for rows in of_models for each in groups(rows, GROUP)]
    note = _NOTE + _NO_NOISE * (not has_noise)
    names = group_names([key for key, _ in found], load_is_given=load_is_given)
    if len(found) == 1:
        key, of_group = found[0]
        return [html.paragraph(note), _spots_of(of_group, names[key])]
    inputs = sorted({int(length) for length in spots["input_tokens"]})
    if len(inputs) > _INPUTS:
        last = len(inputs) - 1
        inputs = [inputs[round(place * last / (_INPUTS - 1))] for place in range(_INPUTS)]
    rows, beyond = [], False
    for key, of_group in found:
        at = {int(row.input_tokens): row for row in _rows(of_group)}
        marked = {i: _is_extrapolated(at[i]) for i in inputs if i in at}
        cells = [spot(at[i]) + "*" * marked[i] if i in at else MISSING for i in inputs]
        beyond = beyond or any(marked.values())
        rows.append([names[key], *cells, *([best.get(key, MISSING)] if best else [])])
    of_each = "\n".join(
        f"<h4>{html.escape(names[key])}</h4>\n{_spots_of(of_group, names[key])}"
        for key, of_group in found
    )
    header = ["Model", *(f"O* at I = {length}" for length in inputs)]
    header += ["best cell (tokens/J)"] if best else []
    return [
        html.table(header, rows, label="Sweet spots"),
        html.paragraph(f"O*: {note[0].lower()}{note[1:]}{_BEYOND * beyond}", "quiet"),
        html.folded(_DETAILS, of_each),
    ]


def group_names(keys: Sequence[Group], *, load_is_given: bool = True) -> dict[Group, str]:
    """Return a group's name: as much of its load as tells it from the others."""
    models = Counter(model for model, *_ in keys)
    loads = Counter((model, requests) for model, requests, _ in keys)
    names = {}
    for model, requests, limit in keys:
        load = ""
        if load_is_given and models[model] > 1:
            load = f", N\u00a0=\u00a0{requests}"
            load += f", B\u00a0=\u00a0{limit}" if loads[model, requests] > 1 else ""
        names[model, requests, limit] = printed_name(model) + load
    return names


def spot(row: Any) -> str:
    """Return a sweet spot with its interval: 313 (301 to 325)."""
    length, low, high = (
        getattr(row, f"estimated_{name}") for name in ("output_tokens", "low", "high")
    )
    if math.isnan(length):
        return MISSING
    return f"{quantity(length)} ({quantity(low)} to {quantity(high)})"


def _spots_of(spots: pd.DataFrame, name: str) -> str:
    header = ["I (tokens)", "O* (tokens)", "tokens/J there", "within 2 %", "observed O"]
    header += ["tokens/J observed", "lost at observed O"]
    spots = spots.sort_values("input_tokens")
    shown = np.unique(np.linspace(0, len(spots) - 1, _MOST_SPOTS).round().astype(int))
    rows = [
        [
            str(int(row.input_tokens)),
            spot(row) + ", extrapolated" * _is_extrapolated(row),
            number(row.estimated_tokens_per_j),
            f"{quantity(row.range2_low)} to {quantity(row.range2_high)}",
            str(int(row.observed_output_tokens)),
            number(row.observed_tokens_per_j),
            percent(row.lost_at_observed_percent),
        ]
        for row in _rows(spots.iloc[shown])
    ]
    more = len(spots) - len(shown)
    rest = f"{counted(more, 'input length')} more: fits/sweet_spots.csv." if more else ""
    return html.table(header, rows, label=f"Sweet spots of {name}") + html.paragraph(rest, "quiet")


def _is_extrapolated(row: Any) -> bool:
    return not math.isnan(row.estimated_output_tokens) and not row.estimate_inside_range


def _rows(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples(index=False))
