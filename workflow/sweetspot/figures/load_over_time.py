"""A server's load over time: power of its boards, and how many requests they work on."""

from datetime import datetime

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, panels
from sweetspot.figures.evidence import SIMULATED
from sweetspot.figures.labels import written_out
from sweetspot.figures.style import categorical_looks, journal_look, plain_look, stamp
from sweetspot.figures.words import quantity

_HEIGHT_IN = 3.4
_HOUR_S, _MINUTE_S = 3600.0, 60.0
_PANELS = (
    ("mean_power_w", "Power (W)"),
    ("mean_batch", "Requests in an iteration"),
)


def load_figure(
    over_time: pd.DataFrame, begins: datetime | None, style: FigureStyle, provenance: str
) -> Drawing:
    """Draw power and batch, one above the other, against time.

    Args:
        over_time: a row a stretch of time, with begin_s, end_s, mean_power_w and mean_batch.
        begins: when the first request came; None where nobody knows.
        style: of all figures.
        provenance: where the numbers come from.
    """
    edges_s = np.append(over_time["begin_s"], over_time["end_s"].iloc[-1])
    unit, unit_s = next(
        (name, seconds)
        for name, seconds in (("Hours", _HOUR_S), ("Minutes", _MINUTE_S), ("Seconds", 1.0))
        if edges_s[-1] > 2 * seconds or seconds == 1.0
    )
    look, *_ = categorical_looks(style.palette, 1)
    with journal_look(style):
        figure = empty_figure(style.panels_width_in, _HEIGHT_IN)
        axes: list[Axes] = panels(figure, len(_PANELS), 1)
        for ax, (name, label) in zip(axes, _PANELS, strict=True):
            stamp(ax, SIMULATED.upper())
            ax.stairs(over_time[name], edges_s / unit_s, color=look.color, baseline=None)
            ax.set_ylabel(label)
            ax.set_ylim(bottom=0.0)
            ax.set_xlim(0.0, edges_s[-1] / unit_s)
            plain_look(ax)
        since = f"{begins:%Y-%m-%d %H:%M} UTC" if begins else "the first request"
        axes[-1].set_xlabel(f"{unit} after {since}")
        axes[0].tick_params(labelbottom=False)
        note = f"Means over {quantity(edges_s[1])} s. Requests: 0 while none is in flight."
        return finish(figure, [note, written_out(provenance)], _alt_text(over_time, provenance))


def _alt_text(over_time: pd.DataFrame, provenance: str) -> str:
    power_w, batch = over_time["mean_power_w"], over_time["mean_batch"]
    hours = over_time["end_s"].iloc[-1] / _HOUR_S
    lasts_s = over_time["end_s"] - over_time["begin_s"]
    mean_w = float(np.average(power_w, weights=lasts_s))
    return (
        f"Power and requests in an iteration over {quantity(hours)} hours. Power is"
        f" {quantity(mean_w)} W on average, from {quantity(power_w.min())} to"
        f" {quantity(power_w.max())} W; requests in an iteration are between"
        f" {quantity(batch.min())} and {quantity(batch.max())}. {written_out(provenance)}"
    )
