"""Which cells of a run are done, and which are still to be measured or simulated."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sweetspot.cells.cell import Cell
from sweetspot.config import Remeasure
from sweetspot.errors import InputError
from sweetspot.measure.record import CellRecord
from sweetspot.measure.reuse import reusable_record
from sweetspot.plan.block import Block
from sweetspot.plan.plan import Plan

MOST = 2
"""So many times the cells that are expected an adaptive design may well take."""


@dataclass(frozen=True, slots=True)
class Work:
    """The cells of a block, in the order in which they are measured.

    Attributes:
        done: those with a record that is reused.
        left: the others; of an adaptive design as many as are expected to be needed.
        most: the same, as many as it may well take.
    """

    done: tuple[Cell, ...]
    left: tuple[Cell, ...]
    most: tuple[Cell, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All that the block is expected to have."""
        return (*self.done, *self.left)


def work_of(block: Block, records: Path, remeasure: Remeasure = "nothing") -> Work:
    """Return what is done of a block, and what is left."""
    known = records_of(block, block.cells, records, remeasure)
    left = [cell for cell in block.cells if cell not in known]
    if block.adaptive is None:
        return Work(tuple(known), tuple(left), tuple(left))
    known |= records_of(block, block.candidates, records, remeasure)
    certain = set(left)
    from sweetspot.measure.adaptive import decisions  # loads numpy, which planning does without

    most = list(left)
    for each in decisions(block, known):
        more = [cell for cell in each.cells if cell not in certain]
        needed = sum(cell not in certain for cell in each.cells[: each.needed])
        left += more[:needed]
        most += more[: MOST * needed]
    return Work(tuple(known), tuple(left), tuple(most))


def settled(planned: Plan, records: Path) -> Plan:
    """Return a plan with the cells that a run has: candidates with a record are as any others."""
    return replace(planned, blocks=tuple(_settled(block, records) for block in planned.blocks))


def _settled(block: Block, records: Path) -> Block:
    there = records_of(block, block.candidates, records)
    cells = (*block.cells, *(cell for cell in block.candidates if cell in there))
    return replace(block, cells=cells, candidates=(), adaptive=None)


def records_of(
    block: Block, cells: Iterable[Cell], records: Path, remeasure: Remeasure = "nothing"
) -> dict[Cell, CellRecord]:
    """Return the records of cells that a run reuses; files stay where they are, of use or not.

    What is damaged, or of another board, is a job's to find.
    """
    found = {}
    for cell in cells:
        with suppress(InputError):  # it cannot be read, as the cell's job will say
            if record := reusable_record(records, block, cell, remeasure, useless=_leave):
                found[cell] = record
    return found


def _leave(path: Path, what: str) -> None:
    """Leave a record that is of no use to the job of its cell."""
