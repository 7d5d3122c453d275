"""The page: its sections in order, each from what was fitted."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import sweetspot
from sweetspot.analysis.fit_warnings import fit_warnings
from sweetspot.analysis.group_fit import GroupFit
from sweetspot.analysis.least_squares import FormFit
from sweetspot.energy_models import form
from sweetspot.figures.evidence import evidence_of
from sweetspot.figures.words import counted, quantity
from sweetspot.report import html
from sweetspot.tables.table import MISSING, Table

_FEW = 3
"""Of more groups, what is said of each is folded."""
_INPUTS = 4  # columns of the table of sweet spots
_MOST_SPOTS = 24  # rows of a group's own table


_Fitted = tuple[GroupFit, FormFit]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as the page holds it.

    Attributes:
        title: a few words.
        alt_text: what it shows.
        png: the image.
    """

    title: str
    alt_text: str
    png: bytes


def report_html(
    title: str,
    *,
    notes: Sequence[str],
    groups: Sequence[GroupFit],
    tables: Sequence[Table] = (),
    pictures: Sequence[Picture] = (),
) -> str:
    """Return the page of a fit, one file: the same input gives the same bytes.

    Args:
        title: of the page.
        notes: how the measurements were understood.
        groups: what was fitted; those that no form could be fitted to are named.
        tables: further ones, folded.
        pictures: in order.
    """
    fitted = [(group, group.best) for group in groups if group.best is not None]
    body = [
        f"<header>\n<h1>{html.escape(title)}</h1>",
        _origin(groups),
        "</header>",
        html.section("Sweet spots", *_sweet_spots(groups)),
        html.section("What to doubt", *_warnings(groups)),
        html.section("Fits", *_fits(fitted)),
        html.section(
            "Figures", *(html.picture(each.png, each.alt_text, each.title) for each in pictures)
        ),
        html.section("Tables", *(_folded_table(each) for each in tables)),
        html.section("How the measurements were read", html.bullets(notes)),
        html.section("Made by", html.paragraph(_maker(fitted), "quiet")),
    ]
    return html.page(title, "\n".join(filter(None, body)))


def _origin(groups: Sequence[GroupFit]) -> str:
    """Return where the cells come from, and a stamp where they are simulated."""
    said = list(dict.fromkeys(evidence_of(group.cells).sentence for group in groups if group.count))
    simulated = any(bool(group.cells["simulated"].any()) for group in groups)
    stamp = '<p><span class="stamp">SIMULATED</span></p>' if simulated else ""
    models = len({group.model for group in groups})
    cells = sum(group.count for group in groups)
    counts = f"{counted(models, 'model')}, {counted(cells, 'cell')}."
    return stamp + html.paragraph(" ".join([counts, *said]))


def _sweet_spots(groups: Sequence[GroupFit]) -> list[str]:
    """Return the result: for each group and input length the best output length."""
    with_spots = [group for group in groups if len(group.sweet_spots)]
    if not with_spots:
        return [html.paragraph("None: they take Eq. 5, and no group has cells that carry it.")]
    note = (
        "The output length O with the least energy per token, by Eq. 6 of the fit of Eq. 5, and its"
        " 95 % interval."
    )
    if len(with_spots) == 1:
        return [_headline(with_spots[0]), html.paragraph(note), _spots_of(with_spots[0])]
    inputs = sorted({int(i) for group in with_spots for i in group.sweet_spots["input_tokens"]})
    if len(inputs) > _INPUTS:
        last = len(inputs) - 1
        inputs = [inputs[round(place * last / (_INPUTS - 1))] for place in range(_INPUTS)]
    rows, names = [], _names(with_spots)
    for group in with_spots:
        at = {int(row.input_tokens): row for row in _rows(group.sweet_spots)}
        rows.append([names[id(group)], *(_spot(at[i]) if i in at else MISSING for i in inputs)])
    of_each = "\n".join(
        f"<h3>{html.escape(group.title)}</h3>\n{_spots_of(group)}" for group in with_spots
    )
    return [
        html.paragraph(note),
        html.table(["", *(f"I = {length}" for length in inputs)], rows),
        html.folded("Each in detail: efficiency, what was observed, what is lost there", of_each),
    ]


def _names(groups: Sequence[GroupFit]) -> dict[int, str]:
    """Return a group's name by its id: as much of its load as tells it from the others."""
    models = Counter(group.model for group in groups)
    loads = Counter((group.model, group.requests) for group in groups)
    names = {}
    for group in groups:
        several = models[group.model] > 1
        load = f", N\u00a0=\u00a0{group.requests}" if several and group.load_is_given else ""
        if loads[group.model, group.requests] > 1 and load:
            load += f", B\u00a0=\u00a0{group.max_batch_size}"
        names[id(group)] = group.model + load
    return names


def _headline(group: GroupFit) -> str:
    """Return the result in a line: the sweet spot at the input length where it is cheapest."""
    found = group.sweet_spots.dropna(subset=["estimated_tokens_per_j"])
    if found.empty:
        return ""
    row = found.sort_values("estimated_tokens_per_j").iloc[-1]
    return html.paragraph(
        f"{group.title} is most efficient with {_spot(row)} output tokens at {row['input_tokens']}"
        f" input tokens: {quantity(row['estimated_tokens_per_j'])} tokens per joule.",
        "result",
    )


def _spot(row: Any) -> str:
    """Return a sweet spot with its interval: 313 (301 to 325)."""
    length, low, high = (
        getattr(row, f"estimated_{name}") for name in ("output_tokens", "low", "high")
    )
    if math.isnan(length):
        return MISSING
    return f"{quantity(length)} ({quantity(low)} to {quantity(high)})"


def _spots_of(group: GroupFit) -> str:
    header = ["I (tokens)", "O* (tokens)", "tokens/J there", "within 2 %", "observed O"]
    header += ["tokens/J observed", "lost at observed O"]
    spots = group.sweet_spots.sort_values("input_tokens")
    shown = np.unique(np.linspace(0, len(spots) - 1, _MOST_SPOTS).round().astype(int))
    rows = [
        [
            str(int(row.input_tokens)),
            _spot(row) + ("" if row.estimate_inside_range else ", extrapolated"),
            _number(row.estimated_tokens_per_j),
            f"{quantity(row.range2_low)} to {quantity(row.range2_high)}",
            str(int(row.observed_output_tokens)),
            _number(row.observed_tokens_per_j),
            _percent(row.lost_at_observed_percent),
        ]
        for row in _rows(spots.iloc[shown])
    ]
    more = len(spots) - len(shown)
    rest = f"{counted(more, 'input length')} more: fits/sweet_spots.csv." if more else ""
    return html.table(header, rows) + (html.paragraph(rest, "quiet") if more else "")


def _warnings(groups: Sequence[GroupFit]) -> list[str]:
    """Return the reasons to doubt, those that many groups share once."""
    said: dict[str, list[str]] = {}
    for group in groups:
        for text in fit_warnings(group):
            said.setdefault(text, []).append(group.title)
    unfitted = [group.title for group in groups if group.best is None]
    if unfitted:
        said["too few cells for any form"] = unfitted
    if not said:
        return [html.paragraph("Nothing was found.")]
    shared = [text for text, titles in said.items() if len(titles) == len(groups)]
    apart: dict[str, list[str]] = {}
    for text, titles in said.items():
        for each in titles if text not in shared else ():
            apart.setdefault(each, []).append(text)
    parts = [html.bullets(shared, "warnings")]
    of_each = "\n".join(
        f"<h3>{html.escape(each)}</h3>\n{html.bullets(texts, 'warnings')}"
        for each, texts in apart.items()
    )
    few = len(groups) <= _FEW
    parts.append(of_each if few else html.folded(f"Of {counted(len(apart), 'group')}", of_each))
    return parts


def _fits(fitted: Sequence[_Fitted]) -> list[str]:
    """Return how well the form of each group fits, and folded all forms and coefficients."""
    if not fitted:
        return []
    header = ["", "form", "cells", "df", "σ", "error", "cell left out", "I left out"]
    header += ["O left out", "worst cell", "R²"]
    rows, names = [], _names([group for group, _ in fitted])
    for group, best in fitted:
        row = group.forms[group.forms["form"] == best.form.id].iloc[0]
        rows.append([names[id(group)], *_quality(row)])
    details = "\n".join(
        f"<h3>{html.escape(group.title)}</h3>\n{_forms(group)}\n{_coefficients(group, best)}"
        for group, best in fitted
    )
    return [
        html.table(header, rows),
        html.paragraph(
            "Errors are means of absolute shares: on the cells of the fit, and on cells, input"
            " lengths and output lengths left out of it one by one.",
            "quiet",
        ),
        html.folded("All forms, and coefficients with their intervals", details),
    ]


def _quality(row: "pd.Series[Any]") -> list[str]:
    """Return one form's row: its title and how well it fits."""
    get = row.__getitem__
    relative = get("weights") == "relative"
    sigma = f"{100 * get('sigma'):.3g} %" if relative else f"{get('sigma'):.3g} J"
    errors = ("mape_percent", "leave_one_cell_out_percent", "leave_one_input_out_percent")
    worst = f"{get('worst_cell')}: {_percent(get('worst_cell_percent'))}"
    return [
        _form_title(get("form")),
        str(int(get("cells"))),
        str(int(get("df"))),
        sigma,
        *(_percent(get(name)) for name in (*errors, "leave_one_output_out_percent")),
        worst if get("worst_cell") else MISSING,
        _number(get("r_squared"), ".4f").replace("-0.0000", "0.0000"),
    ]


def _forms(group: GroupFit) -> str:
    header = ["form", "cells", "df", "σ", "error", "cell left out", "I left out", "O left out"]
    fitted = group.forms[group.forms["status"] == "ok"]
    rows = [_quality(row) for _, row in fitted.iterrows()]
    return html.table([*header, "worst cell", "R²"], rows)


def _coefficients(group: GroupFit, best: FormFit) -> str:
    form_id = best.form.id
    units = {term.name: term.unit for term in best.form.terms}
    header = [_form_title(form_id), "value", "95 % interval", "SE", "HC3 SE", "p", "VIF"]
    rows = [
        [
            f"{row.term} ({units[row.term]})",
            _number(row.value, ".4g"),
            f"{_number(row.low)} to {_number(row.high)}",
            _number(row.std_error),
            _number(row.hc3_std_error),
            "no noise" if row.stars == "no noise" else _number(row.p_value, ".2g"),
            _number(row.vif),
        ]
        for row in _rows(group.coefficients[group.coefficients["form"] == form_id])
    ]
    return html.table(header, rows) + html.paragraph(f"e = {best.form.formula}", "quiet")


def _folded_table(table: Table) -> str:
    texts = table.texts()
    content = html.paragraph(table.caption) + html.table(
        list(texts.columns), [[str(text) for text in row] for row in _rows(texts)]
    )
    return html.folded(table.title, content + html.bullets(table.notes, "quiet"))


def _rows(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples(index=False))


def _maker(fitted: Sequence[_Fitted]) -> str:
    weights = {best.weights for _, best in fitted}
    by_weights = f", {' and '.join(sorted(weights))} weights" if weights else ""
    return f"sweetspot {sweetspot.__version__}: least squares{by_weights}, intervals of 95 %."


def _form_title(form_id: str) -> str:
    found = form(form_id)
    return found.source if found.source.startswith("Eq") else found.title


def _number(value: float, spec: str = ".3g") -> str:
    return MISSING if math.isnan(value) else format(value, spec)


def _percent(value: float) -> str:
    return _number(value, ".0f" if value >= 100 else ".2g") + " %" * (not math.isnan(value))
