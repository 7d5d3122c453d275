"""What the batch form's fits say, in words: for a screen, and as notes below tables."""

import math
from textwrap import wrap
from typing import Any

import pandas as pd

from sweetspot.analysis.batch_form import BATCH_FORMS
from sweetspot.cliffs import CLIFF

_WIDTH = 100
_FEW_DF = 10
_HIGH_LEVERAGE = 0.5
_SHOWN_SPOTS = 12
_SHOWN_CLIFFS = 3


def notes_of(quality: Any, coefficients: pd.DataFrame) -> list[str]:
    """Return what a reader of one model's fit should know: a row of `quality`, and its terms."""
    if quality.status != "ok":
        return [f"Not fitted: {quality.reason}."]
    notes = []
    if quality.form != BATCH_FORMS[0].id:
        notes.append(f"Fewer terms than the whole form: {quality.reason}.")
    if not quality.cells_of_several_waves:
        notes.append(
            "Every cell is one wave: ⌈N/k⌉ is 1 in all of them, so that nothing here tests what"
            " more requests than fit at once would take."
        )
    if not quality.cells_bound_by_kv_cache:
        notes.append(
            "The KV cache bounds no cell, so that nothing here tests K; other loads are taken to "
            + (
                f"have {quality.kv_cache_tokens:.3g} tokens of it, as the board's memory leaves."
                if quality.kv_cache_from == "memory"
                else "fit into it."
            )
        )
    if quality.loads_left_out < quality.loads:
        notes.append(
            f"{quality.loads - quality.loads_left_out} of {quality.loads} loads cannot be left"
            " out: the others do not tell the terms apart."
        )
    negative = coefficients.loc[coefficients["value"] < 0, "term"].tolist()
    if negative:
        notes.append(f"Negative, which no cost can be: {', '.join(negative)}.")
    if quality.max_leverage > _HIGH_LEVERAGE:
        notes.append(
            f"One cell sets much of the fit: its leverage is {quality.max_leverage:.2f} of 1."
        )
    if quality.df < _FEW_DF:
        notes.append(f"Few cells: {quality.df} more than coefficients.")
    if quality.simulated and not quality.noise > 0:
        notes.append(
            "Simulated cells without noise: standard errors and intervals measure lack of fit."
        )
    return notes


def summary_lines(quality: Any, coefficients: pd.DataFrame, spots: pd.DataFrame) -> list[str]:
    """Return one model's fit for a screen: a row of `quality`, its terms and its sweet spots."""
    lines = [f"{quality.model}, all loads at once: the batch form"]
    if quality.status == "ok":
        lines += _errors(quality, len(coefficients))
        lines.append(f"  {'term':<4} {'value':>11} {'SE':>9} {'95 % interval':>25}  counts")
        lines += [
            f"  {term.term:<4} {term.value:>11.4e} {term.std_error:>9.1e}"
            f" {f'{term.low:.3e} to {term.high:.3e}':>25}  {term.unit}, {term.meaning}"
            for term in coefficients.itertuples()
        ]
        lines += _spots(spots)
    for note in [*notes_of(quality, coefficients), *_cliffs(spots)]:
        lines += wrap(note, _WIDTH, initial_indent="  ! ", subsequent_indent="    ")
    return lines


def _errors(row: Any, terms: int) -> list[str]:
    lines = [
        f"  {terms} coefficients, {row.cells} cells of {row.loads} loads, T ="
        f" {row.max_num_tokens:.0f} tokens, sigma {100 * row.sigma:.2f} %",
        f"  mean error {row.mape_percent:.2f} %; a cell left out"
        f" {row.leave_one_cell_out_percent:.2f} %, worst {row.worst_cell_percent:.1f} %"
        f" ({row.worst_cell})",
    ]
    if row.ridge_tokens > 0:
        lines.append(
            f"  R = {row.ridge_tokens:.0f} tokens per iteration: computing hides half the reading"
        )
    if row.loads_left_out:
        lines.append(
            f"  a load left out {row.leave_one_load_out_percent:.2f} %, worst"
            f" {row.worst_load_percent:.1f} %"
        )
    if row.eq5_loads:
        lines.append(
            f"  Eq. 5 of each load that carries it ({row.eq5_loads}):"
            f" {row.eq5_coefficients} coefficients, mean error {row.eq5_mape_percent:.2f} %;"
            f" of all loads at once {row.eq5_all_loads_mape_percent:.1f} %"
        )
    return lines


def _interval(low: Any, high: Any) -> str:
    """Return an interval of lengths, in the words of a fit of one load; NaN is no end."""
    if math.isnan(low):
        return "–"
    return f"{low:.0f} to {'any' if math.isnan(high) else f'{high:.0f}'}"


def _spots(spots: pd.DataFrame) -> list[str]:
    header = f"  {'N':>6} {'limit':>6} {'I':>6} {'O*':>7} {'95 %':>16} {'within 2 %':>16}  waves"
    lines = [
        f"  {row.requests:>6} {row.batch_limit:>6} {row.input_tokens:>6}"
        f" {row.estimated_output_tokens:>7.0f}"
        f" {_interval(row.estimated_low, row.estimated_high):>16}"
        f" {f'{row.range2_low:.0f} to {row.range2_high:.0f}':>16}  {row.waves:.0f}"
        for row in spots[spots["estimated_output_tokens"].notna()].itertuples()
    ]
    more = len(lines) - _SHOWN_SPOTS
    shown = [*lines[:_SHOWN_SPOTS], *([f"  and {more} more"] if more > 0 else [])]
    return [header, *shown] if shown else []


def _cliffs(spots: pd.DataFrame) -> list[str]:
    """Say of the first sweet spots with cliffs where those are, and what relying on them costs."""
    known = spots[spots["estimated_output_tokens"].notna() & (spots["cliffs"] != "")]
    said = []
    for row in known[:_SHOWN_CLIFFS].to_dict("records"):
        least = ""
        if row["lost_percent"] > 100 * CLIFF:
            least = (
                f"; {row['estimated_output_tokens']:.0f} costs {row['lost_percent']:.1f} % more"
                f" than the least, at {row['least_output_tokens']:.0f}"
            )
        load = f"N {row['requests']}, limit {row['batch_limit']}, I {row['input_tokens']}"
        said.append(f"{load}: {row['cliffs']}{least}.")
    more = len(known) - len(said)
    return [*said, *([f"{more} more sweet spots with cliffs."] if more > 0 else [])]
