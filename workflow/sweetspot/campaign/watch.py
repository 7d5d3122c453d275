"""An engine as a campaign watches it: how long it loads, and when its windows begin."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from sweetspot.cells.cell import Cell
from sweetspot.engines.base import Engine, Run, Session
from sweetspot.metering.meter import Meter
from sweetspot.plan.block import Settings


@dataclass(slots=True)
class WatchedEngine:
    """The engine within, unchanged; `ran` is told of each run before its record is written.

    `load_s` is None until the engine was loaded.
    """

    engine: Engine
    ran: Callable[[Cell, Run], None]
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
        return _WatchedSession(session, self.ran)


@dataclass(frozen=True, slots=True)
class _WatchedSession:
    session: Session
    ran: Callable[[Cell, Run], None]

    @property
    def meter(self) -> Meter:
        return self.session.meter

    def run(self, cell: Cell) -> Run:
        run = self.session.run(cell)
        self.ran(cell, run)
        return run

    def close(self) -> None:
        self.session.close()
