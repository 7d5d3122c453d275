"""What a simulation costs: against N, O and model size, the paper's grid, loads, and fits.

    python benchmarks/simulator.py [plot.png]

The scheduler steps from event to event, so its cost follows the number of batches that come and
go, not the number of tokens: the columns on the right say how far that holds. The cells of the
grid are costed together, those of a model at a time, all others one by one. Loads are requests of
drawn lengths with Poisson arrivals, up to a million; memory is the most so far, of all of it. Fits
are those that `sweetspot evaluate` makes 157 of, and nearly all that it takes.
Times are those of one core, other work on the machine aside.
"""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from math import floor, log10
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from signal import SIG_DFL, SIGPIPE, signal
from time import process_time

from sweetspot.ask.load import Scheduling, simulate_load
from sweetspot.catalog import Architecture, gpu, load_model
from sweetspot.config import PAPER_LENGTHS, PAPER_MODELS, FigureStyle, Limits
from sweetspot.figures.canvas import empty_figure, finish
from sweetspot.figures.canvas import panels as axes_of
from sweetspot.figures.style import categorical_looks, journal_look
from sweetspot.simulator.accuracy.evaluation import Evaluation
from sweetspot.simulator.calibration.fit import fit_constants
from sweetspot.simulator.calibration.layout import joined
from sweetspot.simulator.constants.constants import stated_on
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.run import Sent, Simulation, simulate, simulate_each
from sweetspot.simulator.schedule.requests import Lengths, generated

BOARD = gpu("h100-sxm")
REPEATS = 5
INPUT_TOKENS = 256
INPUT_LENGTHS = Lengths(mean=512, stdev=256, shape="lognormal")
SIZE = "Model size"
OUTPUT_LENGTHS = Lengths(mean=256, stdev=128, shape="lognormal")


def simulated(
    model: Architecture, requests: int, input_tokens: int, output_tokens: int
) -> Simulation:
    """Simulate one cell with the paper's limits."""
    return simulate(
        deploy(model, BOARD),
        requests=requests,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def best_s(call: Callable[[], object]) -> float:
    """Return the least CPU time of a few, in s: the others are the machine's noise."""
    times_s = []
    for _ in range(REPEATS):
        start_s = process_time()
        call()
        times_s.append(process_time() - start_s)
    return min(times_s)


Costs = list[tuple[float, float]]  # what was varied, ms


def print_costs(title: str, cells: Iterable[tuple[str, int, int]], varied: int) -> Costs:
    """Print one row per (model, N, O) with its cost, and the cost's ratio to the row above.

    `varied` is which of N and O a plot has as its axis, 1 or 2; 0 stands for the model's size.
    """
    print(f"\n{title} (I = {INPUT_TOKENS})")
    print(
        f"{'model':<14}{'N':>8}{'O':>7}{'iterations':>12}{'segments':>10}{'ms':>9}{'ratio':>7}"
        f"{'ns/token':>10}"
    )
    above_s, costs = None, []
    for cell in cells:
        name, requests, output_tokens = cell
        model = load_model(name)
        found = simulated(model, requests, INPUT_TOKENS, output_tokens)
        cost_s = best_s(partial(simulated, model, requests, INPUT_TOKENS, output_tokens))
        segments = found.trace.t_s.size // 2 - 1  # two samples each, and the run's overhead
        ratio = f"{cost_s / above_s:.2f}" if above_s else "-"
        print(
            f"{model.id:<14}{requests:>8}{output_tokens:>7}{found.iterations:>12}{segments:>10}"
            f"{1e3 * cost_s:>9.2f}{ratio:>7}{1e9 * cost_s / found.output_tokens:>10.2f}"
        )
        axis = (model.parameters / 1e9, requests, output_tokens)[varied]
        costs.append((axis, 1e3 * cost_s))
        above_s = cost_s
    return costs


def print_grid() -> None:
    """Print how long the 13 x 49 cells of the paper's grid take on one core."""
    models = [load_model(model) for model in PAPER_MODELS]
    lengths = [Sent(1000, i, o) for i in PAPER_LENGTHS for o in PAPER_LENGTHS]
    seconds = best_s(lambda: [list(simulate_each(deploy(m, BOARD), lengths)) for m in models])
    print(f"\nthe paper's grid, {len(models) * len(lengths)} cells: {seconds:.2f} s")


def print_loads(
    scheduling: Scheduling, limits: Limits, rate_per_s: float, counts: Iterable[int]
) -> Costs:
    """Print one row per number of requests: CPU time, the same per request, memory."""
    print(f"\nloads ({scheduling}, {rate_per_s:g} requests per s)")
    print(f"{'N':>8}{'iterations':>12}{'pauses':>8}{'batch':>7}{'s':>9}{'us/N':>7}{'MB':>6}")
    costs = []
    for count in counts:
        load = generated(
            count, INPUT_LENGTHS, OUTPUT_LENGTHS, max_seq_len=8192, rate_per_s=rate_per_s
        )
        start_s = process_time()
        found = simulate_load(
            "llama-3.1-8b", BOARD.id, load, limits=limits, scheduling=scheduling
        ).served
        seconds = process_time() - start_s
        megabytes = getrusage(RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{count:>8}{found.iterations:>12}{found.pauses:>8}{found.mean_batch:>7.0f}"
            f"{seconds:>9.2f}{1e6 * seconds / count:>7.1f}{megabytes:>6.0f}"
        )
        costs.append((count, 1e3 * seconds))
    return costs


def print_fits(counts: Iterable[int]) -> None:
    """Print one row per number of models whose surfaces the constants are fitted to.

    The last column is what an evaluation takes, with derivatives by seven constants, beside one
    without.
    """
    print(
        f"\nfits\n{'models':>8}{'segments':>10}{'evaluations':>13}{'s':>8}{'ratio':>7}{'beside':>8}"
    )
    evaluation, above_s = Evaluation(BOARD), None
    stated = stated_on(BOARD)
    for count in counts:
        targets = evaluation.targets(evaluation.names[:count])
        runs = joined([target.runs for target in targets])
        evaluations = fit_constants(BOARD, targets).search.evaluations
        seconds = best_s(lambda targets=targets: fit_constants(BOARD, targets))
        taken = runs.on(BOARD, stated.kernels)
        plain_s = best_s(lambda taken=taken: taken(stated))
        ratio = f"{seconds / above_s:.2f}" if above_s else "-"
        print(
            f"{count:>8}{runs.run.size:>10}{evaluations:>13}{seconds:>8.3f}{ratio:>7}"
            f"{seconds / evaluations / plain_s:>8.1f}"
        )
        above_s = seconds


def plot(path: Path, panels: dict[str, tuple[str, Costs]]) -> None:
    """Draw cost against what was varied, a panel each, both axes logarithmic."""
    style = FigureStyle()
    (look,) = categorical_looks(style.palette, 1)
    with journal_look(style):
        figure = empty_figure(style.double_width_in, 2.2)
        for ax, (title, (label, costs)) in zip(
            axes_of(figure, len(panels), len(panels)), panels.items(), strict=True
        ):
            ax.plot(*zip(*costs, strict=True), marker=look.marker, color=look.color)
            ax.set_xscale("linear" if title == SIZE else "log")
            ax.set_yscale("log")
            # three decades or more, so that slopes compare
            low = 10 ** floor(log10(min(ms for _, ms in costs)))
            ax.set_ylim(low, max(1e3 * low, 2 * max(ms for _, ms in costs)))
            ax.set_title(title)
            ax.set_xlabel(label)
            ax.grid(color="0.9", linewidth=0.5)
            ax.spines[["top", "right"]].set_visible(False)
        figure.axes[0].set_ylabel("Cost of a simulation (ms)")
        with path.open("wb") as file:
            note = f"One core. Cells: I = {INPUT_TOKENS}."
            finish(figure, [note], "Cost of a simulation against its size.").savefig(file, dpi=200)
    print(f"\n{path}")


def main() -> None:
    """Measure everything; the first argument is where a plot is to go."""
    plain = "llama-3.1-8b"
    sizes = sorted(PAPER_MODELS, key=lambda name: load_model(name).parameters)
    panels = {
        "Requests": (
            "N",
            print_costs("against N", [(plain, 10**k, 256) for k in range(1, 6)], 1),
        ),
        "Output length": (
            "O (tokens)",
            print_costs("against O", [(plain, 1000, o) for o in PAPER_LENGTHS], 2),
        ),
        SIZE: (
            "parameters (B)",
            print_costs("against model size", [(name, 1000, 256) for name in sizes], 0),
        ),
    }
    print_grid()
    panels["Poisson arrivals"] = (
        "requests",
        print_loads("guaranteed-no-evict", Limits(), 20, [10**k for k in range(3, 7)]),
    )
    short = Limits(kv_cache_memory_fraction=0.1)
    print_loads("max-utilization", short, 100, [10**k for k in range(3, 6)])
    padded = Limits(max_batch_size=64, max_num_tokens=65536)
    print_loads("static", padded, 20, [10**k for k in range(3, 6)])
    print_fits((1, 3, 6, 13))
    if len(sys.argv) > 1:
        plot(Path(sys.argv[1]), panels)


if __name__ == "__main__":
    signal(SIGPIPE, SIG_DFL)  # a reader that has seen enough, such as head, ends it quietly
    main()
