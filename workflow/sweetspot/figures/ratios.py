"""Two runs side by side: the ratio of every common cell, one panel a model."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullFormatter

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, legend_above, panels
from sweetspot.figures.heat import OUTPUT_LABEL
from sweetspot.figures.labels import ModelLabel, label_of
from sweetspot.figures.style import (
    QUIET,
    LineLook,
    journal_look,
    least_span,
    length_ticks,
    ordered_looks,
    plain_look,
    stamp,
)
from sweetspot.figures.words import quantity

_PANEL_HEIGHT_IN = 2.2
_SPREAD = 0.36  # in octaves, of the dots of all inputs at a length, which would hide each other
_FEW = 10  # lengths that are told apart one by one
_MOST_DOTS = 2_000  # of a panel; more are an image in a PDF, too
_BAR_ALPHA = 0.4  # so that many bars together do not hide the dots


def ratios_figure(
    ratios: pd.DataFrame,
    means: Mapping[str, float],
    style: FigureStyle,
    labels: Mapping[str, ModelLabel],
    small_print: Sequence[str],
) -> Drawing:
    """Draw energy per token, B over A, against output length; a colour is an input length.

    Args:
        ratios: one row per cell, with model, input_tokens, output_tokens, simulated_a, simulated_b,
            ratio, low and high; bars go from low to high where these are not NaN.
        means: geometric mean by model, drawn as a dashed line.
        style: of all figures.
        labels: names of models.
        small_print: where the ratios and their intervals come from.
    """
    models = list(ratios["model"].unique())
    names = {model: label_of(model, labels).name for model in models}
    ratios = ratios.assign(group=_groups(ratios["input_tokens"]))
    groups = dict.fromkeys(ratios.sort_values("input_tokens")["group"])
    looks = dict(zip(groups, ordered_looks(style, len(groups)), strict=True))
    per_row = min(len(models), 3) if style.columns == 2 else 1
    width_in = style.panels_width_in if per_row > 1 else style.single_width_in
    legend: dict[str, Artist] = {}
    with journal_look(style):
        figure = empty_figure(width_in, _PANEL_HEIGHT_IN * -(-len(models) // per_row))
        axes = panels(figure, len(models), per_row)
        for place, (ax, model) in enumerate(zip(axes, models, strict=True)):
            stamp(ax, _stamped(ratios))
            _draw(ax, ratios[ratios["model"] == model], means[model], looks, legend)
            ax.set_title(names[model])
            if place % per_row == 0:
                ax.set_ylabel("Energy per output token, B / A")
        _share_scale(axes)
        legend_above(figure, legend, style.font_size_pt, "Input tokens")
        note = (
            "Dashed: geometric mean of the model's cells. Dots stand side by side at their length."
        )
        alt_text = " ".join([_alt_text(ratios, means, names), *small_print])
        return finish(figure, [note, *small_print], alt_text)


def _groups(lengths: "pd.Series[int]") -> list[str]:
    """Return what tells dots apart: the length where there are few, else its octave."""
    if lengths.nunique() <= _FEW:
        return [str(length) for length in lengths]
    powers = [int(length).bit_length() - 1 for length in lengths]
    return [f"{2**power} to {2 ** (power + 1) - 1}" if power else "1" for power in powers]


def _ticks(lengths: "pd.Series[int]") -> list[int]:
    """Return the lengths where they are few, else powers of two among them."""
    if lengths.nunique() <= _FEW:
        return sorted(lengths.unique())
    low, high = int(lengths.min()), int(lengths.max())
    return [2**power for power in range((low - 1).bit_length(), high.bit_length())]


def _stamped(ratios: pd.DataFrame) -> str:
    simulated = [side for side in "AB" if ratios[f"simulated_{side.lower()}"].any()]
    return "SIMULATED" if len(simulated) == 2 else f"{simulated[0]} SIMULATED" if simulated else ""


def _draw(
    ax: Axes,
    cells: pd.DataFrame,
    mean: float,
    looks: Mapping[str, LineLook],
    legend: dict[str, Artist],
) -> None:
    ax.axhline(1.0, color=QUIET, linewidth=0.6)
    ax.axhline(mean, color=QUIET, linewidth=0.8, linestyle="--")
    steps = max(1, len(looks) - 1)
    for place, (group, look) in enumerate(looks.items()):
        of_group = cells[cells["group"] == group]
        at = of_group["output_tokens"] * 2 ** ((place / steps - 0.5) * _SPREAD)
        known = of_group["low"].notna()
        ax.vlines(
            at[known],
            of_group.loc[known, "low"],
            of_group.loc[known, "high"],
            color=look.color,
            alpha=_BAR_ALPHA,
            linewidth=0.6,
            rasterized=len(cells) > _MOST_DOTS,
        )
        (dots,) = ax.plot(
            at,
            of_group["ratio"],
            linestyle="none",
            marker=look.marker,
            markersize=3.5,
            color=look.color,
            rasterized=len(cells) > _MOST_DOTS,
        )
        legend.setdefault(group, dots)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    least_span(ax)
    ticked = _ticks(cells["output_tokens"])
    length_ticks(ax.xaxis, ticked)
    # dots stand beside their length: the axis goes on to the first and the last tick
    ax.set_xlim(min(ax.get_xlim()[0], ticked[0]), max(ax.get_xlim()[1], ticked[-1]))
    ax.tick_params(axis="x", labelrotation=45)
    ax.set_xlabel(OUTPUT_LABEL)
    plain_look(ax)


def _share_scale(axes: list[Axes]) -> None:
    """Give all panels one scale of ratios, in numbers that people read."""
    limits = np.array([ax.get_ylim() for ax in axes])
    for ax in axes:
        ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        ax.yaxis.set_minor_formatter(NullFormatter())


def _alt_text(ratios: pd.DataFrame, means: Mapping[str, float], names: Mapping[str, str]) -> str:
    ordered = ratios.sort_values("ratio", kind="stable").iloc[[0, -1]].to_dict("records")
    lowest, highest = (
        f"{quantity(row['ratio'])} ({names[row['model']]}, {row['input_tokens']} input and "
        f"{row['output_tokens']} output tokens)"
        for row in ordered
    )
    listed = ", ".join(f"{names[model]} {quantity(mean)}" for model, mean in means.items())
    return (
        f"Energy per output token, B over A, against output length, {len(ratios)} cells: from "
        f"{lowest} to {highest}. Geometric means: {listed}."
    )
