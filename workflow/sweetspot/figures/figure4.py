"""Figure 4: how the batch limit changes energy efficiency against output length."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.batch_form import CURVES_NOTE, BatchEnergies, draw_form
from sweetspot.figures.canvas import (
    Drawing,
    empty_figure,
    finish,
    legend_above,
    panels,
    wrapped,
)
from sweetspot.figures.curves import PANEL_HEIGHT_IN, curve_notes, draw_curve, dress
from sweetspot.figures.evidence import evidence_of, provenance, valid_cells
from sweetspot.figures.labels import ModelLabel, label_of
from sweetspot.figures.selection import efficiency_curve, shortest_input
from sweetspot.figures.style import journal_look, ordered_looks, stamp
from sweetspot.figures.words import quantity
from sweetspot.words import listed

SAME = 0.01
"""Lines that nowhere differ by more than this share lie on one another."""

_TITLE_IN = 0.13  # of a second line


def figure4(
    cells: pd.DataFrame,
    style: FigureStyle,
    labels: Mapping[str, ModelLabel] | None = None,
    batch: BatchEnergies | None = None,
) -> Drawing:
    """Draw tokens/J against output length, a line per max_batch_size and a panel per N.

    With `batch` the lines are the fitted form's, and cells stand as markers on them.

    Raises:
        InputError: no model has several batch limits, or origins are mixed.
    """
    evidence = evidence_of(cells)
    drawn = _several_batch_limits(cells)
    source = provenance(drawn)
    subjects = [subject for _, subject in drawn.groupby(["model", "requests"], sort=True)]
    per_row = min(2, len(subjects)) if style.columns == 2 else 1
    limits = sorted(drawn["max_batch_size"].unique())
    looks = dict(zip(limits, ordered_looks(style, len(limits)), strict=True))
    with journal_look(style):
        rows = -(-len(subjects) // per_row)
        figure = empty_figure(style.panels_width_in, (PANEL_HEIGHT_IN + _TITLE_IN) * rows)
        axes = panels(figure, len(subjects), per_row)
        entries, found = {}, []
        notes = set[str]()
        for place, (ax, subject) in enumerate(zip(axes, subjects, strict=True)):
            name = label_of(str(subject["model"].iloc[0]), labels or {}).name
            requests, input_tokens = (int(n) for n in subject.iloc[0][["requests", "input_tokens"]])
            lines = {
                limit: efficiency_curve(subject[subject["max_batch_size"] == limit])
                for limit in sorted(subject["max_batch_size"].unique())
            }
            for limit, curve in lines.items():
                look = looks[limit]
                of_limit = subject[subject["max_batch_size"] == limit]
                if batch and draw_form(ax, batch, of_limit, look):
                    notes.add(CURVES_NOTE)
                    look = replace(look, dashes="none")
                entries[str(limit)] = draw_curve(ax, curve, look, str(limit))
            title = [f"{name}, N = {requests} requests, I = {input_tokens} tokens"]
            together = _together(lines, requests)
            title += wrapped(figure, together, 0.9 * style.panels_width_in / per_row)
            dress(
                ax,
                sorted(subject["output_tokens"].unique()),
                highest=valid_cells(drawn)["tokens_per_j"].max(),
                title="\n".join(filter(None, title)),
            )
            stamp(ax, evidence.stamp)
            if place % per_row:
                ax.set_ylabel("")
            found += _found(name, requests, lines, together)
        order = {str(limit): entries[str(limit)] for limit in limits}
        legend_above(figure, order, style.font_size_pt, title="max_batch_size (requests)")
        alt_text = (
            "Energy efficiency in tokens per joule against output length, one line for each"
            f" max_batch_size. {evidence.sentence} {' '.join([*found, *notes])}"
        )
        return finish(figure, [" ".join([curve_notes(drawn), *notes]), source], alt_text)


def _together(lines: Mapping[int, pd.DataFrame], requests: int) -> str:
    """Return which lines lie on one another, and why where it is known; empty if none do."""
    limits = sorted(lines)
    same = [limits[-1]]
    for limit in reversed(limits[:-1]):
        widest = lines[limits[-1]]["mean"]
        line = lines[limit]["mean"].reindex(widest.index)
        if not np.allclose(line, widest, rtol=SAME, atol=0.0, equal_nan=True):
            break
        same.insert(0, limit)
    if len(same) == 1:
        return ""
    why = f": {requests} requests fill no larger batch" if requests <= same[0] else ""
    return f"{same[0]} and more coincide{why}"


def _found(name: str, requests: int, lines: Mapping[int, pd.DataFrame], together: str) -> list[str]:
    """Return what a panel shows; nothing where all its cells failed."""
    peaks = {limit: curve["mean"].dropna() for limit, curve in lines.items()}
    parts = [
        f"{quantity(curve.max())} tokens/J at O = {curve.idxmax()} with {limit}"
        for limit, curve in peaks.items()
        if len(curve)
    ]
    if not parts:
        return []
    same = f" {together}." if together else ""
    return [f"{name} with N = {requests}: at most {listed(parts)}.{same}"]


def _several_batch_limits(cells: pd.DataFrame) -> pd.DataFrame:
    """Return, for every (model, N) with several batch limits, the cells of its shortest input.

    Raises:
        InputError: there is none.
    """
    chosen = []
    for _, group in cells.groupby(["model", "requests"], sort=False):
        shortest = shortest_input(group)
        if shortest["max_batch_size"].nunique() > 1:
            chosen.append(shortest)
    if not chosen:
        raise InputError(
            "Figure 4 needs one model with several batch limits at its shortest input, and no cell "
            "table here has that; add a sweep over `max_batch_size` (the paper's: llama-3.2-1b at "
            "64, 128, 256, 512 and 1024)"
        )
    return pd.concat(chosen)
