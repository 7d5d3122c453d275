"""Candidates for a load: energy per request against latency, and the front of those that serve."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, legend_above
from sweetspot.figures.evidence import SIMULATED
from sweetspot.figures.labels import (
    board_name,
    catalog_labels,
    engine_name,
    label_of,
    written_out,
)
from sweetspot.figures.style import (
    QUIET,
    LineLook,
    categorical_looks,
    decimal_ticks,
    journal_look,
    model_looks,
    plain_look,
    stamp,
)
from sweetspot.figures.words import quantity
from sweetspot.words import counted

_HEIGHT_IN = 2.9
_LATENCIES = {
    "e2e_p95_s": "Time to the last token, p95 (s)",
    "tpot_p95_s": "Time per output token, p95 (s)",
}
_BAR_ALPHA = 0.45
_MOST_NUMBERED = 40
_ENERGY = "energy_per_request_j"


def front_figure(
    table: pd.DataFrame,
    latency: str,
    target_s: float | None,
    style: FigureStyle,
    small_print: Sequence[str],
) -> Drawing:
    """Draw candidates that serve the load; those that miss a target are hollow.

    Args:
        table: a row a candidate, as `Choice.table`.
        latency: the column of the horizontal axis.
        target_s: that it must not pass; None where it may be any.
        style: of all figures.
        small_print: the load and its targets.
    """
    drawn = table[table[latency].notna()]
    name = "model" if drawn["model"].nunique() > 1 else "gpu"
    kinds = list(drawn[name].unique())
    looks = _looks(style, name, kinds)
    names = _names(name, kinds)
    with journal_look(style):
        figure = empty_figure(style.single_width_in * 1.5, _HEIGHT_IN)
        ax = figure.subplots()
        stamp(ax, SIMULATED.upper())
        front = sorted(_lowest(drawn[drawn["on_front"]], latency))
        ax.plot(
            [at for at, _ in front],
            [energy_j for _, energy_j in front],
            drawstyle="steps-post",
            color=QUIET,
            linewidth=0.9,
        )
        for _, row in drawn.iterrows():
            _point(ax, row, latency, looks[row[name]], numbered=len(drawn) <= _MOST_NUMBERED)
        if target_s is not None:
            ax.axvline(target_s, color=QUIET, linewidth=0.8, linestyle="--")
        ax.set_xlabel(_LATENCIES[latency])
        ax.set_ylabel("Energy per request (J)")
        if len(drawn):
            ax.set_xscale("log")
            ax.set_yscale("log")
            decimal_ticks(ax.xaxis)
            decimal_ticks(ax.yaxis)
        plain_look(ax)
        legend_above(figure, _legend(looks, names), style.font_size_pt)
        missing = len(table) - len(drawn)
        notes = [
            "Hollow: misses a target. Large: on the front, which is of throughput per GPU, too."
            " Bars: interval of energy. Numbers: candidates, as printed."
            + " Dashed: target."
            * (target_s is not None),
            f"Not drawn: {_undrawn(missing)}." * (missing > 0),
        ]
        return finish(
            figure,
            [*notes, *small_print, _provenance(drawn)],
            _alt_text(drawn, latency, missing),
        )


def _looks(style: FigureStyle, name: str, kinds: Sequence[str]) -> dict[str, LineLook]:
    """Return the look of each model, of its family's colour, or else of each board."""
    if name == "model":
        return model_looks(style.palette, kinds)
    return dict(zip(kinds, categorical_looks(style.palette, len(kinds)), strict=True))


def _names(name: str, kinds: Sequence[str]) -> dict[str, str]:
    if name == "gpu":
        return {each: board_name(each) for each in kinds}
    labels = catalog_labels(kinds)
    return {each: label_of(each, labels).name for each in kinds}


def _lowest(front: pd.DataFrame, latency: str) -> Iterator[tuple[float, float]]:
    """Yield those of a front that no other one is better than in these two, throughput aside."""
    least_j = float("inf")
    for at, energy_j in front.sort_values([latency, _ENERGY])[[latency, _ENERGY]].to_numpy():
        if energy_j < least_j:
            least_j = energy_j
            yield at, energy_j


def _point(
    ax: Axes, row: "pd.Series[float]", latency: str, look: LineLook, *, numbered: bool
) -> None:
    at, energy_j = row[latency], row[_ENERGY]
    ax.plot(
        [at, at],
        [row["energy_per_request_low_j"], row["energy_per_request_high_j"]],
        color=look.color,
        alpha=_BAR_ALPHA,
        linewidth=0.7,
    )
    ax.plot(
        at,
        energy_j,
        marker=look.marker,
        markersize=6.0 if row["on_front"] else 4.0,
        color=look.color,
        markerfacecolor=look.color if row["meets"] else "white",
    )
    if numbered:
        ax.annotate(
            str(row["number"]), (at, energy_j), xytext=(4.0, 3.0), textcoords="offset points"
        )


def _legend(looks: Mapping[str, LineLook], names: Mapping[str, str]) -> dict[str, Artist]:
    return {
        names[kind]: Line2D([], [], linestyle="none", marker=look.marker, color=look.color)
        for kind, look in looks.items()
    }


def _undrawn(missing: int) -> str:
    return f"{counted(missing, 'candidate')}, overloaded or impossible"


def _provenance(drawn: pd.DataFrame) -> str:
    """Return whose habits were simulated, and what the constants of each board rest on."""
    levels = drawn.drop_duplicates(["gpu", "calibration_level"])
    constants = [
        f"{board_name(row['gpu'])} ({row['calibration_level']})" for _, row in levels.iterrows()
    ]
    engines = [engine_name(each) for each in drawn["engine"].unique()]
    return f"simulated · {', '.join(engines)} · constants: {', '.join(constants)}"


def _alt_text(drawn: pd.DataFrame, latency: str, missing: int) -> str:
    said = [
        f"Energy per request against {_LATENCIES[latency].lower()} of"
        f" {counted(len(drawn), 'candidate')}, simulated."
    ]
    front = drawn[drawn["on_front"]]
    said += [
        f"On the front: {row['number']}, {written_out(row['model'])} on {board_name(row['gpu'])},"
        f" {quantity(row[_ENERGY])} J at {quantity(row[latency])} s."
        for _, row in front.iterrows()
    ]
    missed = len(drawn) - int(drawn["meets"].sum())
    said += [f"{counted(missed, 'candidate')} drawn hollow: a target is missed."] if missed else []
    said += [f"Not drawn: {_undrawn(missing)}."] if missing else []
    return " ".join(said)
