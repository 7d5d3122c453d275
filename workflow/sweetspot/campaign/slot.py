"""A block's time slot with one engine load: what fits into it, and running that."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.compact import write_compact
from sweetspot.campaign.cost import Costs, costs
from sweetspot.campaign.time_box import TimeBox, ended_after
from sweetspot.cells.cell import Cell
from sweetspot.engines.base import Engine, Session
from sweetspot.errors import EngineError
from sweetspot.measure.measure import measuring
from sweetspot.measure.record import CellRecord
from sweetspot.plan.block import Block, Settings
from sweetspot.progress.state import State
from sweetspot.progress.watch import outcome_of
from sweetspot.progress.words import cell_line

LOAD_S = 60.0  # of an engine, before one was loaded; vLLM on an H200, not compiled: 27 to 32
CELL_MARGIN = 1.15  # by how much a cell may take longer than expected
CLOSING_S = 15.0  # kept for closing the engine, and for packing
GRACE_S = 60.0  # a cell that goes on for longer than this after the end is cut off
MIN_TIMEOUT_S = 300.0  # enough to load an engine
COMPACT_EVERY_S = 60.0
HOPELESS = 3  # so many cells that fail alike, and none that does not, and the others would, too

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """What one call has tried so far: it tries no cell twice, however the first time ended."""

    tried: set[Cell] = field(default_factory=set)
    compact_s: float = field(default_factory=monotonic)

    def compact_now_and_then(self, campaign: Campaign) -> None:
        """Write what is worth keeping, so that a kill leaves it: at most once a minute."""
        if monotonic() - self.compact_s >= COMPACT_EVERY_S:
            write_compact(campaign)
            self.compact_s = monotonic()


@dataclass(slots=True)
class WatchedEngine:
    """The engine within, unchanged; `load_s` says how long its load took, None before that."""

    engine: Engine
    now: Callable[[], float] = monotonic
    load_s: float | None = None

    @property
    def name(self) -> str:
        """Name of the engine within."""
        return self.engine.name

    @property
    def version(self) -> str:
        """Its version."""
        return self.engine.version

    @property
    def simulated(self) -> bool:
        """Whether it simulates."""
        return self.engine.simulated

    def load(self, settings: Settings) -> Session:
        """Load it, and see how long that takes."""
        start_s = self.now()
        session = self.engine.load(settings)
        self.load_s = self.now() - start_s
        return session


@dataclass(frozen=True, slots=True)
class Slot:
    """A block's time, with an engine that is loaded when the first cell asks for it.

    Attributes:
        share: the time of this slot.
        box: the time of the whole call.
        timeout_s: longest that the engine lets a load or a run take: a hang costs a part of the
            slot only.
        records: of this slot's cells so far.
    """

    campaign: Campaign
    block: Block
    share: TimeBox
    box: TimeBox
    progress: Progress
    timeout_s: float
    costs: Costs
    engine: WatchedEngine
    _measure: Callable[[Cell], CellRecord]
    records: list[CellRecord] = field(default_factory=list)

    @property
    def left_s(self) -> float:
        """Time left for cells."""
        load_s = 0.0
        if self.engine.load_s is None:
            load_s = self.campaign.logbook.load_s.get(self.block.id, LOAD_S)
        return self.share.left_s - load_s - CLOSING_S

    def expected_s(self, cells: Sequence[Cell]) -> dict[Cell, float]:
        """Return how long cells will take, as far as those measured show."""
        return self.costs.expected_s(cells, self.campaign.seen(self.block))

    def first_that_fits(self, cells: Sequence[Cell]) -> Cell | None:
        """Return the first cell that is expected to be done in time; None if none is."""
        room_s = min(self.left_s, self.timeout_s) / CELL_MARGIN
        costs_s = self.expected_s(cells)
        return next((cell for cell in cells if costs_s[cell] <= room_s), None)

    def measure(self, cell: Cell) -> None:
        """Measure a cell, and note how long what is beside its window took.

        Raises:
            EngineError: nothing but the same failure came of this slot's first cells.
            OutOfTimeError: the cell went on for long after the end.
        """
        logbook, now = self.campaign.logbook, self.box.now
        loaded = self.engine.load_s is not None
        start_s = now()
        with ended_after(self.box.left_s + GRACE_S):
            self.campaign.prepare(cell)
            record = self._measure(cell)
        wall_s = now() - start_s
        self.progress.tried.add(cell)
        if not loaded and self.engine.load_s is not None:
            logbook.load_s[self.block.id] = self.engine.load_s
            wall_s -= self.engine.load_s
        if record.window_s is not None:
            beside_s = wall_s - record.window_s - 2 * self.campaign.metering.idle_s
            logbook.extra_s[cell.id] = max(0.0, beside_s)
        self.campaign.save()
        so_far = State(cells=None, done=len(self.progress.tried), left_s=max(0.0, self.box.left_s))
        log.info("%s", cell_line(outcome_of(record), so_far))
        self.records.append(record)
        if len(self.records) == HOPELESS and {each.status for each in self.records} == {"failed"}:
            reasons = {each.reason for each in self.records}
            if len(reasons) == 1:
                raise EngineError(f"its first {HOPELESS} cells failed: {reasons.pop()}")


@contextmanager
def open_slot(
    campaign: Campaign, block: Block, share: TimeBox, box: TimeBox, progress: Progress
) -> Iterator[Slot]:
    """Yield a block's slot; its engine is closed at the end."""
    timeout_s = min(campaign.experiment.node.timeout_s, max(MIN_TIMEOUT_S, share.left_s / 2))

    known = costs(block, campaign.metering)
    engine = WatchedEngine(campaign.engine_of(block, timeout_s), box.now)
    with measuring(block, engine, campaign.records) as measure:
        yield Slot(campaign, block, share, box, progress, timeout_s, known, engine, measure)
