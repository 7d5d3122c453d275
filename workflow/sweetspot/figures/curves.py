"""Lines of energy efficiency over output length."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from sweetspot.figures.canvas import length_ticks, plain_look
from sweetspot.figures.evidence import is_true
from sweetspot.figures.heat import OUTPUT_LABEL
from sweetspot.figures.legend import LegendRoom
from sweetspot.figures.selection import gaps_note

EFFICIENCY_LABEL = "Energy efficiency (tokens/J)"
PEAK_NOTE = "Ring: sweet spot (most tokens/J of the line)."
CONTEXT_NOTE = "White marker: I + O beyond the model's native context."
REPEATS_NOTE = "Error bars: lowest and highest repeat."

MARKERS = "os^Dv<>PXp"
_Dashes = str | tuple[int, tuple[int, ...]]
_DASHES: tuple[_Dashes, ...] = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))
_PALETTES = {
    # Source: seaborn's palette of this name; named here, as importing seaborn takes a second
    "colorblind": (
        "#0173B2",
        "#DE8F05",
        "#029E73",
        "#D55E00",
        "#CC78BC",
        "#CA9161",
        "#FBAFE4",
        "#949494",
        "#ECE133",
        "#56B4E9",
    ),
    # Source: M. Okabe and K. Ito, "Color Universal Design", 2008; their yellow and black come last
    "okabe_ito": (
        "#0072B2",
        "#E69F00",
        "#009E73",
        "#D55E00",
        "#CC79A7",
        "#56B4E9",
        "#F0E442",
        "#000000",
    ),
}


@dataclass(frozen=True, slots=True)
class LineLook:
    """How one line looks; marker and dashes tell lines apart where colours cannot."""

    color: tuple[float, float, float]
    marker: str
    dashes: _Dashes = "-"
    width_pt: float = 1.1
    marker_pt: float = 4.0


def categorical_looks(palette: str, count: int) -> list[LineLook]:
    """Return looks for unordered things; past a palette's end colours repeat, markers differ."""
    looks = zip(
        map(to_rgb, cycle(_PALETTES[palette])), cycle(MARKERS), cycle(_DASHES), strict=False
    )
    return [
        LineLook(color=color, marker=marker, dashes=dashes)
        for color, marker, dashes in islice(looks, count)
    ]


def draw_curve(ax: Axes, curve: pd.DataFrame, look: LineLook, label: str) -> None:
    """Draw one line of `selection.efficiency_curve`: gaps stay gaps, the peak wears a ring."""
    ax.plot(
        curve.index.to_numpy(),
        curve["mean"],
        color=look.color,
        linestyle=look.dashes,
        linewidth=look.width_pt,
        marker=look.marker,
        markersize=look.marker_pt,
        label=label,
    )
    beyond = curve.loc[curve["beyond_context"], "mean"]
    ax.plot(
        beyond.index.to_numpy(),
        beyond,
        color=look.color,
        linestyle="none",
        marker=look.marker,
        markersize=look.marker_pt,
        markerfacecolor="white",
    )
    spread = curve[curve["high"] > curve["low"]]
    if len(spread):
        below, above = spread["mean"] - spread["low"], spread["high"] - spread["mean"]
        ax.errorbar(
            spread.index.to_numpy(),
            spread["mean"],
            yerr=[below, above],
            fmt="none",
            ecolor=look.color,
            elinewidth=0.8,
            capsize=2,
        )
    means = curve["mean"].dropna()
    if len(means):
        peak = int(means.argmax())
        ax.plot(
            means.index[[peak]].to_numpy(),
            means.iloc[[peak]],
            linestyle="none",
            marker="o",
            markersize=8,
            markerfacecolor="none",
            markeredgecolor="black",
            markeredgewidth=0.7,
        )


def dress(
    ax: Axes,
    lengths: Sequence[int],
    room: LegendRoom,
    *,
    highest: float,
    title: str,
    legend_title: str | None = None,
) -> None:
    """Give a panel of curves its axes, units, grid and legend."""
    ax.set_xscale("log", base=2)
    length_ticks(ax.xaxis, lengths)
    entries = len(ax.get_legend_handles_labels()[1])
    # NaN, where every cell of the panel failed, still gives it an axis
    ax.set_ylim(0.0, room.axis_top(highest if highest > 0 else 1.0, entries))
    ax.set_xlabel(OUTPUT_LABEL)
    ax.set_ylabel(EFFICIENCY_LABEL)
    ax.set_title(title)
    plain_look(ax)
    ax.legend(
        title=legend_title,
        loc="upper left",
        ncols=room.columns,
        frameon=False,
        handlelength=2.4,
        labelspacing=0.2,
        columnspacing=1.0,
        borderpad=0.0,
        borderaxespad=0.4,
        handletextpad=0.4,
        alignment="left",
    )


def curve_notes(drawn: pd.DataFrame) -> str:
    """Return how to read a figure of curves, as far as its cells need it."""
    beyond = is_true(drawn["beyond_native_context"]).any()
    repeated = drawn["repeat"].nunique() > 1
    notes = [
        PEAK_NOTE,
        CONTEXT_NOTE if beyond else "",
        REPEATS_NOTE if repeated else "",
        gaps_note(drawn, "Gap in a line"),
    ]
    return " ".join(filter(None, notes))
