"""Tables 3 to 5: how well the forms fit, which coefficients matter, and their values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import GROUP
from sweetspot.analysis.fits import Fits
from sweetspot.analysis.significance import significance_counts
from sweetspot.energy_models import FORMS, form
from sweetspot.errors import InputError
from sweetspot.tables.names import printed_name, with_names
from sweetspot.tables.table import MISSING, Column, Table, number

_MODEL = Column("Model", lambda row: row.name, number=False)
_FAMILY = Column("Family", lambda row: row.family or MISSING, number=False)


def table3(fits: Fits) -> Table:
    """Return Table 3: MAPE of every form on every model, then average and standard deviation."""
    quality = _common_load(fits.quality)
    mape = quality.pivot(index="model", columns="form", values="mape_percent")
    mape = mape.reindex(columns=[form.id for form in FORMS])
    frame = with_names(mape.reset_index())
    if len(frame) > 1:
        values = frame[list(mape.columns)]
        # The paper's deviations divide by the number of models, not by one less.
        summary = pd.DataFrame([values.mean(), values.std(ddof=0)]).assign(
            model="", name=["Average", "Standard deviation"], family=""
        )
        frame = pd.concat([frame, summary], ignore_index=True)
    missing = quality[quality["status"] != "ok"]
    return Table(
        frame=frame,
        columns=(_MODEL, _FAMILY, *(Column(form.title, number(form.id, ".2f")) for form in FORMS)),
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
    """Return Table 4: for how many models each coefficient of Eq. 5 is significant."""
    quality = _eq5(fits.quality)
    coefficients = _common_load(fits.coefficients, fits.quality)
    counts = significance_counts(coefficients).reset_index()
    undefined, no_noise = (bool(counts[name].any()) for name in ("undefined", "no_noise"))
    many = bool((counts["models"] > 1).any())
    return Table(
        frame=counts,
        columns=(
            Column("Parameter", lambda row: row.parameter, number=False),
            _share("***", "three_stars"),
            _share("**", "two_stars"),
            _share("*", "one_star"),
            _share("n.s.", "not_significant"),
            *((_share("undefined", "undefined"),) if undefined else ()),
            *((_share("no noise", "no_noise"),) if no_noise else ()),
        ),
        title="Table 4",
        caption=(
            "Significance of the parameters of Eq. 5"
            f"{': the number of LLMs at each level' * many}. {_origin(quality)}"
        ),
        notes=(
            "*** p < 0.001, ** p < 0.01, * p < 0.05, n.s. not significant; two-sided t-tests of "
            "ordinary least squares.",
            *(("Undefined: the fit meets every cell, so nothing can be tested.",) * undefined),
            *(
                ("No noise: simulated, so what is left over is no chance to test against.",)
                * no_noise
            ),
        ),
        label="tab:significance",
    )


def table5(fits: Fits, sweet_spots: pd.DataFrame, extremes: pd.DataFrame) -> Table:
    """Return Table 5: Eq. 5's coefficients, and the sweet spot as observed and as estimated.

    The estimate is Eq. 6 at the input length of the observed one.
    """
    eq5, quality = form("memory_flops"), _eq5(fits.quality)
    coefficients = _common_load(fits.coefficients, fits.quality)
    coefficients = coefficients[coefficients["form"] == eq5.id]
    names = [term.name for term in eq5.terms]
    values = coefficients.pivot(index=GROUP, columns="term", values="value")[names].reset_index()
    best = extremes.rename(columns={"best_input_tokens": "input_tokens"})
    spots = values.merge(best[[*GROUP, "input_tokens"]], on=GROUP).merge(
        sweet_spots[[*GROUP, "input_tokens", "observed_output_tokens", "estimated_output_tokens"]],
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
        ),
        title="Table 5",
        caption=(
            "Parameters of Eq. 5, and the most efficient cell with Eq. 6's estimate at the same "
            f"input length, in tokens. {_origin(quality)}"
        ),
        notes=_left_out(quality),
        label="tab:parameters",
    )


def _common_load(frame: pd.DataFrame, quality: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the rows of the load (N, max_batch_size) that Eq. 5 was fitted to for most models.

    Of equals, the one with more fits of any form, then more cells, then more requests
    (saturation), then the larger batch.
    """
    quality = frame if quality is None else quality
    fitted = quality[quality["status"] == "ok"]
    fitted = fitted.assign(eq5=fitted["form"] == "memory_flops")
    loads = fitted.groupby(GROUP[1:]).agg(
        eq5=("eq5", "sum"), fits=("eq5", "size"), cells=("cells", "sum")
    )
    best = loads.reset_index().sort_values(["eq5", "fits", "cells", *GROUP[1:]]).iloc[-1]
    return frame[(frame[GROUP[1:]] == best[GROUP[1:]]).all(axis="columns")]


def _eq5(quality: pd.DataFrame) -> pd.DataFrame:
    """Return the fits of Eq. 5 under the common load.

    Raises:
        InputError: there is none.
    """
    rows = _common_load(quality)
    rows = rows[rows["form"] == "memory_flops"]
    fitted = rows[rows["status"] == "ok"]
    if fitted.empty:
        reasons = " and ".join(rows["reason"].unique()) or "was not asked for"
        raise InputError(f"this table is of Eq. 5, which {reasons}; see Table 3 for other forms")
    return fitted


def _origin(quality: pd.DataFrame) -> str:
    """Say of whom, under which load, from how many cells, and whether they are simulated."""
    per_model = quality.groupby("model", sort=False)["cells"].first()
    load = quality.iloc[0]
    kind = "Simulated cells" if quality["simulated"].any() else "Cells"
    sure = sorted({text for text in quality["interval"].fillna("") if text})
    whom = f"over {len(per_model)} LLMs"
    if len(per_model) == 1:
        whom = f"of {printed_name(str(per_model.index[0]))}"
    return (
        f"{kind}: {per_model.sum()} {whom}, N = {load['requests']}, "
        f"max_batch_size {load['max_batch_size']}{'; '.join(['', *sure])}."
    )


def _left_out(quality: pd.DataFrame) -> tuple[str, ...]:
    count = int(quality.groupby("model")["cells_left_out"].first().sum())
    return (f"{count} failed or invalid cells are left out.",) if count else ()


def _share(title: str, field: str) -> Column:
    return Column(
        title,
        lambda row: f"{getattr(row, field)}/{row.models} ({getattr(row, field) / row.models:.0%})",
    )


def _spot(field: str) -> Callable[[Any], str]:
    def text(row: Any) -> str:
        output_tokens = getattr(row, field)
        return MISSING if np.isnan(output_tokens) else f"{row.input_tokens}/{output_tokens:.0f}"

    return text
