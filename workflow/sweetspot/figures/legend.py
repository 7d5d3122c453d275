"""Room for legends above the data of panels, so that they never cover a line."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import PT_PER_IN

_PLOT_HEIGHT_IN = 1.6  # least height of the part of a panel that holds data
_AXIS_WIDTH_IN = 0.35  # of a panel's width, for tick labels and the label of the vertical axis
_TITLE_AND_AXIS_IN = 0.6
_LEGEND_LINE_EM = 1.3
_LEGEND_HANDLE_EM = 3.9
_CHARACTER_EM = 0.62


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
