"""Coefficients of the fits with their intervals, models as rows."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from sweetspot.analysis.group_fit import GroupFit
from sweetspot.analysis.least_squares import FormFit
from sweetspot.config import FigureStyle
from sweetspot.figures.canvas import Drawing, empty_figure, finish, panels
from sweetspot.figures.fit_shown import Shown, shown
from sweetspot.figures.labels import ModelLabel
from sweetspot.figures.style import QUIET, journal_look, plain_look, round_ticks, stamp
from sweetspot.figures.words import quantity
from sweetspot.words import counted, listed

_ROW_IN = 0.14
_AXES_IN = 0.6
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_GREEK = {"alpha": "α"}


def fit_coefficients(
    found: Sequence[GroupFit], style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Drawing:
    """Draw every coefficient with its 95 % interval, a panel a coefficient and a row a model.

    Models whose cells carry only a simpler form than the others have no row.

    Raises:
        InputError: cells of different origin are mixed.
    """
    of_fit = shown(found, style, labels)
    form = max((fit.form for fit in of_fit.fits.values()), key=lambda each: len(each.terms))
    fits = {model: fit for model, fit in of_fit.fits.items() if fit.form is form}
    per_row = min(len(form.terms), 6 if style.columns == 2 else 2)
    rows = -(-len(form.terms) // per_row)
    with journal_look(style):
        panel_in = _AXES_IN + _ROW_IN * max(4, len(fits))
        figure = empty_figure(style.panels_width_in, panel_in * rows)
        axes = panels(figure, len(form.terms), per_row, sharey=True)
        for place, (ax, term) in enumerate(zip(axes, form.terms, strict=True)):
            _draw(ax, of_fit, fits, place)
            ax.set_title(_written(term.name))
            stamp(ax, of_fit.evidence.stamp)
        axes[0].set_yticks(range(len(fits)), [of_fit.names[model] for model in fits])
        axes[0].set_ylim(len(fits) - 0.4, -0.6)
        left_out = [of_fit.names[model] for model in of_fit.models if model not in fits]
        notes = [
            f"{of_fit.form}, {of_fit.weights}. Bars: 95 % intervals; white: zero is inside.",
            of_fit.no_noise,
            f"Without a row, as only a simpler form could be fitted: {listed(left_out)}."
            if left_out
            else "",
        ]
        alt_text = (
            f"Coefficients of {of_fit.form} with 95 % intervals, {counted(len(fits), 'model')},"
            f" one panel a coefficient. {of_fit.evidence.sentence} {_found(of_fit, fits)}"
            f" {of_fit.no_noise}"
        )
        return finish(figure, [" ".join(filter(None, notes)), of_fit.source], alt_text.strip())


def scaled_unit(values: Iterable[float], unit: str) -> tuple[float, str]:
    """Return what values are divided by to be read without zeros, and their unit with it."""
    largest = max(*map(abs, values), np.finfo(float).tiny)
    power = int(np.floor(np.log10(largest)))
    if -1 <= power <= 2:
        return 1.0, unit
    return 10.0**power, f"10{str(power).translate(_SUPERSCRIPTS)} {unit}"


def _draw(ax: Axes, of_fit: Shown, fits: Mapping[str, FormFit], place: int) -> None:
    ends = np.array([(fit.low[place], fit.high[place]) for fit in fits.values()])
    values = np.array([fit.values[place] for fit in fits.values()])
    scale, unit = scaled_unit(values, next(iter(fits.values())).form.terms[place].unit)
    ends, values = ends / scale, values / scale
    for row, model in enumerate(fits):
        look = of_fit.looks[model]
        low, high = ends[row]
        if np.isfinite(low + high):
            ax.plot([low, high], [row, row], color=look.color, linewidth=1.1, marker="|")
        ax.plot(
            *([values[row]], [row]),
            marker=look.marker,
            markersize=3.5,
            color=look.color,
            markerfacecolor="white" if low <= 0 <= high else look.color,
        )
    ax.axvline(0.0, color=QUIET, linewidth=0.6, zorder=1)
    ax.set_xlabel(unit)
    ax.margins(x=0.1)
    ax.xaxis.set_major_locator(round_ticks(3))
    ax.tick_params(axis="y", length=0)
    plain_look(ax)


def _found(of_fit: Shown, fits: Mapping[str, FormFit]) -> str:
    """Return the range of each coefficient, and in how many models it is other than zero."""
    first, *others = fits.values()
    if not others:
        return _found_of_one(first)
    terms = first.form.terms
    parts = []
    for place, term in enumerate(terms):
        values = {model: float(fit.values[place]) for model, fit in fits.items()}
        scale, unit = scaled_unit(values.values(), term.unit)
        least, most = (of(values, key=values.__getitem__) for of in (min, max))
        clear = sum(bool(fit.low[place] > 0 or fit.high[place] < 0) for fit in fits.values())
        parts.append(
            f"{_written(term.name)} {quantity(values[least] / scale)} ({of_fit.names[least]}) to"
            f" {quantity(values[most] / scale)} ({of_fit.names[most]}), in {unit}, zero outside"
            f" the interval of {clear} models"
        )
    return f"From the least to the greatest: {'; '.join(parts)}."


def _found_of_one(fit: FormFit) -> str:
    """Return the coefficients of the only model with their intervals."""
    parts = []
    for term, value, low, high in zip(fit.form.terms, fit.values, fit.low, fit.high, strict=True):
        scale, unit = scaled_unit([value], term.unit)
        ends = f"{quantity(low / scale)} to {quantity(high / scale)}"
        parts.append(f"{_written(term.name)} {quantity(value / scale)} ({ends}), in {unit}")
    return f"{'; '.join(parts)}."


def _written(term: str) -> str:
    """Return a coefficient's name as papers write it: α5 of alpha5."""
    letters = term.rstrip("0123456789")
    return _GREEK.get(letters, letters) + term[len(letters) :]
