"""Which records of earlier runs are still good: one rule for what plans and for what measures."""

from pathlib import Path

from sweetspot.cells.cell import Cell
from sweetspot.config import Remeasure
from sweetspot.measure.provenance import other_board
from sweetspot.measure.record import CellRecord, Useless, read_record, record_path, set_aside
from sweetspot.plan.block import Block


def reusable_record(
    records: Path,
    block: Block,
    cell: Cell,
    remeasure: Remeasure = "nothing",
    *,
    useless: Useless = set_aside,
) -> CellRecord | None:
    """Return the record that a cell has from an earlier run, unless it is to be measured again.

    One that earlier code measured on another board than the cell's is `useless`, and one that it
    simulated without its model's clock, which follows from nothing that a record has, is no more.

    Raises:
        InputError: the file cannot be read, or not be set aside.
    """
    if remeasure == "all":
        return None
    key = block.key(cell)
    path = record_path(records, cell, key)
    record = read_record(path, key, useless)
    metered = record is not None and record.status == "ok" and block.settings.metering
    if record and metered and other_board(record.provenance, block.settings.gpu):
        useless(path, "misplaced")
        return None
    if record and record.status != "ok":
        return None if remeasure == "failed" else record
    is_older = record and record.simulated and record.mean_sm_mhz is None
    return None if is_older and block.settings.gpu.max_clock_mhz else record
