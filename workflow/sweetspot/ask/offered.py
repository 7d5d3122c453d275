"""The load that servers are offered: Poisson arrivals, a backlog, or a log.

How many requests are simulated follows from what serves them: so many that the time in which the
batch fills and empties is a small part of the run, and that p95 rests on 100 requests at least.

Energy is mean power, in the steady state, by requests per s. Of arrivals at a rate these are known:
how many happen to come in a run scatters by several percent, how much power they draw by a tenth
of that where boards are busy; where they mostly wait, power goes with what comes.
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
from sweetspot.simulator.serve import Overload, Served
from sweetspot.simulator.steady import Steady

LEAST_REQUESTS = 2000
TURNS = 20
"""How many times the requests in flight a run has, so that its ramps are a small part of it."""
_WAVES = 8
"""The same where batches are full, which hardly scatter."""
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

    def overload(self, served: Served, replicas: int) -> Overload | None:
        """Return what comes to all replicas and what they serve; None where no queue grows."""

    def counted(self, served: Served) -> Served | Steady:
        """Return the part of a run that its power and batch are taken from."""

    def requests_per_s(self, served: Served, replicas: int) -> float:
        """Return how many all replicas serve: that come, or of a queue as fast as it goes."""


def energy_per_request_j(offered: Offered, served: Served, replicas: int) -> float:
    """Return the energy of a request, that of boards that wait for some included.

    Args:
        offered: what the replicas served.
        served: what one of them took.
        replicas: how many there are.
    """
    power_w = replicas * offered.counted(served).mean_power_w
    return power_w / offered.requests_per_s(served, replicas)


def _of_all(overload: Overload | None, replicas: int) -> Overload | None:
    return Overload(*(replicas * each for each in overload)) if overload else None


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
        least: how many it takes, however few are in flight.
    """

    rate_per_s: float
    least: int = LEAST_REQUESTS

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
        most = max(self.least, TURNS * limits.max_batch_size)
        count = self.requests or self.least
        while True:
            requests = self.cut.of(self._drawn(count, replicas, limits.max_seq_len))
            answer = simulate_deployed(deployment, requests, progress=progress)
            served = answer.served
            in_flight = self.rate_per_s / replicas * served.end_to_end.mean_s
            grows = self.overload(served, replicas)
            enough = _WAVES * served.max_batch if grows else TURNS * in_flight
            if self.requests or count >= min(most, enough):
                return answer
            count = min(most, int(1.5 * enough))

    def overload(self, served: Served, replicas: int) -> Overload | None:
        """Return the rate, and what is served."""
        return _of_all(served.overload(self.rate_per_s / replicas), replicas)

    def counted(self, served: Served) -> Served | Steady:
        """Return its steady state, or all of a run that is short beside it."""
        return served.sustained

    def requests_per_s(self, served: Served, replicas: int) -> float:
        """Return the rate, or what is served where all of a run counts or a queue is left.

        Of a short run that queue may also be chance: more than comes is never served.
        """
        served_per_s = replicas * served.served_per_s
        if self.counted(served) is served or self.overload(served, replicas):
            return served_per_s
        return min(self.rate_per_s, served_per_s) if served.queue_is_left else self.rate_per_s

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
        """Return its steady state, or all of a run that is short beside it; whole batches whole."""
        return served if self._batches is not None else served.sustained

    def requests_per_s(self, served: Served, replicas: int) -> float:
        """Return how fast they are served."""
        whole = self._batches is not None
        return replicas * (served.requests / served.duration_s if whole else served.served_per_s)

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

    def overload(self, served: Served, replicas: int) -> Overload | None:
        """Return the mean rate of the log, and what is served, where it ends with a queue."""
        return _of_all(served.overload(), replicas)

    def counted(self, served: Served) -> Served:
        """Return all of it, as `cost` does."""
        return served

    def requests_per_s(self, served: Served, replicas: int) -> float:
        """Return the mean rate of the log, until its last request has ended."""
        return replicas * served.requests / served.duration_s
