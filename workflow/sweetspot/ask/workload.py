"""A workload of identical requests, of which everything but the output length is given."""

from collections.abc import Iterable
from dataclasses import dataclass

from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.run import Sent, Simulation, simulate, simulate_each


@dataclass(frozen=True, slots=True)
class Workload:
    """Everything of a run but its output length."""

    deployment: Deployment
    requests: int
    input_tokens: int

    def simulate(self, output_tokens: int) -> Simulation:
        """Return the run with answers of this length."""
        return simulate(
            self.deployment,
            requests=self.requests,
            input_tokens=self.input_tokens,
            output_tokens=output_tokens,
        )

    def energies_per_token_j(self, runs: Iterable[tuple[int, int]]) -> list[float]:
        """Return the energy of an output token for each output length and number of requests.

        Of lengths that the KV cache can hold.
        """
        sent = (Sent(requests, self.input_tokens, outputs) for outputs, requests in runs)
        found = simulate_each(self.deployment, sent)
        return [run.energy_j / run.output_tokens for run in found if run]

    def batch(self, output_tokens: int) -> int:
        """Return how many such requests the limits let be in flight at once; 0 if not even one."""
        return self.deployment.bounds.max_batch(self.input_tokens, output_tokens)

    def waves(self, output_tokens: int) -> int:
        """Return how many times that, at most, these requests are."""
        return -(-self.requests // self.batch(output_tokens))
