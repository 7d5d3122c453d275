"""Tables 3 to 5: how well the forms fit, which coefficients matter, and their values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import GROUP
from sweetspot.analysis.fits import Fits
from sweetspot.analysis.significance import (
    LEVELS,
    NO_NOISE,
    UNDEFINED,
    significance_counts,
)
from sweetspot.energy_models import FORMS, form
from sweetspot.tables.names import printed_name, with_names
from sweetspot.tables.table import MISSING, Column, Table, number

_MODEL = Column("Model", lambda row: row.name, number=False)
_FAMILY = Column("Family", lambda row: row.family or MISSING, number=False)


_SURE = ("low", "high", "std_error", "hc3_std_error", "stars", "hc3_stars")
_SPOT = ["observed_output_tokens", "estimated_output_tokens", "estimated_low", "estimated_high"]
_HC3 = "HC3: standard errors that hold where the errors of cells differ in size."
_NO_STARS = (
    "No noise: in these simulated cells chance has no part. Intervals and p-values would measure "
    "how far the form misses them, so there are no stars."
)
_HELD_OUT = {
    "leave_one_cell_out_percent": "cell",
    "leave_one_input_out_percent": "input length",
    "leave_one_output_out_percent": "output length",
}
_HELD_OUT_SHOWN = {
    "flops": {"leave_one_cell_out_percent": "cell"},
    "memory_flops": _HELD_OUT,
}


def table3(fits: Fits) -> Table:
    """Return Table 3: MAPE of every form on every model, then average and standard deviation.

    Beside the paper's own are errors on cells that were held out of the fit: each cell in turn, and
    of Eq. 5 each input and each output length in turn.
    """
    quality = _common_load(fits.quality)
    errors = quality.pivot(index="model", columns="form", values=["mape_percent", *_HELD_OUT])
    shown = [(kind, form.id) for kind in ("mape_percent", *_HELD_OUT) for form in FORMS]
    errors = errors.reindex(columns=shown)
    errors.columns = pd.Index([_error_column(*column) for column in shown])
    frame = with_names(errors.reset_index())
    if len(frame) > 1:
        values = frame[list(errors.columns)]
        # The paper's deviations divide by the number of models, not by one less.
        summary = pd.DataFrame([values.mean(), values.std(ddof=0)]).assign(
            model="", name=["Average", "Standard deviation"], family=""
        )
        frame = pd.concat([frame, summary], ignore_index=True)
    missing = quality[quality["status"] != "ok"]
    return Table(
        frame=frame,
        columns=(
            _MODEL,
            _FAMILY,
            *(Column(form.title, number(form.id, ".2f")) for form in FORMS),
            *(
                Column(
                    f"{form(form_id).title}, each {what} held out",
                    number(_error_column(kind, form_id), ".2f"),
                )
                for form_id, kinds in _HELD_OUT_SHOWN.items()
                for kind, what in kinds.items()
            ),
        ),
        title="Table 3",
        caption=(
            f"MAPE in % of the energy models{', each fitted to one LLM' * (len(frame) > 1)}. "
            f"{_origin(quality)}"
        ),
        notes=(
            *_left_out(quality),
            *(
                f"{printed_name(model)}, {form(form_id).title}: not fitted, {reason}."
                for model, form_id, reason in missing[["model", "form", "reason"]].to_numpy()
            ),
        ),
        label="tab:mape",
    )


def table4(fits: Fits) -> Table:
    """Return Table 4: for how many models each coefficient of Eq. 5 is significant.

    Without rows, and with the reason, where Eq. 5 could not be fitted.
    """
    title, label = "Table 4", "tab:significance"
    caption = "Significance of the parameters of Eq. 5"
    quality = _eq5(fits.quality)
    if quality.empty:
        return _without_eq5(fits.quality, title, caption, label, "Parameter")
    coefficients = _common_load(fits.coefficients, fits.quality)
    counts = significance_counts(coefficients).reset_index()
    robust = significance_counts(coefficients, "hc3_stars").reset_index()
    counts = counts.merge(
        robust.drop(columns="models").add_prefix("hc3_"),
        left_on="parameter",
        right_on="hc3_parameter",
    ).drop(columns="hc3_parameter")
    undefined = bool(counts[["undefined", "hc3_undefined"]].any(axis=None))
    levels = LEVELS | dict.fromkeys([UNDEFINED] * undefined, UNDEFINED)
    no_noise = bool(counts["no_noise"].any())
    # Without noise in any cell there is nothing to count a second time
    kinds = [("", ""), *([("HC3: ", "hc3_")] * bool((counts["no_noise"] < counts["models"]).any()))]
    many = bool((counts["models"] > 1).any())
    return Table(
        frame=counts,
        columns=(
            Column("Parameter", lambda row: row.parameter, number=False),
            *(
                _share(f"{title}{mark}", f"{field}{level}")
                for title, field in kinds
                for level, mark in levels.items()
            ),
            *([_share(NO_NOISE, "no_noise")] * no_noise),
        ),
        title=title,
        caption=f"{caption}{': the number of LLMs at each level' * many}. {_origin(quality)}",
        notes=(
            "*** p < 0.001, ** p < 0.01, * p < 0.05, n.s. not significant; two-sided t-tests of "
            f"least squares. {_HC3}",
            *(("Undefined: the fit meets every cell, so nothing can be tested.",) * undefined),
            *((_NO_STARS,) * no_noise),
        ),
        label=label,
    )


def table5(fits: Fits, sweet_spots: pd.DataFrame, extremes: pd.DataFrame) -> Table:
    """Return Table 5: Eq. 5's coefficients, and the sweet spot as observed and as estimated.

    The estimate is Eq. 6 at the input length of the observed one. Beside the paper's own are how
    sure each coefficient and the estimate are. Without rows, and with the reason, where Eq. 5 could
    not be fitted.
    """
    title, label = "Table 5", "tab:parameters"
    caption = (
        "Parameters of Eq. 5, and the most efficient cell with Eq. 6's estimate at the same input "
        "length, in tokens"
    )
    eq5, quality = form("memory_flops"), _eq5(fits.quality)
    if quality.empty:
        return _without_eq5(fits.quality, title, caption, label, "Model")
    coefficients = _common_load(fits.coefficients, fits.quality)
    coefficients = coefficients[coefficients["form"] == eq5.id]
    values = coefficients.pivot(index=GROUP, columns="term", values=["value", *_SURE])
    shown = [(kind, term.name) for kind in ("value", *_SURE) for term in eq5.terms]
    values = values[shown]
    values.columns = pd.Index(
        [name if kind == "value" else f"{name}_{kind}" for kind, name in shown]
    )
    values = values.reset_index()
    best = extremes.rename(columns={"best_input_tokens": "input_tokens"})
    spots = values.merge(best[[*GROUP, "input_tokens"]], on=GROUP).merge(
        sweet_spots[[*GROUP, "input_tokens", *_SPOT]],
        on=[*GROUP, "input_tokens"],
    )
    return Table(
        frame=with_names(spots.drop(columns=GROUP[1:])),
        columns=(
            _MODEL,
            _FAMILY,
            *(Column(f"{term.name} ({term.unit})", number(term.name, ".4e")) for term in eq5.terms),
            Column("Sweet spot I/O", _spot("observed_output_tokens")),
            Column("Estimated I/O", _spot("estimated_output_tokens")),
            Column("Estimated O, 95 %", _spot_interval),
            *(Column(f"{term.name}, 95 %; HC3", _sure(term.name)) for term in eq5.terms),
        ),
        title=title,
        caption=f"{caption}. {_origin(quality)}",
        notes=(
            *_left_out(quality),
            "± is half the 95 % interval of least squares, as a share of the coefficient; that of "
            f"the estimate is by the delta method. Stars are those of Table 4 by HC3. {_HC3}",
            *((_NO_STARS,) * _without_noise(quality)),
        ),
        label=label,
    )


def _common_load(frame: pd.DataFrame, quality: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the rows of the load (N, max_batch_size) that Eq. 5 was fitted to for most models.

    Of equals, the one with more fits of any form, then more cells, then more requests
    (saturation), then the larger batch.
    """
    quality = frame if quality is None else quality
    fitted = quality[quality["status"] == "ok"]
    fitted = fitted.assign(eq5=fitted["form"] == "memory_flops", fits=1)
    counted = ["eq5", "fits", "cells"]
    loads = fitted.groupby(GROUP[1:], as_index=False)[counted].sum()
    best = loads.sort_values([*counted, *GROUP[1:]]).iloc[-1]
    return frame[np.logical_and.reduce([frame[name] == best[name] for name in GROUP[1:]])]


def _eq5(quality: pd.DataFrame) -> pd.DataFrame:
    """Return the fits of Eq. 5 under the common load; no rows where it was fitted to none."""
    rows = _common_load(quality)
    return rows[(rows["form"] == "memory_flops") & (rows["status"] == "ok")]


def _without_eq5(quality: pd.DataFrame, title: str, caption: str, label: str, column: str) -> Table:
    """Return a table of Eq. 5 where there is no fit of it: what is missing, instead of rows."""
    tried = _common_load(quality)
    tried = tried[tried["form"] == "memory_flops"]
    reasons = " and ".join(tried["reason"].unique()) or "was not asked for"
    return Table(
        frame=pd.DataFrame({column: pd.Series(dtype=str)}),
        columns=(Column(column, lambda row: str(row[0]), number=False),),
        title=title,
        caption=f"{caption}.",
        notes=(f"Eq. 5 {reasons}; see Table 3 for other forms.",),
        label=label,
    )


def _origin(quality: pd.DataFrame) -> str:
    """Say of whom, under which load, from how many cells, and whether they are simulated."""
    per_model = quality.groupby("model", sort=False)["cells"].first()
    load = quality.iloc[0]
    kind = "Cells"
    if quality["simulated"].any():
        noise = quality["noise"].max()
        kind = f"Simulated cells {f'with {100 * noise:.3g} %' if noise > 0 else 'without'} noise"
    sure = sorted({text for text in quality["interval"].fillna("") if text})
    whom = f"over {len(per_model)} LLMs"
    if len(per_model) == 1:
        whom = f"of {printed_name(str(per_model.index[0]))}"
    if load["weights"] == "relative":
        sure.append("errors of a fit count as a share of each cell's energy")
    observations = int(quality.groupby("model")["observations"].first().sum())
    means = f" (means of {observations} rows)" if observations > per_model.sum() else ""
    return (
        f"{kind}: {per_model.sum()}{means} {whom}, N = {load['requests']}, "
        f"max_batch_size {load['max_batch_size']}{'; '.join(['', *sure])}."
    )


def _left_out(quality: pd.DataFrame) -> tuple[str, ...]:
    count = int(quality.groupby("model")["cells_left_out"].first().sum())
    rows = "row is" if count == 1 else "rows are"
    return (f"{count} failed or invalid {rows} left out.",) if count else ()


def _without_noise(quality: pd.DataFrame) -> bool:
    return bool((quality["simulated"] & ~(quality["noise"] > 0)).any())


def _error_column(kind: str, form_id: str) -> str:
    """Return a column of Table 3's numbers; MAPE is called as the form, as in the paper's table."""
    return form_id if kind == "mape_percent" else f"{form_id}_{kind}"


def _share(title: str, field: str) -> Column:
    def text(row: Any) -> str:
        count = getattr(row, field)
        if title != NO_NOISE and row.no_noise == row.models:
            return MISSING
        return f"{count}/{row.models} ({count / row.models:.0%})"

    return Column(title, text)


def _sure(term: str) -> Callable[[Any], str]:
    """Return the text of a coefficient's interval and of its stars by HC3."""

    def text(row: Any) -> str:
        value, low, high = (getattr(row, f"{term}{end}") for end in ("", "_low", "_high"))
        marks = getattr(row, f"{term}_hc3_stars")
        marks = "" if marks in (NO_NOISE, UNDEFINED) else f" {marks}"
        if np.isnan(high - low):
            return MISSING
        percent = 100 * (high - low) / 2 / abs(value)
        return f"±{percent:{'.0f' if percent >= 100 else '.2g'}} %{marks}"

    return text


def _spot_interval(row: Any) -> str:
    if np.isnan(row.estimated_low):
        return MISSING
    return f"{row.estimated_low:.0f} to {row.estimated_high:.0f}"


def _spot(field: str) -> Callable[[Any], str]:
    def text(row: Any) -> str:
        output_tokens = getattr(row, field)
        return MISSING if np.isnan(output_tokens) else f"{row.input_tokens}/{output_tokens:.0f}"

    return text
