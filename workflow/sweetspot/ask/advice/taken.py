"""What requests take in one deployment: energy of each, boards, speed, and what that rests on."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from sweetspot.ask.advice.traffic import DAY_S, Traffic
from sweetspot.ask.load import Simulated
from sweetspot.errors import EngineError
from sweetspot.simulator.constants.intervals import Interval
from sweetspot.simulator.deployment.deployment import Deployment

MOST_SERVERS = 4096


@dataclass(frozen=True, eq=False, kw_only=True)
class Taken:
    """What requests take. All of it is simulated.

    Attributes:
        deployment: of each server.
        traffic: what comes.
        load: the simulated server, one of `servers`.
        servers: alike, that share the requests.
        one_serves_per_s: what one serves of them, where more come than that; None where it serves
            all that come.
    """

    deployment: Deployment
    traffic: Traffic
    load: Simulated
    servers: int
    one_serves_per_s: float | None

    @property
    def boards(self) -> int:
        """GPUs in all."""
        return self.servers * self.deployment.limits.tensor_parallel

    @property
    def input_tokens(self) -> float:
        """Mean of a request."""
        return self.load.served.input_tokens / self.load.served.requests

    @property
    def output_tokens(self) -> float:
        """Mean of a request."""
        return self.load.served.output_tokens / self.load.served.requests

    @property
    def requests_per_s(self) -> float:
        """Of all servers together: as they come, or as fast as they are served."""
        return self.traffic.requests_per_s(self.load.served, self.servers)

    @property
    def power_w(self) -> float:
        """Mean power of all boards."""
        return self.servers * self.traffic.counted(self.load.served).mean_power_w

    @property
    def energy_per_request_j(self) -> float:
        """Of all boards, the time included in which they wait."""
        return self.power_w / self.requests_per_s

    @property
    def requests_per_day(self) -> float:
        """That come, or that are served, in 24 hours."""
        return DAY_S * self.requests_per_s

    @property
    def energy_per_token_j(self) -> float:
        """J per output token."""
        return self.energy_per_request_j / self.output_tokens

    @property
    def interval(self) -> Interval:
        """How far measured energy may be from the simulated."""
        return self.deployment.intervals.energy


def take(
    deployment: Deployment, traffic: Traffic, progress: Callable[[int], None] | None = None
) -> Taken:
    """Return what requests take of as many servers as they need, the fewest that keep up.

    Raises:
        InputError: a request is longer than the model can hold.
        EngineError: one does not fit in the KV cache, or no number of servers keeps up.
    """
    servers, one_serves = 1, None
    while True:
        load = traffic.served(deployment, servers, progress)
        served = load.served
        if traffic.is_full or not served.overloaded:
            return Taken(
                deployment=deployment,
                traffic=traffic,
                load=load,
                servers=servers,
                one_serves_per_s=one_serves,
            )
        if one_serves is None:
            one_serves = served.requests / served.begun_s
        if servers >= MOST_SERVERS:
            raise EngineError(
                f"{servers} servers do not keep up with {traffic.words}; ask for a lower rate"
            )
        offered = traffic.offered_per_s(served, servers)
        servers = max(servers + 1, ceil(offered * served.begun_s / served.requests))
