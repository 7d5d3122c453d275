"""Two runs side by side: the ratio of every common cell, one panel a model."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullFormatter

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import (
    empty_figure,
    finish,
    journal_look,
    length_ticks,
    panels,
    plain_look,
)
from sweetspot.figures.curves import LineLook, categorical_looks
from sweetspot.figures.heat import OUTPUT_LABEL
from sweetspot.figures.labels import ModelLabel, label_of

_PANEL_HEIGHT_IN, _LEGEND_HEIGHT_IN = 2.3, 0.5
_PER_IN = 1  # entries of the legend that fit an inch
_BAR_ALPHA = 0.4  # many bars together must not hide the dots
_SPREAD = 0.03  # of an octave between the dots of neighbouring inputs, which would cover each other


def ratios_figure(
    ratios: pd.DataFrame,
    means: Mapping[str, float],
    style: FigureStyle,
    labels: Mapping[str, ModelLabel],
    small_print: Sequence[str],
) -> Figure:
    """Draw energy per token, B over A, against output length; a colour is an input length.

    Args:
        ratios: one row per cell, with model, input_tokens, output_tokens, ratio, low and high; bars
            go from low to high where these are not NaN.
        means: geometric mean by model, drawn as a dashed line.
        style: of all figures.
        labels: names of models.
        small_print: where the ratios and their intervals come from.
    """
    models = list(ratios["model"].unique())
    inputs = sorted(ratios["input_tokens"].unique())
    looks = dict(zip(inputs, categorical_looks(style.palette, len(inputs)), strict=True))
    per_row = min(len(models), 3) if style.columns == 2 else 1
    with journal_look(style):
        rows = -(-len(models) // per_row)
        width_in = style.panels_width_in if per_row > 1 else style.single_width_in
        figure = empty_figure(width_in, _PANEL_HEIGHT_IN * rows + _LEGEND_HEIGHT_IN)
        axes = panels(figure, len(models), per_row)
        for place, (ax, model) in enumerate(zip(axes, models, strict=True)):
            _draw(ax, ratios[ratios["model"] == model], means[model], looks)
            ax.set_title(label_of(model, labels).name)
            if place % per_row == 0:
                ax.set_ylabel("Energy per output token, B / A")
        _share_heights(axes)
        figure.legend(
            *axes[0].get_legend_handles_labels(),
            title="Input tokens",
            loc="outside upper center",
            ncols=min(len(inputs), _PER_IN * round(width_in)),
            frameon=False,
        )
        note = "Dashed: geometric mean of the model's cells."
        return finish(figure, [note, *small_print])


def _draw(ax: Axes, cells: pd.DataFrame, mean: float, looks: Mapping[int, LineLook]) -> None:
    ax.axhline(1.0, color="0.4", linewidth=0.6)
    ax.axhline(mean, color="0.4", linewidth=0.8, linestyle="--")
    middle = (len(looks) - 1) / 2
    for place, (length, look) in enumerate(looks.items()):
        of_length = cells[cells["input_tokens"] == length]
        ratio = of_length["ratio"]
        bars = np.array([ratio - of_length["low"], of_length["high"] - ratio])
        ax.errorbar(
            of_length["output_tokens"] * 2 ** ((place - middle) * _SPREAD * 2),
            ratio,
            yerr=np.nan_to_num(bars),
            linestyle="none",
            marker=look.marker,
            markersize=3.5,
            elinewidth=0.6,
            ecolor=(*look.color, _BAR_ALPHA),
            color=look.color,
            label=str(length),
        )
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    length_ticks(ax.xaxis, sorted(cells["output_tokens"].unique()))
    ax.tick_params(axis="x", labelrotation=45)
    ax.set_xlabel(OUTPUT_LABEL)
    plain_look(ax)


def _share_heights(axes: list[Axes]) -> None:
    """Give all panels one scale of ratios, in numbers that people read."""
    limits = np.array([ax.get_ylim() for ax in axes])
    for ax in axes:
        ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        ax.yaxis.set_minor_formatter(NullFormatter())
