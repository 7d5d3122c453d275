"""What a simulation costs: against requests N, against output length O, the paper's grid, loads.

    python benchmarks/simulator.py

The scheduler steps from event to event, so its cost follows the number of batches that come and
go, not the number of tokens: the columns on the right say how far that holds. Loads are requests
of drawn lengths with Poisson arrivals, up to a million; memory is the most so far, of all of it.
"""

from collections.abc import Callable, Iterable
from functools import partial
from resource import RUSAGE_SELF, getrusage
from time import perf_counter

from sweetspot.catalog import Architecture, gpu, load_model
from sweetspot.config import PAPER_LENGTHS, PAPER_MODELS, Limits
from sweetspot.simulation import Scheduling, simulate_load
from sweetspot.simulator.calibration import load_calibration
from sweetspot.simulator.requests import Lengths, generated
from sweetspot.simulator.simulate import Simulation, scheduler_limits, simulate

BOARD = gpu("h100-sxm")
CONSTANTS = load_calibration(BOARD).constants
REPEATS = 5
INPUT_TOKENS = 256
INPUT_LENGTHS = Lengths(mean=512, stdev=256, shape="lognormal")
OUTPUT_LENGTHS = Lengths(mean=256, stdev=128, shape="lognormal")


def simulated(
    model: Architecture, requests: int, input_tokens: int, output_tokens: int
) -> Simulation:
    """Simulate one cell with the paper's limits."""
    bounds = scheduler_limits(model, BOARD, Limits(), Limits().max_batch_size)
    return simulate(
        model,
        BOARD,
        CONSTANTS,
        bounds,
        requests=requests,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def best_s(call: Callable[[], object]) -> float:
    """Return the shortest of a few times, in s: the others are the machine's noise."""
    times_s = []
    for _ in range(REPEATS):
        start_s = perf_counter()
        call()
        times_s.append(perf_counter() - start_s)
    return min(times_s)


def print_costs(title: str, cells: Iterable[tuple[int, int]]) -> None:
    """Print one row per (N, O) with its cost, and the cost's ratio to the row above."""
    model = load_model("llama-3.1-8b")
    print(f"\n{title} ({model.id}, I = {INPUT_TOKENS})")
    print(
        f"{'N':>8}{'O':>7}{'iterations':>12}{'segments':>10}{'ms':>9}{'ratio':>7}{'ns/token':>10}"
    )
    above_s = None
    for requests, output_tokens in cells:
        found = simulated(model, requests, INPUT_TOKENS, output_tokens)
        cost_s = best_s(partial(simulated, model, requests, INPUT_TOKENS, output_tokens))
        segments = found.trace.t_s.size // 2 - 1  # two samples each, and the run's overhead
        ratio = f"{cost_s / above_s:.2f}" if above_s else "-"
        print(
            f"{requests:>8}{output_tokens:>7}{found.iterations:>12}{segments:>10}"
            f"{1e3 * cost_s:>9.2f}{ratio:>7}{1e9 * cost_s / found.output_tokens:>10.2f}"
        )
        above_s = cost_s


def print_grid() -> None:
    """Print how long the 13 x 49 cells of the paper's grid take, one after the other."""
    models = [load_model(model) for model in PAPER_MODELS]
    start_s = perf_counter()
    cells = [
        simulated(model, 1000, i, o)
        for model in models
        for i in PAPER_LENGTHS
        for o in PAPER_LENGTHS
    ]
    seconds = perf_counter() - start_s
    print(f"\nthe paper's grid, {len(cells)} cells: {seconds:.2f} s")


def print_loads(
    scheduling: Scheduling, limits: Limits, rate_per_s: float, counts: Iterable[int]
) -> None:
    """Print one row per number of requests: time, time per request, memory."""
    print(f"\nloads ({scheduling}, {rate_per_s:g} requests per s)")
    print(f"{'N':>8}{'iterations':>12}{'pauses':>8}{'batch':>7}{'s':>9}{'us/N':>7}{'MB':>6}")
    for count in counts:
        load = generated(
            count, INPUT_LENGTHS, OUTPUT_LENGTHS, max_seq_len=8192, rate_per_s=rate_per_s
        )
        start_s = perf_counter()
        found = simulate_load(
            "llama-3.1-8b", BOARD.id, load, limits=limits, scheduling=scheduling
        ).served
        seconds = perf_counter() - start_s
        megabytes = getrusage(RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{count:>8}{found.iterations:>12}{found.pauses:>8}{found.mean_batch:>7.0f}"
            f"{seconds:>9.2f}{1e6 * seconds / count:>7.1f}{megabytes:>6.0f}"
        )


if __name__ == "__main__":
    print_costs("against N", [(10**k, 256) for k in range(1, 6)])
    print_costs("against O", [(1000, length) for length in PAPER_LENGTHS])
    print_grid()
    print_loads("guaranteed-no-evict", Limits(), 20, [10**k for k in range(3, 7)])
    short = Limits(kv_cache_memory_fraction=0.1)
    print_loads("max-utilization", short, 100, [10**k for k in range(3, 6)])
    padded = Limits(max_batch_size=64, max_num_tokens=65536)
    print_loads("static", padded, 20, [10**k for k in range(3, 6)])
