"""What fits miss: fitted against observed energy, and residuals against all they depend on."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sweetspot.analysis.group_fit import GroupFit
from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, legend_above, panels
from sweetspot.figures.curves import MODELS_OF_A_LEGEND, by_family
from sweetspot.figures.fit_predicted import OFF_PERCENT, draw_predicted
from sweetspot.figures.fit_shown import Shown, shown
from sweetspot.figures.heat import INPUT_LABEL, OUTPUT_LABEL
from sweetspot.figures.labels import ModelLabel
from sweetspot.figures.style import (
    QUIET,
    decimal_ticks,
    journal_look,
    length_ticks,
    plain_look,
    stamp,
)
from sweetspot.figures.words import quantity
from sweetspot.words import counted

_AGAINST = {
    "fitted_j": "Fitted (J per output token)",
    "input_tokens": INPUT_LABEL,
    "output_tokens": OUTPUT_LABEL,
}
_HEIGHT_IN = 2.1
_DODGE = 0.25  # half the room, in doublings, that models at one length share
_BINS = 12
_LEAST_PERCENT = 0.1  # that the axis of residuals reaches: less is rounding
_SHARES = (0.01, 0.1, 0.5, 0.9, 0.99)
_MOST_DOTS = 20_000
"""More hide one another, and take a minute to draw: then density is drawn."""
_CELLS_OF_A_MEDIAN = 5
_CELLS_OF_A_BAND = 10


def fit_errors(
    found: Sequence[GroupFit], style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Drawing:
    """Draw fitted against observed energy, and residuals against fitted energy, I and O.

    Raises:
        InputError: cells of different origin are mixed.
    """
    of_fit = shown(found, style, labels)
    points = _points(of_fit)
    by_model = len(of_fit.models) <= MODELS_OF_A_LEGEND and len(points) <= _MOST_DOTS
    furthest = max(_LEAST_PERCENT, 1.1 * float(points["residual_percent"].abs().max()))
    per_row = 2 if style.columns == 2 else 1
    with journal_look(style):
        figure = empty_figure(style.panels_width_in, _HEIGHT_IN * 4 / per_row)
        first, *axes = panels(figure, 4, per_row)
        hidden = draw_predicted(first, of_fit, by_model=by_model)
        stamp(first, of_fit.evidence.stamp)
        for ax, (column, label) in zip(axes, _AGAINST.items(), strict=True):
            for place, model in enumerate(of_fit.models if by_model else ()):
                own = points[points["model"] == model]
                shift = _DODGE * ((2 * place + 1) / len(of_fit.models) - 1)
                where = own[column] * (2.0**shift if column.endswith("tokens") else 1.0)
                of_fit.dots(ax, model, where, own["residual_percent"])
            _dress(ax, points, column, outer=not by_model)
            ax.set_ylim(-furthest, furthest)
            ax.set_xlabel(label)
            ax.set_ylabel("Observed less fitted (%)")
            stamp(ax, of_fit.evidence.stamp)
        if by_model:
            entries = {of_fit.names[id_]: line for line in first.lines if (id_ := line.get_gid())}
            legend_above(figure, by_family(entries, of_fit.names), style.font_size_pt)
        cells = "One dot a cell" if by_model else f"{len(points)} cells, the darker the more"
        grey = "80 %" if by_model else "80 % and 98 %, dots: others"
        notes = [
            f"{of_fit.form}, {of_fit.weights}: {_errors(of_fit)}. {cells}.",
            f"Line: fitted as observed; band: {OFF_PERCENT} % off. Residuals are shares of the"
            f" observed energy; black: median; grey, where there are ten cells: the middle {grey}.",
            f"Not shown: {counted(hidden, 'cell')} of a fitted energy of zero or less."
            if hidden
            else "",
        ]
        alt_text = (
            "Fitted against observed energy per output token, and residuals against fitted energy,"
            f" input length and output length: {counted(len(of_fit.models), 'model')},"
            f" {of_fit.form}. {of_fit.evidence.sentence} {_found(of_fit, points)}"
        )
        return finish(figure, [" ".join(filter(None, notes)), of_fit.source], alt_text)


def _points(of_fit: Shown) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "model": model,
                    "input_tokens": fit.input_tokens,
                    "output_tokens": fit.output_tokens,
                    "fitted_j": fit.fitted_j,
                    "residual_percent": 100 * (1 - fit.fitted_j / fit.observed_j),
                }
            )
            for model, fit in of_fit.fits.items()
        ],
        ignore_index=True,
    )


def _dress(ax: Axes, points: pd.DataFrame, column: str, *, outer: bool) -> None:
    """Give a panel its axis, and a line of medians with a band of most cells.

    With `outer` there is a band of nearly all cells, too, and dots for the rest.
    """
    positive = points[points[column] > 0]
    ax.set_xscale("log", base=10 if column == "fitted_j" else 2)
    lengths = sorted({int(value) for value in positive[column]}) if column != "fitted_j" else []
    if lengths:
        length_ticks(ax.xaxis, lengths)
    else:
        decimal_ticks(ax.xaxis)
    if lengths and len(lengths) <= _BINS:
        by = positive[column]
    else:
        bins = max(1, min(_BINS, len(positive) // _CELLS_OF_A_MEDIAN))
        edges = positive[column].quantile(np.linspace(0, 1, bins + 1)[1:-1])
        by = pd.Series(np.digitize(positive[column], edges), positive.index)
    x = positive.groupby(by)[column].median()
    shares = positive.groupby(by)["residual_percent"]
    least, low, middle, high, most = (shares.quantile(share) for share in _SHARES)
    if outer:
        ax.fill_between(x, least, most, color="0.93", zorder=0.04, linewidth=0)
        residuals = positive["residual_percent"]
        rest = positive[(residuals < by.map(least)) | (residuals > by.map(most))]
        ax.plot(
            *(rest[column], rest["residual_percent"], "."),
            markersize=1.5,
            color="0.5",
            rasterized=len(rest) > _MOST_DOTS // 10,
        )
    if shares.size().min() >= _CELLS_OF_A_BAND:
        ax.fill_between(x, low, high, color="0.85", zorder=0.05, linewidth=0)
    ax.axhline(0.0, color=QUIET, linewidth=0.6, zorder=1)
    if shares.size().min() >= _CELLS_OF_A_MEDIAN:
        ax.plot(x, middle, color="black", linewidth=1.0, zorder=3)
    plain_look(ax)


def _errors(of_fit: Shown) -> str:
    """Return the mean errors over all models."""
    fits = of_fit.fits.values()
    of_cells = float(np.mean([fit.mape_percent for fit in fits]))
    left_out = float(np.mean([fit.leave_one_cell_out_percent for fit in fits]))
    held_out = f", {_percent(left_out)} on cells left out one by one"
    return f"mean error {_percent(of_cells)}{held_out if np.isfinite(left_out) else ''}"


def _percent(value: float) -> str:
    return f"{value:.2g} %" if value >= _LEAST_PERCENT / 10 else "below 0.01 %"


def _found(of_fit: Shown, points: pd.DataFrame) -> str:
    low, high = (float(points["residual_percent"].quantile(share)) for share in (0.1, 0.9))
    worst = points.iloc[int(points["residual_percent"].abs().argmax())]
    errors = {of_fit.names[model]: fit.mape_percent for model, fit in of_fit.fits.items()}
    least, most = min(errors, key=errors.__getitem__), max(errors, key=errors.__getitem__)
    by_model = (
        f" It is least for {least} ({errors[least]:.2g} %) and most for {most}"
        f" ({errors[most]:.2g} %)."
    )
    return (
        f"M{_errors(of_fit)[1:]}.{by_model if len(errors) > 1 else ''}"
        f" Eight of ten cells are within {quantity(low)} and {quantity(high)} %; the furthest is"
        f" {of_fit.names[worst['model']]} at I = {worst['input_tokens']:.0f} and"
        f" O = {worst['output_tokens']:.0f} with {quantity(worst['residual_percent'])} %."
    )
