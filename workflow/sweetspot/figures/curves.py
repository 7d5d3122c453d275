"""Lines of energy efficiency over output length, and legends above them that cover no line."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import PT_PER_IN, length_ticks, plain_look
from sweetspot.figures.evidence import is_true
from sweetspot.figures.heat import OUTPUT_LABEL
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

# Of panels and their legends
_PLOT_HEIGHT_IN = 1.6  # least height of the part of a panel that holds data
_AXIS_WIDTH_IN = 0.35  # of a panel's width, for tick labels and the label of the vertical axis
_TITLE_AND_AXIS_IN = 0.6
_LEGEND_LINE_EM = 1.3
_LEGEND_HANDLE_EM = 3.9
_CHARACTER_EM = 0.62


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


@dataclass(frozen=True, slots=True)
class LegendRoom:
    """The room that all panels of one figure have.

    Attributes:
        columns: entries side by side.
        plot_height_in: height of the axes: the least that data need, and the legend.
        em_in: font size.
        titled: whether legends have a title line.
    """

    columns: int
    plot_height_in: float
    em_in: float
    titled: bool

    @property
    def panel_height_in(self) -> float:
        """Height of a whole panel, with its title and its axis."""
        return self.plot_height_in + _TITLE_AND_AXIS_IN

    def axis_top(self, highest: float, entries: int) -> float:
        """Return where the vertical axis ends, so that the legend stands above the data."""
        legend_in = _legend_height_in(entries, self.columns, self.em_in, titled=self.titled)
        return 1.05 * highest * self.plot_height_in / (self.plot_height_in - legend_in)


def legend_room(
    names: Sequence[str],
    most_entries: int,
    per_row: int,
    style: FigureStyle,
    *,
    titled: bool = False,
) -> LegendRoom:
    """Return the room for legends of these names in panels of which `per_row` share a row."""
    em_in = style.font_size_pt / PT_PER_IN
    panel_width_in = style.panels_width_in / per_row - _AXIS_WIDTH_IN
    entry_in = (_LEGEND_HANDLE_EM + _CHARACTER_EM * max(map(len, names))) * em_in
    columns = min(most_entries, max(1, int(panel_width_in / entry_in)))
    legend_in = _legend_height_in(most_entries, columns, em_in, titled=titled)
    return LegendRoom(columns, _PLOT_HEIGHT_IN + legend_in, em_in, titled)


def _legend_height_in(entries: int, columns: int, em_in: float, *, titled: bool) -> float:
    return ((-(-entries // columns) + titled) * _LEGEND_LINE_EM + 1.0) * em_in


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
