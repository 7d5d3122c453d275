"""Figure 1: how the number of requests changes energy efficiency over the grid of lengths."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm

from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.batch_form import RIDGE_NOTE, BatchEnergies, draw_ridge
from sweetspot.figures.canvas import Drawing, empty_figure, finish, panels
from sweetspot.figures.curves import EFFICIENCY_LABEL
from sweetspot.figures.evidence import evidence_of, provenance, valid_cells
from sweetspot.figures.heat import (
    CELL_HEIGHT_IN,
    CELL_WIDTH_IN,
    CONTEXT_NOTE,
    GAP_MARK,
    INPUT_LABEL,
    OUTPUT_LABEL,
    PEAK_NOTE,
    heat_map,
    mark_corners,
    three_digits,
)
from sweetspot.figures.labels import ModelLabel, label_of
from sweetspot.figures.selection import (
    beyond_context,
    beyond_context_grid,
    efficiency_grid,
    evenly,
    gaps_note,
    grids,
)
from sweetspot.figures.style import decimal_ticks, journal_look
from sweetspot.figures.words import quantity
from sweetspot.words import listed

_AXIS_IN = 0.5
_PANEL_GAP_IN = 0.1
_LEAST_LENGTHS = 6  # a panel of fewer is drawn as large: its title and labels need the room
_ABOVE_AND_BELOW_IN = 0.62
_MOST_PANELS = 12  # a page


def figure1(
    cells: pd.DataFrame,
    style: FigureStyle,
    labels: Mapping[str, ModelLabel] | None = None,
    batch: BatchEnergies | None = None,
) -> Drawing:
    """Draw tokens/J over the grid for each request count N, all on one logarithmic colour scale.

    One scale for all panels, because the effect of N is the subject; logarithmic, because
    efficiency spans a factor of 40 over the grid, and the low end would else be one colour. With
    `batch`, a line shows where the fitted form has its sweet spots. Of more models than fill a page
    it shows a few, from the most to the least efficient; a sweep's `models` chooses others.

    Raises:
        InputError: no model has its grid at several request counts, or origins are mixed.
    """
    evidence = evidence_of(cells)
    every = _grids_at_several_requests(cells)
    models = _chosen(every)
    drawn = every[every["model"].isin(models)]
    source = provenance(drawn)
    valid = valid_cells(drawn)
    norm = LogNorm(valid["tokens_per_j"].min(), valid["tokens_per_j"].max())
    subjects = [subject for _, subject in drawn.groupby(["model", "requests"], sort=True)]
    name_of = {model: label_of(model, labels or {}).name for model in drawn["model"].unique()}
    found = []
    rows, columns = drawn["input_tokens"].nunique(), drawn["output_tokens"].nunique()

    width_in = style.panels_width_in
    panel_in = max(columns, _LEAST_LENGTHS) * CELL_WIDTH_IN + _PANEL_GAP_IN
    per_row = min(len(subjects), max(1, int((width_in - _AXIS_IN) / panel_in)))
    panel_rows = -(-len(subjects) // per_row)
    cell_in = ((width_in - _AXIS_IN) / per_row - _PANEL_GAP_IN) / columns
    grid_in = max(rows, _LEAST_LENGTHS) * CELL_HEIGHT_IN
    height_in = panel_rows * (grid_in + _ABOVE_AND_BELOW_IN) + _ABOVE_AND_BELOW_IN
    with journal_look(style):
        figure = empty_figure(width_in, height_in)
        axes = panels(figure, len(subjects), per_row)
        ridge = False
        for place, (ax, subject) in enumerate(zip(axes, subjects, strict=True)):
            grid = efficiency_grid(subject)
            annotations = grid.map(three_digits) if cell_in >= 0.9 * CELL_WIDTH_IN else None
            heat_map(
                ax,
                grid,
                norm=norm,
                colormap=style.colormap,
                annotations=annotations,
                word=evidence.stamp,
            )
            mark_corners(ax, beyond_context_grid(subject))
            ridge = bool(batch and draw_ridge(ax, batch, subject)) or ridge
            name, requests = name_of[subject["model"].iloc[0]], subject["requests"].iloc[0]
            ax.set_title(f"{name}, N = {requests} requests")
            found += _found(name, requests, grid)
            ax.set_xlabel(OUTPUT_LABEL)
            ax.set_ylabel(INPUT_LABEL if place % per_row == 0 else "")
        bar = figure.colorbar(
            ScalarMappable(norm, style.colormap), ax=axes, location="bottom", aspect=50, pad=0.02
        )
        bar.set_label(f"{EFFICIENCY_LABEL}, logarithmic colour scale")
        decimal_ticks(bar.ax.xaxis)
        beyond = beyond_context(drawn).any()
        all_models = every["model"].nunique()
        fewer = f"{len(models)} of {all_models} models, most to least efficient."
        notes = [
            PEAK_NOTE,
            fewer if len(models) < all_models else "",
            RIDGE_NOTE if ridge else "",
            CONTEXT_NOTE if beyond else "",
            gaps_note(drawn, GAP_MARK),
        ]
        alt_text = (
            "Heat maps of energy efficiency in tokens per joule over input length I and output"
            f" length O, one for each number of requests N. {evidence.sentence}"
            f" The most efficient cell is {listed(found)}.{f' {RIDGE_NOTE}' if ridge else ''}"
        )
        return finish(figure, [" ".join(filter(None, notes)), source], alt_text)


def _chosen(cells: pd.DataFrame) -> list[str]:
    """Return which models have panels: all, or as many as fill a page, evenly over their ranks."""
    best = valid_cells(cells).groupby("model")["tokens_per_j"].max()
    best = best.reindex(cells["model"].unique())  # of a model without a valid cell, too
    ranked = [str(model) for model in best.sort_values(ascending=False).index]
    return evenly(ranked, max(1, _MOST_PANELS // cells["requests"].nunique()))


def _found(name: str, requests: int, grid: pd.DataFrame) -> list[str]:
    """Return the best cell of a panel in words; nothing where all its cells failed."""
    values = grid.to_numpy(float)
    if not np.isfinite(values).any():
        return []
    row, column = divmod(int(np.nanargmax(values)), values.shape[1])
    most, least = np.nanmax(values), np.nanmin(values)
    return [
        f"{quantity(most)} tokens/J at I = {grid.index[row]} and O = {grid.columns[column]}"
        f" with N = {requests} ({name}, {quantity(most / least)} times the least)"
    ]


def _grids_at_several_requests(cells: pd.DataFrame) -> pd.DataFrame:
    """Return, per model, the grids at the batch limit where most request counts have one.

    Raises:
        InputError: no model has a grid at several request counts.
    """
    chosen = []
    for _, of_model in grids(cells).groupby("model", sort=False):
        by_limit = [limit for _, limit in of_model.groupby("max_batch_size")]
        best = max(by_limit, key=lambda limit: limit["requests"].nunique())
        if best["requests"].nunique() > 1:
            chosen.append(best)
    if not chosen:
        raise InputError(
            "Figure 1 needs one model with its grid of lengths at several request counts, and no "
            "cell table here has that; add a sweep over `requests` (the paper's: falcon-rw-7b at "
            "10, 100 and 1000)"
        )
    return pd.concat(chosen)
