"""The columns of cells.csv, as a page."""

from sweetspot.markdown import table
from sweetspot.measure.cells_table import HEADER, SWEEPS
from sweetspot.measure.record import OF_ONE_RUN, CellRecord
from sweetspot.reference.words import notice, type_in_words
from sweetspot.schema.describing import json_schema


def cells_page() -> str:
    """Return docs/cells.md."""
    described = json_schema(CellRecord)["properties"]
    described["sweeps"] = {"type": "string", "description": SWEEPS}
    rows = (
        (f"`{name}`", type_in_words(described[name]), described[name]["description"])
        for name in HEADER
    )
    return "\n".join(
        [
            notice("measure/record.py"),
            "# Columns of cells.csv",
            "",
            "One row per cell of the experiment, in its order; failed and invalid cells are rows"
            " too. A number that a cell does not have is empty.",
            "",
            table(("column", "type", "meaning"), rows),
            "",
            "Each cell's own record, `results/<run>/records/<cell>.<key>.json`, holds the same"
            " fields (without `sweeps`) and",
            "",
            *(f"- `{name}`: {described[name]['description']}" for name in OF_ONE_RUN),
            "",
            "Beside it lies `<cell>.<key>.trace.csv.gz`, the power trace that the energy was"
            " integrated from.",
            "",
        ]
    )
