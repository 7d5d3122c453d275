"""Samples to a server that takes line protocol over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweetspot.telemetry.influx.lines import lines
from sweetspot.telemetry.influx.server import Server
from sweetspot.telemetry.sample import Sample, Source

MOST = 5000
"""Samples of one request: about 1 MB."""


@dataclass(frozen=True, slots=True)
class InfluxSink:
    """A Sink; InfluxDB answers when what it was sent is durable."""

    server: Server

    unit_ns = 1
    caveat = ""

    @property
    def name(self) -> str:
        """Where it sends, as messages show it."""
        return self.server.name

    @property
    def kept_at(self) -> str:
        """Where it keeps samples: the name has the database."""
        return self.server.name

    def send(self, source: Source, samples: Sequence[Sample]) -> None:
        """Send samples, and return when they are stored.

        Raises:
            TelemetryError: not all of them are.
        """
        until_s = self.server.until_s()
        for first in range(0, len(samples), MOST):
            body = "\n".join(lines(source, samples[first : first + MOST]))
            if body:
                self.server.write(body, until_s, simulated=source.simulated)

    def close(self) -> None:
        """End the connection."""
        self.server.close()
