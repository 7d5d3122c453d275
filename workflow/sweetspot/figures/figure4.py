"""Figure 4: how the batch limit changes energy efficiency against output length."""

from collections.abc import Mapping
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.batch_form import CURVES_NOTE, BatchEnergy, draw_form
from sweetspot.figures.canvas import empty_figure, finish, journal_look, panels
from sweetspot.figures.curves import (
    MARKERS,
    LineLook,
    curve_notes,
    draw_curve,
    dress,
    legend_room,
)
from sweetspot.figures.evidence import evidence_of, provenance, valid_cells
from sweetspot.figures.labels import ModelLabel, label_of
from sweetspot.figures.selection import efficiency_curve, shortest_input


def figure4(
    cells: pd.DataFrame,
    style: FigureStyle,
    labels: Mapping[str, ModelLabel] | None = None,
    batch: BatchEnergy | None = None,
) -> Figure:
    """Draw tokens/J against output length, a line per max_batch_size and a panel per N.

    With `batch` the lines are the fitted form's, and cells stand as markers on them.

    Raises:
        InputError: no model has several batch limits, or origins are mixed.
    """
    evidence_of(cells)
    drawn = _several_batch_limits(cells)
    source = provenance(drawn)
    subjects = [subject for _, subject in drawn.groupby(["model", "requests"], sort=True)]
    per_row = min(2, len(subjects)) if style.columns == 2 else 1
    limits = sorted(drawn["max_batch_size"].unique())
    room = legend_room(
        [str(limit) for limit in limits],
        most_entries=len(limits),
        per_row=per_row,
        style=style,
        titled=True,
    )
    with journal_look(style):
        height_in = room.panel_height_in * -(-len(subjects) // per_row)
        figure = empty_figure(style.panels_width_in, height_in)
        axes = panels(figure, len(subjects), per_row)
        notes = set[str]()
        for place, (ax, subject) in enumerate(zip(axes, subjects, strict=True)):
            looks = _ordered_looks(style, len(limits))
            for limit, look in zip(limits, looks, strict=True):
                of_limit = subject[subject["max_batch_size"] == limit]
                cell_look = look
                if batch and draw_form(ax, batch, of_limit, look):
                    notes.add(CURVES_NOTE)
                    cell_look = replace(look, dashes="none")
                draw_curve(ax, efficiency_curve(of_limit), cell_look, str(limit))
            name = label_of(str(subject["model"].iloc[0]), labels or {}).name
            requests, input_tokens = subject[["requests", "input_tokens"]].iloc[0]
            dress(
                ax,
                sorted(subject["output_tokens"].unique()),
                room,
                highest=valid_cells(drawn)["tokens_per_j"].max(),
                title=f"{name}, N = {requests} requests, I = {input_tokens} tokens",
                legend_title="max_batch_size (requests)",
            )
            if place % per_row:
                ax.set_ylabel("")
        return finish(figure, [" ".join([curve_notes(drawn), *notes]), source])


def _ordered_looks(style: FigureStyle, count: int) -> list[LineLook]:
    """Return looks for an ordered quantity.

    Limits above N give the same line: drawn from wide to narrow, all of them stay visible. The
    lightest end of the colour scale would vanish on white.
    """
    colors = mpl.colormaps[style.colormap](np.linspace(0.0, 0.85, count))
    return [
        LineLook(
            color=(red, green, blue),
            marker=MARKERS[index % len(MARKERS)],
            width_pt=2.4 - 1.7 * index / count,
            marker_pt=5.5 - 2.5 * index / count,
        )
        for index, (red, green, blue, _) in enumerate(colors)
    ]


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
