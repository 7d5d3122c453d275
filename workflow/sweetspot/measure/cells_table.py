"""The table of all cells of a run: one row a cell, in the experiment's order."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from sweetspot.config import Experiment
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.measure.record import COLUMNS, CellRecord, read_block
from sweetspot.plan.plan import plan

HEADER = ("cell", "sweeps", *(name for name in COLUMNS if name != "cell"))
SWEEPS = "Sweeps of the experiment that name this cell, joined by `;`."


def write_cells(experiment: Experiment, blocks: Iterable[Path], out: Path) -> None:
    """Write cells.csv from the blocks' files.

    Raises:
        InputError: a file is not a block, a cell is missing, or the table cannot be written.
    """
    records = {record.cell: record for block in blocks for record in read_block(block)}
    planned = plan(experiment)
    missing = [cell.id for cell in planned.cells if cell.id not in records]
    if missing:
        raise InputError(
            f"{len(missing)} cells have no record, {missing[0]} among them; run the workflow again"
        )
    rows = ((records[cell], of) for cell, of in planned.sweeps.items() if cell in records)
    write_table(rows, out)


def write_table(rows: Iterable[tuple[CellRecord, Sequence[str]]], out: Path) -> None:
    """Write cells.csv: a row for each record and the sweeps that name its cell.

    Raises:
        InputError: the table cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    for record, sweeps in rows:
        values = (getattr(record, name) for name in COLUMNS if name != "cell")
        named = (record.cell, ";".join(sweeps))
        table.writerow("" if value is None else value for value in (*named, *values))
    write_text_atomic(out, text.getvalue())
