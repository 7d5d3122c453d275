"""A block's time slot with one engine load: what fits into it, and running that."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Thread
from time import monotonic

from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.compact import write_compact
from sweetspot.campaign.cost import Costs, costs, load_s
from sweetspot.campaign.time_box import TimeBox, ended_after
from sweetspot.cells.cell import Cell
from sweetspot.engines.base import Engine, Session
from sweetspot.errors import EngineError, SweetspotError
from sweetspot.measure.measure import MeasureCell
from sweetspot.measure.record import CellRecord
from sweetspot.plan.block import Block, Settings
from sweetspot.progress.state import State
from sweetspot.progress.watch import outcome_of
from sweetspot.progress.words import cell_line

CELL_MARGIN = 1.15  # by how much a cell may take longer than expected
CLOSING_S = 10.0  # kept for closing the engine, and for packing
GRACE_S = 60.0  # a cell that goes on for longer than this after the end is cut off
MIN_TIMEOUT_S = 300.0  # enough to load an engine
COMPACT_EVERY_S = 60.0
IDLE_DRIFT_C = 10.0  # idle power is that of a temperature: further from it, it is taken anew
HOPELESS = 3  # so many cells that fail alike, and none that does not, and the others would, too


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
    """The engine within, unchanged; `load_s` says how long its load took, None before that.

    While it loads, what `meanwhile` names is done: nothing is measured then.
    """

    engine: Engine
    now: Callable[[], float] = monotonic
    meanwhile: Sequence[Callable[[], None]] = ()
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
        with _beside(self.meanwhile):
            session = self.engine.load(settings)
        self.load_s = self.now() - start_s
        return session


@contextmanager
def _beside(tasks: Sequence[Callable[[], None]]) -> Iterator[None]:
    """Do one task after the other in a thread while the body runs, as many as it has time for.

    What fails is left for whoever needs it to meet again.
    """
    over = Event()

    def work() -> None:
        for task in tasks:
            if over.is_set():
                return
            with suppress(SweetspotError):
                task()

    thread = Thread(target=work, name="data sets", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


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
    _measure: MeasureCell
    records: list[CellRecord] = field(default_factory=list)

    @property
    def left_s(self) -> float:
        """Time left for cells."""
        loads_s = 0.0
        if self.engine.load_s is None:
            loads_s = load_s(self.block, self.campaign.logbook.load_s)
        return self.share.left_s - loads_s - CLOSING_S

    def expected_s(self, cells: Sequence[Cell]) -> dict[Cell, float]:
        """Return how long cells will take, as far as those measured show."""
        return self.costs.expected_s(cells, self.campaign.seen(self.block))

    def first_that_fits(self, cells: Sequence[Cell], keep_s: float = 0.0) -> Cell | None:
        """Return the first cell that is expected to be done in time; None if none is.

        So much of the time is kept for others.
        """
        room_s = min(self.left_s - self.idle_s - keep_s, self.timeout_s) / CELL_MARGIN
        expected_s = self.costs.expecting(self.campaign.seen(self.block))
        return next((cell for cell in cells if expected_s(cell) <= room_s), None)

    @property
    def idle_s(self) -> float:
        """How long the board is watched idle around the next cell."""
        return 2 * self.campaign.metering.idle_s if idle_is_due(self.records) else 0.0

    def measure(self, cell: Cell) -> None:
        """Measure a cell, and note how long what is beside its window took.

        Raises:
            EngineError: nothing but the same failure came of this slot's first cells.
            OutOfTimeError: the cell went on for long after the end.
        """
        logbook, now = self.campaign.logbook, self.box.now
        loaded = self.engine.load_s is not None
        idle_s = self.idle_s
        start_s = now()
        record = None
        try:
            with ended_after(self.box.left_s + GRACE_S):
                self.campaign.prepare(cell)
                record = self._measure(cell, idle=idle_s > 0)
        finally:
            wall_s = now() - start_s
            if not loaded and self.engine.load_s is not None:
                logbook.load_s[self.block.id] = self.engine.load_s
                logbook.spent("loads", self.engine.load_s)
                wall_s -= self.engine.load_s
            if record is None:  # the engine did not load, or the cell was cut off
                is_loading = self.engine.load_s is None
                logbook.spent("loads" if is_loading else "failed", wall_s)
        self.progress.tried.add(cell)
        if record.window_s is None:
            logbook.spent("failed", wall_s)
        else:
            beside_s = max(0.0, wall_s - record.window_s - idle_s)
            logbook.extra_s[cell.id] = beside_s
            for on, seconds in (
                ("windows", record.window_s),
                ("idle", idle_s),
                ("beside", beside_s),
            ):
                logbook.spent(on, seconds)
        logbook.alive(self.box.left_s)
        self.campaign.save()
        so_far = State(cells=None, done=len(self.progress.tried), left_s=max(0.0, self.box.left_s))
        self.campaign.say(cell_line(outcome_of(record), so_far))
        self.records.append(record)
        if len(self.records) == HOPELESS and {each.status for each in self.records} == {"failed"}:
            reasons = {each.reason for each in self.records}
            if len(reasons) == 1:
                raise EngineError(f"its first {HOPELESS} cells failed: {reasons.pop()}")


def idle_is_due(records: Sequence[CellRecord]) -> bool:
    """Return whether idle power is to be taken around the next cell of a slot.

    It is once, and again where the board is no longer as warm as it was then.
    """
    taken = [record for record in records if record.idle_before_w is not None]
    if not taken:
        return True
    then_c, now_c = taken[-1].temperature_start_c, records[-1].temperature_end_c
    return then_c is not None and now_c is not None and abs(now_c - then_c) > IDLE_DRIFT_C


@contextmanager
def open_slot(
    campaign: Campaign,
    block: Block,
    share: TimeBox,
    box: TimeBox,
    progress: Progress,
    ahead: Sequence[Cell] = (),
) -> Iterator[Slot]:
    """Yield a block's slot; its engine is closed at the end.

    While it loads, data sets of the cells `ahead` are written.
    """
    timeout_s = min(campaign.experiment.node.timeout_s, max(MIN_TIMEOUT_S, share.left_s / 2))

    known = costs(block, campaign.metering)
    meanwhile = [partial(campaign.prepare, cell) for cell in ahead]
    engine = WatchedEngine(campaign.engine_of(block, timeout_s), box.now, meanwhile)
    closing_s = None
    try:
        with campaign.measuring(block, engine) as measure:
            yield Slot(campaign, block, share, box, progress, timeout_s, known, engine, measure)
            closing_s = box.now()
    finally:
        if closing_s is not None and engine.load_s is not None:
            campaign.logbook.spent("closing", box.now() - closing_s)
