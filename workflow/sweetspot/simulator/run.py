"""One simulated run: schedule, time and energy, and the power trace on a virtual clock.

`simulate` is the work alone, `simulate_benchmark` the same in the window of an engine's benchmark.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sweetspot.errors import EngineError
from sweetspot.metering.trace import PowerTrace, window_energy_j
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.work import work
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.schedule.identical import Schedule, behind, schedule

# Runs are costed together until they have so many segments: enough to hide what a call of numpy
# takes, and few enough for a processor's cache.
TOGETHER = 2000

Planned = tuple[int, Schedule | None]  # most requests in flight, and the run if there can be one


@dataclass(frozen=True, eq=False, slots=True)
class Simulation:
    """A run on the virtual clock, which starts at 0 s with the first request.

    Attributes:
        trace: power of all boards together as steps, from 0 s to the end of the run.
        iterations: forward passes of the model.
        output_tokens: tokens generated, all requests together.
        max_concurrency: most requests that the limits let be in flight at once.
        clock_share: mean clock of iterations, as a share of the board's highest.
        host_bound_share: share of the iterations' time in which the GPU waits for the host.
    """

    trace: PowerTrace
    iterations: int
    output_tokens: int
    max_concurrency: int
    clock_share: float
    host_bound_share: float

    @property
    def energy_j(self) -> float:
        """Energy of the whole run: its trace, integrated as a measured one is."""
        return window_energy_j(self.trace, 0.0, self.duration_s)

    @property
    def duration_s(self) -> float:
        """From the first request sent to the last token, or to the end of a benchmark's window."""
        return float(self.trace.t_s[-1])


class Sent(NamedTuple):
    """What a run is sent: identical requests, all at once."""

    requests: int
    input_tokens: int
    output_tokens: int


def simulate(
    deployment: Deployment, *, requests: int, input_tokens: int, output_tokens: int
) -> Simulation:
    """Return the run of `requests` identical requests that all arrive at once, to the last token.

    Raises:
        EngineError: if the KV cache cannot hold even one request, or a static batch no prompt.
    """
    sent = Sent(requests, input_tokens, output_tokens)
    (found,) = simulate_each(deployment, [sent])
    if found is None:
        raise _no_room(deployment, sent)
    return found


def simulate_benchmark(
    deployment: Deployment, *, requests: int, input_tokens: int, output_tokens: int
) -> Simulation:
    """Return the same run as the engine's benchmark measures it: with the end of its window.

    Raises:
        EngineError: as `simulate`.
    """
    run = simulate(
        deployment, requests=requests, input_tokens=input_tokens, output_tokens=output_tokens
    )
    return in_benchmark(deployment, run)


def in_benchmark(deployment: Deployment, run: Simulation) -> Simulation:
    """Return a run in the window of the engine's benchmark.

    That of `trtllm-bench` ends `run_overhead_s` after the last response. No server spends that, so
    it is in what imitates a measurement only.
    """
    engine, last_s = deployment.constants.engine, run.duration_s
    power_w = deployment.part.gpus * engine.run_overhead_w
    trace = PowerTrace(
        t_s=np.append(run.trace.t_s, [last_s, last_s + engine.run_overhead_s]),
        power_w=np.append(run.trace.power_w, [power_w, power_w]),
    )
    return replace(run, trace=trace)


def simulate_each(deployment: Deployment, runs: Iterable[Sent]) -> Iterator[Simulation | None]:
    """Yield what `simulate` returns of each run, None where it raises; many are costed together."""
    bounds = deployment.bounds
    planned: list[Planned] = []
    segments = 0
    for sent in runs:
        concurrency = bounds.max_batch(sent.input_tokens, sent.output_tokens)
        plan = schedule(**sent._asdict(), limits=bounds) if concurrency else None
        planned.append((concurrency, plan))
        segments += plan.iterations.size if plan else 0
        if segments >= TOGETHER:
            yield from _costed(deployment, planned)
            planned, segments = [], 0
    yield from _costed(deployment, planned)


def _no_room(deployment: Deployment, sent: Sent) -> EngineError:
    """Return why not even one of the requests can run."""
    bounds, (_, input_tokens, output_tokens) = deployment.bounds, sent
    if bounds.max_concurrency(input_tokens + output_tokens):
        return EngineError(
            f"a prompt of {input_tokens} tokens is more than max_num_tokens"
            f" {bounds.max_num_tokens}, and static batching cuts none; raise that limit"
        )
    return EngineError(
        f"one request of {input_tokens} + {output_tokens} tokens does not fit in the KV cache"
        f" of {deployment.part.id} on {deployment.gpu.id}"
        f" ({bounds.kv_blocks * bounds.tokens_per_block} tokens); shorten it, raise"
        " kv_cache_memory_fraction or lower max_num_tokens"
    )


def _costed(deployment: Deployment, planned: Sequence[Planned]) -> Iterator[Simulation | None]:
    """Yield the runs of schedules, all of their segments costed together."""
    part = deployment.part
    if plans := [plan for _, plan in planned if plan]:
        together = work(part, behind(plans), deployment.bounds.graphs)
        segments = cost(together, deployment.gpu, deployment.constants)
        power_w = segments.energy_j / segments.duration_s
    end = 0
    for concurrency, plan in planned:
        if plan is None:
            yield None
            continue
        begin, end = end, end + plan.iterations.size
        own_s = segments.duration_s[begin:end]
        edges_s = np.concatenate([[0.0], np.cumsum(own_s)])
        own_w = part.gpus * np.repeat(power_w[begin:end], 2)
        yield Simulation(
            trace=PowerTrace(t_s=np.repeat(edges_s, 2)[1:-1], power_w=own_w),
            iterations=int(plan.iterations.sum()),
            output_tokens=plan.output_tokens,
            max_concurrency=concurrency,
            clock_share=float(segments.full_clock_s[begin:end].sum() / own_s.sum()),
            host_bound_share=float(segments.host_s[begin:end].sum() / own_s.sum()),
        )
