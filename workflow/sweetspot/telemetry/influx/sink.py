"""Samples to a server that takes line protocol over HTTP."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.influx.lines import lines
from sweetspot.telemetry.influx.server import Server
from sweetspot.telemetry.sample import Sample, Source

MOST = 5000
"""Samples of one request: about 1 MB."""

_HOUR_NS = 3600 * 10**9


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
            RefusedError: the server will not have some of them.
            TelemetryError: not all of them are.
        """
        until_s, refused, reason = self.server.until_s(), 0, ""
        for some in _requests(samples):
            body = "\n".join(lines(source, some))
            try:
                if body:
                    self.server.write(body, until_s, simulated=source.simulated)
            except RefusedError as error:
                if error.samples is None:
                    raise
                refused, reason = refused + error.samples, str(error)
        if refused:
            raise RefusedError(reason, refused)

    def close(self) -> None:
        """End the connection."""
        self.server.close()


def _requests(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """Yield what is sent at once: of one hour, in which no shard of InfluxDB's ends.

    Of a request to several shards it says how many lines one of them dropped, not all of them
    (tried on 1.6).
    """
    for _, hour in groupby(samples, lambda each: each.at // _HOUR_NS):
        of_hour = list(hour)
        for first in range(0, len(of_hour), MOST):
            yield of_hour[first : first + MOST]
