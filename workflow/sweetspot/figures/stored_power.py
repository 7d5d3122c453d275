"""Power as a store has it, beside the traces that it came from."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, legend_above, panels
from sweetspot.figures.evidence import SIMULATED
from sweetspot.figures.labels import written_out
from sweetspot.figures.style import categorical_looks, journal_look, plain_look, stamp

MOST_PANELS = 4
_PANEL_IN = 1.5
_WINDOW_ZORDER = -10  # behind what is stamped across a panel


@dataclass(frozen=True, slots=True)
class StoredPower:
    """One board.

    Attributes:
        title: what it is called.
        traces: times in s since its first sample, and powers in W, of each cell.
        stored: the same of all that the store gave back.
        windows: what was measured, in s since the first sample.
    """

    title: str
    traces: Sequence[tuple[Sequence[float], Sequence[float]]]
    stored: tuple[Sequence[float], Sequence[float]]
    windows: Sequence[tuple[float, float]]
    simulated: bool


def stored_power_figure(
    boards: Sequence[StoredPower], style: FigureStyle, provenance: str
) -> Drawing:
    """Draw a panel for each of the first boards: traces as lines, what is stored as dots."""
    shown = boards[:MOST_PANELS]
    look, other = categorical_looks(style.palette, 2)
    with journal_look(style):
        figure = empty_figure(style.panels_width_in, _PANEL_IN * (len(shown) + 0.4))
        axes: list[Axes] = panels(figure, len(shown), 1)
        entries: dict[str, Artist] = {}
        for ax, board in zip(axes, shown, strict=True):
            if board.simulated:
                stamp(ax, SIMULATED.upper())
            for start_s, end_s in board.windows:
                entries["window of a cell"] = ax.axvspan(
                    *(start_s, end_s), color="0.93", lw=0, zorder=_WINDOW_ZORDER
                )
            for t_s, power_w in board.traces:
                (entries["trace"],) = ax.plot(t_s, power_w, color=look.color, lw=1.0)
            (entries["as stored"],) = ax.plot(
                *board.stored, ls="", marker=".", ms=3.5, color=other.color, mec="none"
            )
            ax.set_title(board.title)
            ax.set_ylabel("Power (W)")
            ax.set_ylim(bottom=0.0)
            plain_look(ax)
        axes[-1].set_xlabel("Seconds after the first sample")
        legend_above(figure, entries, style.font_size_pt)
        more = len(boards) - len(shown)
        left_out = f"{more} more boards or simulated cells are left out." if more else ""
        return finish(figure, [left_out, written_out(provenance)], _alt_text(shown, provenance))


def _alt_text(boards: Sequence[StoredPower], provenance: str) -> str:
    said = [
        f"{board.title}: {sum(len(t_s) for t_s, _ in board.traces)} samples in traces,"
        f" {len(board.stored[0])} in the store, {len(board.windows)} windows shaded,"
        f" {max(board.stored[1], default=0.0):.0f} W at most."
        for board in boards
    ]
    return f"Power against time, of traces and as stored. {' '.join(said)} {provenance}"
