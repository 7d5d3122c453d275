"""The load that servers are offered: Poisson arrivals, a backlog, or a log.

How many requests are simulated follows from what serves them: so many that the time in which the
batch fills and empties is a small part of the run, and that p95 rests on 100 requests at least.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, Self

from sweetspot.ask.lengths import UNCUT, Cut, RequestLengths
from sweetspot.ask.load import Simulated, simulate_deployed
from sweetspot.ask.log.read import RequestLog
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.serve import WAITING, Served
from sweetspot.simulator.steady import Steady

LEAST_REQUESTS = 2000
TURNS = 20
"""How many times the requests in flight a run has, so that its ramps are a small part of it."""
LATE = 0.02
"""What share of a run its last request waits, at most, where no queue grows: such runs are long."""
_WAVES = 8
_ANY = 2**60  # tokens; what a model holds is asked for later
Progress = Callable[[int], None]
DAY_S = 86400.0


class Offered(Protocol):
    """What servers are offered."""

    @property
    def words(self) -> str:
        """What it is."""

    @property
    def waits(self) -> bool:
        """Whether requests come over time, so that boards may wait, and latencies count."""

    @property
    def are_alike(self) -> bool:
        """Whether all requests have the same lengths."""

    def with_cut(self, cut: Cut) -> Self:
        """Return the same requests cut."""

    def too_long(self, deployment: Deployment) -> str:
        """Return why requests are longer than what is deployed can hold; empty where none is."""

    def serve(
        self, deployment: Deployment, replicas: int, progress: Progress | None = None
    ) -> Simulated:
        """Return what one of so many alike takes, to which an equal share of the requests comes.

        Args:
            deployment: of one.
            replicas: how many there are.
            progress: called now and then with how many requests have ended.

        Raises:
            InputError: the load makes no sense.
            EngineError: one does not fit in the KV cache.
        """

    def overload(self, served: Served, replicas: int) -> tuple[float, float] | None:
        """Return requests per s that come and that are served; None where no queue grows."""

    def counted(self, served: Served) -> Served | Steady:
        """Return the part of a run that its energy and throughput are taken from."""

    def requests_per_s(self, served: Served, replicas: int) -> float:
        """Return how many come to all replicas, or of a backlog how many they serve."""


def energy_per_request_j(offered: Offered, served: Served) -> float:
    """Return the energy of a request, that of boards that wait for some included.

    Args:
        offered: what one of the replicas served.
        served: what it took.
    """
    tokens = served.output_tokens / served.requests
    return offered.counted(served).energy_per_token_j * tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class _Generated:
    """What requests that are in no log have in common."""

    lengths: RequestLengths
    seed: int = 0
    requests: int | None = None
    cut: Cut = UNCUT

    @property
    def are_alike(self) -> bool:
        """Whether all requests have the same lengths."""
        return self.lengths.are_alike

    def with_cut(self, cut: Cut) -> Self:
        """Return the same requests cut."""
        return replace(self, cut=cut)

    def too_long(self, deployment: Deployment) -> str:
        """Return whether they are, in words."""
        return self.lengths.too_long(deployment.limits.max_seq_len)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals(_Generated):
    """Requests that come as a Poisson process, shared out at random among replicas.

    Attributes:
        rate_per_s: of all replicas together.
        lengths: of the requests.
        seed: of arrivals and lengths.
        requests: to simulate; None for as many as it takes.
        cut: what requests are cut to.
    """

    rate_per_s: float

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        self._drawn(1, 1, _ANY)

    @property
    def words(self) -> str:
        """What it is."""
        return f"{self.rate_per_s:g} requests/s (Poisson, seed {self.seed}) of {self.lengths.words}"

    @property
    def waits(self) -> bool:
        """They do."""
        return True

    def serve(
        self, deployment: Deployment, replicas: int, progress: Progress | None = None
    ) -> Simulated:
        """Simulate until the run is `TURNS` times as long as its requests are, or overloaded."""
        limits = deployment.limits
        most = max(LEAST_REQUESTS, TURNS * limits.max_batch_size)
        count = self.requests or LEAST_REQUESTS
        while True:
            requests = self.cut.of(self._drawn(count, replicas, limits.max_seq_len))
            answer = simulate_deployed(deployment, requests, progress=progress)
            in_flight = self.rate_per_s / replicas * answer.served.end_to_end.mean_s
            is_long = count >= min(most, TURNS * in_flight)
            if self.requests or is_long or self.overload(answer.served, replicas):
                return answer
            count = min(most, int(1.5 * TURNS * in_flight))

    def overload(self, served: Served, replicas: int) -> tuple[float, float] | None:
        """Return both rates where requests come faster than they are begun."""
        times = served.overload or 1.0
        grows = times > 1 + LATE and served.requests * (times - 1) > WAITING
        return (self.rate_per_s, self.rate_per_s / times) if grows else None

    def counted(self, served: Served) -> Served:
        """Return all of it: what is left out at one end is as much as at the other."""
        return served

    def requests_per_s(self, served: Served, replicas: int) -> float:
        """Return the rate."""
        return self.rate_per_s

    def _drawn(self, count: int, replicas: int, max_seq_len: int) -> Iterator[Request]:
        rate_per_s = self.rate_per_s / replicas
        return self.lengths.requests(
            count, max_seq_len=max_seq_len, rate_per_s=rate_per_s, seed=self.seed
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog(_Generated):
    """Requests that all wait from the start, so that no board ever does.

    Its steady state counts, or all of whole batches, as `along` asks for them.

    Attributes:
        lengths: of the requests.
        seed: of lengths.
        requests: to simulate; None for eight times as many as run at once.
        whole_batches: of requests that are all alike: so many batches are simulated, and all of
            them count; None: the steady state does.
        cut: what requests are cut to.
    """

    whole_batches: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        self._drawn(1, _ANY)

    @property
    def words(self) -> str:
        """What it is."""
        return f"a backlog of requests of {self.lengths.words}"

    @property
    def waits(self) -> bool:
        """They are all there."""
        return False

    def serve(
        self, deployment: Deployment, replicas: int, progress: Progress | None = None
    ) -> Simulated:
        """Simulate some waves."""
        at_once = deployment.bounds.max_batch(*self.cut.lengths(*self.lengths.means))
        count = self.requests or max(LEAST_REQUESTS, _WAVES * at_once)
        if self._batches is not None:
            count = self._batches * (at_once or 1)  # one that does not fit is refused in its words
        requests = self.cut.of(self._drawn(count, deployment.limits.max_seq_len))
        return simulate_deployed(deployment, requests, progress=progress)

    def overload(self, served: Served, replicas: int) -> None:
        """Return nothing: no more come."""

    def counted(self, served: Served) -> Served | Steady:
        """Return its steady state, where it has one; whole batches whole."""
        return served if self._batches is not None else served.steady or served

    def requests_per_s(self, served: Served, replicas: int) -> float:
        """Return how fast they are served."""
        tokens_per_s = replicas * self.counted(served).throughput_tokens_per_s
        return tokens_per_s * served.requests / served.output_tokens

    @property
    def _batches(self) -> int | None:
        return self.whole_batches if self.are_alike else None

    def _drawn(self, count: int, max_seq_len: int) -> Iterator[Request]:
        return self.lengths.requests(
            count, max_seq_len=max_seq_len, rate_per_s=None, seed=self.seed
        )


@dataclass(slots=True, kw_only=True)
class Logged:
    """The requests of a log, of which each replica gets every n-th; one of them is simulated.

    Attributes:
        path: of the log.
        max_seq_len: longest sequence that every model can hold; longer ones are left out.
        columns: as of `cost`.
        requests: how many of the first are taken; None for all.
        cut: what requests are cut to.
        notes: how the log was understood, as soon as it has been served once.
    """

    path: str | os.PathLike[str]
    max_seq_len: int
    columns: Mapping[str, str] | None = None
    requests: int | None = None
    cut: Cut = UNCUT
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it is."""
        which = f"the first {self.requests} requests" if self.requests else "the requests"
        return f"{which} of {self.path}"

    @property
    def waits(self) -> bool:
        """They come when they come."""
        return True

    @property
    def are_alike(self) -> bool:
        """They have the lengths that they have."""
        return False

    def with_cut(self, cut: Cut) -> Self:
        """Return the same requests cut."""
        return replace(self, cut=cut)

    def too_long(self, deployment: Deployment) -> str:
        """Return nothing: those that are have been left out."""
        return ""

    def serve(
        self, deployment: Deployment, replicas: int, progress: Progress | None = None
    ) -> Simulated:
        """Simulate the log once."""
        with RequestLog(self.path, max_seq_len=self.max_seq_len, columns=self.columns) as log:
            share = self.cut.of(islice(log, 0, self.requests, replicas))
            answer = simulate_deployed(deployment, share, progress=progress)
        self.notes = tuple(log.notes)
        return answer

    def overload(self, served: Served, replicas: int) -> tuple[float, float] | None:
        """Return both rates, the mean ones of the log, where it ends with a queue."""
        if not served.overloaded:
            return None
        come, begun = (served.requests / s for s in (served.arrivals_s, served.begun_s))
        return replicas * come, replicas * begun

    def counted(self, served: Served) -> Served:
        """Return all of it, as `cost` does."""
        return served

    def requests_per_s(self, served: Served, replicas: int) -> float:
        """Return the mean rate of the log, until its last request has ended."""
        return replicas * served.requests / served.duration_s
