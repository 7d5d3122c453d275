"""A campaign's folder, its blocks and its engines: what its steps share."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from sweetspot.campaign.cost import Seen
from sweetspot.campaign.design import Design, design
from sweetspot.campaign.logbook import Logbook
from sweetspot.catalog.own_files import Places, own_files
from sweetspot.cells.cell import Cell
from sweetspot.config import Experiment, Metering, Remeasure
from sweetspot.engines.base import Engine
from sweetspot.measure.adaptive import Decision, decision
from sweetspot.measure.measure import MeasureCell, measuring
from sweetspot.measure.record import CellRecord
from sweetspot.measure.reuse import reusable_record
from sweetspot.plan.block import Block

if TYPE_CHECKING:
    from sweetspot.telemetry.publisher import Publisher

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Campaign:
    """One experiment measured bit by bit in one folder.

    Attributes:
        engine_of: makes the engine of a block, which is to end what takes longer than so many s.
        prepare: makes what a cell needs before it runs.
        publisher: takes samples to where they are sent; None if nowhere.
        known: by cell, the record that it has: nobody else writes into the folder meanwhile.
    """

    folder: Path
    experiment: Experiment
    logbook: Logbook
    engine_of: Callable[[Block, float], Engine]
    prepare: Callable[[Cell], None]
    publisher: "Publisher | None" = None
    known: dict[Cell, CellRecord | None] = field(default_factory=dict)

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

    @cached_property
    def own_files(self) -> tuple[Places, dict[str, bytes]]:
        """Files of board and models that the catalog lacks, as `compact` keeps them."""
        of_sweeps = (each.models or () for each in self.experiment.sweeps.values())
        models = dict.fromkeys(chain(self.experiment.models, *of_sweeps))
        return own_files(self.experiment.gpu, models)

    def grid(self, block: Block, requests: int, *, times: int = 1) -> list[Cell]:
        """Return what is measured of a block's grid at one N, before anything fills the time.

        Of an adaptive design that is what was measured, and so many times the cells that are
        expected to be needed yet.
        """
        if self.experiment.measure.design != "adaptive":
            return self.design.grid(block, requests)
        found = self.decision(block, requests)
        needed = found.cells[: times * found.needed]
        left = set(found.cells)
        return [c for c in self.design.grid(block, requests) if c not in left] + list(needed)

    def more(self, block: Block, requests: int | None) -> list[Cell]:
        """Return what fills the time when a block's other cells are done, in its order."""
        rest: list[Cell] = []
        if requests and self.experiment.measure.design == "adaptive":
            found = self.decision(block, requests)
            rest = list(found.cells[found.needed :])
        return rest + self.design.more(block, requests)

    def decision(self, block: Block, requests: int) -> Decision:
        """Return what an adaptive design asks for at one N of a block's grid."""
        cells = self.design.grid(block, requests)
        known = {cell: record for cell in cells if (record := self.record(block, cell))}
        return decision(block.id, cells, known, self.experiment.adaptive)

    def measured(self, block: Block) -> Iterator[CellRecord]:
        """Return the records that a block has, whatever their status or N."""
        records = (self.record(block, cell) for cell in block.cells)
        return (record for record in records if record)

    def record(
        self, block: Block, cell: Cell, remeasure: Remeasure = "nothing"
    ) -> CellRecord | None:
        """Return a cell's record, unless it is to be measured again; None if it has none."""
        if cell not in self.known:
            self.known[cell] = reusable_record(self.records, block, cell)
        found = self.known[cell]
        again = found is not None and remeasure == "failed" and found.status != "ok"
        return None if remeasure == "all" or again else found

    @contextmanager
    def measuring(self, block: Block, engine: Engine) -> Iterator[MeasureCell]:
        """Yield a function that measures a cell and makes its record durable."""
        observe = self.publisher.observe if self.publisher else None
        with measuring(block, engine, self.records, observe) as measure_cell:

            def measure(cell: Cell, *, idle: bool = True) -> CellRecord:
                self.known[cell] = record = measure_cell(cell, idle=idle)
                return record

            yield measure

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

    def say(self, what: str) -> None:
        """Tell who watches what came of something."""
        log.info("%s", what)

    def save(self) -> None:
        """Write the logbook."""
        self.logbook.write(self.folder / "campaign.json")
