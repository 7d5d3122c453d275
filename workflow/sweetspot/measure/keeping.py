"""Finished cells become files: a measured one before the next begins, simulated ones together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sweetspot.errors import InputError
from sweetspot.files import write_together
from sweetspot.measure.record import CellRecord, record_bytes
from sweetspot.metering.meter import Readings
from sweetspot.metering.trace import trace_bytes

TOGETHER = 32
"""Simulated cells that become durable together: what a kill costs at most."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A cell that is done: its record, what the meter read if it did, and where both go."""

    record: CellRecord
    readings: Readings | None
    record_file: Path
    trace_file: Path


class Keep(Protocol):
    """Sees to it that a finished cell becomes files."""

    def __call__(self, cell: Finished) -> None:
        """Write it, and those that waited for it.

        Raises:
            InputError: the folder cannot be written to.
        """


@contextmanager
def keeping(*, together: bool) -> Iterator[Keep]:
    """Yield a function that keeps a finished cell; all are durable at the end, come what may.

    A cell is simulated in less time than a disk takes to say that a file is durable, so with
    `together` several wait for that at once.
    """
    waiting: list[Finished] = []

    def write() -> None:
        try:
            _write(waiting)
        except InputError:
            for cell in waiting:  # what there is room for
                _write([cell])
        waiting.clear()  # not before: what Ctrl-C breaks off is begun again at the end

    def keep(cell: Finished) -> None:
        waiting.append(cell)
        if len(waiting) >= (TOGETHER if together else 1):
            write()

    try:
        yield keep
    finally:
        write()


def _write(cells: Sequence[Finished]) -> None:
    """Make cells durable: each trace before its record, which says that all is there."""
    write_together(
        [(c.trace_file, trace_bytes(c.readings)) for c in cells if c.readings],
        [(c.record_file, record_bytes(c.record)) for c in cells],
    )
