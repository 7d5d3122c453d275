"""A workload of identical requests, of which everything but the output length is given."""

from dataclasses import dataclass

from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.run import Simulation, simulate


@dataclass(frozen=True, slots=True)
class Workload:
    """Everything of a run but its output length."""

    deployment: Deployment
    requests: int
    input_tokens: int

    def simulate(self, output_tokens: int, requests: int | None = None) -> Simulation:
        """Return the run with answers of this length, of another number of requests if given."""
        return simulate(
            self.deployment,
            requests=requests or self.requests,
            input_tokens=self.input_tokens,
            output_tokens=output_tokens,
        )

    def batch(self, output_tokens: int) -> int:
        """Return how many such requests the limits let be in flight at once; 0 if not even one."""
        return self.deployment.bounds.max_batch(self.input_tokens, output_tokens)

    def waves(self, output_tokens: int) -> int:
        """Return how many times that, at most, these requests are."""
        return -(-self.requests // self.batch(output_tokens))
