"""The command `simulate`: a trace of requests, or generated ones, on a simulated server."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweetspot.cli.simulation_answer import Progress, print_answer
from sweetspot.cli.traits import add_traits
from sweetspot.errors import InputError

if TYPE_CHECKING:  # they load numpy, which other commands do without
    from sweetspot.ask.load import Scheduling
    from sweetspot.config import Limits
    from sweetspot.simulator.schedule.requests import Request

Commands = Any  # argparse names the type only in private

_SIMULATE = """\
Simulate a server that gets requests when they come, each with its own lengths, and print energy,
power and latencies. Requests are those of a trace, or are generated.

A trace is CSV, one line a request in the order of arrival (s, from any origin):

  arrival_s,input_tokens,output_tokens
  0.0,512,128
  0.35,1840,12

The model is a catalog id (see `sweetspot models`) or the path of a Hugging Face config.json. While
no request is in flight the board draws the constant active_power_w. Other than in `predict`, the
overhead at the end of a benchmark's window is left out. Every number printed is simulated."""

_EXAMPLES = """\
examples:
  sweetspot simulate trace.csv --model llama-3.1-8b --gpu h100-sxm
  sweetspot simulate trace.csv --model llama-3.1-8b --gpu h100-sxm --policy max-utilization --json
  sweetspot simulate --model llama-3.1-8b --gpu h100-sxm --requests 10000 --rate 12 \\
    --input-tokens 512 --input-stdev 256 --output-tokens 200 --output-stdev 150 --lengths lognormal
  sweetspot simulate --model opt-1.3b --gpu h100-sxm --requests 1000 --at-once \\
    --input-tokens 128 --output-tokens 128 --static-batching --max-batch-size 64"""

_GENERATING = ("rate", "at_once", "input_tokens", "output_tokens", "input_stdev", "output_stdev")


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
    add("trace", nargs="?", type=Path, metavar="TRACE", help="CSV file; none: generate requests")
    add("--model", required=True, metavar="NAME|PATH", help="catalog id or path")
    add("--gpu", required=True, metavar="NAME", help="catalog id")
    add("--calibration", type=Path, metavar="FILE", help="the simulator's constants")
    add("--json", action="store_true", help="print one JSON object")
    add("--power-trace", type=Path, metavar="FILE", help="write power over time as gzip CSV")

    add = simulate.add_argument_group("scheduling").add_argument
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

    add = simulate.add_argument_group("engine limits").add_argument
    add("--max-batch-size", type=int, metavar="B", help="requests in flight, default: 1024")
    add(
        "--max-num-tokens",
        type=int,
        metavar="T",
        help="tokens of one iteration, default: 8192 (or max-batch-size, if that is more)",
    )
    add("--max-seq-len", type=int, metavar="L", help="longest request, I + O, default: 8192")
    add(
        "--kv-cache-memory-fraction",
        type=float,
        metavar="F",
        help="share of the free memory that the KV cache takes, default: 0.9",
    )
    add("--tokens-per-block", type=int, metavar="T", help="of the KV cache, default: 32")
    add(
        "--tp",
        dest="tensor_parallel",
        type=int,
        metavar="GPUS",
        help="GPUs that share each layer; energy and power are those of all. Default: 1",
    )
    for name, what in (("weights", "the layers' matrices"), ("kv-cache", "the KV cache")):
        add(
            f"--{name}",
            choices=("model", "fp8"),
            default="model",
            help=f"{what} in the checkpoint's 16 bits, or in FP8; default: %(default)s",
        )

    add_traits(add)

    add = simulate.add_argument_group("generated requests, where no trace is given").add_argument
    add("--requests", type=int, metavar="N", help="how many")
    add("--rate", type=float, metavar="R", help="Poisson arrivals, requests per s")
    add("--at-once", action="store_true", help="all arrive at 0 s")
    add("--input-tokens", type=float, metavar="I", help="prompt length, or its mean")
    add("--output-tokens", type=float, metavar="O", help="generated tokens, or their mean")
    add("--input-stdev", type=float, metavar="S", help="of prompt lengths, default: 0")
    add("--output-stdev", type=float, metavar="S", help="of generated tokens, default: 0")
    add(
        "--lengths",
        choices=("normal", "lognormal", "exponential"),
        default="normal",
        help="distribution of lengths that have a stdev, default: %(default)s",
    )
    add("--seed", type=int, default=0, help="of arrivals and lengths, default: %(default)s")
    simulate.set_defaults(run=_simulate)


def _simulate(arguments: argparse.Namespace) -> None:
    from sweetspot.ask.load import simulate_load
    from sweetspot.config import Precision
    from sweetspot.metering.meter import Readings
    from sweetspot.metering.trace import write_trace
    from sweetspot.simulator.deployment.deployment import chosen_traits

    limits = _limits(arguments)
    scheduling = _scheduling(arguments)
    with Progress() as progress:
        answer = simulate_load(
            arguments.model,
            arguments.gpu,
            _requests(arguments, limits),
            limits=limits,
            precision=Precision(weights=arguments.weights, kv_cache=arguments.kv_cache),
            traits=chosen_traits(arguments.sliding_windows, arguments.cuda_graphs),
            scheduling=scheduling,
            chunked_prefill=not arguments.no_chunked_prefill,
            calibration=arguments.calibration,
            power_grid=arguments.power_trace is not None,
            progress=progress,
        )
    if answer.served.power is not None:
        write_trace(arguments.power_trace, Readings(trace=answer.served.power))
    print_answer(answer, as_json=arguments.json)


def _limits(arguments: argparse.Namespace) -> "Limits":
    """Return the engine's limits: those given, and the configuration's defaults."""
    from pydantic import ValidationError

    from sweetspot.config import Limits
    from sweetspot.config.wording import explain

    given = {
        name: value
        for name in Limits.model_fields
        if (value := getattr(arguments, name, None)) is not None
    }
    default = Limits().max_num_tokens
    given.setdefault("max_num_tokens", max(default, given.get("max_batch_size", 0)))
    try:
        return Limits.model_validate(given)
    except ValidationError as e:
        raise InputError(explain(dict(e.errors()[0]), Limits)) from e


def _scheduling(arguments: argparse.Namespace) -> "Scheduling":
    if not arguments.static_batching:
        policy: Scheduling = arguments.policy or "guaranteed-no-evict"
        return policy
    if arguments.policy or arguments.no_chunked_prefill:
        raise InputError(
            "--static-batching admits whole batches and cuts no prompt; leave out --policy and"
            " --no-chunked-prefill"
        )
    return "static"


def _requests(arguments: argparse.Namespace, limits: "Limits") -> "Iterator[Request]":
    """Return the requests of the trace, or generated ones."""
    from sweetspot.simulator.schedule.request_trace import read_trace
    from sweetspot.simulator.schedule.requests import Lengths, generated

    given = [
        f"--{name.replace('_', '-')}"
        for name in ("requests", *_GENERATING)
        if getattr(arguments, name) not in (None, False)
    ]
    if arguments.trace is not None:
        if given:
            raise InputError(f"a trace says what requests there are; leave out {given[0]}")
        return read_trace(arguments.trace, max_seq_len=limits.max_seq_len)
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
