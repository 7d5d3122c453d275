"""Energy per token against output length: the fitted curve through the cells, and its least."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sweetspot.analysis.group_fit import GroupFit
from sweetspot.analysis.least_squares import FormFit
from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.canvas import Drawing, empty_figure, finish, legend_above, panels
from sweetspot.figures.fit_shown import ENERGY_LABEL, Shown, shown
from sweetspot.figures.labels import ModelLabel
from sweetspot.figures.selection import evenly
from sweetspot.figures.style import (
    LineLook,
    decimal_ticks,
    journal_look,
    least_span,
    length_ticks,
    ordered_looks,
    plain_look,
    stamp,
)
from sweetspot.figures.words import quantity
from sweetspot.words import counted, listed

MOST_PANELS = 16
_SCATTERED = 4  # panels where no three cells share an input length
_INPUTS = 3  # input lengths of a panel that has several
_SPOTS = " Diamond and bar: sweet spot O* and its 95 % interval."
_BEYOND = " No diamond: O* is beyond the cells."
_AND_SPOT = ", and the sweet spot O* with its interval"
_HEIGHT_IN = 1.75
_PER_DOUBLING = 16
_ROOM_BELOW = 2.0


def fit_curves(
    found: Sequence[GroupFit], style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Drawing:
    """Draw e(O) with the fit's curve and band, the cells, and the sweet spot with its interval.

    Of one model there is a panel for each input length; of several, one for each model with its
    shortest, middle and longest input. Of more models than there are panels, those are shown that
    lie evenly between the one that is fitted best and the one that is fitted worst.

    Raises:
        InputError: cells of different origin are mixed, or no output length differs.
    """
    of_fit = shown(found, style, labels)
    models = _chosen(of_fit)
    if all(np.ptp(of_fit.fits[model].output_tokens) == 0 for model in models):
        raise InputError(
            "fit_curves draws energy against output length, and each model has one only;"
            " measure others, or draw fit_errors"
        )
    if len(models) == 1:
        lengths = _of_one(of_fit, models[0])
        subjects = [(models[0], [length]) for length in lengths]
    else:
        subjects = [(model, evenly(_inputs(of_fit, model), _INPUTS)) for model in models]
    places = sorted({length for _, inputs in subjects for length in inputs})
    looks = dict(zip(places, ordered_looks(style, len(places)), strict=True))
    fullest = min((4, 5, 3), key=lambda count: -len(subjects) % count)
    per_row = min(fullest if style.columns == 2 else 2, len(subjects))
    with journal_look(style):
        width_in = style.panels_width_in if len(subjects) > 1 else style.single_width_in
        figure = empty_figure(width_in, _HEIGHT_IN * -(-len(subjects) // per_row))
        axes = panels(figure, len(subjects), per_row)
        entries, drawn = {}, []
        for place, (ax, (model, inputs)) in enumerate(zip(axes, subjects, strict=True)):
            for length in inputs:
                look = looks[length] if len(models) > 1 else of_fit.looks[model]
                spot = _spot(of_fit, model, length)
                entries[length] = _draw(ax, of_fit, model, length, look, spot)
                drawn.append((model, length, spot))
            title = of_fit.names[model] if len(models) > 1 else f"I = {inputs[0]} tokens"
            _dress(ax, of_fit, model, title, ticks=3 if per_row > 4 else 4)
            ax.set_ylabel("" if place % per_row else ENERGY_LABEL)
            ax.set_xlabel("Output O (tokens)" if place >= len(subjects) - per_row else "")
            stamp(ax, of_fit.evidence.stamp)
        keys = {f"I = {length} tokens": entries[length] for length in places}
        if len(models) == 1:
            keys = {of_fit.names[models[0]]: entries[places[0]]}
        legend_above(figure, keys, style.font_size_pt)
        has_spot = any(spot is not None for *_, spot in drawn)
        beyond = any(not _is_inside(of_fit.fits[model], spot) for model, _, spot in drawn)
        fewer = f" {len(models)} of {len(of_fit.models)} models, best to worst fit."
        notes = [
            f"{of_fit.form}, {of_fit.weights}: line, with the 95 % band of the mean. Dots: cells."
            f"{_SPOTS if has_spot else ''}{_BEYOND if beyond else ''}"
            f"{' Scales differ.' if len(subjects) > 1 else ''}",
            fewer.strip() if len(models) < len(of_fit.models) else "",
            of_fit.no_noise,
        ]
        what = of_fit.names[models[0]] if len(models) == 1 else counted(len(models), "model")
        alt_text = (
            f"Energy per output token against output length, {what}: cells, the curve of"
            f" {of_fit.form} with its 95 % band{_AND_SPOT if has_spot else ''}."
            f" {of_fit.evidence.sentence} {_found(of_fit, drawn)}"
        )
        return finish(figure, [" ".join(filter(None, notes)), of_fit.source], alt_text.strip())


def _chosen(of_fit: Shown) -> list[str]:
    if len(of_fit.models) <= MOST_PANELS:
        return of_fit.models
    return evenly(
        sorted(of_fit.models, key=lambda model: of_fit.fits[model].mape_percent), MOST_PANELS
    )


def _inputs(of_fit: Shown, model: str) -> list[int]:
    return sorted({int(length) for length in of_fit.fits[model].input_tokens})


def _of_one(of_fit: Shown, model: str) -> list[int]:
    """Return the input lengths of the only model that have a panel, few where all are scattered."""
    lengths, cells = np.unique(of_fit.fits[model].input_tokens, return_counts=True)
    own = [int(length) for length in lengths[cells > 2]]
    return evenly(own, MOST_PANELS) or evenly(_inputs(of_fit, model), _SCATTERED)


def _spot(of_fit: Shown, model: str, input_tokens: int) -> "pd.Series[float] | None":
    """Return the sweet spot at one input length; None where the fit has none."""
    spots = of_fit.groups[model].sweet_spots
    rows = spots[spots["input_tokens"] == input_tokens]
    if rows.empty or np.isnan(rows["estimated_output_tokens"].iloc[0]):
        return None
    return rows.iloc[0]


def _draw(
    ax: Axes,
    of_fit: Shown,
    model: str,
    input_tokens: int,
    look: LineLook,
    spot: "pd.Series[float] | None",
) -> Line2D:
    fit = of_fit.fits[model]
    at = fit.input_tokens == input_tokens
    shortest, longest = fit.output_tokens.min(), fit.output_tokens.max()
    count = 2 + int(_PER_DOUBLING * np.log2(longest / shortest))
    outputs = np.geomspace(shortest, longest, count)
    inputs = np.full_like(outputs, input_tokens)
    low, high = fit.interval(inputs, outputs)
    ax.fill_between(outputs, low, high, color=look.color, alpha=0.2, linewidth=0, zorder=1)
    (line,) = ax.plot(
        outputs, fit.energy_per_token_j(inputs, outputs), color=look.color, linewidth=1.1
    )
    ax.plot(
        *(fit.output_tokens[at], fit.observed_j[at]),
        linestyle="none",
        marker="o",
        markersize=3.0,
        color=look.color,
    )
    if spot is not None:
        length = float(spot["estimated_output_tokens"])
        energy = fit.energy_per_token_j([input_tokens], [length])
        ends = np.clip([spot["estimated_low"], spot["estimated_high"]], shortest, longest)
        ax.plot(ends, [energy[0]] * 2, color="black", linewidth=1.0, zorder=4)
        if _is_inside(fit, spot):
            ax.plot(
                *([length], energy),
                marker="D",
                markersize=3.2,
                markerfacecolor="white",
                color="black",
                markeredgewidth=0.8,
                zorder=5,
            )
    return line


def _is_inside(fit: FormFit, spot: "pd.Series[float] | None") -> bool:
    """Return whether a sweet spot, where there is one, lies among the lengths of the cells."""
    if spot is None:
        return True
    length = float(spot["estimated_output_tokens"])
    return bool(fit.output_tokens.min() <= length <= fit.output_tokens.max())


def _dress(ax: Axes, of_fit: Shown, model: str, title: str, *, ticks: int) -> None:
    fit = of_fit.fits[model]
    lengths = sorted({int(length) for length in fit.output_tokens})
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    length_ticks(ax.xaxis, lengths, ticks)
    least_span(ax)
    # a band that reaches zero has no lower end on this axis: it is cut, not what is measured
    drawn = np.concatenate([np.asarray(line.get_ydata()) for line in ax.lines])
    ax.set_ylim(bottom=max(ax.get_ylim()[0], drawn[drawn > 0].min() / _ROOM_BELOW))
    decimal_ticks(ax.yaxis)
    ax.set_title(title)
    plain_look(ax)


def _found(of_fit: Shown, drawn: list[tuple[str, int, "pd.Series[float] | None"]]) -> str:
    """Return the sweet spots; of several models those at their shortest and longest input."""
    of_models: dict[str, dict[int, pd.Series[float] | None]] = {}
    for model, length, spot in drawn:
        of_models.setdefault(model, {})[length] = spot
    if not any(spot is not None for *_, spot in drawn):
        return "There is no O*."
    said = []
    for model, spots in of_models.items():
        lengths = sorted({min(spots), max(spots)} if len(of_models) > 1 else spots)
        parts = [f"{_spot_in_words(of_fit.fits[model], spots[n])} at I = {n}" for n in lengths]
        said.append(f"{of_fit.names[model]} {listed(parts)}")
    return f"O*: {'; '.join(said)}."


def _spot_in_words(fit: FormFit, spot: "pd.Series[float] | None") -> str:
    """Return O* and its interval, and whether it is extrapolated."""
    if spot is None:
        return "none"
    value, low, high = (
        quantity(spot[f"estimated_{end}"]) for end in ("output_tokens", "low", "high")
    )
    return f"{value} ({low} to {high}{'' if _is_inside(fit, spot) else '; beyond the cells'})"
