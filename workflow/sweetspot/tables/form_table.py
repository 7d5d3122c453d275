"""Table 1: the six forms of energy per output token."""

import pandas as pd

from sweetspot.energy_models import FORMS
from sweetspot.tables.table import Column, Table, number


def table1() -> Table:
    """Return Table 1: what each form says e(I, O) is, and who proposed it."""
    return Table(
        frame=pd.DataFrame(
            {
                "form": form.id,
                "title": form.title,
                "formula": form.formula,
                "coefficients": len(form.terms),
                "min_cells": form.min_cells,
                "source": form.source,
            }
            for form in FORMS
        ),
        columns=(
            Column("Model", lambda row: row.title, number=False),
            Column("e(I, O)", lambda row: row.formula, number=False),
            Column("Coefficients", number("coefficients", "d")),
            Column("Source", lambda row: row.source, number=False),
        ),
        title="Table 1",
        caption=(
            "Models of e, the energy per output token in J, of requests of I input and O output "
            "tokens."
        ),
        notes=("e = E / (N·O), where E is the energy of a run of N requests.",),
        label="tab:models-of-energy",
    )
