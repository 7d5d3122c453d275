"""One annotated heat map over the grid of input and output lengths."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Polygon, Rectangle
from matplotlib.patheffects import withStroke

from sweetspot.config import MIN_FONT_PT

CELL_WIDTH_IN = 0.285
"""Narrowest cell that holds a number of four characters, such as 18.8, at 7 pt."""
CELL_HEIGHT_IN = 0.21

INPUT_LABEL = "Input length I (tokens)"
OUTPUT_LABEL = "Output length O (tokens)"
GAP_MARK = "\N{EN DASH}"
PEAK_NOTE = "Framed cell: highest efficiency."
CONTEXT_NOTE = "White corner: I + O beyond the model's native context."

_GAP_GREY = "0.85"
_INSIDE: Mapping[str, Any] = {
    "ha": "center",
    "va": "center",
    "fontsize": MIN_FONT_PT,
    "in_layout": False,  # it reaches nowhere out of its panel, which the layout need not measure
}
_WORD_EVERY = 2  # rows: so that any three have one between them, however many there are
_LABELS = 12  # that an axis has room for
_DARK_LETTERS_LUMINANCE = 0.25
"""On paint brighter than this, letters are black: white ones fall below a contrast of 3.5 there.

Source: WCAG 2.1, contrast ratio (L1 + 0.05) / (L2 + 0.05).
"""


def heat_map(
    ax: Axes,
    grid: pd.DataFrame,
    *,
    norm: Normalize,
    colormap: str,
    annotations: pd.DataFrame | None,
    word: str = "",
) -> None:
    """Draw a grid (rows: input lengths, columns: output lengths) with the shortest at the origin.

    Cells without a value are grey and marked with a dash; the highest one is framed. A word, such
    as that all is simulated, stands on every second line between rows, all over the panel: between
    the numbers, where it covers none and no crop of three rows can lose it.
    """
    values = grid.to_numpy(float)
    rows, columns = values.shape
    paints = mpl.colormaps[colormap]
    ax.pcolormesh(
        np.ma.masked_invalid(values),
        norm=norm,
        cmap=paints,
        edgecolors="none" if annotations is None else "white",
        linewidth=0.4,
    )
    gaps = np.argwhere(np.isnan(values)).tolist()
    for row, column in gaps:
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=_GAP_GREY, zorder=0.5))
        if annotations is not None:
            at = (column + 0.5, row + 0.5)
            ax.text(*at, GAP_MARK, **_INSIDE)
    letters = np.full(values.shape, "") if annotations is None else annotations.to_numpy(str)
    for row, column in np.argwhere((letters != "") & np.isfinite(values)).tolist():
        bright = _luminance(paints(norm(values[row, column]))) > _DARK_LETTERS_LUMINANCE
        ax.text(
            *(column + 0.5, row + 0.5, letters[row, column]),
            **_INSIDE,
            color="black" if bright else "white",
        )
    for line in range(1, rows, _WORD_EVERY) if word else ():
        ax.text(
            *(columns / 2, line, word),
            **_INSIDE,
            weight="bold",
            color="white",
            alpha=0.8,
            zorder=1,  # below frames and lines
            path_effects=[withStroke(linewidth=0.9, foreground="0.3", alpha=0.8)],
        )
    for row, column in np.argwhere(values == np.nanmax(values, initial=-np.inf)).tolist():
        frame = Rectangle((column, row), 1, 1, fill=False, edgecolor="black", linewidth=1.3)
        frame.set_clip_on(False)
        ax.add_patch(frame)
    ax.set(xlim=(0, columns), ylim=(0, rows))
    for axis, lengths in ((ax.xaxis, grid.columns), (ax.yaxis, grid.index)):
        every = -(-len(lengths) // _LABELS)
        places = range(0, len(lengths), every)
        axis.set_ticks([place + 0.5 for place in places], [str(lengths[place]) for place in places])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, pad=2)
    ax.tick_params(axis="x", rotation=0 if _fits(grid.columns) else 90)


def mark_corners(ax: Axes, marked: pd.DataFrame) -> None:
    """Put a small white triangle into the outer corner of the marked cells."""
    for row, column in _positions(marked):
        corner = [(column + 1, row + 1), (column + 0.8, row + 1), (column + 1, row + 0.73)]
        ax.add_patch(Polygon(corner, facecolor="white", edgecolor="black", linewidth=0.3))


def three_digits(value: float) -> str:
    """Return a number in at most four characters where its size allows: 0.42, 2.18, 18.8, 114."""
    if math.isnan(value):
        return ""
    if value < 0.095:
        return f"{value:.1g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(max(value, 1.0))))}f}"


def _luminance(paint: Sequence[float]) -> float:
    """Return the relative luminance of a colour (WCAG 2.1)."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in paint[:3]
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def _positions(mask: pd.DataFrame) -> list[tuple[int, int]]:
    rows, columns = mask.to_numpy(dtype=bool).nonzero()
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _fits(lengths: pd.Index) -> bool:
    """Whether tick labels of a cell's width can stand side by side."""
    return max(len(str(length)) for length in lengths) <= 4
