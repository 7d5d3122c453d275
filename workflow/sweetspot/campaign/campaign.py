"""A campaign's folder, its blocks and its engines: what its steps share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sweetspot.campaign.cost import Seen
from sweetspot.campaign.design import Design, design
from sweetspot.campaign.logbook import Logbook
from sweetspot.cells.cell import Cell
from sweetspot.config import Experiment, Metering
from sweetspot.engines.base import Engine
from sweetspot.measure.measure import reusable_record
from sweetspot.measure.record import CellRecord
from sweetspot.plan.block import Block


@dataclass(frozen=True)
class Campaign:
    """One experiment measured bit by bit in one folder.

    Attributes:
        engine_of: makes the engine of a block, which is to end what takes longer than so many s.
        prepare: makes what a cell needs before it runs.
    """

    folder: Path
    experiment: Experiment
    logbook: Logbook
    engine_of: Callable[[Block, float], Engine]
    prepare: Callable[[Cell], None]

    @property
    def records(self) -> Path:
        """Folder of the cells' records and traces, as in a run of the workflow."""
        return self.folder / "records"

    @property
    def metering(self) -> Metering:
        """How power is metered."""
        return self.experiment.measure.metering

    @cached_property
    def design(self) -> Design:
        """Which cells are measured."""
        return design(self.experiment)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks in order of importance, each with its cells at every N of the ladder."""
        return self.design.blocks

    def measured(self, block: Block) -> Iterator[CellRecord]:
        """Return the records that a block has, whatever their status or N."""
        records = (reusable_record(self.records, block, cell) for cell in block.cells)
        return (record for record in records if record)

    def seen(self, block: Block) -> list[Seen]:
        """Return how long the block's measured cells took."""
        cells = {cell.id: cell for cell in block.cells}
        return [
            Seen(
                cell=cells[record.cell],
                duration_s=record.duration_s,
                extra_s=self.logbook.extra_s.get(record.cell),
            )
            for record in self.measured(block)
            if record.duration_s
        ]

    def save(self) -> None:
        """Write the logbook."""
        self.logbook.write(self.folder / "campaign.json")
