"""Figure 3: the shape that all models share, as a surface and as a flat heat map."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.canvas import empty_figure, finish, journal_look
from sweetspot.figures.evidence import evidence_of, provenance
from sweetspot.figures.heat import (
    GAP_MARK,
    INPUT_LABEL,
    OUTPUT_LABEL,
    PEAK_NOTE,
    heat_map,
)
from sweetspot.figures.labels import ModelLabel
from sweetspot.figures.selection import common_setting, efficiency_grid, grids

_EFFICIENCY_LABEL = "Normalised efficiency (0 to 1)"
_CELL_HEIGHT_IN = 0.25
_LEAST_LENGTHS = 7  # the label of the colour bar is as long
_AXIS_IN = 0.45
_SURFACE_HEIGHT_IN = 2.75


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
            "Figure 3 needs several valid cells of different efficiency per model, and no model "
            "has them; the column `reason` of the cells table says why cells failed"
        )
    stacked = pd.concat(scaled).groupby(level=0)
    inputs, outputs = (sorted(cells[f"{end}_tokens"].unique()) for end in ("input", "output"))
    mean = stacked.mean().reindex(index=inputs, columns=outputs)
    return mean, stacked.count().reindex(index=inputs, columns=outputs, fill_value=0)


def figure3_heatmap(
    cells: pd.DataFrame, style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Figure:
    """Draw the mean normalised efficiency as a flat heat map with its numbers.

    Raises:
        InputError: there is nothing to normalise, or origins are mixed.
    """
    drawn = _shared_grid(cells)
    mean, models = normalised_mean(drawn)
    partial = models < models.to_numpy(int).max()
    annotations = mean.map("{:.2f}".format) + partial.replace({True: "*", False: ""})
    with journal_look(style):
        height_in = max(len(mean), _LEAST_LENGTHS) * _CELL_HEIGHT_IN + _AXIS_IN
        figure = empty_figure(style.single_width_in, height_in)
        ax = figure.add_subplot()
        norm = Normalize(0.0, 1.0)
        heat_map(ax, mean, norm=norm, colormap=style.colormap, annotations=annotations)
        ax.set_xlabel(OUTPUT_LABEL)
        ax.set_ylabel(INPUT_LABEL)
        bar = figure.colorbar(ScalarMappable(norm, style.colormap), ax=ax, aspect=25, pad=0.03)
        bar.set_label(_EFFICIENCY_LABEL)
        return finish(figure, [_notes(models, flat=True), provenance(drawn)])


def figure3_surface(
    cells: pd.DataFrame, style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Figure:
    """Draw the mean normalised efficiency as a surface over logarithmic lengths.

    Raises:
        InputError: there is nothing to normalise, or origins are mixed.
    """
    drawn = _shared_grid(cells)
    mean, models = normalised_mean(drawn)
    log_outputs, log_inputs = np.log2(mean.columns.to_numpy()), np.log2(mean.index.to_numpy())
    with journal_look(style):
        figure = empty_figure(style.single_width_in, _SURFACE_HEIGHT_IN)
        ax = figure.add_subplot(projection="3d")
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
        # the efficient corner stands at the back, so that it hides nothing
        ax.invert_yaxis()
        ax.view_init(elev=30, azim=-58)
        ax.set_box_aspect((1.25, 1.1, 0.85), zoom=0.9)
        ax.set_xticks(log_outputs, [str(length) for length in mean.columns])
        ax.set_yticks(log_inputs, [str(length) for length in mean.index])
        ax.set_zlim(0.0, 1.0)
        ax.set_xlabel(OUTPUT_LABEL)
        ax.set_ylabel(INPUT_LABEL)
        ax.set_zlabel(_EFFICIENCY_LABEL, labelpad=-4)
        ax.tick_params(pad=-1)
        return finish(figure, [_notes(models, flat=False), provenance(drawn)])


def _shared_grid(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the grid that most models share.

    Raises:
        InputError: there is no grid, or origins are mixed.
    """
    evidence_of(cells)
    of_grids = grids(cells)
    if of_grids.empty:
        raise InputError(
            "Figure 3 needs several input and several output lengths of one model, and no cell "
            "table here has that; add a sweep over `input_tokens` and `output_tokens`"
        )
    return common_setting(of_grids)


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
