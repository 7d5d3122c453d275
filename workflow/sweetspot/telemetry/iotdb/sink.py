"""Samples to IoTDB, as tablets."""

from collections.abc import Sequence

from sweetspot.telemetry.iotdb.layouts import Layout
from sweetspot.telemetry.iotdb.session import Session
from sweetspot.telemetry.iotdb.tablets import tablet_of
from sweetspot.telemetry.sample import MS, Sample, Source

MOST = 5000
"""Samples of one tablet: about 1 MB."""


class IotdbSink:
    """A Sink; IoTDB answers when what it was sent is in its log."""

    unit_ns = MS
    caveat = ""

    def __init__(self, session: Session, layout: Layout) -> None:
        """Take a session of the layout's dialect; nothing is opened yet."""
        self.name = session.name
        self.kept_at = f"{session.name} {layout}"
        self._session, self._layout = session, layout
        self._opened = 0
        self._made: tuple[str, ...] = ()

    def send(self, source: Source, samples: Sequence[Sample]) -> None:
        """Send samples, and return when they are stored.

        Raises:
            RefusedError: the server will not have all of them.
            TelemetryError: not all of them are.
        """
        session, layout = self._session, self._layout
        session.begin()
        statements = tuple(layout.made_of(source))
        if (self._opened, self._made) != (session.opened, statements):
            for statement in statements:
                session.execute(statement)
            self._opened, self._made = session.opened, statements
        factor = self.unit_ns // session.unit_ns
        for first in range(0, len(samples), MOST):
            some = samples[first : first + MOST]
            tablet = tablet_of(some, layout.names, layout.texts(source), factor)
            session.insert(layout.target(source), tablet, table=layout.dialect == "table")

    def close(self) -> None:
        """End the connection."""
        self._session.close()
