"""What the load of a server is asked with and answered by, the same in `simulate` and `cost`."""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from time import monotonic
from typing import TYPE_CHECKING, Any

from sweetspot.cli.commands import show_progress
from sweetspot.cli.deployment import print_note, print_origin
from sweetspot.errors import InputError

if TYPE_CHECKING:  # they load numpy, which other commands do without
    from sweetspot.ask.load import Scheduling, Simulated

# How the printed answer names and rounds what was added up.
LINES = (
    ("energy_j", "J", ".5g"),
    ("energy_per_token_j", "J per output token", ".4g"),
    ("tokens_per_j", "output tokens per J", ".4g"),
    ("throughput_tokens_per_s", "output tokens per s", ".5g"),
    ("duration_s", "s from the first arrival to the last token", ".5g"),
    ("mean_power_w", "W", ".4g"),
    ("mean_clock_mhz", "MHz, mean over the time not idle", ".4g"),
    ("host_bound_share", "of that time the GPU waits for the host", ".2g"),
    ("idle_share", "of the time with no request in flight", ".3g"),
    ("mean_batch", "requests in an iteration, mean over the time not idle", ".4g"),
    ("max_batch", "at most", "d"),
    ("pauses", "times a request lost its KV cache", "d"),
    ("prefix_hit_rate", "of the input tokens were in the prefix cache", ".4g"),
)
STEADY = (
    ("energy_per_token_j", "J per output token", ".4g"),
    ("throughput_tokens_per_s", "output tokens per s", ".5g"),
    ("mean_power_w", "W", ".4g"),
    ("mean_batch", "requests in an iteration", ".4g"),
)
SAID_IDLE = 0.1  # a board that idles for more of the time is said to
# Work that takes less than twice this shows no progress.
PROGRESS_EVERY_S = 0.5


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Add what says the columns of a log where their names do not."""
    parser.add_argument(
        "--columns",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=COLUMN",
        help="which column of the log is arrival_s (or _ms, _us, _ns), input_tokens, output_tokens",
    )


def add_rates(parser: argparse.ArgumentParser) -> None:
    """Add what a kWh costs; nothing of it has a default."""
    add = parser.add_argument
    add("--price-per-kwh", type=float, metavar="X", help="money for a kWh, of any currency")
    add("--gco2-per-kwh", type=float, metavar="X", help="g of CO2 equivalents for a kWh")
    add("--pue", type=float, metavar="X", help="energy of the site per energy of its boards")


def rates_of(arguments: argparse.Namespace) -> dict[str, float | None]:
    """Return what a kWh costs, by the names of `Rates`."""
    return {name: getattr(arguments, name) for name in ("price_per_kwh", "gco2_per_kwh", "pue")}


def add_scheduling(parser: argparse.ArgumentParser) -> None:
    """Add the options that say who runs when."""
    add = parser.add_argument_group("scheduling").add_argument
    add(
        "--policy",
        choices=("guaranteed-no-evict", "max-utilization"),
        help="admit a request when all its tokens fit in the KV cache (default), or when its"
        " prompt does, and pause the one admitted last when blocks run out",
    )
    add(
        "--no-chunked-prefill",
        action="store_true",
        help="a prompt waits until it fits whole in an iteration's tokens",
    )
    add(
        "--prefix-cache",
        action="store_true",
        help="do not process anew what a prompt has in common with earlier ones, by the log's"
        " hash_ids or cached_tokens, as long as the KV cache has room for it",
    )
    add(
        "--static-batching",
        action="store_true",
        help="as Transformers: a batch runs until its longest answer is done; its padded prompts"
        " together must fit --max-num-tokens, or it is smaller than --max-batch-size",
    )


def scheduling_of(arguments: argparse.Namespace) -> "Scheduling | None":
    """Return who runs when, as it was asked for; None: as the engine does."""
    if not arguments.static_batching:
        policy: Scheduling | None = arguments.policy
        return policy
    if arguments.policy or arguments.no_chunked_prefill:
        raise InputError(
            "--static-batching admits whole batches and cuts no prompt; leave out --policy and"
            " --no-chunked-prefill"
        )
    return "static"


def load_values(answer: "Simulated") -> dict[str, Any]:
    """Return the answer as one JSON object."""
    from sweetspot.simulator.constants.intervals import Bounds

    served, deployment = asdict(answer.served), answer.deployment
    overload = answer.served.overload()
    del served["power"]
    rates = {name: value_of(answer, name) for name, _, _ in LINES if name not in served}
    del served["clock_share"]
    if (steady := answer.served.steady) is not None:
        served["steady"] |= {name: getattr(steady, name) for name, _, _ in STEADY}
    return {
        "model": deployment.model.id,
        "gpu": deployment.gpu.id,
        "power_limit_w": deployment.gpu.power_limit_w,
        "clock_mhz": deployment.gpu.clock_mhz,
        "gpu_settings": deployment.gpu.settings,
        "engine": deployment.calibration.engine,
        "engine_version": deployment.calibration.engine_version,
        "scheduling": answer.scheduling,
        "chunked_prefill": answer.chunked_prefill,
        "prefix_cache": answer.prefix_cache,
        "limits": asdict(deployment.limits),
        "precision": asdict(deployment.precision),
        "quantization": deployment.quantization,
        **asdict(deployment.traits),
        **served,
        **rates,
        **{each.name: getattr(answer, each.name) for each in fields(Bounds)},
        "cache_without_windows": answer.cache_without_windows,
        "overload": overload.times if overload else 1.0 if answer.served.arrivals_s else None,
        "overloaded": overload is not None,
        "batch_limit_binds": answer.batch_limit_binds,
        "beyond_native_context": answer.beyond_native_context,
        "calibration": deployment.calibration.name,
        "calibration_level": deployment.calibration.level,
        "simulated": answer.simulated,
    }


def value_of(answer: "Simulated", name: str) -> Any:
    """Return a number of the answer, or of what was served."""
    return getattr(answer if hasattr(answer, name) else answer.served, name)


def print_what(answer: "Simulated") -> None:
    """Print what was served on what, and how."""
    served, deployment = answer.served, answer.deployment
    limits = deployment.limits
    print(
        f"{deployment.model.id} on {deployment.gpu.id}: {served.requests} requests,"
        f" {served.input_tokens} input and {served.output_tokens} output tokens"
    )
    static = answer.scheduling == "static"  # which the words say
    parts: list[str] = [] if static else [answer.scheduling]
    parts += ["chunked prefill"] if answer.chunked_prefill else []
    parts += ["prefix cache"] if answer.prefix_cache else []
    parts += [f"max_batch_size {limits.max_batch_size}", f"max_num_tokens {limits.max_num_tokens}"]
    print(", ".join([*parts, deployment.words] if deployment.words else parts))


def print_notes(answer: "Simulated", log: Iterable[str]) -> None:
    """Print what numbers rest on, how a log was understood, and what is special of the load."""
    served, deployment = answer.served, answer.deployment
    print_origin(deployment)
    for note in log:
        print_note(note)
    if answer.cache_without_windows is not None:
        print(
            "note: this engine ignores the model's sliding windows: a mean request takes"
            f" {answer.cache_without_windows:.3g} times the KV cache that it takes with"
            " --sliding-windows"
        )
    if deployment.limits.tensor_parallel > 1:
        print("note: energy and power are those of all GPUs")
    if overload := served.overload():
        print(
            f"note: overload: {overload.come_per_s:.4g} requests/s come, and"
            f" {overload.served_per_s:.3g} are served; the queue grows as long as they come, and"
            " latencies with it"
        )
    if served.idle_share > SAID_IDLE:
        print(
            f"note: the board waits for requests {100 * served.idle_share:.0f} % of the time, which"
            f" takes {100 * served.idle_energy_j / served.energy_j:.0f} % of the energy"
        )
    if answer.beyond_native_context:
        print("note: some I + O is beyond the context this model was published for")


class Progress:
    """How far a long simulation is, on a terminal; it leaves nothing behind."""

    def __init__(self) -> None:
        """Begin to count the time."""
        self._next_s = monotonic() + 2 * PROGRESS_EVERY_S
        self._shown = False

    def __enter__(self) -> Callable[[str], None]:
        """Return what to call with words, as often as one likes."""
        return self._show

    def __exit__(self, *error: object) -> None:
        """Wipe the line."""
        if self._shown:
            show_progress("")

    def _show(self, words: str) -> None:
        if monotonic() >= self._next_s:
            self._next_s = monotonic() + PROGRESS_EVERY_S
            self._shown = True
            show_progress(words)


def ended(requests: int, share: float | None) -> str:
    """Return in words how many requests have ended, and how much of a log is read."""
    read = "" if share is None else f", {100 * share:.0f} % of the log is read"
    return f"{requests} requests have ended{read}"
