"""The command `simulate`: a trace of requests, or generated ones, on a simulated server."""

import argparse
import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from sweetspot.cells.sure import digits
from sweetspot.cli.commands import Commands
from sweetspot.cli.deployment import add_how, add_what, given
from sweetspot.cli.fitting import columns_of
from sweetspot.cli.loads import (
    LINES,
    STEADY,
    Progress,
    add_columns,
    add_scheduling,
    ended,
    load_values,
    print_notes,
    print_what,
    scheduling_of,
    value_of,
)
from sweetspot.errors import InputError

if TYPE_CHECKING:  # they load numpy, which other commands do without
    from sweetspot.ask.load import Scheduling, Simulated
    from sweetspot.ask.log.read import RequestLog
    from sweetspot.config import Limits
    from sweetspot.simulator.deployment.deployment import Deployment
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


_LATENCIES = ("first_token", "per_output_token", "end_to_end")


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


def _simulate(arguments: argparse.Namespace) -> None:
    from sweetspot.ask.load import simulate_deployed
    from sweetspot.ask.log.doubts import doubts
    from sweetspot.catalog import load_model
    from sweetspot.config import ChosenTraits, GpuSettings, Limits, Precision, parse_section
    from sweetspot.metering.meter import Readings
    from sweetspot.metering.trace import write_trace
    from sweetspot.simulator.deployment.deployment import asked_limits, deploy

    model = load_model(arguments.model)
    limits = asked_limits(model, **given(arguments, Limits))
    scheduling = scheduling_of(arguments)
    deployment = deploy(
        model,
        arguments.gpu,
        engine=arguments.engine,
        gpu_settings=parse_section(GpuSettings, given(arguments, GpuSettings)),
        limits=limits,
        precision=parse_section(Precision, given(arguments, Precision)),
        traits=parse_section(ChosenTraits, given(arguments, ChosenTraits)),
        calibration=arguments.calibration,
    )
    log = _log(arguments, deployment, scheduling)
    with log or nullcontext(), Progress() as progress:
        answer = simulate_deployed(
            deployment,
            _generated(arguments, limits) if log is None else log,
            scheduling=scheduling,
            chunked_prefill=not arguments.no_chunked_prefill,
            prefix_cache=arguments.prefix_cache,
            power_grid=arguments.power_trace is not None,
            progress=lambda requests: progress(ended(requests, log.share if log else None)),
        )
    if answer.served.power is not None:
        write_trace(arguments.power_trace, Readings(trace=answer.served.power))
    notes = [*log.notes, *doubts(log, answer)] if log else []
    if arguments.json:
        print(json.dumps(load_values(answer) | ({"log": notes} if log else {})))
    else:
        _print(answer, notes)


def _log(
    arguments: argparse.Namespace, deployment: "Deployment", scheduling: "Scheduling | None"
) -> "RequestLog | None":
    """Return the requests of a log; None where they are generated."""
    from sweetspot.ask.log.longest import longest_served
    from sweetspot.ask.log.read import RequestLog

    if arguments.trace is None:
        if arguments.prefix_cache:
            raise InputError("--prefix-cache: generated prompts have nothing in common; name a log")
        return None
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("requests", *_GENERATING)
        if getattr(arguments, name) not in (None, False)
    ]
    if given:
        raise InputError(f"a trace says what requests there are; leave out {given[0]}")
    chunked = not arguments.no_chunked_prefill
    return RequestLog(
        arguments.trace,
        max_seq_len=deployment.limits.max_seq_len,
        longest=longest_served(deployment, scheduling, chunked_prefill=chunked),
        columns=columns_of(arguments.columns),
        prefix_cache=arguments.prefix_cache,
    )


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


def _print(answer: "Simulated", log: Iterable[str]) -> None:
    served = answer.served
    print_what(answer)
    for name, unit, spec in LINES:
        value = value_of(answer, name)
        if value is None:
            continue
        beside = answer.beside(name, value)
        if name == "max_batch" and not answer.batch_limit_binds:
            beside = f": max_batch_size {answer.deployment.limits.max_batch_size} never binds"
        print(f"  {name:<26}{digits(value, spec):>12}  {unit}{beside}")
    if (steady := served.steady) is not None:
        print(f"  steady state, from {steady.begin_s:.4g} s to {steady.end_s:.4g} s")
        for name, unit, spec in STEADY:
            print(f"    {name:<24}{digits(getattr(steady, name), spec):>12}  {unit}")
    print(f"  {'latency, s':<26}{'mean':>12}{'p50':>12}{'p95':>12}{'p99':>12}")
    for name in _LATENCIES:
        latency = getattr(served, name)
        if latency is not None:
            cells = (latency.mean_s, latency.p50_s, latency.p95_s, latency.p99_s)
            print(f"    {name:<24}" + "".join(f"{digits(value):>12}" for value in cells))
    print_notes(answer, log)
