"""Fitted against observed energy, one dot a cell."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sweetspot.analysis.group_fit import GroupFit
from sweetspot.config import FigureStyle
from sweetspot.energy_models import Array
from sweetspot.figures.canvas import (
    Drawing,
    empty_figure,
    finish,
    legend_above,
    panels,
)
from sweetspot.figures.curves import (
    MODELS_OF_A_LEGEND,
    by_family,
    model_panels,
)
from sweetspot.figures.fit_shown import Shown, shown
from sweetspot.figures.labels import ModelLabel
from sweetspot.figures.style import QUIET, decimal_ticks, journal_look, plain_look, stamp
from sweetspot.figures.words import counted, quantity

_HEIGHT_IN = 2.5
_ROOM = 1.25  # beyond the outermost dot, as a factor
_OFF = 0.1
"""Share that the pale band reaches to each side."""


def fit_predicted(
    found: Sequence[GroupFit], style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Drawing:
    """Draw fitted against observed energy per output token, a panel a size family.

    Raises:
        InputError: cells of different origin are mixed.
    """
    of_fit = shown(found, style, labels)
    by_model = len(of_fit.models) <= MODELS_OF_A_LEGEND
    everybody = ("", of_fit.models)
    subjects = model_panels(of_fit.models, labels or {}) if by_model else [everybody]
    per_row = min(3, len(subjects)) if style.columns == 2 else 1
    with journal_look(style):
        width_in = style.panels_width_in if len(subjects) > 1 else style.single_width_in
        figure = empty_figure(width_in, _HEIGHT_IN * -(-len(subjects) // per_row))
        axes = panels(figure, len(subjects), per_row)
        entries = {}
        for place, (ax, (title, members)) in enumerate(zip(axes, subjects, strict=True)):
            observed, fitted = (
                np.concatenate([getattr(of_fit.fits[model], which) for model in members])
                for which in ("observed_j", "fitted_j")
            )
            for model in members if by_model else ():
                entries[of_fit.names[model]] = _dots(ax, of_fit, model)
            if not by_model:
                ax.hexbin(
                    *(observed[fitted > 0], fitted[fitted > 0]),
                    gridsize=45,
                    xscale="log",
                    yscale="log",
                    bins="log",
                    cmap="Greys",
                )
            _dress(ax, observed)
            alone = of_fit.names[members[0]] if len(of_fit.models) == 1 else title
            ax.set_title("\n".join(filter(None, [alone, _errors(of_fit, members)])))
            ax.set_ylabel("" if place % per_row else "Fitted (J per output token)")
            stamp(ax, of_fit.evidence.stamp)
        if len(entries) > 1:
            legend_above(figure, by_family(entries, of_fit.names), style.font_size_pt)
        below = sum(int((fit.fitted_j <= 0).sum()) for fit in of_fit.fits.values())
        dots = "One dot a cell." if by_model else "The darker, the more cells."
        notes = [
            f"{of_fit.form}, {of_fit.weights}. Line: fitted as observed; band: {100 * _OFF:.0f} %"
            f" off. {dots} Mean errors: of the fit, and on cells left out one by one.",
            f"Not shown: {below} cells with a fitted energy of zero or less." if below else "",
        ]
        alt_text = (
            "Fitted against observed energy per output token on logarithmic axes, one dot a cell,"
            f" {counted(len(of_fit.models), 'model')}, {of_fit.form}. {of_fit.evidence.sentence}"
            f" {_found(of_fit)}"
        )
        return finish(figure, [" ".join(filter(None, notes)), of_fit.source], alt_text)


def _dots(ax: Axes, of_fit: Shown, model: str) -> Line2D:
    fit, look = of_fit.fits[model], of_fit.looks[model]
    (dots,) = ax.plot(
        *(fit.observed_j, fit.fitted_j),
        linestyle="none",
        marker=look.marker,
        markersize=2.8,
        markeredgewidth=0,
        alpha=0.8,
        color=look.color,
    )
    return dots


def _dress(ax: Axes, values: Array) -> None:
    edges = np.array([values.min() / _ROOM, values.max() * _ROOM])
    ax.fill_between(edges, edges * (1 - _OFF), edges * (1 + _OFF), color="0.94", zorder=0.2)
    ax.plot(edges, edges, color=QUIET, linewidth=0.6, zorder=1)
    ax.set(xscale="log", yscale="log", xlim=edges, ylim=edges, aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        decimal_ticks(axis)
    ax.set_xlabel("Observed (J per output token)")
    plain_look(ax)


def _errors(of_fit: Shown, members: list[str]) -> str:
    """Return the mean errors over the models of a panel."""
    fits = [of_fit.fits[model] for model in members]
    of_cells = float(np.mean([fit.mape_percent for fit in fits]))
    left_out = float(np.mean([fit.leave_one_cell_out_percent for fit in fits]))
    held_out = f", left out {left_out:.2g} %" if np.isfinite(left_out) else ""
    return f"mean error {of_cells:.2g} %{held_out}"


def _found(of_fit: Shown) -> str:
    errors = {of_fit.names[model]: fit.mape_percent for model, fit in of_fit.fits.items()}
    least, most = min(errors, key=errors.__getitem__), max(errors, key=errors.__getitem__)
    said = f"Over all models: {_errors(of_fit, of_fit.models)}."
    if least == most:
        return said
    return (
        f"{said} It is least for {least} ({quantity(errors[least])} %) and most for {most}"
        f" ({quantity(errors[most])} %)."
    )
