"""Which cells a campaign measures: a grid at an N that the time decides, and those as stated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sweetspot.campaign.order import most_informative_first
from sweetspot.cells.cell import Cell
from sweetspot.config import Experiment
from sweetspot.plan.block import Block
from sweetspot.plan.plan import plan


@dataclass(frozen=True, slots=True)
class Design:
    """The cells of an experiment as a campaign takes them.

    The first sweep is the grid: its `requests` are the N to choose one from, for each block. The
    cells of all other sweeps are measured as they stand, before it.

    Attributes:
        blocks: in order of importance, each with all its cells.
        sweeps: by cell id, the sweeps that name it.
        grid_sweep: name of the first one.
    """

    blocks: tuple[Block, ...]
    sweeps: Mapping[str, tuple[str, ...]]
    grid_sweep: str

    def grid(self, block: Block, requests: int) -> list[Cell]:
        """Return a block's cells of the grid at one N, most informative first."""
        return most_informative_first(c for c in self._grid(block) if c.requests == requests)

    def ladder(self, block: Block) -> list[int]:
        """Return the N to choose from, smallest first; none where a block has no grid."""
        return sorted({cell.requests for cell in self._grid(block)})

    def stated(self, block: Block) -> list[Cell]:
        """Return a block's cells of the other sweeps, most informative first."""
        return most_informative_first(cell for cell in block.cells if self.stated_in(cell))

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
    measure = experiment.measure.model_copy(update={"block": "model"})
    planned = plan(experiment.model_copy(update={"measure": measure}))
    return Design(planned.blocks, planned.sweeps, next(iter(experiment.sweeps)))
