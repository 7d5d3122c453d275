"""The form that knows the batch: its coefficients, and its errors load by load beside Eq. 5's."""

import pandas as pd

from sweetspot.analysis.batch_tables import BatchFit
from sweetspot.analysis.batch_words import notes_of
from sweetspot.tables.names import printed_name, with_names
from sweetspot.tables.table import Column, Table, number

_MODEL = Column("Model", lambda row: row.name, number=False)


def batch_coefficients(fit: BatchFit) -> Table:
    """Return the coefficients of each model, all loads at once, with 95 % intervals."""
    return Table(
        frame=with_names(fit.coefficients),
        columns=(
            _MODEL,
            Column("Term", lambda row: row.term, number=False),
            Column("Unit", lambda row: row.unit, number=False),
            Column("Value", number("value", ".4e")),
            Column("SE", number("std_error", ".1e")),
            Column("SE (HC3)", number("hc3_std_error", ".1e")),
            Column("Low", number("low", ".3e")),
            Column("High", number("high", ".3e")),
            Column("What is counted", lambda row: row.meaning, number=False),
        ),
        title="Batch form: coefficients",
        caption=(
            "e = a0 + a1·I²/O + a2·(I + O/2) + a3·I/O + a5/O + a6/(I·O) + w·S/(N·O) - h·H/(N·O) +"
            " r/(N·O) in J per output token, fitted to all loads of a model at once with relative"
            " errors; S is the number of iterations, and H that of those in which computing hides"
            f" reading. {_origin(fit.quality)}"
        ),
        notes=("Low and High: 95 % intervals by Student's t.", *_ridges(fit), *_notes(fit)),
        label="tab:batch-coefficients",
        long=True,
    )


def batch_loads(fit: BatchFit) -> Table:
    """Return the errors of each load: in the fit, left out of it, and by Eq. 5 of that load."""
    totals = fit.quality[fit.quality["status"] == "ok"].assign(
        requests=float("nan"),
        batch_limit=float("nan"),
        left_out_percent=lambda rows: rows["leave_one_load_out_percent"],
    )
    of_totals = ("leave_one_cell_out_percent", "leave_one_model_out_percent")
    columns = [*fit.per_load.columns, *of_totals, "eq5_all_loads_mape_percent"]
    frame = pd.concat(
        [
            part.reindex(columns=columns).astype(object)
            for model in fit.per_load["model"].unique()
            for part in (
                fit.per_load[fit.per_load["model"] == model],
                totals[totals["model"] == model],
            )
        ]
        or [pd.DataFrame(columns=columns)]
    )
    return Table(
        frame=with_names(frame),
        columns=(
            _MODEL,
            Column("N", lambda row: "all" if pd.isna(row.requests) else str(row.requests)),
            Column("In flight at most", number("batch_limit", "d")),
            Column("Cells", number("cells", "d")),
            Column("Error (%)", number("mape_percent", ".2f")),
            Column("Load left out (%)", number("left_out_percent", ".2f")),
            Column("Cell left out (%)", number("leave_one_cell_out_percent", ".2f")),
            Column("Model left out (%)", number("leave_one_model_out_percent", ".2f")),
            Column("Eq. 5 of this load (%)", number("eq5_mape_percent", ".2f")),
            Column("Eq. 5, cell left out (%)", number("eq5_leave_one_cell_out_percent", ".2f")),
            Column("Eq. 5 of all loads (%)", number("eq5_all_loads_mape_percent", ".1f")),
        ),
        title="Batch form: errors by load",
        caption=(
            "Mean absolute errors of the batch form, which has one set of coefficients for all"
            " loads of a model, beside Eq. 5, which needs six for each; both fitted with relative"
            f" errors. {_origin(fit.quality)}"
        ),
        notes=(
            "In flight at most: min(N, max_batch_size); loads that agree in it are one.",
            "Load left out: predicted from the other loads alone. In the rows of all loads it is"
            " the mean over those that can be, and Eq. 5's errors are of the loads that carry it.",
            "Model left out: with all coefficients predicted from the sizes of the model and the"
            " coefficients of the others, where at least four have all that is counted.",
            *_notes(fit),
        ),
        label="tab:batch-loads",
        long=True,
    )


def _origin(quality: pd.DataFrame) -> str:
    fitted = quality[quality["status"] == "ok"]
    if fitted.empty:
        return "No model has several loads that tell its terms apart."
    kind = "Simulated cells" if fitted["simulated"].astype(bool).any() else "Cells"
    sure = sorted({text for text in fitted["interval"].fillna("") if text})
    return f"{kind}: {fitted['cells'].sum():.0f} over {len(fitted)} LLMs{'; '.join(['', *sure])}."


def _ridges(fit: BatchFit) -> tuple[str, ...]:
    """Return what R of H is, if a model has it."""
    known = fit.quality[fit.quality["ridge_tokens"] > 0]
    found = ", ".join(
        f"{row.ridge_tokens:.0f} of {printed_name(str(row.model))}" for row in known.itertuples()
    )
    return (f"R of H, in tokens per iteration: {found}.",) if found else ()


def _notes(fit: BatchFit) -> tuple[str, ...]:
    """Return what should be known of each model's fit, each sentence once with its models."""
    models: dict[str, list[str]] = {}
    for row in fit.quality.itertuples():
        terms = fit.coefficients[fit.coefficients["model"] == row.model]
        for note in notes_of(row, terms):
            models.setdefault(note, []).append(printed_name(str(row.model)))
    return tuple(f"{', '.join(names)}: {note}" for note, names in models.items())
