"""What the paper's way of reading power makes of a run, and of alpha5."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from sweetspot.catalog import catalog_entry
from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, panels
from sweetspot.figures.evidence import SIMULATED
from sweetspot.figures.labels import written_out
from sweetspot.figures.style import (
    QUIET,
    LineLook,
    categorical_looks,
    journal_look,
    plain_look,
    stamp,
)
from sweetspot.figures.words import quantity

SHORT_S = 20.0
"""Runs up to this long show how far one series of readings may be from their mean."""

_HEIGHT_IN = 2.6
_DURATIONS_S = (2, 10, 60, 600, 3600)


def sensor_figure(
    cells: pd.DataFrame, alpha5: pd.DataFrame, style: FigureStyle, provenance: str
) -> Drawing:
    """Draw each cell's error against its duration, and each model's alpha5.

    Args:
        cells: with model, duration_s and the energies of `sweetspot.ask.sensor_error`.
        alpha5: by model: published, truth, with_tail, without_tail.
        style: of all figures.
        provenance: where the cells come from.
    """
    tail, none, stated = categorical_looks(style.palette, 3)
    with journal_look(style):
        per_row = 2 if style.columns == 2 else 1
        figure = empty_figure(style.panels_width_in, _HEIGHT_IN * (3 - per_row))
        left, right = panels(figure, 2, per_row)
        _draw_errors(left, cells, tail, none)
        _draw_alpha5(right, alpha5, tail, none, stated)
        stamp(left, SIMULATED.upper())  # right stands what was published, too
        note = (
            f"Bars: lowest and highest by when the first reading falls, runs up to {SHORT_S:g} s."
            f" One dot a cell, {len(alpha5)} models."
        )
        errors = {
            column: 100 * (cells[column] / cells["truth_j"] - 1).abs().max()
            for column in ("with_tail_j", "without_tail_j")
        }
        alt_text = (
            "What the power sensor's readings make of each run's energy, against its duration, and"
            " of each model's alpha5. Readings are at most"
            f" {quantity(errors['with_tail_j'])} % off the true energy where the window ends 1 s"
            f" after the run, and {quantity(errors['without_tail_j'])} % where it ends with the"
            f" run. alpha5 is {_range(alpha5['truth'])} J of the true energy,"
            f" {_range(alpha5['with_tail'])} J as read with that second,"
            f" {_range(alpha5['without_tail'])} J without, and {_range(alpha5['published'])} J as"
            f" published. {written_out(provenance)}"
        )
        return finish(figure, [note, written_out(provenance)], alt_text)


def _range(values: "pd.Series[float]") -> str:
    least, most = (round(float(end), 2) + 0.0 for end in (values.min(), values.max()))
    return f"{least:.2f} to {most:.2f}"


def _draw_errors(ax: Axes, cells: pd.DataFrame, tail: LineLook, none: LineLook) -> None:
    truth_j, duration_s = cells["truth_j"], cells["duration_s"]

    def error(column: str) -> pd.Series:
        return 100 * (cells[column] / truth_j - 1)

    ax.axhline(0.0, color=QUIET, linewidth=0.6)
    short = duration_s <= SHORT_S
    ax.vlines(
        duration_s[short],
        error("least_phase_j")[short],
        error("most_phase_j")[short],
        color=tail.color,
        linewidth=0.6,
        alpha=0.5,
    )
    for column, look, label in (
        ("with_tail_j", tail, "window ends 1 s after the run"),
        ("without_tail_j", none, "window ends with the run"),
    ):
        ax.plot(
            duration_s,
            error(column),
            linestyle="none",
            marker=look.marker,
            markersize=2.0,
            color=look.color,
            label=label,
        )
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(list(_DURATIONS_S)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_xlabel("Duration of the run (s)")
    ax.set_ylabel("Energy read against true energy (%)")
    ax.set_title("Error of the reading")
    plain_look(ax)
    ax.legend(loc="upper right", frameon=False, markerscale=2.0)


def _draw_alpha5(
    ax: Axes, alpha5: pd.DataFrame, tail: LineLook, none: LineLook, stated: LineLook
) -> None:
    places = range(len(alpha5))[::-1]
    ax.hlines(places, alpha5["without_tail"], alpha5["with_tail"], color="0.8", linewidth=1.0)
    for column, look, label in (
        ("published", stated, "published"),
        ("truth", LineLook((0.25, 0.25, 0.25), "|"), "true energy, simulated"),
        ("with_tail", tail, "read, window ends 1 s later"),
        ("without_tail", none, "read, window ends with the run"),
    ):
        ax.plot(
            alpha5[column],
            places,
            linestyle="none",
            marker=look.marker,
            markersize=7.0 if look.marker == "|" else 3.5,
            color=look.color,
            label=label,
            clip_on=False,
        )
    ax.set_yticks(list(places), [catalog_entry(str(model)).name for model in alpha5.index])
    ax.set_xlim(left=min(0.0, 1.1 * float(alpha5.to_numpy(float).min())))
    ax.set_xlabel("alpha5 of Eq. 5 (J per request)")
    ax.set_title("alpha5, true and read")
    plain_look(ax)
    ax.legend(loc="upper right", frameon=False, handletextpad=0.2)
