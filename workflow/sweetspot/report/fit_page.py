"""The page of a fit: its sections in order, each from what was fitted."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

import sweetspot
from sweetspot.analysis.cells import has_noise
from sweetspot.analysis.fit_warnings import fit_warnings
from sweetspot.analysis.group_fit import GroupFit
from sweetspot.analysis.least_squares import FormFit
from sweetspot.energy_models import form
from sweetspot.figures.evidence import evidence_of
from sweetspot.figures.words import quantity
from sweetspot.report import html
from sweetspot.report.exhibits import Picture, figures_section, tables_section
from sweetspot.report.html import Section
from sweetspot.report.numbers import number, percent
from sweetspot.report.spots import group_names, spot, sweet_spots
from sweetspot.tables.names import printed_name
from sweetspot.tables.table import MISSING, Table
from sweetspot.words import counted

_FEW = 3
"""Of more groups, what is said of each is folded."""

_Fitted = tuple[GroupFit, FormFit]


def fit_html(
    title: str,
    *,
    notes: Sequence[str],
    groups: Sequence[GroupFit],
    tables: Sequence[tuple[str, Table]] = (),
    pictures: Sequence[Picture] = (),
) -> str:
    """Return the page of a fit, one file: the same input gives the same bytes.

    Args:
        title: of the page.
        notes: how the measurements were understood.
        groups: what was fitted; those that no form could be fitted to are named.
        tables: further ones, by their names.
        pictures: in order.
    """
    fitted = [(group, group.best) for group in groups if group.best is not None]
    header = f"<h1>{html.escape(title)}</h1>\n{_origin(groups)}"
    sections = [
        Section("Sweet spots", _sweet_spots(groups)),
        Section("What to doubt", _warnings(groups)),
        Section("Fits", _fits(fitted)),
        figures_section(pictures),
        tables_section(tables),
        Section("How the measurements were read", [html.bullets(notes)]),
        Section("Made by", [html.paragraph(_maker(fitted), "quiet")]),
    ]
    return html.page(title, header, sections)


def _origin(groups: Sequence[GroupFit]) -> str:
    """Return where the cells come from, and a stamp where they are simulated."""
    said = list(dict.fromkeys(evidence_of(group.cells).sentence for group in groups if group.count))
    simulated = any(bool(group.cells["simulated"].any()) for group in groups)
    stamp = html.stamp("SIMULATED") if simulated else ""
    models = len({group.model for group in groups})
    cells = sum(group.count for group in groups)
    counts = f"{counted(models, 'model')}, {counted(cells, 'cell')}."
    return stamp + html.paragraph(" ".join([counts, *said]))


def _sweet_spots(groups: Sequence[GroupFit]) -> list[str]:
    """Return the result: for each group and input length the best output length."""
    found = [group for group in groups if len(group.sweet_spots)]
    if not found:
        return [html.paragraph("None: they take Eq. 5, and no group has cells that carry it.")]
    spots = pd.concat([group.sweet_spots for group in found], ignore_index=True)
    given = all(group.load_is_given for group in found)
    headline = [_headline(found[0])] if len(found) == 1 else []
    noise = all(has_noise(group.cells) for group in found)
    return [*headline, *sweet_spots(spots, load_is_given=given, has_noise=noise)]


def _headline(group: GroupFit) -> str:
    """Return the result in a line: the sweet spot at the input length where it is cheapest."""
    found = group.sweet_spots.dropna(subset=["estimated_tokens_per_j"])
    if found.empty:
        return ""
    row = found.sort_values("estimated_tokens_per_j").iloc[-1]
    return html.paragraph(
        f"{_name(group)} is most efficient with {spot(row)} output tokens at {row['input_tokens']}"
        f" input tokens: {quantity(row['estimated_tokens_per_j'])} tokens per joule.",
        "result",
    )


def _warnings(groups: Sequence[GroupFit]) -> list[str]:
    """Return the reasons to doubt, those that many groups share once."""
    said: dict[str, list[str]] = {}
    for group in groups:
        for text in fit_warnings(group):
            said.setdefault(text, []).append(_name(group))
    unfitted = [_name(group) for group in groups if group.best is None]
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
    names = group_names(
        [(group.model, group.requests, group.max_batch_size) for group, _ in fitted],
        load_is_given=all(group.load_is_given for group, _ in fitted),
    )
    rows = []
    for name, (group, best) in zip(names.values(), fitted, strict=True):
        row = group.forms[group.forms["form"] == best.form.id].iloc[0]
        rows.append([name, *_quality(row)])
    details = "\n".join(
        f"<h3>{html.escape(_name(group))}</h3>\n{_forms(group)}\n{_coefficients(group, best)}"
        for group, best in fitted
    )
    return [
        html.table(header, rows, label="Fits"),
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
    worst = f"{get('worst_cell')}: {percent(get('worst_cell_percent'))}"
    return [
        _form_title(get("form")),
        str(int(get("cells"))),
        str(int(get("df"))),
        sigma,
        *(percent(get(name)) for name in (*errors, "leave_one_output_out_percent")),
        worst if get("worst_cell") else MISSING,
        number(get("r_squared"), ".4f").replace("-0.0000", "0.0000"),
    ]


def _forms(group: GroupFit) -> str:
    header = ["form", "cells", "df", "σ", "error", "cell left out", "I left out", "O left out"]
    fitted = group.forms[group.forms["status"] == "ok"]
    rows = [_quality(row) for _, row in fitted.iterrows()]
    return html.table([*header, "worst cell", "R²"], rows, label=f"Forms of {_name(group)}")


def _coefficients(group: GroupFit, best: FormFit) -> str:
    form_id = best.form.id
    units = {term.name: term.unit for term in best.form.terms}
    header = [_form_title(form_id), "value", "95 % interval", "SE", "HC3 SE", "p", "VIF"]
    rows = [
        [
            f"{row.term} ({units[row.term]})",
            number(row.value, ".4g"),
            f"{number(row.low)} to {number(row.high)}",
            number(row.std_error),
            number(row.hc3_std_error),
            "no noise" if row.stars == "no noise" else number(row.p_value, ".2g"),
            number(row.vif),
        ]
        for row in _rows(group.coefficients[group.coefficients["form"] == form_id])
    ]
    return html.table(header, rows, label=f"Coefficients of {_name(group)}") + html.paragraph(
        f"e = {best.form.formula}", "quiet"
    )


def _rows(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples(index=False))


def _maker(fitted: Sequence[_Fitted]) -> str:
    weights = {best.weights for _, best in fitted}
    by_weights = f", {' and '.join(sorted(weights))} weights" if weights else ""
    return f"sweetspot {sweetspot.__version__}: least squares{by_weights}, intervals of 95 %."


def _name(group: GroupFit) -> str:
    """Return a group's title with the name that people know its model by."""
    return printed_name(group.model) + group.title.removeprefix(group.model)


def _form_title(form_id: str) -> str:
    found = form(form_id)
    return found.source if found.source.startswith("Eq") else found.title
