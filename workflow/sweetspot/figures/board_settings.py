"""What a token costs against a board's power limit, and against the clock that it is locked at."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, panels
from sweetspot.figures.evidence import SIMULATED
from sweetspot.figures.labels import written_out
from sweetspot.figures.style import LineLook, categorical_looks, journal_look, plain_look, stamp
from sweetspot.figures.words import quantity
from sweetspot.words import listed

MEASURED_CLOCK_SHARE = 0.75
"""Boards at their full limit were measured down to about this share of their highest clock."""

_HEIGHT_IN = 2.8


@dataclass(frozen=True, slots=True)
class Curve:
    """One workload at settings from the lowest to that of the data sheet, the last.

    Attributes:
        label: of the workload.
        settings: W or MHz.
        energies_j: J per output token at each.
        throughputs: output tokens per s at each.
    """

    label: str
    settings: Sequence[float]
    energies_j: Sequence[float]
    throughputs: Sequence[float]


def settings_figure(
    by_limit: Sequence[Curve], by_clock: Sequence[Curve], style: FigureStyle, provenance: str
) -> Drawing:
    """Draw energy per token and throughput as shares of those at the full limit.

    Args:
        by_limit: a curve for each workload, settings in W.
        by_clock: the same workloads, settings in MHz.
        style: of all figures.
        provenance: where the numbers come from.
    """
    looks = categorical_looks(style.palette, len(by_limit))
    with journal_look(style):
        per_row = 2 if style.columns == 2 else 1
        figure = empty_figure(style.panels_width_in, _HEIGHT_IN * (3 - per_row))
        left, right = panels(figure, 2, per_row)
        _draw(left, by_limit, looks)
        left.set_xlabel("Power limit (W)")
        left.set_ylabel("Share of that at the full limit")
        left.set_title("Power limit, clocks free")
        left.legend(loc="lower right", frameon=False)
        _draw(right, by_clock, looks)
        right.set_xlabel("Clock (MHz)")
        right.set_title("Locked clock, full power limit")
        for ax in (left, right):
            stamp(ax, SIMULATED.upper())
        highest_mhz = max(curve.settings[-1] for curve in by_clock)
        right.axvspan(
            right.get_xlim()[0], MEASURED_CLOCK_SHARE * highest_mhz, color="0.97", zorder=0
        )
        right.set_xlim(left=min(curve.settings[0] for curve in by_clock))
        note = (
            "Solid: J per output token, a ring where it is least. Dashed: output tokens per s."
            " Nothing was measured below the full power limit, nor at clocks in the shade."
        )
        alt_text = (
            "Energy per output token and throughput, as shares of those at the full power limit,"
            " against power limit and against locked clock. Energy is least"
            f" {_found(by_limit, 'W')}; {_found(by_clock, 'MHz')}. {written_out(provenance)}"
        )
        return finish(figure, [note, written_out(provenance)], alt_text)


def _found(curves: Sequence[Curve], unit: str) -> str:
    """Return where each curve has its least energy, and what that costs in throughput."""
    found = []
    for curve in curves:
        least = min(range(len(curve.settings)), key=curve.energies_j.__getitem__)
        energy = quantity(100 * curve.energies_j[least] / curve.energies_j[-1])
        speed = quantity(100 * curve.throughputs[least] / curve.throughputs[-1])
        found.append(
            f"at {curve.settings[least]:.0f} {unit} for {curve.label} ({energy} % of the energy,"
            f" {speed} % of the throughput)"
        )
    return listed(found)


def _draw(ax: Axes, curves: Sequence[Curve], looks: Sequence[LineLook]) -> None:
    for curve, look in zip(curves, looks, strict=True):
        energies = [each / curve.energies_j[-1] for each in curve.energies_j]
        speeds = [each / curve.throughputs[-1] for each in curve.throughputs]
        ax.plot(curve.settings, energies, color=look.color, label=curve.label)
        ax.plot(curve.settings, speeds, color=look.color, linestyle="--", linewidth=0.9)
        least = energies.index(min(energies))
        ax.plot(
            curve.settings[least],
            energies[least],
            marker="o",
            markersize=6.0,
            markerfacecolor="none",
            color=look.color,
            clip_on=False,
        )
    ax.set_ylim(bottom=0.0)
    plain_look(ax)
