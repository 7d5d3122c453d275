"""What requests take in one deployment: energy of each, boards, speed, and how sure that is."""

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from sweetspot.ask.load import Simulated
from sweetspot.ask.offered import DAY_S, Offered, energy_per_request_j
from sweetspot.errors import EngineError
from sweetspot.simulator.constants.intervals import Interval
from sweetspot.simulator.deployment.deployment import Deployment

if TYPE_CHECKING:
    from sweetspot.ask.advice.own_fit import OwnFit

MOST_SERVERS = 4096


@dataclass(frozen=True, eq=False, kw_only=True)
class Taken:
    """What requests take. All of it is simulated, but for energy that somebody's own fit says.

    Attributes:
        deployment: of each server.
        offered: the load.
        load: the simulated server, one of `servers`.
        servers: alike, that share the requests.
        one_serves_per_s: what one serves of them, where more come than that; None where it serves
            all that come.
        own: a fit that says the energy; None where it is simulated.
    """

    deployment: Deployment
    offered: Offered
    load: Simulated
    servers: int
    one_serves_per_s: float | None
    own: "OwnFit | None" = None

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
        return self.offered.requests_per_s(self.load.served, self.servers)

    @property
    def power_w(self) -> float:
        """Mean power of all boards."""
        return self.servers * self.offered.counted(self.load.served).mean_power_w

    @property
    def simulated_per_request_j(self) -> float:
        """Energy of all boards, the time included in which they wait."""
        return energy_per_request_j(self.offered, self.load.served, self.servers)

    @property
    def energy_per_request_j(self) -> float:
        """The same, or what the fit says."""
        if self.own is None:
            return self.simulated_per_request_j
        return self.own.energy_per_token_j(self.lengths) * self.output_tokens

    @property
    def lengths(self) -> tuple[float, float]:
        """Input and output tokens of a mean request."""
        return self.input_tokens, self.output_tokens

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
        """How far measured energy may be from it."""
        return self.own.interval(self.lengths) if self.own else self.deployment.intervals.energy


def take(deployment: Deployment, offered: Offered, own: "OwnFit | None" = None) -> Taken:
    """Return what requests take of as many servers as they need, the fewest that keep up.

    Args:
        deployment: of each server.
        offered: the load.
        own: a fit that says the energy where it can: of boards kept full, with requests that are
            all alike, at lengths that were measured.

    Raises:
        InputError: a request is longer than the model can hold.
        EngineError: one does not fit in the KV cache, or no number of servers keeps up.
    """
    servers, one_serves_per_s = 1, None
    load = offered.serve(deployment, servers)
    while (overload := offered.overload(load.served, servers)) is not None:
        if one_serves_per_s is None:
            one_serves_per_s = overload.served_per_s
        if servers >= MOST_SERVERS:
            raise EngineError(
                f"{servers} servers do not keep up with {offered.words}; ask for a lower rate"
            )
        servers = max(servers + 1, ceil(servers * overload.times))
        load = offered.serve(deployment, servers)
    taken = Taken(
        deployment=deployment,
        offered=offered,
        load=load,
        servers=servers,
        one_serves_per_s=one_serves_per_s,
    )
    fits = not offered.waits and offered.are_alike
    return replace(taken, own=own) if own and fits and own.holds(taken.lengths) else taken
