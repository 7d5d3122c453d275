"""Samples on their way from a meter to sinks: a queue and a thread for each, and nobody waits."""

import logging
import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile
from threading import Event, Thread
from time import monotonic

from sweetspot.errors import one_line
from sweetspot.metering.meter import Observer
from sweetspot.metering.samples import CHANNELS, Look, power_w
from sweetspot.telemetry.contracts import RefusedError, Sink
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
        refused: of those, given up, as the other side would not have them.
        reason: why a call failed, the last time; "" if none did.
        caveat: what an acknowledgement there does not mean; "" if it means what it says.
        kept: whether what is lacking can be made complete there.
    """

    sink: str
    samples: int
    acknowledged: int
    dropped: int
    refused: int = 0
    reason: str = ""
    caveat: str = ""
    kept: bool = True

    @property
    def lost(self) -> int:
        """Those that may not be there."""
        return self.samples - self.acknowledged

    def __str__(self) -> str:
        """Say it in a line."""
        said = f"telemetry to {self.sink}: {self.samples} samples, {self.acknowledged} acknowledged"
        left = self.lost - self.dropped - self.refused
        if self.lost:
            counts = {"dropped": self.dropped, "refused": self.refused, "left": left}
            said += "".join(f", {count} {what}" for what, count in counts.items() if count)
            said += f" ({self.reason})" if self.reason else ""
        said += f"; {self.caveat}" if self.caveat else ""
        if (self.dropped or left) and self.kept:  # what was refused would be so again
            said += "; `sweetspot telemetry replay` sends them"
        return said


class Publisher:
    """Takes the samples of a session, one trace after the other.

    A sink that is absent, slow, refusing or hung holds up neither the meter nor another sink: its
    samples wait, and the oldest that wait are dropped. Of a batch that fails half is sent next, and
    twice as many after each that is well: so what is too slow with many gets few, and a sample that
    is refused is found, given up and holds up none behind it.
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
            log.log(logging.WARNING if each.lost or each.caveat else logging.INFO, "%s", each)
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
        self._put = self._taken = self._acknowledged = self._refused = 0
        self._most = AT_ONCE
        self._reason, self._said = "", set[str]()
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
            refused=self._refused,
            reason=self._reason or ("no answer" if self._thread.is_alive() else ""),
            caveat=self._sink.caveat,
            kept=bool(self._sink.kept_at),
        )

    def _run(self) -> None:
        try:
            batch: list[_Item] = []
            while not self._abandoned:
                self._hurry.clear()  # before it is looked for whatever may hurry
                ending = self._ending.is_set()
                batch += self._take(AT_ONCE - len(batch))
                then = self._send(batch)
                if ending and (then is _Then.AWAY or not (batch or self._waiting)):
                    return
                if not ending and (then is not _Then.ON or not batch):
                    # what waited long is caught up with, but at no whole core's cost
                    is_behind = then is _Then.ON and len(self._waiting) >= AT_ONCE
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

    def _send(self, batch: list[_Item]) -> "_Then":
        """Send the first samples of a batch, and take off what is done with."""
        if not batch:
            return _Then.ON
        source = batch[0][0]
        items = list(takewhile(lambda item: item[0] == source, batch[: self._most]))
        refused, then = 0, _Then.ON
        try:
            self._sink.send(source, [Sample(at, _values(look)) for _, at, look in items])
            self._most = min(AT_ONCE, 2 * self._most)
        except RefusedError as error:
            self._say(error, "")
            if error.samples is None and len(items) > 1:
                self._most = len(items) // 2
                return _Then.ON
            if error.samples is None:  # it is this one; those behind it may be as bad
                refused, then = 1, _Then.LATER
            else:
                refused = error.samples
        except Exception as error:  # a library's own, too: the samples of others go on
            self._say(error, "; trying again")
            self._most = max(1, len(items) // 2)
            return _Then.AWAY
        self._refused += refused
        self._acknowledged += len(items) - refused
        del batch[: len(items)]
        return then

    def _say(self, error: Exception, what: str) -> None:
        """Say why samples are not there, once where they are tried again and once where not."""
        reason = one_line(error or type(error).__name__)
        reason = reason.removeprefix(f"{self._sink.name}: ")
        if what not in self._said:
            log.warning("telemetry to %s: %s%s", self._sink.name, reason, what)
        self._said.add(what)
        self._reason = reason


class _Then(Enum):
    """What comes after a batch: the next at once, or in a while; AWAY: the sink does not answer."""

    ON, LATER, AWAY = range(3)


def _values(look: Look) -> tuple[float, ...]:
    """Return a sample's values by `COLUMNS`, as a trace's file has them."""
    return (look.t_s, power_w(look), *(getattr(look, name) for name in CHANNELS[1:]))
