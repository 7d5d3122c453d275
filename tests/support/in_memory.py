"""A broker and a store in one, in memory: samples are told apart by board and time."""

from bisect import bisect_left, bisect_right

from sweetspot.errors import TelemetryError
from sweetspot.telemetry.sample import MS


class InMemory:
    """A sink and a store.

    Attributes:
        held: the samples of each board, by time.
        sent: how many came, those that were there among them.
        breaks_after: how many it takes before it refuses, once.
    """

    name = kept_at = "memory://here"
    caveat = ""

    def __init__(self, unit_ns=MS):
        self.unit_ns = unit_ns
        self.held = {}
        self.sent = 0
        self.breaks_after = None

    def send(self, source, samples):
        if self.breaks_after is not None and self.sent + len(samples) > self.breaks_after:
            self.breaks_after = None
            raise TelemetryError(f"{self.name} does not answer")
        self.sent += len(samples)
        self.held.setdefault(source, {}).update({each.at: each for each in samples})

    def read(self, source, first, last):
        held = self.held.get(source, {})
        times = sorted(held)
        span = times[bisect_left(times, first) : bisect_right(times, last)]
        return [held[at] for at in span]

    def close(self):
        pass
