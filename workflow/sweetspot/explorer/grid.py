"""Simulated grids over input and output length, as the explorer's page takes them.

Requests that come at once run in closed form; those that come at a rate are simulated event by
event, which takes a hundred times as long, so their grids are coarser.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

from sweetspot.ask.lengths import Drawn
from sweetspot.ask.offered import Arrivals, energy_per_request_j
from sweetspot.ask.sweet_spot import find_sweet_spot
from sweetspot.ask.workload import Workload
from sweetspot.simulator.deployment.deployment import Deployment
from sweetspot.simulator.run import Sent, in_benchmark, simulate_each
from sweetspot.simulator.schedule.requests import Lengths

DIGITS = 4
"""Of each number: more than a simulation is worth, and a page holds many of them."""

AT_ONCE = ("energy_per_token_j", "mean_power_w", "throughput_tokens_per_s")
AT_A_RATE = (*AT_ONCE, "ttft_p95_s", "tpot_p95_s")
"""What a grid has for each pair of lengths."""

_FEWEST = 300
"""Arrivals that are simulated at least: p95 may be that of fifteen, as cells are many."""
_WAVES, _BEYOND = 8, 1.1
"""More than so many times what full batches serve of requests at once, in so many, is not tried."""

Row = tuple[float | None, ...]


class Axes(NamedTuple):
    """The lengths of a grid, rising."""

    input_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]

    def __len__(self) -> int:
        """Return how many cells they make."""
        return len(self.input_tokens) * len(self.output_tokens)

    def within(self, longest: int) -> list[tuple[int, int]]:
        """Return the pairs of lengths that are no longer than a sequence can be."""
        pairs = product(self.input_tokens, self.output_tokens)
        return [(inputs, outputs) for inputs, outputs in pairs if inputs + outputs <= longest]


def at_once(
    deployment: Deployment,
    requests: int,
    axes: Axes,
    *,
    searched: Iterable[int] = (),
    as_measured: bool = False,
) -> dict[str, Any]:
    """Return the grid of so many identical requests that all come at once.

    Args:
        deployment: what serves them.
        requests: N.
        axes: lengths.
        searched: input lengths, of those of the axes, whose sweet spots are looked for.
        as_measured: in the window of the engine's benchmark, to stand beside a run's cells.
    """
    pairs = axes.within(deployment.limits.max_seq_len)
    runs = simulate_each(deployment, (Sent(requests, *each) for each in pairs))
    known: dict[tuple[int, int], Row] = {}
    for pair, run in zip(pairs, runs, strict=True):
        if run is not None:
            whole = in_benchmark(deployment, run) if as_measured else run
            energy_j, tokens, took_s = whole.energy_j, whole.output_tokens, whole.duration_s
            known[pair] = (energy_j / tokens, energy_j / took_s, tokens / took_s)
    return {
        **_about(deployment, {"requests": requests}),
        **_arrays(axes, AT_ONCE, known),
        "ttft_p95_s": None,
        "tpot_p95_s": None,
        "sweet_spots": [
            _sweet_spot(Workload(deployment, requests, each)) if each in set(searched) else None
            for each in axes.input_tokens
        ],
    }


def at_a_rate(deployment: Deployment, rate_per_s: float, axes: Axes) -> dict[str, Any]:
    """Return the grid of requests that come at a rate, by a Poisson process, with its own axes.

    They are what `choose` says of one server, of fewer requests. A cell is None where more comes
    than is served.

    Args:
        deployment: what serves them.
        rate_per_s: requests per second, on average.
        axes: lengths.
    """
    pairs = axes.within(deployment.limits.max_seq_len)
    requests = _WAVES * deployment.limits.max_batch_size
    runs = simulate_each(deployment, (Sent(requests, *each) for each in pairs))
    known: dict[tuple[int, int], Row] = {}
    for pair, full in zip(pairs, runs, strict=True):
        if full is not None and rate_per_s < _BEYOND * requests / full.duration_s:
            row = _at_a_rate(deployment, rate_per_s, *pair)
            if row is not None:
                known[pair] = row
    return {
        **_about(deployment, {"rate": rate_per_s}),
        **axes._asdict(),
        **_arrays(axes, AT_A_RATE, known),
        "sweet_spots": [None for _ in axes.input_tokens],
    }


def rounded(value: float | None) -> float | None:
    """Return a number with as many digits as the page has of it."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


def source_of(deployment: Deployment) -> str:
    """Return which constants simulated numbers rest on, and on what evidence these."""
    found = deployment.calibration
    return f"{found.name} ({found.level})"


def _at_a_rate(deployment: Deployment, rate_per_s: float, inputs: int, outputs: int) -> Row | None:
    """Return what a load takes; None where it is more than is served."""
    lengths = Drawn(inputs=Lengths(mean=inputs), outputs=Lengths(mean=outputs))
    offered = Arrivals(rate_per_s=rate_per_s, lengths=lengths, least=_FEWEST)
    served = offered.serve(deployment, 1).served
    if offered.overload(served, 1):
        return None
    return (
        energy_per_request_j(offered, served, 1) / outputs,
        offered.counted(served).mean_power_w,
        offered.requests_per_s(served, 1) * outputs,
        served.first_token.p95_s,
        served.per_output_token.p95_s if served.per_output_token else None,
    )


def _about(deployment: Deployment, load: dict[str, float]) -> dict[str, Any]:
    return {
        "model": deployment.model.id,
        "gpu": deployment.gpu.id,
        "engine": deployment.calibration.engine,
        "weights": deployment.precision.weights,
        "tensor_parallel": deployment.limits.tensor_parallel,
        "max_batch_size": deployment.limits.max_batch_size,
        "load": load,
        "simulated": True,
        "source": source_of(deployment),
        "energy_factor": rounded(deployment.intervals.energy.factor),
        "energy_interval": deployment.intervals.energy.in_full,
    }


def _arrays(
    axes: Axes, names: Sequence[str], known: dict[tuple[int, int], Row]
) -> dict[str, list[list[float | None]]]:
    """Return an array of each quantity, a row an input length; None where it is not known."""
    return {
        name: [
            [rounded(known[i, o][place]) if (i, o) in known else None for o in axes.output_tokens]
            for i in axes.input_tokens
        ]
        for place, name in enumerate(names)
    }


def _sweet_spot(workload: Workload) -> dict[str, Any] | None:
    """Return the sweet spot at an input length; None where no request of it can be served."""
    limits = workload.deployment.limits
    if workload.input_tokens >= limits.max_seq_len or not workload.batch(1):
        return None
    spot = find_sweet_spot(workload)
    return {
        "output_tokens": spot.output_tokens,
        "low": spot.range2_low,
        "high": spot.range2_high,
        "eq6_tokens": None if spot.eq6_tokens is None else round(spot.eq6_tokens),
        "energy_per_token_j": rounded(1 / spot.tokens_per_j),
        "at_bound": spot.at_bound,
    }
