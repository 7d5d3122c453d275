"""Two runs side by side, model by model."""

from typing import Any

from sweetspot.analysis.beside import Beside, with_interval
from sweetspot.tables.names import with_names
from sweetspot.tables.table import Column, Table, number


def beside_table(beside: Beside) -> Table:
    """Return the geometric mean of every model's ratios, B over A, and how far they spread."""
    frame = with_names(beside.by_model)
    others = {
        "throughput_ratio": "Throughput, B / A",
        "power_ratio": "Power, B / A",
    }
    return Table(
        frame=frame,
        columns=(
            Column("Model", lambda row: row.name, number=False),
            Column("Cells in both", number("cells", "d")),
            Column("Energy per token, B / A", _mean),
            Column("Lowest", number("lowest", ".3g")),
            Column("Highest", number("highest", ".3g")),
            *(
                Column(title, number(name, ".3g"))
                for name, title in others.items()
                if frame[name].notna().any()
            ),
        ),
        title="Two runs side by side",
        caption=(
            "Ratios of B over A: geometric means over a model's common cells, with the 95 % "
            f"interval of that mean. {'. '.join(beside.sides)}."
        ),
        notes=(f"{beside.intervals}.",),
        label="tab:beside",
    )


def _mean(row: Any) -> str:
    return with_interval(row._asdict())
