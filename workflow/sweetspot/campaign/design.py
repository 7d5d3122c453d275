"""Which cells a campaign measures: a grid at an N that the time decides, and those as stated."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import inf, log2
from typing import Any

from sweetspot.cells.cell import Cell
from sweetspot.config import Experiment
from sweetspot.plan.block import Block
from sweetspot.plan.lengths import Lengths, informative_first
from sweetspot.plan.plan import Plan, plan

Point = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """The cells of an experiment as a campaign takes them.

    The first sweep is the grid: its `requests` are the N to choose one from, for each block. The
    cells of all other sweeps are measured as they stand, before it where there is time for both.

    Attributes:
        blocks: in order of importance, each with all its cells.
        sweeps: by cell id, the sweeps that name it.
        grid_sweep: name of the first one.
        first: ids of the grid's cells that are measured before any other of it; of an adaptive
            design any may be.
    """

    blocks: tuple[Block, ...]
    sweeps: Mapping[str, tuple[str, ...]]
    grid_sweep: str
    first: frozenset[str]

    def grid(self, block: Block, requests: int) -> list[Cell]:
        """Return a block's cells of the grid at one N, most informative for their time first.

        Each once, and of few lengths only those: `more` has the others.
        """
        chosen = [c for c in self._grid(block) if c.requests == requests and c.id in self.first]
        return most_informative_first(chosen)

    def more(self, block: Block, requests: int | None) -> list[Cell]:
        """Return what fills the time when a block's other cells are done, in its order.

        First the lengths of the grid that were not among the few, then all cells again, as often as
        `measure.repeats` asks for.
        """
        others = [c for c in self._grid(block) if c.requests == requests and c.id not in self.first]
        once = most_informative_first(c for c in others if c.repeat == 0)
        again = evenly_spread(c for c in block.cells if c.repeat and self.stated_in(c))
        return once + most_informative_first(c for c in others if c.repeat) + again

    def ladder(self, block: Block) -> list[int]:
        """Return the N to choose from, smallest first; none where a block has no grid."""
        return sorted({cell.requests for cell in self._grid(block)})

    def stated(self, block: Block) -> list[Cell]:
        """Return a block's cells of the other sweeps, each once, spread evenly."""
        return evenly_spread(c for c in block.cells if not c.repeat and self.stated_in(c))

    def in_grid(self, cell_id: str) -> bool:
        """Return whether the grid names a cell."""
        return self.grid_sweep in self.sweeps.get(cell_id, ())

    def stated_in(self, cell: Cell) -> list[str]:
        """Return the sweeps beside the grid that name a cell."""
        return [sweep for sweep in self.sweeps[cell.id] if sweep != self.grid_sweep]

    def _grid(self, block: Block) -> Iterator[Cell]:
        return (cell for cell in block.cells if self.in_grid(cell.id))


def design(experiment: Experiment) -> Design:
    """Return what a campaign of this experiment measures, each model with one engine load.

    Raises:
        InputError: the experiment cannot be planned.
    """
    grid = next(iter(experiment.sweeps))

    def planned(**changes: Any) -> Plan:
        measure = replace(experiment.measure, block="model", **changes)
        return plan(replace(experiment, measure=measure))

    whole = planned(design="grid")
    chosen = planned() if experiment.measure.design == "few" else whole
    kept = {cell.id for cell in chosen.cells}
    blocks = []
    for block in whole.blocks:
        cells = [c for c in block.cells if c.id in kept or grid in whole.sweeps[c.id]]
        blocks.append(replace(block, cells=tuple(cells)))
    first = (cell for cell in chosen.cells if not cell.repeat and grid in whole.sweeps[cell.id])
    sweeps = {name: chosen.sweeps.get(name, (grid,)) for name in whole.sweeps}
    return Design(tuple(blocks), sweeps, grid, frozenset(cell.id for cell in first))


def most_informative_first(cells: Iterable[Cell]) -> list[Cell]:
    """Return cells that differ in lengths and repeats only, the centre of them first.

    Every next one tells most of Eq. 5 for its time on the GPU, given those before it; so a campaign
    that ends early has spent its time well. All lengths come once before any is repeated.
    """
    by_lengths: dict[Lengths, list[Cell]] = {}
    for cell in sorted(cells):
        by_lengths.setdefault((cell.input_tokens, cell.output_tokens), []).append(cell)
    if not by_lengths:
        return []
    requests = next(iter(by_lengths.values()))[0].requests
    order = informative_first(by_lengths, requests)
    turns = zip_longest(*(by_lengths[each] for each in order))
    return [cell for turn in turns for cell in turn if cell is not None]


def evenly_spread(cells: Iterable[Cell]) -> list[Cell]:
    """Return cells that differ in lengths, requests and repeats only, the centre of them first.

    Every next one is the farthest from those before it, in octaves of lengths and requests: so a
    campaign that ends early has spread its cells as wide and as evenly as their number allows.
    Among equally far ones the shorter comes first. All lengths come once before any is repeated.
    """
    cells = sorted(cells, key=lambda c: (c.repeat, c.input_tokens + c.output_tokens, c))
    repeats = sorted({cell.repeat for cell in cells})
    return [
        cell
        for repeat in repeats
        for cell in _spread([each for each in cells if each.repeat == repeat])
    ]


def _spread(cells: list[Cell]) -> list[Cell]:
    """Return cells by greedy maximin distance; the first of equals is taken."""
    points: list[Point] = [
        (log2(c.input_tokens), log2(c.output_tokens), log2(c.requests)) for c in cells
    ]
    distances = [inf] * len(cells)
    place = _nearest(points, _middle(points))
    order = []
    for _ in cells:
        order.append(cells[place])
        distances = [
            min(known, _squared(point, points[place]))
            for known, point in zip(distances, points, strict=True)
        ]
        place = max(range(len(cells)), key=lambda k: distances[k])
    return order


def _middle(points: list[Point]) -> Point:
    """Return the middle of the range of each axis."""
    lows, highs = (tuple(map(edge, zip(*points, strict=True))) for edge in (min, max))
    return tuple((low + high) / 2 for low, high in zip(lows, highs, strict=True))


def _nearest(points: list[Point], to: Point) -> int:
    return min(range(len(points)), key=lambda k: _squared(points[k], to))


def _squared(a: Point, b: Point) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
