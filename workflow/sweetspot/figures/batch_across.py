"""Coefficients of the batch form: as fitted to a model, against what the other models say of it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sweetspot.analysis.batch_across import LEAST_MODELS, RULES
from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.canvas import Drawing, empty_figure, finish, legend_above, panels
from sweetspot.figures.curves import by_family
from sweetspot.figures.evidence import evidence_of, provenance
from sweetspot.figures.fit_coefficients import scaled_unit
from sweetspot.figures.labels import ModelLabel, label_of
from sweetspot.figures.style import QUIET, journal_look, model_looks, plain_look, round_ticks, stamp

_PANEL_IN = 1.75


def batch_across(
    across: pd.DataFrame,
    cells: pd.DataFrame,
    style: FigureStyle,
    labels: Mapping[str, ModelLabel] | None = None,
) -> Drawing:
    """Draw `across_models`, a panel a coefficient and a marker a model.

    Args:
        across: its rows.
        cells: what they were fitted to.
        style: of figures.
        labels: names of models.

    Raises:
        InputError: too few models carry the form, or cells of different origin are mixed.
    """
    if across.empty:
        raise InputError(
            f"batch_across needs {LEAST_MODELS} or more models of the catalog (`sweetspot models`),"
            " each with cells of several loads and lengths that tell the seven terms that the"
            " batch form counts apart"
        )
    drawn = cells[cells["model"].isin(across["model"])]
    evidence, origin = evidence_of(drawn), provenance(drawn)
    terms, models = list(across["term"].unique()), list(across["model"].unique())
    names = {model: label_of(model, labels or {}).name for model in models}
    looks = model_looks(style.palette, models)
    per_row = 4 if style.columns == 2 else 2
    rows = -(-len(terms) // per_row)
    entries: dict[str, Line2D] = {}
    with journal_look(style):
        figure = empty_figure(style.panels_width_in, _PANEL_IN * rows)
        axes = panels(figure, len(terms), per_row)
        for place, (ax, term) in enumerate(zip(axes, terms, strict=True)):
            of_term = across[across["term"] == term].set_index("model")
            scale, unit = scaled_unit(of_term["value"], of_term["unit"].iloc[0])
            of_term[["value", "predicted"]] /= scale
            for model in models:
                [entries[names[model]]] = ax.plot(
                    of_term.loc[[model], "predicted"].to_numpy(),
                    of_term.loc[[model], "value"].to_numpy(),
                    color=looks[model].color,
                    marker=looks[model].marker,
                    markersize=4,
                    linestyle="none",
                )
            _dress(ax, of_term, term, unit)
            ax.set_ylabel("as fitted" if place % per_row == 0 else "")
            stamp(ax, evidence.stamp)
        legend_above(figure, by_family(entries, names), style.font_size_pt)
        errors = across.groupby("term", sort=False)["error_percent"].agg(lambda e: e.abs().mean())
        found = "; ".join(f"{term} {error:.0f} %" for term, error in errors.items())
        of_energy = across.groupby("model")["energy_error_percent"].first()
        note = (
            "Line: as predicted. Titles: what a coefficient is taken to be proportional to, or a"
            f" sum of. Mean error of e with all coefficients predicted: {of_energy.mean():.1f} %,"
            f" {of_energy.max():.1f} % for the worst model."
        )
        alt_text = (
            f"{len(terms)} coefficients of what the batch form counts, as fitted to {len(models)}"
            " models, against what the other models predict for each."
            f" {evidence.sentence} Mean error: {found}. {note}"
        )
        return finish(figure, [note, origin], alt_text)


def _dress(ax: Axes, of_term: pd.DataFrame, term: str, unit: str) -> None:
    both = of_term[["value", "predicted"]].to_numpy(float)
    margin = 0.08 * max(np.ptp(both), 0.05 * both.max())
    ends = np.array([both.min() - margin, both.max() + margin])
    ax.plot(ends, ends, color=QUIET, linewidth=0.8, zorder=1)
    ax.set_xlim(*ends)
    ax.set_ylim(*ends)
    ax.set_title(f"{term}: {', '.join(RULES[term]).replace('1', 'the same for all')}")
    ax.set_xlabel(f"by the others ({unit})")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(round_ticks(3))
    plain_look(ax)
