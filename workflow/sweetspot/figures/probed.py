"""What a board's kernels reached and drew: roofline, power against work and against clock."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from sweetspot.catalog import Gpu
from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, legend_above, panels
from sweetspot.figures.style import (
    QUIET,
    LineLook,
    categorical_looks,
    decimal_ticks,
    journal_look,
    length_ticks,
    plain_look,
    stamp,
)
from sweetspot.figures.words import quantity
from sweetspot.words import counted

_HEIGHT_IN = 2.5
_KINDS = {
    "gemm": "Matrix product",
    "gemm zeros": "Matrix product, zeros",
    "attention": "Decode attention",
    "attention fp8": "Decode attention, FP8 cache",
    "stack": "Decoder layers",
    "copy": "Copy",
    "read": "Read",
    "norm": "Norm",
    "tick": "Small kernels",
    "wait": "Waiting",
}


def roofline_figure(
    steps: pd.DataFrame, board: Gpu, style: FigureStyle, small_print: Sequence[str], stamped: str
) -> Drawing:
    """Draw FLOP/s and bytes per second of kernels over their arithmetic intensity.

    Args:
        steps: one row a step: `group`, flop_per_byte, flops_per_s, bytes_per_s; intensity is NaN
            where a kernel computes or moves nothing.
        board: its peaks are the roof.
        style: of all figures.
        small_print: where the numbers come from.
        stamped: a word across the panels; "" for none.
    """
    shown = steps[steps["flop_per_byte"] > 0]
    ridge = board.fp16_flops / board.bandwidth_bytes_per_s
    ends = 0.5 * shown["flop_per_byte"].min(), 2 * shown["flop_per_byte"].max()
    intensity = np.unique(np.clip([ends[0], ridge, ends[1]], *ends))
    with journal_look(style):
        figure, axes = _two(style)
        legend: dict[str, Artist] = {}
        for ax, column, unit, roof, label in (
            (
                *(axes[0], "flops_per_s", 1e12),
                np.minimum(board.fp16_flops, intensity * board.bandwidth_bytes_per_s),
                "TFLOP/s",
            ),
            (
                *(axes[1], "bytes_per_s", 1e9),
                np.minimum(board.bandwidth_bytes_per_s, board.fp16_flops / intensity),
                "GB/s",
            ),
        ):
            stamp(ax, stamped)
            (line,) = ax.plot(intensity, roof / unit, color=QUIET, linewidth=0.8)
            legend.setdefault("Data sheet", line)
            _dots(ax, shown, "flop_per_byte", column, unit, style, legend)
            ax.set_xscale("log")
            ax.set_yscale("log")
            for axis in (ax.xaxis, ax.yaxis):
                decimal_ticks(axis)
            ax.set_xlabel("FLOP per byte")
            ax.set_ylabel(label)
        legend_above(figure, legend, style.font_size_pt)
        best = [shown[name].max() for name in ("flops_per_s", "bytes_per_s")]
        share = [best[0] / board.fp16_flops, best[1] / board.bandwidth_bytes_per_s]
        alt_text = (
            f"Rates of {counted(len(shown), 'kernel')} over their FLOP per byte, beside the data"
            f" sheet's roof. At most {quantity(best[0] / 1e12)} TFLOP/s ({100 * share[0]:.0f} % of"
            f" the peak) and {quantity(best[1] / 1e9)} GB/s ({100 * share[1]:.0f} %)."
            f" {_origin(small_print, stamped)}"
        )
        return finish(figure, ["One dot a kernel.", *small_print], alt_text)


def power_figure(
    steps: pd.DataFrame, board: Gpu, style: FigureStyle, small_print: Sequence[str], stamped: str
) -> Drawing:
    """Draw what matrix products draw by their rows, and what all kernels draw by their clock.

    Args:
        steps: one row a step: `group`, rows (NaN where it is none of the large products), power_w,
            clock_mhz.
        board: its power limit is a line.
        style: of all figures.
        small_print: where the numbers come from.
        stamped: a word across the panels; "" for none.
    """
    with journal_look(style):
        figure, (by_rows, by_clock) = _two(style)
        legend: dict[str, Artist] = {}
        for ax in (by_rows, by_clock):
            stamp(ax, stamped)
            limit = ax.axhline(board.power_limit_w, color=QUIET, linewidth=0.8, linestyle="--")
            legend.setdefault("Power limit", limit)
            ax.set_ylabel("Mean power (W)")
        products = steps[steps["rows"].notna()].sort_values("rows")
        _dots(by_rows, products, "rows", "power_w", 1.0, style, legend, lines=True)
        by_rows.set_xscale("log", base=2)
        if not products.empty:
            length_ticks(by_rows.xaxis, sorted(set(products["rows"].astype(int))))
        by_rows.set_xlabel("Rows m of m × 8192 × 8192")
        _dots(by_clock, steps[steps["clock_mhz"] > 0], "clock_mhz", "power_w", 1.0, style, legend)
        by_clock.set_xlabel("Mean SM clock (MHz)")
        for ax in (by_rows, by_clock):
            ax.set_ylim(bottom=0)
        legend_above(figure, legend, style.font_size_pt)
        highest = steps.sort_values("power_w").iloc[-1]
        alt_text = (
            f"Mean power of {counted(len(steps), 'kernel')} by rows of a product and by clock: from"
            f" {quantity(steps['power_w'].min())} W to {quantity(highest['power_w'])} W"
            f" ({highest['id']}); the limit is {quantity(board.power_limit_w)} W."
            f" {_origin(small_print, stamped)}"
        )
        return finish(figure, ["One dot a kernel.", *small_print], alt_text)


def _origin(small_print: Sequence[str], stamped: str) -> str:
    """Return where the numbers come from, as alternative texts say it."""
    return " ".join(f"{part}." for part in [*small_print, stamped] if part)


def _two(style: FigureStyle) -> tuple[Drawing, list[Axes]]:
    per_row = 2 if style.columns == 2 else 1
    width_in = style.panels_width_in if per_row > 1 else style.single_width_in
    figure = empty_figure(width_in, _HEIGHT_IN * (3 - per_row))
    axes = panels(figure, 2, per_row)
    for ax in axes:
        plain_look(ax)
    return figure, axes


def _dots(
    ax: Axes,
    steps: pd.DataFrame,
    x: str,
    y: str,
    unit: float,
    style: FigureStyle,
    legend: dict[str, Artist],
    *,
    lines: bool = False,
) -> None:
    looks: dict[str, LineLook] = dict(
        zip(_KINDS, categorical_looks(style.palette, len(_KINDS)), strict=True)
    )
    for group, name in _KINDS.items():
        of = steps[steps["group"] == group]
        if of.empty:
            continue
        look = looks[group]
        (dots,) = ax.plot(
            of[x],
            of[y] / unit,
            linestyle=look.dashes if lines else "none",
            marker=look.marker,
            color=look.color,
        )
        legend.setdefault(name, dots)
