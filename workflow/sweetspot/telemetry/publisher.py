"""Samples on their way from a meter to sinks: a queue and a thread for each, and nobody waits."""

import logging
import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from threading import Event, Thread
from time import monotonic

from sweetspot.errors import one_line
from sweetspot.metering.meter import Observer
from sweetspot.metering.samples import CHANNELS, Look, power_w
from sweetspot.telemetry.contracts import Sink
from sweetspot.telemetry.sample import Sample, Source, Stamps

MOST_WAITING = 50_000
"""Samples that wait for a sink, 83 minutes of one every 0.1 s; in memory they take 20 MB."""

AT_ONCE = 500
"""Samples that are acknowledged together."""

CATCH_UP_S = 1.0
"""Between two such lots, where more of them wait: ten times as many as are sampled at most."""

CLOSE_S = 2.0
"""Longest that the end takes, of all sinks together: what is left then comes by replay."""

log = logging.getLogger(__name__)

_Item = tuple[Source, int, Look]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of a session's samples at one sink.

    Attributes:
        sink: where.
        samples: that were taken.
        acknowledged: of those.
        dropped: of those, never sent, as more waited than are kept.
        reason: why a call failed, the last time; "" if none did.
    """

    sink: str
    samples: int
    acknowledged: int
    dropped: int
    reason: str = ""

    @property
    def lost(self) -> int:
        """Those that may not be there."""
        return self.samples - self.acknowledged

    def __str__(self) -> str:
        """Say it in a line."""
        said = f"telemetry to {self.sink}: {self.samples} samples, {self.acknowledged} acknowledged"
        if not self.lost:
            return said
        left = self.lost - self.dropped
        parts = [f"{self.dropped} dropped"] * bool(self.dropped) + [f"{left} left"] * bool(left)
        why = f" ({self.reason})" if self.reason else ""
        return f"{said}, {', '.join(parts)}{why}; `sweetspot telemetry replay` sends them"


class Publisher:
    """Takes the samples of a session, one trace after the other.

    A sink that is absent, slow, refusing or hung holds up neither the meter nor another sink: its
    samples wait, and the oldest that wait are dropped.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        host: str,
        *,
        interval_s: float = 1.0,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """Begin; `host` is the name of this node, `interval_s` how often sinks are sent to."""
        self._host = host
        self._lanes = [_Lane(sink, interval_s, most_waiting) for sink in sinks]

    def observe(self, uuid: str, name: str) -> Observer:
        """Return what takes the samples of a trace, of the board with this UUID and name."""
        return _Trace(self._lanes, Source(gpu_uuid=uuid, gpu_name=name, host=self._host))

    def close(self, within_s: float = CLOSE_S) -> list[Delivered]:
        """Send what waits, but for no longer than this; return, and say, what became of all."""
        for lane in self._lanes:
            lane.end()
        until_s = monotonic() + within_s
        found = [lane.ended(until_s) for lane in self._lanes]
        for each in found:
            log.log(logging.WARNING if each.lost else logging.INFO, "%s", each)
        return found


class _Trace:
    """One trace on its way; its samples get their times here, in their order."""

    def __init__(self, lanes: Sequence["_Lane"], source: Source) -> None:
        self._lanes, self._source = lanes, source
        self._stamps: list[Stamps] = []

    def put(self, look: Look) -> None:
        if not self._stamps:
            self._stamps = [Stamps(look.t_s, look.utc_s, lane.unit_ns) for lane in self._lanes]
        for lane, stamps in zip(self._lanes, self._stamps, strict=True):
            lane.put((self._source, stamps.at(look.t_s), look))

    def close(self) -> None:
        for lane in self._lanes:
            lane.hurry()


class _Lane:
    """A sink, what waits for it, and the thread that sends it."""

    def __init__(self, sink: Sink, interval_s: float, most_waiting: int) -> None:
        self.unit_ns = sink.unit_ns
        self._sink, self._interval_s = sink, interval_s
        # Ends of a deque are safe between threads, and one with a limit drops its oldest by itself.
        self._waiting: deque[_Item] = deque(maxlen=most_waiting)
        self._put = self._taken = self._acknowledged = 0
        self._reason = ""
        self._hurry, self._ending, self._abandoned = Event(), Event(), False
        self._thread = Thread(target=self._run, name=f"telemetry to {sink.name}", daemon=True)
        self._thread.start()

    def put(self, item: _Item) -> None:
        """Take a sample; from one thread at a time."""
        self._waiting.append(item)
        self._put += 1

    def hurry(self) -> None:
        """Send what waits, without waiting for more."""
        self._hurry.set()

    def end(self) -> None:
        """Send what waits, then end."""
        self._ending.set()
        self._hurry.set()

    def ended(self, until_s: float) -> Delivered:
        """Return what became of all, when the thread has ended, or is left behind at this time."""
        self._thread.join(max(0.0, until_s - monotonic()))
        self._abandoned = True
        return Delivered(
            sink=self._sink.name,
            samples=self._put,
            acknowledged=self._acknowledged,
            dropped=max(0, self._put - self._taken - len(self._waiting)),
            reason=self._reason or ("no answer" if self._thread.is_alive() else ""),
        )

    def _run(self) -> None:
        try:
            batch: list[_Item] = []
            while not self._abandoned:
                self._hurry.clear()  # before it is looked for whatever may hurry
                ending = self._ending.is_set()
                batch += self._take(AT_ONCE - len(batch))
                batch = self._sent(batch)
                if ending and (batch or not self._waiting):
                    return
                if not ending:  # what waited long is caught up with, but at no whole core's cost
                    is_behind = not batch and len(self._waiting) >= AT_ONCE
                    wait_s = min(self._interval_s, CATCH_UP_S if is_behind else math.inf)
                    self._hurry.wait(wait_s)
        finally:
            with suppress(Exception):
                self._sink.close()

    def _take(self, most: int) -> list[_Item]:
        items: list[_Item] = []
        while self._waiting and len(items) < most:
            items.append(self._waiting.popleft())
            self._taken += 1
        return items

    def _sent(self, batch: list[_Item]) -> list[_Item]:
        """Send samples, and return those that are to be sent again."""
        done = 0
        for source, items in groupby(batch, key=_source):
            if self._abandoned:
                return batch[done:]
            samples = [Sample(at, _values(look)) for _, at, look in items]
            try:
                self._sink.send(source, samples)
            except Exception as error:  # a library's own, too: the samples of others go on
                reason = one_line(error or type(error).__name__)
                reason = reason.removeprefix(f"{self._sink.name}: ")
                if not self._reason:
                    log.warning("telemetry to %s: %s; trying again", self._sink.name, reason)
                self._reason = reason
                return batch[done:]
            done += len(samples)
            self._acknowledged += len(samples)
        return []


def _source(item: _Item) -> Source:
    return item[0]


def _values(look: Look) -> tuple[float, ...]:
    """Return a sample's values by `COLUMNS`, as a trace's file has them."""
    return (look.t_s, power_w(look), *(getattr(look, name) for name in CHANNELS[1:]))
