"""Empty figures, their small print, and files of them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, NullLocator

from sweetspot.config import MIN_FONT_PT, FigureStyle
from sweetspot.files import atomic_writer

PT_PER_IN = 72.0
_LINE_HEIGHT = 1.3
_MARGIN_IN = 0.04
# Matplotlib's own date, which would make every file another one.
_NO_DATE: dict[str, dict[str, None]] = {"png": {}, "pdf": {"CreationDate": None}}


@contextmanager
def journal_look(style: FigureStyle) -> Iterator[None]:
    """Borrow matplotlib's global settings for the time that one figure is drawn."""
    size = style.font_size_pt
    with mpl.rc_context(
        {
            # DejaVu comes with matplotlib: the same letters on every machine
            "font.family": "DejaVu Sans",
            "font.size": size,
            "axes.titlesize": size,
            "axes.labelsize": size,
            "xtick.labelsize": size,
            "ytick.labelsize": size,
            "legend.fontsize": size,
            "legend.title_fontsize": size,
            "axes.linewidth": 0.6,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "lines.linewidth": 1.1,
            "lines.markersize": 4.0,
        }
    ):
        yield


def empty_figure(width_in: float, height_in: float) -> Figure:
    """Return a figure that belongs to no window and no global list."""
    layout = ConstrainedLayoutEngine(h_pad=_MARGIN_IN, w_pad=_MARGIN_IN)
    return Figure(figsize=(width_in, height_in), layout=layout)


def panels(figure: Figure, count: int, per_row: int) -> list[Axes]:
    """Return `count` axes in rows of `per_row`; places left over in the last row stay empty."""
    rows = -(-count // per_row)
    grid = figure.subplots(rows, per_row, squeeze=False)
    axes: list[Axes] = list(grid.flat)
    for unused in axes[count:]:
        unused.remove()
    return axes[:count]


def plain_look(ax: Axes) -> None:
    """Give axes a pale grid behind the data, and no frame at the top and on the right."""
    ax.grid(color="0.9", linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def length_ticks(axis: Axis, lengths: Sequence[int]) -> None:
    """Tick an axis of token counts at the lengths that were run, written in full."""
    axis.set_major_locator(FixedLocator(list(lengths)))
    axis.set_minor_locator(NullLocator())
    axis.set_ticklabels([str(length) for length in lengths])


def finish(figure: Figure, small_print: Iterable[str]) -> Figure:
    """Write the small print below the panels, lay the figure out, and freeze the layout.

    A frozen layout gives the same bytes however often and in whatever order it is saved.
    """
    width_in, height_in = figure.get_size_inches()
    lines = [line for text in small_print if text for line in _wrapped(figure, text)]
    line_in = MIN_FONT_PT * _LINE_HEIGHT / PT_PER_IN
    footer_in = len(lines) * line_in + 2 * _MARGIN_IN
    height_in += footer_in
    figure.set_size_inches(width_in, height_in)
    for index, line in enumerate(reversed(lines)):
        y_in = _MARGIN_IN + index * line_in
        figure.text(
            _MARGIN_IN / width_in, y_in / height_in, line, fontsize=MIN_FONT_PT, color="0.25"
        )
    bottom = footer_in / height_in
    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.set(rect=(0.0, bottom, 1.0, 1.0 - bottom))
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def save(figure: Figure, stem: Path, dpi: int) -> list[Path]:
    """Write `stem`.png and `stem`.pdf and return their paths.

    Files appear whole or not at all, carry no date, and have their fonts embedded as TrueType.

    Raises:
        InputError: a file cannot be written.
    """
    written = []
    for suffix, metadata in _NO_DATE.items():
        path = stem.with_name(f"{stem.name}.{suffix}")
        with mpl.rc_context({"pdf.fonttype": 42}), atomic_writer(path) as file:
            figure.savefig(file, format=suffix, dpi=dpi, metadata=metadata)
        written.append(path)
    return written


def _wrapped(figure: Figure, text: str) -> list[str]:
    """Break a line to the figure's width, at its middle dots where it has any."""
    room_px = figure.bbox.width - 2 * _MARGIN_IN * figure.dpi
    probe = figure.text(0.0, 0.0, "", fontsize=MIN_FONT_PT)

    def fits(line: str) -> bool:
        probe.set_text(line)
        return probe.get_window_extent().width <= room_px

    lines: list[str] = []
    for part in text.replace(" · ", " ·\0").split("\0"):
        for word in [part] if "·" in text and fits(part) else part.split(" "):
            if lines and fits(f"{lines[-1]} {word}"):
                lines[-1] += f" {word}"
            else:
                lines.append(word)
    probe.remove()
    return lines
