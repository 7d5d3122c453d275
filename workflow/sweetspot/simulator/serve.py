"""A server's run: requests come when they come; a scheduler and a clock take turns; sums remain."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

from sweetspot.metering.trace import PowerTrace
from sweetspot.simulator.hours import Hours
from sweetspot.simulator.schedule.segments import Clock, Finished, Ran, Scheduler, Segment
from sweetspot.simulator.statistics import Latency, LatencySketch, PowerGrid
from sweetspot.simulator.steady import Steady, Sums, between

LATE = 0.02
"""What share of the time of arrivals the last request waits, at most, where no queue grows."""
_BATCHES = 4
"""With fewer batches of requests, these still begin and end together."""


class Overload(NamedTuple):
    """Requests per s that come and that are served, where the queue grows as long as they come.

    The second is an estimate from the run: its steady state's.
    """

    come_per_s: float
    served_per_s: float

    @property
    def times(self) -> float:
        """How many times as many come as are served."""
        return self.come_per_s / self.served_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What serving all requests took, from the first arrival to the last token.

    Attributes:
        requests, input_tokens, output_tokens: of all requests together; prompts that a pause made
            the engine process twice count once.
        duration_s: from the first arrival to the last token.
        energy_j: of the whole time.
        arrivals_s: from the first arrival to the last.
        begun_s: from the first arrival until the last request begins: to its first token, less the
            shortest time that one takes.
        idle_s: time in which no request was in flight.
        idle_energy_j: energy of that time: the clocks stay up.
        iterations: forward passes of the model.
        pauses: how often a request lost its KV cache (MAX_UTILIZATION).
        cached_tokens: of the input tokens, those that a prefix cache had.
        clock_share: mean clock of the time not idle, as a share of the board's highest.
        host_bound_share: share of the time not idle in which the GPU waits for the host.
        mean_batch: requests in an iteration, on average over the time that was not idle.
        max_batch: the most there were.
        max_sequence_tokens: the longest I + O.
        first_token: from a request's arrival to its first token.
        per_output_token: from first to last token, per token after the first; None where no
            request has two.
        end_to_end: from arrival to the last token; with static batching, to the batch's end.
        steady: the part of the run between its ramps; None where there is none, as with static
            batches, or with requests that are all admitted at once.
        power: power over time, if it was asked for.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    duration_s: float
    energy_j: float
    arrivals_s: float
    begun_s: float
    idle_s: float
    idle_energy_j: float
    iterations: int
    pauses: int
    cached_tokens: int
    clock_share: float
    host_bound_share: float
    mean_batch: float
    max_batch: int
    max_sequence_tokens: int
    first_token: Latency
    per_output_token: Latency | None
    end_to_end: Latency
    steady: Steady | None
    power: PowerTrace | None

    @property
    def energy_per_token_j(self) -> float:
        """J per output token."""
        return self.energy_j / self.output_tokens

    @property
    def tokens_per_j(self) -> float:
        """Output tokens per J."""
        return self.output_tokens / self.energy_j

    @property
    def throughput_tokens_per_s(self) -> float:
        """Output tokens per s."""
        return self.output_tokens / self.duration_s

    @property
    def mean_power_w(self) -> float:
        """Mean power of the board."""
        return self.energy_j / self.duration_s

    @property
    def idle_share(self) -> float:
        """Share of the time in which no request was in flight."""
        return self.idle_s / self.duration_s

    @property
    def is_short(self) -> bool:
        """Whether it has less than four times as many requests as are in flight at once."""
        return self.requests < _BATCHES * self.max_batch

    @property
    def sustained(self) -> "Served | Steady":
        """The part that says what a long run takes: the steady state, but of a short run all.

        In the steady state of a short one there may be many decodes and hardly a prompt; of all of
        it, throughput is some percent too low, as the batch fills and empties.
        """
        return self.steady if self.steady and not self.is_short else self

    @property
    def served_per_s(self) -> float:
        """Requests per s: where a queue grows an estimate of what can be served for long.

        Tokens are as many requests as they are in the mean of all.
        """
        part = self.sustained
        return part.throughput_tokens_per_s * self.requests / self.output_tokens

    @property
    def queue_is_left(self) -> bool:
        """Whether the last request waits for more than 2 % of the time in which they come."""
        return self._last_waits > LATE

    @property
    def _last_waits(self) -> float:
        return self.begun_s / self.arrivals_s - 1 if self.arrivals_s else 0.0

    def overload(self, come_per_s: float | None = None) -> Overload | None:
        """Return what comes and what is served where that is less and a queue grows; else None.

        The last request then waits for more than 2 % of the time in which they come, and for more
        than their number scatters by in a Poisson process: a short run may end in a cluster.

        Args:
            come_per_s: the rate, where it is known; None for that of the requests as they came.
        """
        if not self.arrivals_s:
            return None
        found = Overload(come_per_s or self.requests / self.arrivals_s, self.served_per_s)
        grows = self.queue_is_left and self._last_waits > 1 / sqrt(self.requests)
        return found if grows and found.come_per_s > found.served_per_s else None


class Totals:
    """Sums over segments and requests; its size does not depend on how many there are."""

    def __init__(self, grid: PowerGrid | None) -> None:
        """Begin with nothing; power over time is kept in `grid`, if there is one."""
        self._grid = grid
        self.requests = self._input_tokens = self._output_tokens = 0
        self._iterations = self._max_batch = self._max_sequence_tokens = 0
        self._busy_s = self._busy_j = self._idle_s = self._idle_j = self._batch_s = 0.0
        self._full_clock_s = self._host_s = 0.0
        self._generated = 0
        self._begin: Sums | None = None
        self._end: Sums | None = None
        self._first_arrival_s = self._quickest_s = float("inf")
        self._last_arrival_s = self._last_first_token_s = float("-inf")
        self._first_token, self._per_token = LatencySketch(), LatencySketch()
        self._end_to_end = LatencySketch()

    def add(self, segment: Segment, ran: Ran, begin_s: float) -> None:
        """Add a segment that began at `begin_s` of the run."""
        iterations, duration_s, energy_j, full_clock_s, host_s = ran
        if iterations:
            batch = segment.decodes + segment.prompts
            self._iterations += iterations
            self._busy_s += duration_s
            self._busy_j += energy_j
            self._batch_s += batch * duration_s
            self._full_clock_s += full_clock_s
            self._host_s += host_s
            self._generated += iterations * segment.decodes + segment.prompts_finished
            if batch > self._max_batch:
                self._max_batch = batch
        else:
            self._idle_s += duration_s
            self._idle_j += energy_j
        if self._grid is not None:
            self._grid.add(begin_s, duration_s, energy_j)

    def look(self, scheduler: Scheduler, planned: Segment, now_s: float) -> None:
        """Take note of when the steady state begins and ends; called with each plan."""
        if self._end is not None:
            return
        if self._begin is None:
            turned_over = 0 < self.requests >= planned.decodes + planned.prompts
            if turned_over or scheduler.is_full(now_s):
                self._begin = self._sums()
        if not scheduler.replaces:
            self._end = self._sums()

    def _sums(self) -> Sums:
        return Sums(
            t_s=self._busy_s + self._idle_s,
            energy_j=self._busy_j + self._idle_j,
            output_tokens=self._generated,
            busy_s=self._busy_s,
            batch_s=self._batch_s,
        )

    def finish(self, ended: list[Finished]) -> None:
        """Add requests that have ended."""
        for request, first_token_s, end_s in ended:
            arrival_s, input_tokens, output_tokens, _, _ = request
            self.requests += 1
            self._input_tokens += input_tokens
            self._output_tokens += output_tokens
            if input_tokens + output_tokens > self._max_sequence_tokens:
                self._max_sequence_tokens = input_tokens + output_tokens
            if arrival_s < self._first_arrival_s:
                self._first_arrival_s = arrival_s
            if arrival_s > self._last_arrival_s:
                self._last_arrival_s = arrival_s
            if first_token_s > self._last_first_token_s:
                self._last_first_token_s = first_token_s
            waited_s = first_token_s - arrival_s
            if waited_s < self._quickest_s:
                self._quickest_s = waited_s
            self._first_token.add(waited_s)
            self._end_to_end.add(end_s - arrival_s)
            if output_tokens > 1:
                self._per_token.add((end_s - first_token_s) / (output_tokens - 1))

    def result(self, scheduler: Scheduler) -> Served:
        """Return the sums, with what only the scheduler knows."""
        first_token, end_to_end = self._first_token.latency(), self._end_to_end.latency()
        assert first_token is not None  # noqa: S101 - every plan ends requests
        assert end_to_end is not None  # noqa: S101
        return Served(
            requests=self.requests,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            duration_s=self._busy_s + self._idle_s,
            energy_j=self._busy_j + self._idle_j,
            arrivals_s=self._last_arrival_s - self._first_arrival_s,
            begun_s=self._last_first_token_s - self._quickest_s - self._first_arrival_s,
            idle_s=self._idle_s,
            idle_energy_j=self._idle_j,
            iterations=self._iterations,
            pauses=scheduler.pauses,
            cached_tokens=scheduler.cached_tokens,
            clock_share=self._full_clock_s / self._busy_s,
            host_bound_share=self._host_s / self._busy_s,
            mean_batch=self._batch_s / self._busy_s,
            max_batch=self._max_batch,
            max_sequence_tokens=self._max_sequence_tokens,
            first_token=first_token,
            per_output_token=self._per_token.latency(),
            end_to_end=end_to_end,
            steady=between(self._begin, self._end),
            power=None if self._grid is None else self._grid.trace(),
        )


def serve(
    scheduler: Scheduler,
    clock: Clock,
    *,
    power_grid: bool = False,
    hours: Hours | None = None,
    progress: Callable[[int], None] | None = None,
) -> Served:
    """Run a scheduler's requests to the end, one segment after the other, and add up.

    Args:
        scheduler: with its requests; it is used up.
        clock: what segments take.
        power_grid: whether to keep power over time, in up to 1024 stretches.
        hours: filled with what each hour takes, where that is asked for.
        progress: called with the number of requests that have ended, after every segment in which
            some have.

    Raises:
        ValueError: there are no requests.
    """
    totals = Totals(PowerGrid() if power_grid else None)
    segment = scheduler.plan(0.0)
    if segment is None:
        raise ValueError("there are no requests")
    # The clock starts with the first request, also where times have another origin.
    start_s = now_s = 0.0 if segment.iterations else segment.wake_s
    while segment is not None:
        totals.look(scheduler, segment, now_s)
        ran = clock.run(segment, now_s)
        totals.add(segment, ran, now_s - start_s)
        if hours is not None:
            hours.add(segment, ran, now_s - start_s)
        # a wait ends at the arrival itself: adding up could miss it by a rounding
        now_s = now_s + ran.duration_s if ran.iterations else segment.wake_s
        ended = scheduler.advance(ran.iterations, now_s)
        if ended:
            totals.finish(ended)
            if hours is not None:
                hours.finish(ended)
            if progress is not None:
                progress(totals.requests)
        segment = scheduler.plan(now_s)
    return totals.result(scheduler)
