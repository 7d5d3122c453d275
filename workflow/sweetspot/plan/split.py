"""Which cells are one job's: as many as the experiment wants, or fewer where that takes too long.

No cell's value or key depends on it: jobs of one size reuse what those of another have measured.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import get_args

from sweetspot.cells.cell import Cell
from sweetspot.config import BlockSize
from sweetspot.plan.block import Block
from sweetspot.plan.busy import busy_s
from sweetspot.plan.job import runtime_min

SHARE_CELLS = 200
"""Cells from which on a share of simulated ones is full: it takes two seconds."""
SHARE_BLOCKS = 8


def block_id(cell: Cell, size: BlockSize) -> str:
    """Return the name of the block that a cell belongs to."""
    of_model = f"{cell.model}/b{cell.max_batch_size}"
    if size == "model":
        return of_model
    of_input = f"{of_model}/n{cell.requests}_i{cell.input_tokens}"
    return of_input if size == "input" else f"{of_input}_o{cell.output_tokens}_r{cell.repeat}"


def parts(block: Block, size: BlockSize) -> list[Block]:
    """Return a block in smaller ones of a size; one that decides as it goes stays whole."""
    if block.adaptive:
        return [block]
    groups: dict[str, list[Cell]] = {}
    for cell in block.cells:
        groups.setdefault(block_id(cell, size), []).append(cell)
    return [replace(block, id=name, cells=tuple(cells)) for name, cells in groups.items()]


def shares(blocks: Iterable[Block]) -> list[list[Block]]:
    """Return blocks in the order that they came in, those beside each other that one job simulates.

    A job takes as long to start as some fifty cells, and a command line holds so many settings.
    """
    found: list[list[Block]] = []
    cells = SHARE_CELLS
    for block in blocks:
        if cells >= SHARE_CELLS or len(found[-1]) == SHARE_BLOCKS:
            found.append([])
            cells = 0
        found[-1].append(block)
        cells += len(block.cells)
    return found


def parts_of_any_size(block: Block) -> Iterator[Block]:
    """Yield a block and all that it can be split into, as a job looks its own up among them."""
    yield block
    for size in get_args(BlockSize):
        yield from (part for part in parts(block, size) if len(part.cells) < len(block.cells))


def as_found(block: Block, is_there: Callable[[Block], bool]) -> list[Block]:
    """Return a block, or if it is not there those of its parts that were jobs in its place.

    All of them, if any is there: one that is missing is to be missed.
    """
    if not is_there(block):
        for size in get_args(BlockSize):
            smaller = parts(block, size)
            if len(smaller) > 1:
                found = [each for part in smaller for each in as_found(part, is_there)]
                return found if any(map(is_there, found)) else [block]
    return [block]


def split(blocks: Iterable[Block], limit_min: float) -> list[Block]:
    """Return the blocks, and in place of each that would take longer than a job may its parts.

    All cells count, measured or not, so that a finished run has the blocks that it began with. A
    cell that takes longer by itself stays.
    """
    return [part for block in blocks for part in _split(block, limit_min)]


def _split(block: Block, limit_min: float) -> list[Block]:
    # The cells of a part are simulated with its block, at once.
    if runtime_min(block, len(block.cells), busy_s(block, block.cells)) <= limit_min:
        return [block]
    for size in get_args(BlockSize):
        smaller = parts(block, size)
        if len(smaller) > 1:
            return [each for part in smaller for each in _split(part, limit_min)]
    return [block]
