"""The command `simulate`: a trace of requests, or generated ones, on a simulated server."""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, fields
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from sweetspot.cli.commands import Commands, show_progress
from sweetspot.cli.deployment import add_how, add_what, given, print_origin
from sweetspot.cli.fitting import columns_of
from sweetspot.errors import InputError

if TYPE_CHECKING:  # they load numpy, which other commands do without
    from sweetspot.ask.load import Scheduling, Simulated
    from sweetspot.ask.log.read import RequestLog
    from sweetspot.config import Limits
    from sweetspot.simulator.schedule.requests import Request

_SIMULATE = """\
Simulate a server that gets requests when they come, each with its own lengths, and print energy,
power and latencies. Requests are those of a trace, or are generated.

A trace is a log of requests, whichever `sweetspot cost` takes: CSV or JSON lines in the columns of
Azure's, BurstGPT's or Mooncake's traces, of the OpenAI interface, or plain ones (s, any origin):

  arrival_s,input_tokens,output_tokens
  0.0,512,128
  0.35,1840,12

The model is a catalog id (see `sweetspot models`) or the path of a Hugging Face config.json. While
no request is in flight the board draws what it does with its clocks up (active_power_w). Identical
requests at once take what `predict` says. Every number printed is simulated."""

_EXAMPLES = """\
examples:
  sweetspot simulate trace.csv --model llama-3.1-8b --gpu h100-sxm
  sweetspot simulate trace.csv --model llama-3.1-8b --gpu h100-sxm --policy max-utilization --json
  sweetspot simulate --model llama-3.1-8b --gpu h100-sxm --requests 10000 --rate 12 \\
    --input-tokens 512 --input-stdev 256 --output-tokens 200 --output-stdev 150 --lengths lognormal
  sweetspot simulate --model opt-1.3b --gpu h100-sxm --requests 1000 --at-once \\
    --input-tokens 128 --output-tokens 128 --static-batching --max-batch-size 64"""

_GENERATING = ("rate", "at_once", "input_tokens", "output_tokens", "input_stdev", "output_stdev")


# How the printed answer names and rounds what was added up.
_LINES = (
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
)
_STEADY = (
    ("energy_per_token_j", "J per output token", ".4g"),
    ("throughput_tokens_per_s", "output tokens per s", ".5g"),
    ("mean_power_w", "W", ".4g"),
    ("mean_batch", "requests in an iteration", ".4g"),
)
_LATENCIES = ("first_token", "per_output_token", "end_to_end")
SAID_IDLE = 0.1  # a board that idles for more of the time is said to
# Work that takes less than twice this shows no progress.
PROGRESS_EVERY_S = 0.5


def add_commands(commands: Commands) -> None:
    """Add `simulate`."""
    simulate = commands.add_parser(
        "simulate",
        help="energy and latencies of a server's load: a trace, or Poisson arrivals",
        description=_SIMULATE,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = simulate.add_argument
    add("trace", nargs="?", type=Path, metavar="TRACE", help="log of requests; none: generate some")
    add_what(simulate)
    add_columns(simulate)
    add("--json", action="store_true", help="print one JSON object")
    add("--power-trace", type=Path, metavar="FILE", help="write power over time as gzip CSV")

    add_scheduling(simulate)
    add = simulate.add_argument_group("generated requests, where no trace is given").add_argument
    add("--requests", type=int, metavar="N", help="how many")
    add("--rate", type=float, metavar="R", help="Poisson arrivals, requests per s")
    add("--at-once", action="store_true", help="all arrive at 0 s")
    add(
        *("--input-tokens", "--input"),
        type=float,
        metavar="I",
        help="prompt length, or its mean",
    )
    add(
        *("--output-tokens", "--output"),
        type=float,
        metavar="O",
        help="generated tokens, or their mean",
    )
    add("--input-stdev", type=float, metavar="S", help="of prompt lengths, default: 0")
    add("--output-stdev", type=float, metavar="S", help="of generated tokens, default: 0")
    add(
        "--lengths",
        choices=("normal", "lognormal", "exponential"),
        default="normal",
        help="distribution of lengths that have a stdev, default: %(default)s",
    )
    add("--seed", type=int, default=0, help="of arrivals and lengths, default: %(default)s")
    if commands.is_complete("simulate"):
        add_how(simulate)
    simulate.set_defaults(run=_simulate)


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
        "--static-batching",
        action="store_true",
        help="as Transformers: a batch runs until its longest answer is done; its padded prompts"
        " together must fit --max-num-tokens, or it is smaller than --max-batch-size",
    )


def _simulate(arguments: argparse.Namespace) -> None:
    from sweetspot.ask.load import simulate_load
    from sweetspot.catalog import load_model
    from sweetspot.config import ChosenTraits, GpuSettings, Limits, Precision, parse_section
    from sweetspot.metering.meter import Readings
    from sweetspot.metering.trace import write_trace
    from sweetspot.simulator.deployment.deployment import asked_limits

    model = load_model(arguments.model)
    limits = asked_limits(model, **given(arguments, Limits))
    scheduling = scheduling_of(arguments)
    log = _log(arguments, limits)
    with log or nullcontext(), Progress() as progress:
        answer = simulate_load(
            model,
            arguments.gpu,
            _generated(arguments, limits) if log is None else log,
            engine=arguments.engine,
            gpu_settings=parse_section(GpuSettings, given(arguments, GpuSettings)),
            limits=limits,
            precision=parse_section(Precision, given(arguments, Precision)),
            traits=parse_section(ChosenTraits, given(arguments, ChosenTraits)),
            scheduling=scheduling,
            chunked_prefill=not arguments.no_chunked_prefill,
            calibration=arguments.calibration,
            power_grid=arguments.power_trace is not None,
            progress=lambda ended: progress(ended, log.share if log else None),
        )
    if answer.served.power is not None:
        write_trace(arguments.power_trace, Readings(trace=answer.served.power))
    if arguments.json:
        print(json.dumps(load_values(answer) | ({"log": log.notes} if log else {})))
    else:
        _print(answer, log.notes if log else ())


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


def _log(arguments: argparse.Namespace, limits: "Limits") -> "RequestLog | None":
    """Return the requests of a log; None where they are generated."""
    from sweetspot.ask.log.read import RequestLog

    if arguments.trace is None:
        return None
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("requests", *_GENERATING)
        if getattr(arguments, name) not in (None, False)
    ]
    if given:
        raise InputError(f"a trace says what requests there are; leave out {given[0]}")
    columns = columns_of(arguments.columns)
    return RequestLog(arguments.trace, max_seq_len=limits.max_seq_len, columns=columns)


def _generated(arguments: argparse.Namespace, limits: "Limits") -> "Iterator[Request]":
    """Return generated requests."""
    from sweetspot.simulator.schedule.requests import Lengths, generated

    if arguments.requests is None:
        raise InputError("name a trace, or say with --requests how many to generate")
    if arguments.input_tokens is None or arguments.output_tokens is None:
        raise InputError("--requests needs --input-tokens and --output-tokens")
    if arguments.at_once == (arguments.rate is not None):
        raise InputError("--requests needs either --rate or --at-once")
    inputs, outputs = (
        Lengths(mean=mean, stdev=stdev or 0.0, shape=arguments.lengths)
        for mean, stdev in (
            (arguments.input_tokens, arguments.input_stdev),
            (arguments.output_tokens, arguments.output_stdev),
        )
    )
    return generated(
        arguments.requests,
        inputs,
        outputs,
        max_seq_len=limits.max_seq_len,
        rate_per_s=arguments.rate,
        seed=arguments.seed,
    )


def load_values(answer: "Simulated") -> dict[str, Any]:
    """Return the answer as one JSON object."""
    from sweetspot.simulator.constants.intervals import Bounds

    served, deployment = asdict(answer.served), answer.deployment
    del served["power"]
    rates = {name: _value(answer, name) for name, _, _ in _LINES if name not in served}
    del served["clock_share"]
    if (steady := answer.served.steady) is not None:
        served["steady"] |= {name: getattr(steady, name) for name, _, _ in _STEADY}
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
        "limits": asdict(deployment.limits),
        "precision": asdict(deployment.precision),
        "quantization": deployment.quantization,
        **asdict(deployment.traits),
        **served,
        **rates,
        **{each.name: getattr(answer, each.name) for each in fields(Bounds)},
        "cache_without_windows": answer.cache_without_windows,
        "overload": answer.served.overload,
        "overloaded": answer.served.overloaded,
        "batch_limit_binds": answer.batch_limit_binds,
        "beyond_native_context": answer.beyond_native_context,
        "calibration": deployment.calibration.name,
        "calibration_level": deployment.calibration.level,
        "simulated": answer.simulated,
    }


def _value(answer: "Simulated", name: str) -> Any:
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
    parts += [f"max_batch_size {limits.max_batch_size}", f"max_num_tokens {limits.max_num_tokens}"]
    print(", ".join([*parts, deployment.words] if deployment.words else parts))


def _print(answer: "Simulated", log: Iterable[str]) -> None:
    served = answer.served
    print_what(answer)
    for name, unit, spec in _LINES:
        value = _value(answer, name)
        beside = answer.beside(name, value)
        if name == "max_batch" and not answer.batch_limit_binds:
            beside = f": max_batch_size {answer.deployment.limits.max_batch_size} never binds"
        print(f"  {name:<26}{value:>12{spec}}  {unit}{beside}")
    if (steady := served.steady) is not None:
        print(f"  steady state, from {steady.begin_s:.4g} s to {steady.end_s:.4g} s")
        for name, unit, spec in _STEADY:
            print(f"    {name:<24}{getattr(steady, name):>12{spec}}  {unit}")
    print(f"  {'latency, s':<26}{'mean':>12}{'p50':>12}{'p95':>12}{'p99':>12}")
    for name in _LATENCIES:
        latency = getattr(served, name)
        if latency is not None:
            cells = (latency.mean_s, latency.p50_s, latency.p95_s, latency.p99_s)
            print(f"    {name:<24}" + "".join(f"{value:>12.4g}" for value in cells))
    print_notes(answer, log)


def print_notes(answer: "Simulated", log: Iterable[str]) -> None:
    """Print what numbers rest on, how a log was understood, and what is special of the load."""
    served, deployment = answer.served, answer.deployment
    print_origin(deployment)
    for note in log:
        print(f"note: {note}")
    if answer.cache_without_windows is not None:
        print(
            "note: this engine ignores the model's sliding windows: a mean request takes"
            f" {answer.cache_without_windows:.3g} times the KV cache that it takes with"
            " --sliding-windows"
        )
    if deployment.limits.tensor_parallel > 1:
        print("note: energy and power are those of all GPUs")
    if served.overloaded:
        print(
            f"note: overload: {served.requests / served.arrivals_s:.4g} requests/s come, and"
            f" {served.requests / served.begun_s:.4g} are served; the queue grows as long as they"
            " come, and latencies with it"
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

    def __enter__(self) -> Callable[[int, float | None], None]:
        """Return what to call with how many requests have ended, and how much of a log is read."""
        return self._show

    def __exit__(self, *error: object) -> None:
        """Wipe the line."""
        if self._shown:
            show_progress("")

    def _show(self, requests: int, share: float | None) -> None:
        if monotonic() >= self._next_s:
            self._next_s = monotonic() + PROGRESS_EVERY_S
            self._shown = True
            read = "" if share is None else f", {100 * share:.0f} % of the log is read"
            show_progress(f"{requests} requests have ended{read}")
