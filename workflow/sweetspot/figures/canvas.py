"""Empty figures, their panels and legends, their small print, and files of them."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from fontTools import subset
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from sweetspot.config import MIN_FONT_PT
from sweetspot.figures.style import PT_PER_IN, boxes_for_unknown_letters, fit_stamps
from sweetspot.files import atomic_writer, write_text_atomic

ALT_SUFFIX = ".alt.txt"
_ALT_COLUMNS = 88
_LINE_HEIGHT = 1.3
_MARGIN_IN = 0.04
_TITLE_ROOM = 1.15  # of a panel's width
_SURE = 0.98  # at another resolution letters are a little wider
_PNG_LEVEL = 4  # of compression
_LEGEND_HANDLE_EM = 3.4
_CHARACTER_EM = 0.62
_LEGEND_LOOK: Mapping[str, Any] = {
    "frameon": False,
    "handlelength": 2.4,
    "labelspacing": 0.2,
    "columnspacing": 1.0,
    "borderpad": 0.0,
    "handletextpad": 0.4,
}
# Matplotlib's own date, which would make every file another one.
_NO_DATE: dict[str, Any] = {"CreationDate": None}


class Drawing(Figure):
    """A figure, and in words what it shows, for who cannot see it.

    Attributes:
        alt_text: what is drawn and what is found, in numbers.
    """

    alt_text: str = ""
    canvas: FigureCanvasAgg


def empty_figure(width_in: float, height_in: float) -> Drawing:
    """Return a figure that belongs to no window and no global list."""
    layout = ConstrainedLayoutEngine(h_pad=_MARGIN_IN, w_pad=_MARGIN_IN)
    figure = Drawing(figsize=(width_in, height_in), layout=layout)
    FigureCanvasAgg(figure)  # becomes the figure's own: one renderer measures each text once
    return figure


def panels(figure: Figure, count: int, per_row: int, *, sharey: bool = False) -> list[Axes]:
    """Return `count` axes in rows of `per_row`; places left over in the last row stay empty."""
    rows = -(-count // per_row)
    grid = figure.subplots(rows, per_row, squeeze=False, sharey=sharey)
    axes: list[Axes] = list(grid.flat)
    for ax in axes:
        ax.spines[:].set_in_layout(False)  # the labels beside them are looked at, and reach further
    for unused in axes[count:]:
        unused.remove()
    return axes[:count]


def legend_above(
    figure: Figure, entries: Mapping[str, Artist], font_pt: float, title: str = ""
) -> None:
    """Write one legend for all panels above them, with room of its own."""
    if not entries:
        return
    width_in = figure.get_size_inches()[0]
    entry_in = (_LEGEND_HANDLE_EM + _CHARACTER_EM * max(map(len, entries))) * font_pt / PT_PER_IN
    columns = min(len(entries), max(1, int(width_in / entry_in)))
    lines = -(-len(entries) // columns)
    columns = -(-len(entries) // lines)  # no more than fill these lines
    height_in = (lines + bool(title) + 1) * font_pt * _LINE_HEIGHT / PT_PER_IN
    figure.set_size_inches(width_in, figure.get_size_inches()[1] + height_in)
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside upper center",
        ncols=columns,
        title=title or None,
        **_LEGEND_LOOK,
    )


def legend_below(ax: Axes, columns: int) -> None:
    """Write a panel's own legend below its axis, with room of its own."""
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=columns, **_LEGEND_LOOK)


def finish(figure: Drawing, small_print: Iterable[str], alt_text: str) -> Drawing:
    """Write the small print below the panels, lay the figure out, and freeze the layout.

    A frozen layout gives the same bytes however often and in whatever order it is saved.
    """
    figure.alt_text = alt_text
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
        layout.execute(figure)
        if _break_titles(figure):
            layout.execute(figure)
    figure.set_layout_engine("none")
    for ax in figure.axes:
        fit_stamps(ax, MIN_FONT_PT)
    return figure


def _break_titles(figure: Figure) -> bool:
    """Break titles that would run into the next panel's, such as long names of models."""
    broken = False
    for ax in figure.axes:
        title = ax.title
        width_px, room_px = title.get_window_extent().width, _TITLE_ROOM * ax.bbox.width
        if width_px > room_px:
            text = title.get_text()
            columns = max(1, int(len(text) * room_px / width_px))
            title.set_text(textwrap.fill(text, columns))
            broken = True
    return broken


def save(figure: Drawing, stem: Path, dpi: int) -> list[Path]:
    """Write `stem`.png, `stem`.pdf and, with its alternative text, `stem`.alt.txt.

    Files appear whole or not at all, carry no date, and have their fonts embedded as TrueType.

    Returns:
        Their paths.

    Raises:
        InputError: a file cannot be written.
    """
    figure.set_dpi(dpi)
    written = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("png", "pdf")]
    png, pdf = written
    canvas = figure.canvas
    # savefig() would draw each file twice, to lay out what `finish` has laid out and frozen.
    with mpl.rc_context({"pdf.fonttype": 42}), boxes_for_unknown_letters():
        with atomic_writer(png) as file:
            canvas.draw()  # type: ignore[no-untyped-call]
            # Without its alpha, which is 1 all over, and at this level it is written in half the
            # time, and smaller.
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            image = Image.fromarray(pixels).convert("RGB")
            image.save(file, "png", dpi=(dpi, dpi), compress_level=_PNG_LEVEL)
        with atomic_writer(pdf) as file, _outlines_only():
            FigureCanvasPdf(figure).print_pdf(file, metadata=_NO_DATE)  # type: ignore[no-untyped-call]
    figure.set_canvas(canvas)  # the one for PDFs has taken its place
    alt = stem.with_name(stem.name + ALT_SUFFIX)
    lines = textwrap.fill(figure.alt_text, _ALT_COLUMNS, break_on_hyphens=False)
    write_text_atomic(alt, f"{lines}\n")
    return [*written, alt]


class _OutlinesOnly(subset.Options):  # type: ignore[misc]  # fontTools has no types
    """Leaves out what a font says of kerning and ligatures.

    A PDF places each glyph itself, and these tables take longer to cut down than all the others.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.drop_tables += ["GDEF", "GPOS", "GSUB"]


@contextmanager
def _outlines_only() -> Iterator[None]:
    """Have Matplotlib embed fonts with `_OutlinesOnly`; it asks for no options of one's own."""
    options, subset.Options = subset.Options, _OutlinesOnly
    try:
        yield
    finally:
        subset.Options = options


def wrapped(figure: Figure, text: str, width_in: float) -> list[str]:
    """Break a text into lines of at most this width, at its middle dots where it has any."""
    room_px = _SURE * width_in * figure.dpi
    probe = figure.text(0.0, 0.0, "", fontsize=MIN_FONT_PT)

    @cache
    def width_px(word: str) -> float:
        probe.set_text(word)
        return probe.get_window_extent().width

    def fits(line: str) -> bool:
        words = line.split(" ")
        return sum(map(width_px, words)) + (len(words) - 1) * width_px(" ") <= room_px

    lines: list[str] = []
    flows = False
    for part in text.replace(" · ", " ·\0").split("\0"):
        words = part.replace(" %", "\0%").split(" ")  # numbers keep their %
        whole = "·" in text and fits(part) and not flows
        flows = not fits(part)  # what follows a part of several lines goes on in its last one
        for word in [part] if whole else [w.replace("\0", " ") for w in words]:
            if lines and fits(f"{lines[-1]} {word}"):
                lines[-1] += f" {word}"
            else:
                lines.append(word)
    probe.remove()
    return lines


def _wrapped(figure: Figure, text: str) -> list[str]:
    return wrapped(figure, text, figure.get_size_inches()[0] - 2 * _MARGIN_IN)
