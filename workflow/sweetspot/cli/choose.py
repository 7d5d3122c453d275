"""The command `choose`: candidates for a load, their energy, and what misses a target."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweetspot.ask.targets import MOST_REPLICAS
from sweetspot.cli.candidates import print_choice
from sweetspot.cli.commands import Commands
from sweetspot.cli.fitting import columns_of
from sweetspot.cli.loads import Progress, add_columns, add_rates, rates_of
from sweetspot.errors import InputError

if TYPE_CHECKING:
    from sweetspot.ask.choose import Choice

_CHOOSE = """\
Simulate every combination of models, GPUs, tensor parallelism, batch limits, weights, power limits
and replicas under one load, and print which meets the targets of latency and power, and at what
energy per request, the time included in which boards wait. A target of latency is of the 95th
percentile over all requests:

  TTFT   time to the first token, from a request's arrival
  TPOT   time per output token after the first
  E2E    time to the last token

The load is --rate (Poisson arrivals), a log with --trace (as `sweetspot cost` reads it), or
neither: a backlog, which is worked off as fast as it goes. `front`: nothing else that meets the
targets takes less energy, answers sooner and generates more per GPU. What cannot be, such as a
model that does not fit, is printed with its reason. Every number is simulated; a dozen candidates
take a few seconds."""

_EXAMPLES = """\
examples:
  which board for 5 requests/s, answered in time?
    sweetspot choose --models llama-3.1-8b --gpus h100-sxm h200 l40s --rate 5 --input 800 \\
      --output 300 --ttft-p95 0.5 --tpot-p95 0.05
  one H200, or L40S, as many as it takes?
    sweetspot choose --models llama-3.1-8b --gpus h200 l40s --replicas auto --rate 5 --input 800 \\
      --output 300 --tpot-p95 0.05
  the batch limit of least energy that keeps time per output token below 50 ms?
    sweetspot choose --models llama-3.1-8b --gpus h100-sxm --max-batch-size 64 128 256 512 1024 \\
      --input 512 --output 256 --tpot-p95 0.05
  what serves 30 requests/s within 2 kW, with boards as they come or limited to 400 W?
    sweetspot choose --models llama-3.1-8b --gpus h100-sxm --power-limit 400 700 --replicas auto \\
      --rate 30 --input 800 --output 300 --tpot-p95 0.05 --max-power 2000
  the cheapest model for a log of requests?
    sweetspot choose --models llama-3.2-1b llama-3.2-3b ./my-model --trace log.csv \\
      --price-per-kwh 0.25 --gco2-per-kwh 380 --pue 1.2"""


def add_commands(commands: Commands) -> None:
    """Add `choose`."""
    parser = commands.add_parser(
        "choose",
        help="which model on which boards: energy per request within targets of latency",
        description=_CHOOSE,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("candidates: each with each of the others").add_argument
    several: dict[str, Any] = {"nargs": "+", "action": "extend"}
    add(
        *("--models", "--model"),
        **several,
        metavar="NAME|PATH",
        help="ids, or paths of folders; default: the catalog's (`sweetspot models`)",
    )
    add(
        *("--gpus", "--gpu"),
        **several,
        metavar="NAME|FILE",
        help="ids, or files of one's own; default: h100-sxm",
    )
    add(
        *("--tp", "--tensor-parallel"),
        **several,
        type=int,
        metavar="N",
        help="GPUs that share a model, default: 1",
    )
    add("--max-batch-size", **several, type=int, metavar="N", help="default: 1024")
    add("--weights", **several, metavar="model|fp8", help="what they are stored in, default: model")
    add(
        *("--power-limit", "--power-limit-w"),
        **several,
        type=float,
        metavar="W",
        help="of each board, default: the data sheet's",
    )
    add(
        "--replicas",
        **several,
        metavar="N|auto",
        help="servers that share the load, default: 1; auto: as few as meet the targets of latency,"
        f" {MOST_REPLICAS} at most",
    )
    add = parser.add_argument_group("load").add_argument
    add("--rate", type=float, metavar="R", help="Poisson arrivals, requests per s")
    add(*("--input-tokens", "--input"), type=float, metavar="I", help="prompt length, or its mean")
    add(*("--output-tokens", "--output"), type=float, metavar="O", help="generated tokens")
    add("--input-stdev", type=float, default=0.0, metavar="S", help="of prompt lengths, default: 0")
    add("--output-stdev", type=float, default=0.0, metavar="S", help="of generated tokens")
    add(
        "--lengths",
        choices=("normal", "lognormal", "exponential"),
        default="normal",
        help="distribution of lengths that have a stdev, default: %(default)s",
    )
    add("--seed", type=int, default=0, help="of arrivals and lengths, default: %(default)s")
    add("--trace", type=Path, metavar="LOG", help="log of requests, in place of the above")
    add_columns(parser)
    add(
        "--requests",
        type=int,
        metavar="N",
        help="how many to simulate, or the first of a log; default: 2000 or as many as it takes for"
        " a run twenty times as long as an answer, or the whole log",
    )
    add = parser.add_argument_group("targets, of latency 95th percentiles in s").add_argument
    add("--ttft-p95", type=float, metavar="S", help="to the first token")
    add("--tpot-p95", type=float, metavar="S", help="per output token after the first")
    add("--e2e-p95", type=float, metavar="S", help="to the last token")
    add(
        *("--max-power", "--max-power-w"),
        type=float,
        metavar="W",
        help="mean power of all boards of a candidate; hosts are not counted",
    )
    add_rates(parser)
    add = parser.add_argument
    add(
        "--engine",
        metavar="NAME",
        help="whose habits and overheads: tensorrt-llm (the default), vllm, vllm-uncompiled or"
        " transformers",
    )
    add("--calibration", type=Path, metavar="FILE", help="constants of one's own, of one board")
    add("--kv-cache", default="model", metavar="model|fp8", help="default: %(default)s")
    add("--json", action="store_true", help="print one JSON object")
    add("--figure", type=Path, metavar="STEM", help="draw the front: STEM.png, .pdf")
    parser.set_defaults(run=_choose)


def _choose(arguments: argparse.Namespace) -> None:
    from sweetspot.ask.choose import choose
    from sweetspot.files import make_folder

    if arguments.figure is not None:
        make_folder(arguments.figure.parent)
    with Progress() as progress:
        answer = choose(
            arguments.models,
            arguments.gpus or "h100-sxm",
            input_tokens=arguments.input_tokens,
            output_tokens=arguments.output_tokens,
            rate_per_s=arguments.rate,
            trace=arguments.trace,
            ttft_p95_s=arguments.ttft_p95,
            tpot_p95_s=arguments.tpot_p95,
            e2e_p95_s=arguments.e2e_p95,
            max_power_w=arguments.max_power,
            tensor_parallel=arguments.tp or 1,
            max_batch_size=arguments.max_batch_size or 1024,
            weights=arguments.weights or "model",
            power_limit_w=arguments.power_limit,
            replicas=_replicas(arguments.replicas),
            kv_cache=arguments.kv_cache,
            engine=arguments.engine,
            calibration=arguments.calibration,
            input_stdev=arguments.input_stdev,
            output_stdev=arguments.output_stdev,
            lengths=arguments.lengths,
            columns=columns_of(arguments.columns),
            requests=arguments.requests,
            seed=arguments.seed,
            **rates_of(arguments),
            progress=progress,
        )
    if arguments.json:
        print(json.dumps(_values(answer)))
    else:
        _require_some(answer)
        print_choice(answer)
    if arguments.figure is not None:
        _draw(answer, arguments.figure)


def _replicas(words: Sequence[str] | None) -> Any:
    """Return what --replicas says; what it makes no sense of is refused by `choose`."""
    if words is None:
        return 1
    if words == ["auto"]:
        return "auto"
    return [int(word) if word.isdecimal() else word for word in words]


def _values(answer: "Choice") -> dict[str, Any]:
    """Return the answer as one JSON object."""
    best = answer.best
    return {
        "offered": answer.offered,
        "targets": asdict(answer.targets),
        "rates": asdict(answer.rates),
        "told_of": answer.told_of,
        "front_latency": answer.front_latency,
        "best": None if best is None else best.number,
        "front": [each.number for each in answer.front],
        "candidates": [each.values() for each in answer.candidates],
        "log": answer.notes,
        "simulated": True,
    }


def _require_some(answer: "Choice") -> None:
    """End in a line where nothing can be served at all."""
    first, *others = answer.candidates
    if all(each.reason for each in answer.candidates):
        more = f"; nor can the other {len(others)} candidates" if others else ""
        raise InputError(f"{first.model} on {first.gpu} cannot serve this: {first.reason}{more}")


def _draw(answer: "Choice", stem: Path) -> None:
    from sweetspot.config import FigureStyle
    from sweetspot.figures.canvas import save
    from sweetspot.figures.front import front_figure

    style = FigureStyle()
    target_s = answer.targets.given.get(answer.front_latency)
    load = [answer.offered, answer.targets.words]
    save(front_figure(answer.table, answer.front_latency, target_s, style, load), stem, style.dpi)
