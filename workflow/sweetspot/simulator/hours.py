"""A run by hour of the clock: sums that grow with its hours, not with its requests."""

from dataclasses import dataclass

from sweetspot.simulator.schedule.segments import Finished, Ran, Segment
from sweetspot.simulator.statistics import PowerGrid
from sweetspot.units import HOUR_S


@dataclass(slots=True)
class Hour:
    """What one hour took.

    Attributes:
        requests: that arrived in it.
        input_tokens: of these.
        output_tokens: generated in it; a segment that lasts longer is shared out by time.
        energy_j: of all boards.
        idle_energy_j: of the time in which no request was in flight.
        busy_s, idle_s: time with a request in flight, and without.
        batch_s: requests in an iteration times its duration, summed.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: float = 0.0
    energy_j: float = 0.0
    idle_energy_j: float = 0.0
    busy_s: float = 0.0
    idle_s: float = 0.0
    batch_s: float = 0.0

    @property
    def mean_batch(self) -> float:
        """Requests in an iteration, on average over the time that was not idle; 0 without any."""
        return self.batch_s / self.busy_s if self.busy_s else 0.0

    @property
    def mean_power_w(self) -> float:
        """Mean power over what the run has of the hour; 0 where it has nothing of it."""
        duration_s = self.busy_s + self.idle_s
        return self.energy_j / duration_s if duration_s else 0.0


class Hours:
    """The hours of a run, from that of the first arrival to that of the last token.

    Attributes:
        each: one after the other.
        power: of all boards over time, in up to 1024 stretches.
        batch: requests in an iteration over time in the same stretches, 0 where none is in flight:
            a grid of requests times s, not of J.
    """

    def __init__(self, into_s: float = 0.0) -> None:
        """Begin, `into_s` after the beginning of an hour."""
        self._into_s = into_s
        self.each: list[Hour] = []
        self.power, self.batch = PowerGrid(), PowerGrid()

    def add(self, segment: Segment, ran: Ran, begin_s: float) -> None:
        """Add a segment that began at `begin_s` of the run."""
        batch = segment.decodes + segment.prompts if ran.iterations else 0
        self.power.add(begin_s, ran.duration_s, ran.energy_j)
        self.batch.add(begin_s, ran.duration_s, batch * ran.duration_s)
        begin_s += self._into_s
        end_s = begin_s + ran.duration_s
        first, last = int(begin_s // HOUR_S), int(end_s // HOUR_S)
        if first == last:
            self._add(first, segment, ran, 1.0)
            return
        for hour in range(first, last + 1):
            within_s = min(end_s, (hour + 1) * HOUR_S) - max(begin_s, hour * HOUR_S)
            self._add(hour, segment, ran, within_s / ran.duration_s)

    def finish(self, ended: list[Finished]) -> None:
        """Add requests that have ended to the hours in which they arrived."""
        for request, _, _ in ended:
            hour = self._of(int((request.arrival_s + self._into_s) // HOUR_S))
            hour.requests += 1
            hour.input_tokens += request.input_tokens

    def _add(self, index: int, segment: Segment, ran: Ran, share: float) -> None:
        hour = self._of(index)
        hour.energy_j += share * ran.energy_j
        if not ran.iterations:
            hour.idle_energy_j += share * ran.energy_j
            hour.idle_s += share * ran.duration_s
            return
        hour.busy_s += share * ran.duration_s
        hour.batch_s += share * ran.duration_s * (segment.decodes + segment.prompts)
        generated = ran.iterations * segment.decodes + segment.prompts_finished
        hour.output_tokens += share * generated

    def _of(self, index: int) -> Hour:
        while len(self.each) <= index:
            self.each.append(Hour())
        return self.each[index]
