"""The look of all figures: type, lines, colours, and the word that simulated panels bear.

A family of models has one colour over all figures; its members differ by marker and dashes, which
also tell apart what colour cannot.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.ticker import (
    AutoLocator,
    FixedLocator,
    LogLocator,
    MaxNLocator,
    NullLocator,
    StrMethodFormatter,
)

from sweetspot.config import FigureStyle
from sweetspot.palettes import PALETTES, family_colours, family_of

PT_PER_IN = 72.0
QUIET = "0.4"
"""Of lines that guide the eye: zero, equality."""

MARKERS = "os^Dv<>PXp"
_Dashes = str | tuple[int, tuple[int, ...]]
_DASHES: tuple[_Dashes, ...] = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))

_SUBDIVISIONS = (
    (300.0, (1.0,)),
    (10.0, (1.0, 2.0, 5.0)),
    (3.0, (1.0, 2.0, 3.0, 5.0, 7.0)),
    (0.0, (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)),
)
_NARROW = 4 / 3  # between 3 and 4 there is none of these
_LEAST_SPAN = 1.1
_STEPS = 6
_STAMP_GREY = "0.92"
_STAMP_ZORDER = 0.1  # below the grid
_STAMP_EM = 0.78  # of a letter, on average
_STAMP = "stamp"


@dataclass(frozen=True, slots=True)
class LineLook:
    """How one line looks; marker and dashes tell lines apart where colours cannot."""

    color: tuple[float, float, float]
    marker: str
    dashes: _Dashes = "-"
    width_pt: float = 1.1
    marker_pt: float = 4.0


@contextmanager
def boxes_for_unknown_letters() -> Iterator[None]:
    """Draw names in letters that DejaVu lacks without a warning for each; alt texts have them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


@contextmanager
def journal_look(style: FigureStyle) -> Iterator[None]:
    """Borrow matplotlib's global settings for the time that one figure is drawn."""
    size = style.font_size_pt
    with (
        boxes_for_unknown_letters(),
        mpl.rc_context(
            {
                # DejaVu comes with matplotlib: the same letters on every machine
                "font.family": "DejaVu Sans",
                # laid out as the file has it, so that each text is measured once
                "figure.dpi": style.dpi,
                "font.size": size,
                "text.parse_math": False,  # a dollar in a model's name is a dollar
                "axes.titlesize": size,
                "axes.titley": 1.0,  # no ticks at the top that each pass would look out for
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
        ),
    ):
        yield


def categorical_looks(palette: str, count: int) -> list[LineLook]:
    """Return looks for unordered things; past a palette's end colours repeat, markers differ."""
    looks = zip(map(to_rgb, cycle(PALETTES[palette])), cycle(MARKERS), cycle(_DASHES), strict=False)
    return [
        LineLook(color=color, marker=marker, dashes=dashes)
        for color, marker, dashes in islice(looks, count)
    ]


def model_looks(palette: str, models: Sequence[str]) -> dict[str, LineLook]:
    """Return a look for each model: its family's colour, and a marker of its own within it."""
    members: dict[str, list[str]] = {}
    for model in models:
        members.setdefault(family_of(model), []).append(model)
    colors = family_colours(palette, members)
    # lines of one colour begin with other markers
    before: Counter[str] = Counter()
    shift = {}
    for family, color in colors.items():
        shift[family] = before[color]
        before[color] += 1
    return {
        model: LineLook(
            color=to_rgb(colors[family]),
            marker=MARKERS[(place + shift[family]) % len(MARKERS)],
            dashes=_DASHES[(place + shift[family]) % len(_DASHES)],
        )
        for family, those in members.items()
        for place, model in enumerate(those)
    }


def ordered_looks(style: FigureStyle, count: int) -> list[LineLook]:
    """Return looks for an ordered quantity.

    Lines that coincide stay visible: drawn in this order, they are from wide to narrow. The
    lightest end of the colour scale would vanish on white.
    """
    colors = mpl.colormaps[style.colormap](np.linspace(0.0, 0.85, count))
    return [
        LineLook(
            color=(red, green, blue),
            marker=MARKERS[index % len(MARKERS)],
            width_pt=2.4 - 1.7 * index / count,
            marker_pt=5.5 - 2.5 * index / count,
        )
        for index, (red, green, blue, _) in enumerate(colors)
    ]


def plain_look(ax: Axes) -> None:
    """Give axes a pale grid behind the data, and no frame at the top and on the right.

    A linear axis gets as many ticks whatever its room: Matplotlib's own number hangs on the
    resolution, too, so that a file would have wider numbers than its layout left room for.
    """
    for axis in (ax.xaxis, ax.yaxis):
        if isinstance(axis.get_major_locator(), AutoLocator):
            axis.set_major_locator(round_ticks(_STEPS))
    ax.grid(color="0.9", linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def length_ticks(axis: Axis, lengths: Sequence[int], most: int = 8) -> None:
    """Tick a logarithmic axis at lengths that were run, written in full, as many as have room."""
    ticked = spaced(lengths, most)
    axis.set_major_locator(FixedLocator(ticked))
    axis.set_minor_locator(NullLocator())
    axis.set_ticklabels([str(length) for length in ticked])


def spaced(lengths: Sequence[int], most: int) -> list[int]:
    """Return at most so many of some rising lengths, apart on a logarithmic axis.

    The first and the last are among them: without these an axis says not how far it goes.
    """
    first, *others = lengths
    least = (1 + 1e-9) * (lengths[-1] / first) ** (1 / most)  # powers of two lie on the edge
    kept = [first]
    for length in others:
        if length > least * kept[-1]:
            kept.append(length)
    if others and kept[-1] != others[-1]:
        kept[max(1, len(kept) - 1) :] = [others[-1]]  # in the place of one that is too near it
    return kept


def least_span(ax: Axes) -> None:
    """Give a logarithmic vertical axis 10 % at least, so that equal values are a flat line.

    Without it the scale is of rounding errors, or of two decades where there is no error.
    """
    low, high = ax.dataLim.intervaly
    if high < _LEAST_SPAN * low:
        room = _LEAST_SPAN**0.5
        ax.set_ylim(low / room, high * room)


def round_ticks(most: int) -> MaxNLocator:
    """Return a locator of at most so many steps from tick to tick, of 1, 2, 2.5 or 5 each."""
    return MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])


def decimal_ticks(axis: Axis) -> None:
    """Tick a logarithmic axis at some of each decade, the fewer the more there are, in full."""
    low, high = axis.get_view_interval()
    subs = next(subs for ratio, subs in _SUBDIVISIONS if high > ratio * low)
    wide = high > _NARROW * low
    narrow = MaxNLocator(5, steps=[1, 2, 5, 10])
    axis.set_major_locator(LogLocator(base=10, subs=subs) if wide else narrow)
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def stamp(ax: Axes, word: str) -> None:
    """Write a word across a panel, behind all that it shows, where no crop can lose it."""
    if word:
        ax.text(
            *(0.5, 0.5, word),
            transform=ax.transAxes,
            ha="center",
            va="center",
            color=_STAMP_GREY,
            weight="bold",
            zorder=_STAMP_ZORDER,
            gid=_STAMP,
        ).set_in_layout(False)


def fit_stamps(ax: Axes, least_pt: float) -> None:
    """Set the words that `stamp` wrote as large as the panel has room for."""
    box = ax.get_window_extent()
    dpi = ax.get_figure(root=True).dpi  # type: ignore[union-attr]  # axes of a figure have one
    width_pt, height_pt = (side * PT_PER_IN / dpi for side in (box.width, box.height))
    for text in ax.texts:
        if text.get_gid() == _STAMP:
            letters = max(1, len(text.get_text()))
            fitting_pt = min(0.85 * width_pt / (_STAMP_EM * letters), 0.3 * height_pt)
            text.set_fontsize(max(least_pt, fitting_pt))
