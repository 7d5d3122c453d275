"""Samples back from IoTDB."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from sweetspot.errors import TelemetryError
from sweetspot.telemetry.iotdb.blocks import Rows
from sweetspot.telemetry.iotdb.layouts import Readable
from sweetspot.telemetry.iotdb.session import Session
from sweetspot.telemetry.sample import MS, Sample, Source, round_half_up


class IotdbStore:
    """A Store."""

    unit_ns = MS

    def __init__(self, session: Session, layout: Readable) -> None:
        """Take a session of the layout's dialect; nothing is opened yet."""
        self.name = session.name
        self._session, self._layout = session, layout

    def read(self, source: Source, first: int, last: int) -> list[Sample]:
        """Return the samples of a board from `first` to `last` (ms, both included), by time.

        Raises:
            TelemetryError: the server does not answer, or nonsense.
        """
        session = self._session
        session.begin()
        factor = self.unit_ns // session.unit_ns
        statement = self._layout.select(source, first * factor, last * factor)
        found = [each for rows in session.query(statement) for each in self._samples(rows)]
        if any(earlier.at > later.at for earlier, later in pairwise(found)):
            raise TelemetryError(f"{self.name} does not give samples by time")
        return found

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    def _samples(self, rows: Rows) -> Iterator[Sample]:
        nothing = np.full(rows.at.size, np.nan)
        columns = [rows.columns.get(name, nothing).tolist() for name in self._layout.names]
        unit_ns = self._session.unit_ns
        for at, *values in zip(rows.at.tolist(), *columns, strict=True):
            yield Sample(round_half_up(at * unit_ns, self.unit_ns), tuple(values))
