"""What the records of an adaptive design ask for: which cells come next, or no more."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from sweetspot.cells.cell import Cell
from sweetspot.config import Adaptive
from sweetspot.measure.record import CellRecord
from sweetspot.plan.adaptive import Next, Stop, next_cells
from sweetspot.plan.block import Block
from sweetspot.plan.lengths import Lengths, informative_first

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done at one load of a block.

    Attributes:
        block: its id.
        requests: N.
        measured: how many lengths have an energy, from all their repeats.
        of: how many there are.
        found: what comes next, or why nothing does.
        cells: without a record, in the order in which they are worth measuring.
        needed: how many of them are expected to be needed.
    """

    block: str
    requests: int
    measured: int
    of: int
    found: Next | Stop
    cells: tuple[Cell, ...]
    needed: int

    @property
    def in_words(self) -> str:
        """All of it in one line."""
        if isinstance(self.found, Stop):
            done = "enough" if self.found.is_enough else "ended"
            said = f"{done} with {self.measured} of {self.of} lengths"
        else:
            said = f"{self.measured} of {self.of} lengths, {self.found.needed} more expected"
        return f"{self.block}, N = {self.requests}: {said}: {self.found.reason}"


def decision(
    block: str, cells: Sequence[Cell], known: Mapping[Cell, CellRecord], target: Adaptive
) -> Decision:
    """Return what the records of cells of one model and load ask for.

    A length counts as measured once all its repeats have a record; where none of these is ok, it is
    passed over.

    Args:
        block: its id.
        cells: which may be measured, with those that were.
        known: the records that there are.
        target: what is enough.
    """
    by_lengths: dict[Lengths, list[Cell]] = {}
    for cell in cells:
        by_lengths.setdefault((cell.input_tokens, cell.output_tokens), []).append(cell)
    measured: dict[Lengths, float] = {}
    left: dict[Lengths, list[Cell]] = {}
    for lengths, of_lengths in by_lengths.items():
        missing = [cell for cell in of_lengths if cell not in known]
        energies_j = [each for c in of_lengths if c in known and (each := _energy_j(known[c]))]
        if missing:
            left[lengths] = missing
        elif energies_j:
            measured[lengths] = fmean(energies_j)
    requests = cells[0].requests
    found = next_cells(measured, left, requests, target)
    order = informative_first(left, requests, measured)
    needed = order[: found.needed] if isinstance(found, Next) else ()
    return Decision(
        block=block,
        requests=requests,
        measured=len(measured),
        of=len(by_lengths),
        found=found,
        cells=tuple(cell for lengths in order for cell in left[lengths]),
        needed=sum(len(left[lengths]) for lengths in needed),
    )


def _energy_j(record: CellRecord) -> float | None:
    return record.energy_per_token_j if record.status == "ok" else None


def decisions(block: Block, known: Mapping[Cell, CellRecord]) -> Iterator[Decision]:
    """Yield what the records of a block's cells ask for, at each N that has candidates."""
    if block.adaptive is None:
        return
    for requests in sorted({cell.requests for cell in block.candidates}):
        cells = [cell for cell in (*block.cells, *block.candidates) if cell.requests == requests]
        yield decision(block.id, cells, known, block.adaptive)


def more_cells(block: Block, known: Mapping[Cell, CellRecord]) -> Iterator[Cell]:
    """Yield the candidates to measure, one after the other, and say when they are enough.

    `known` has the records of all cells but candidates; that of each cell is to be in it before the
    next is asked for.
    """
    waiting = True
    while waiting:
        waiting = False
        for each in decisions(block, known):
            if each.needed:
                waiting = True
                yield each.cells[0]
                break
    for each in decisions(block, known):
        log.info("%s", each.in_words)
