"""Measured cells beside the simulator's, one dot a cell."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, panels
from sweetspot.figures.labels import ModelLabel, label_of, written_out
from sweetspot.figures.style import QUIET, decimal_ticks, journal_look, model_looks, plain_look
from sweetspot.figures.words import quantity

_HEIGHT_IN = 2.9
_ROOM = 1.15  # beyond the outermost dot, as a factor


def beside_figure(
    cells: pd.DataFrame, style: FigureStyle, labels: Mapping[str, ModelLabel], provenance: str
) -> Drawing:
    """Draw simulated against measured energy per output token and mean power.

    Args:
        cells: with model, energy_per_token_j, mean_power_w, and both with `simulated_` before.
        style: of all figures.
        labels: names of models.
        provenance: where the cells and the constants come from.
    """
    with journal_look(style):
        per_row = 2 if style.columns == 2 else 1
        figure = empty_figure(style.panels_width_in, _HEIGHT_IN * (3 - per_row))
        left, right = panels(figure, 2, per_row)
        _draw(left, cells, "energy_per_token_j", style, labels)
        left.set_xscale("log")
        left.set_yscale("log")
        for axis in (left.xaxis, left.yaxis):
            decimal_ticks(axis)
        left.set_title("Energy per output token (J)")
        left.legend(loc="upper left", frameon=False)
        _draw(right, cells, "mean_power_w", style, labels)
        right.set_title("Mean power (W)")
        errors = {
            what: (cells[f"simulated_{column}"] / cells[column] - 1).abs().mean()
            for what, column in (("energy", "energy_per_token_j"), ("power", "mean_power_w"))
        }
        alt_text = (
            f"Simulated against measured energy per output token and mean power, {len(cells)} cells"
            f" of {cells['model'].nunique()} models. On average simulated energy is"
            f" {quantity(100 * errors['energy'])} % and simulated power"
            f" {quantity(100 * errors['power'])} % off the measured. {written_out(provenance)}"
        )
        notes = ["Line: simulated as measured. One dot a cell.", written_out(provenance)]
        return finish(figure, notes, alt_text)


def _draw(
    ax: Axes,
    cells: pd.DataFrame,
    quantity: str,
    style: FigureStyle,
    labels: Mapping[str, ModelLabel],
) -> None:
    simulated = f"simulated_{quantity}"
    values = cells[[quantity, simulated]].to_numpy()
    edges = (values.min() / _ROOM, values.max() * _ROOM)
    ax.plot(edges, edges, color=QUIET, linewidth=0.6)
    for model, look in model_looks(style.palette, list(cells["model"].unique())).items():
        of_model = cells[cells["model"] == model]
        ax.plot(
            of_model[quantity],
            of_model[simulated],
            linestyle="none",
            marker=look.marker,
            markersize=3.5,
            color=look.color,
            label=label_of(model, labels).name,
        )
    ax.set(xlim=edges, ylim=edges, xlabel="measured", ylabel="simulated", aspect="equal")
    plain_look(ax)
