"""Figure 3: the shape that all models share, as a surface and as a flat heat map."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.canvas import Drawing, empty_figure, finish
from sweetspot.figures.evidence import Evidence, evidence_of, provenance
from sweetspot.figures.heat import (
    GAP_MARK,
    INPUT_LABEL,
    OUTPUT_LABEL,
    PEAK_NOTE,
    heat_map,
)
from sweetspot.figures.labels import ModelLabel
from sweetspot.figures.selection import common_setting, efficiency_grid, grids
from sweetspot.figures.style import journal_look, spaced
from sweetspot.outputs import SURFACE_LENGTHS
from sweetspot.words import counted

_EFFICIENCY_LABEL = "Normalised efficiency (0 to 1)"
_CELL_HEIGHT_IN = 0.25
_ANNOTATED = 9  # columns of cells that have room for a number
_LEAST_SHARE = 0.25  # of the grid: with less there is no shape to see
_LEAST_LENGTHS = 7  # the label of the colour bar is as long
_AXIS_IN = 0.45
_PEAK: Mapping[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 5.0,
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 0.9,
}
_STAMP: Mapping[str, Any] = {
    **dict.fromkeys(("ha", "va"), "center"),
    "color": "0.85",
    "alpha": 0.5,
    "weight": "bold",
    "size": 15,
    "rotation": -12,
}
_SURFACE_HEIGHT_IN = 2.55
_TICKS = 4  # of a length's axis in the surface: more run into one another


def normalised_mean(cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return min-max normalised efficiency averaged over models, and how many models it averages.

    Each model's valid cells are scaled to 0 (its least efficient) to 1 (its most efficient); both
    tables have input lengths as rows and output lengths as columns. A cell that is missing for
    some models averages the others; one that is missing for all is NaN. A model whose cells are
    all alike has no scale and is left out.

    Raises:
        InputError: no model has two cells that differ.
    """
    scaled = []
    for _, of_model in cells.groupby("model", sort=False):
        grid = efficiency_grid(of_model)
        values = grid.to_numpy(float)
        low, high = np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf)
        if high > low:
            scaled.append((grid - low) / (high - low))
    if not scaled:
        raise InputError(
            "Figure 3 scales each model's cells from its least to its most efficient, and no model "
            "has two valid cells that differ"
        )
    stacked = pd.concat(scaled).groupby(level=0)
    inputs, outputs = (sorted(cells[f"{end}_tokens"].unique()) for end in ("input", "output"))
    mean = stacked.mean().reindex(index=inputs, columns=outputs)
    return mean, stacked.count().reindex(index=inputs, columns=outputs, fill_value=0)


def figure3_heatmap(
    cells: pd.DataFrame, style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Drawing:
    """Draw the mean normalised efficiency as a flat heat map with its numbers.

    Raises:
        InputError: there is nothing to normalise, or origins are mixed.
    """
    evidence, drawn = _shared_grid(cells)
    mean, models = normalised_mean(drawn)
    partial = models < models.to_numpy(int).max()
    annotations = mean.map("{:.2f}".format) + partial.replace({True: "*", False: ""})
    room = len(mean.columns) <= _ANNOTATED
    with journal_look(style):
        height_in = max(len(mean), _LEAST_LENGTHS) * _CELL_HEIGHT_IN + _AXIS_IN
        height_in = min(height_in, style.single_width_in)
        figure = empty_figure(style.single_width_in, height_in)
        ax = figure.add_subplot()
        norm = Normalize(0.0, 1.0)
        heat_map(
            ax,
            mean,
            norm=norm,
            colormap=style.colormap,
            annotations=annotations if room else None,
            word=evidence.stamp,
        )
        ax.set_xlabel(OUTPUT_LABEL)
        ax.set_ylabel(INPUT_LABEL)
        bar = figure.colorbar(ScalarMappable(norm, style.colormap), ax=ax, aspect=25, pad=0.03)
        bar.set_label(_EFFICIENCY_LABEL)
        alt_text = f"Heat map of {_found(mean, models)} {evidence.sentence}"
        return finish(figure, [_notes(models, flat=True), provenance(drawn)], alt_text)


def figure3_surface(
    cells: pd.DataFrame, style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Drawing:
    """Draw the mean normalised efficiency as a surface over logarithmic lengths.

    Raises:
        InputError: there is nothing to normalise, too few lengths, or origins are mixed.
    """
    evidence, drawn = _shared_grid(cells)
    mean, models = normalised_mean(drawn)
    if min(mean.shape) < SURFACE_LENGTHS:
        inputs, outputs = mean.shape
        raise InputError(
            f"the surface of Figure 3 needs {SURFACE_LENGTHS} input and {SURFACE_LENGTHS} output"
            f" lengths, and here are {inputs} and {outputs}; figure3_heatmap shows them"
        )
    log_outputs, log_inputs = np.log2(mean.columns.to_numpy()), np.log2(mean.index.to_numpy())
    peak_input, peak_output, peak = _peak(mean)
    with journal_look(style):
        figure = empty_figure(style.single_width_in, _SURFACE_HEIGHT_IN)
        ax = figure.add_subplot(projection="3d", computed_zorder=False)
        ax.plot_surface(
            *np.meshgrid(log_outputs, log_inputs),
            mean.to_numpy(),
            cmap=style.colormap,
            norm=Normalize(0.0, 1.0),
            rstride=1,
            cstride=1,
            edgecolor="0.2",
            linewidth=0.3,
            antialiased=True,
        )
        place = (np.log2(peak_output), np.log2(peak_input), peak)
        ax.plot(*([at] for at in place), **_PEAK)
        found = f"Ring: {peak:.2f} at I = {peak_input}, O = {peak_output}"
        ax.text2D(0.98, 0.93, found, ha="right", transform=ax.transAxes)
        if evidence.stamp:  # across the surface, as a crop of it would lose a corner
            ax.text2D(*(0.52, 0.45, evidence.stamp), transform=ax.transAxes, **_STAMP)
        # the efficient corner stands at the back, so that it hides nothing
        ax.invert_yaxis()
        ax.view_init(elev=28, azim=-58)
        ax.set_box_aspect((1.25, 1.1, 0.95), zoom=0.93)
        for axis, lengths in (("x", mean.columns), ("y", mean.index)):
            ticked = spaced([int(length) for length in lengths], _TICKS)
            getattr(ax, f"set_{axis}ticks")(np.log2(ticked), [str(length) for length in ticked])
        # where the axes meet, labels of both would meet, too
        for axis3d, side in ((ax.xaxis, "right"), (ax.yaxis, "left")):
            for label in axis3d.get_ticklabels():
                label.set_ha(side)
        ax.set_zlim(0.0, 1.0)
        ax.set_xlabel(OUTPUT_LABEL, labelpad=-4)
        ax.set_ylabel(INPUT_LABEL, labelpad=0)
        ax.set_zlabel(_EFFICIENCY_LABEL, labelpad=-6)
        ax.tick_params(pad=-2)
        alt_text = f"Surface of {_found(mean, models)} {evidence.sentence}"
        finish(figure, [_notes(models, flat=False), provenance(drawn)], alt_text)
        # the layout centres the box, but all that is written around it stands below
        ax.set_position(ax.get_position().translated(-0.01, 0.02))
        return figure


def _peak(mean: pd.DataFrame) -> tuple[int, int, float]:
    """Return input length, output length and value of the highest cell."""
    values = mean.to_numpy(float)
    row, column = divmod(int(np.nanargmax(values)), values.shape[1])
    return int(mean.index[row]), int(mean.columns[column]), float(values[row, column])


def _found(mean: pd.DataFrame, models: pd.DataFrame) -> str:
    """Return what both figures show, in words."""
    inputs, outputs, peak = _peak(mean)
    count = int(models.to_numpy(int).max())
    averaged = f" for each model and averaged over {counted(count, 'model')}" if count > 1 else ""
    rows = mean.loc[[end for end in mean.index[[0, -1]] if end != inputs]].dropna(how="all")
    others = "".join(
        f"; at I = {length} it is at most {row.max():.2f}, at O = {row.idxmax()}"
        for length, row in rows.iterrows()
    )
    return (
        "tokens per joule over input length I and output length O, scaled to 0 (least efficient) to"
        f" 1 (most efficient){averaged}. It is highest at I = {inputs} and O = {outputs}"
        f" ({peak:.2f}){others}."
    )


def _shared_grid(cells: pd.DataFrame) -> tuple[Evidence, pd.DataFrame]:
    """Return the origin of the cells, and the grid that most models share.

    Raises:
        InputError: there is no grid, or origins are mixed.
    """
    evidence = evidence_of(cells)
    of_grids = grids(cells)
    if of_grids.empty:
        raise InputError(
            "Figure 3 needs several input and several output lengths of one model, and no cell "
            "table here has that; add a sweep over `input_tokens` and `output_tokens`"
        )
    shared = common_setting(of_grids)
    inputs, outputs = (shared[f"{end}_tokens"].nunique() for end in ("input", "output"))
    points = len(shared.drop_duplicates(["input_tokens", "output_tokens"]))
    if points < _LEAST_SHARE * inputs * outputs:
        raise InputError(
            f"Figure 3 needs most input lengths with most output lengths, and of {inputs} times"
            f" {outputs} there are {points}; fitted curves (fit_curves) need no grid"
        )
    return evidence, shared


def _notes(models: pd.DataFrame, *, flat: bool) -> str:
    counts = models.to_numpy(int)
    most = int(counts.max())
    fewer = int(((counts > 0) & (counts < most)).sum())
    missing = int((counts == 0).sum())
    fewer_than_most = f"mean of fewer than {most} models"
    if flat:
        notes = [
            PEAK_NOTE,
            f"*: {fewer_than_most}." if fewer else "",
            f"{GAP_MARK}: no model has a valid result." if missing else "",
        ]
    else:
        notes = [
            f"Points with the {fewer_than_most}: {fewer}." if fewer else "",
            f"Points without a valid result: {missing}." if missing else "",
        ]
    return " ".join(filter(None, notes))
