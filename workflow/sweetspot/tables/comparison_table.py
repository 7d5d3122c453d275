"""Ours beside the paper's, short enough to read."""

from typing import Any

import pandas as pd

from sweetspot.analysis.comparison import INDEPENDENT
from sweetspot.analysis.comparison_rows import ALL_MODELS, LOAD
from sweetspot.tables.table import Column, Table, number

_PER_MODEL = ("Table 3", "Table 5")


def comparison_table(comparison: pd.DataFrame) -> Table:
    """Return the comparison without its single cells, and with models summed up.

    What Tables 3 and 5 give for every model becomes one row a quantity: the mean of the absolute
    relative differences, or of points of a grid how many are equal.
    """
    per_model = comparison["where"].isin(_PER_MODEL) & (comparison["model"] != ALL_MODELS)
    per_cell = comparison["quantity"].str.startswith("energy per output token")
    summed = [
        _summed(rows)
        for _, rows in comparison[per_model].groupby(["where", "quantity"], sort=False)
    ]
    counts = comparison[["published", "ours"]]
    nothing = (comparison["where"] == "Table 4") & (counts == 0).all(axis="columns")  # most of it
    single = comparison[~per_model & ~per_cell & ~nothing]
    frame = pd.DataFrame([*single.to_dict("records"), *summed], columns=comparison.columns)
    frame = frame.sort_values("where", kind="stable", ignore_index=True)
    dependent = [words for words in frame["evidence"].unique() if words != INDEPENDENT]
    kind = "simulated" if frame["simulated"].any() else "from this run's cells"
    origin = f" Ours is {kind}: {' and '.join(_machines(frame))}." if len(frame) else ""
    return Table(
        frame=frame,
        columns=(
            Column("Where", lambda row: row.where, number=False),
            Column("Quantity", lambda row: row.quantity, number=False),
            Column("Model", lambda row: row.model, number=False),
            Column("Condition", lambda row: row.condition, number=False),
            Column("Unit", lambda row: row.unit, number=False),
            Column("Published", _published),
            Column("Ours", number("ours", ".5g")),
            Column("Relative difference (%)", _difference),
            Column("Evidence", lambda row: row.evidence.split(":")[0], number=False),
        ),
        title="Comparison with the paper",
        caption=f"Published numbers (arXiv 2602.05695) beside ours.{origin}",
        notes=(
            *_notes(frame),
            *(words[0].upper() + words[1:] + "; agreement is no evidence." for words in dependent),
            "B is max_batch_size. Rows of several models give the mean of the absolute relative "
            "differences, or how many points of the grid are equal. Levels of Table 4 that no "
            "model has in either are not listed.",
        )
        if len(frame)
        else ("No cell of this run has a model, load and lengths that the paper has numbers for.",),
        label="tab:comparison",
        long=True,
    )


def _summed(rows: pd.DataFrame) -> dict[Any, Any]:
    first = rows.iloc[0]
    grid = bool((rows["holds"] != "").all())
    return {
        **first.to_dict(),
        "model": f"{len(rows)} models",
        "condition": LOAD,
        "published": float("nan"),
        "ours": float("nan"),
        "difference": float("nan"),
        "relative_difference_percent": rows["relative_difference_percent"].abs().mean(),
        "cells": int(rows["cells"].sum()),
        "claim": "",
        "holds": f"{(rows['holds'] == 'yes').sum()} of {len(rows)} equal" if grid else "",
    }


def _notes(frame: pd.DataFrame) -> list[str]:
    """Return what is to be known of published numbers, and of what is not compared."""
    noted = frame[frame["note"] != ""].drop_duplicates(["where", "quantity", "note"])
    notes = [
        f"{row['where']}, {row['quantity']}: {row['note']}." for row in noted.to_dict("records")
    ]
    if (frame["where"] == "Table 3").any() and not (frame["where"] == "Table 4").any():
        notes.append(
            "Table 4 is not compared: that takes all 13 models, and chance to test against."
        )
    return notes


def _machines(frame: pd.DataFrame) -> list[str]:
    """Return what our numbers ran on, with the constants of those that are simulated."""
    named = frame[["engine", "gpu", "calibration", "interval"]].fillna("").drop_duplicates()
    return [
        f"{engine} on {gpu}"
        + (f" (calibration {calibration})" if calibration else "")
        + (f", {interval}" if interval else "")
        for engine, gpu, calibration, interval in named.itertuples(index=False, name=None)
    ]


def _published(row: Any) -> str:
    return str(row.claim) or number("published", ".5g")(row)


def _difference(row: Any) -> str:
    if row.holds:
        return {"yes": "holds", "no": "does not hold"}.get(row.holds, str(row.holds))
    if pd.notna(row.relative_difference_percent) and pd.isna(row.published):
        return f"{row.relative_difference_percent:.1f} (mean absolute)"
    return number("relative_difference_percent", "+.1f")(row)
