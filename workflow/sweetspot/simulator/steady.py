"""The steady state of a server: the part of its run in which whoever ends makes room for another.

It begins when the batch is first full, that is, a request that has arrived finds no room, or, where
that comes sooner, when as many requests have ended as are in flight, so that the batch has turned
over once; before, it fills. It ends when the last request is admitted; after, it only empties.
Benchmarks of servers that leave out their ramps mean that, in words of their own.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What has come together up to a time of a run.

    Attributes:
        t_s: since the first arrival.
        energy_j: since then.
        output_tokens: generated, those of requests in flight among them.
        busy_s: time in which a request was in flight.
        batch_s: requests in an iteration times its duration, summed.
    """

    t_s: float = 0.0
    energy_j: float = 0.0
    output_tokens: int = 0
    busy_s: float = 0.0
    batch_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """What a server takes in its steady state.

    Attributes:
        begin_s, end_s: since the first arrival.
        energy_j: in between, that of waits among it.
        output_tokens: generated in between.
        mean_batch: requests in an iteration, on average over the time that was not idle.
    """

    begin_s: float
    end_s: float
    energy_j: float
    output_tokens: int
    mean_batch: float

    @property
    def energy_per_token_j(self) -> float:
        """J per output token."""
        return self.energy_j / self.output_tokens

    @property
    def throughput_tokens_per_s(self) -> float:
        """Output tokens per s."""
        return self.output_tokens / (self.end_s - self.begin_s)

    @property
    def mean_power_w(self) -> float:
        """Mean power of all boards together."""
        return self.energy_j / (self.end_s - self.begin_s)


def between(begin: Sums | None, end: Sums | None) -> Steady | None:
    """Return the steady state between two times; None where it has not begun, or nothing came."""
    if begin is None or end is None or end.output_tokens <= begin.output_tokens:
        return None
    return Steady(
        begin_s=begin.t_s,
        end_s=end.t_s,
        energy_j=end.energy_j - begin.energy_j,
        output_tokens=end.output_tokens - begin.output_tokens,
        mean_batch=(end.batch_s - begin.batch_s) / (end.busy_s - begin.busy_s),
    )
