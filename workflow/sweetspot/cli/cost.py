"""The command `cost`: a log of requests, in J, kWh, money and gCO2e, hour by hour."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sweetspot.cells.sure import digits
from sweetspot.cli.commands import Commands
from sweetspot.cli.deployment import add_how, add_what, given
from sweetspot.cli.fitting import columns_of
from sweetspot.cli.loads import (
    Progress,
    add_columns,
    add_rates,
    add_scheduling,
    ended,
    load_values,
    print_notes,
    print_what,
    rates_of,
    scheduling_of,
)

if TYPE_CHECKING:
    from sweetspot.ask.cost import Cost

_COST = """\
Simulate a server that gets the requests of a log, and print by hour and in all what that takes: J
and kWh of its GPUs, the time included in which they wait for requests, and with --price-per-kwh and
--gco2-per-kwh, which have no default, money and grams of CO2 equivalents.

The log is CSV with a header or JSON lines, as it lies (.gz, too), in the columns of

  the Azure traces     TIMESTAMP,ContextTokens,GeneratedTokens
  BurstGPT             Timestamp,Model,Request tokens,Response tokens,...
  Mooncake             timestamp,input_length,output_length,hash_ids
  OpenAI's interface   created,usage.prompt_tokens,usage.completion_tokens
  or plain ones        arrival_s,input_tokens,output_tokens

or in others, named with --columns. Times are dates, or numbers of s, ms, us or ns; without any, all
requests come at once. Every number printed is simulated."""

_EXAMPLES = """\
examples:
  sweetspot cost AzureLLMInferenceTrace_conv.csv --model llama-3.1-8b --gpu h100-sxm
  sweetspot cost day.jsonl.gz --model llama-3.1-8b --gpu h200 --engine vllm \\
    --price-per-kwh 0.25 --gco2-per-kwh 380 --pue 1.2
  sweetspot cost log.csv --model llama-3.1-8b --gpu h100-sxm --json \\
    --columns arrival_ms=t input_tokens=in output_tokens=out"""

_MOST_HOURS = 72  # are printed
_COLUMNS = (
    ("requests", "requests", "d"),
    ("output_tokens", "out tokens", "d"),
    ("mean_batch", "batch", ".4g"),
    ("mean_power_w", "W", ".4g"),
    ("energy_kwh", "kWh", ".4g"),
    ("cost", "cost", ".4g"),
    ("gco2e", "gCO2e", ".4g"),
)
_TOTALS = (
    ("energy_j", "J", ".5g"),
    ("idle_energy_j", "of these J with no request in flight", ".4g"),
    ("energy_per_token_j", "J per output token", ".4g"),
    ("energy_per_request_j", "J per request", ".4g"),
    ("energy_kwh", "kWh", ".4g"),
    ("cost", "in the currency of --price-per-kwh", ".4g"),
    ("gco2e", "g of CO2 equivalents", ".4g"),
    ("prefix_hit_rate", "of the input tokens were in the prefix cache", ".4g"),
    ("duration_s", "s from the first arrival to the last token", ".5g"),
)


def add_commands(commands: Commands) -> None:
    """Add `cost`."""
    parser = commands.add_parser(
        "cost",
        help="energy, money and CO2 of a log of requests, hour by hour",
        description=_COST,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("log", type=Path, metavar="LOG", help="log of requests: .csv or .jsonl, .gz or not")
    add_what(parser)
    add_columns(parser)
    add_rates(parser)
    add("--json", action="store_true", help="print one JSON object")
    add(
        "--figure", type=Path, metavar="STEM", help="draw power and batch over time: STEM.png, .pdf"
    )
    add_scheduling(parser)
    if commands.is_complete("cost"):
        add_how(parser)
    parser.set_defaults(run=_cost)


def _cost(arguments: argparse.Namespace) -> None:
    from sweetspot.ask.cost import cost
    from sweetspot.catalog import load_model
    from sweetspot.config import ChosenTraits, GpuSettings, Limits, Precision, parse_section
    from sweetspot.files import make_folder
    from sweetspot.simulator.deployment.deployment import asked_limits

    if arguments.figure is not None:
        make_folder(arguments.figure.parent)
    model = load_model(arguments.model)
    with Progress() as progress:
        answer = cost(
            arguments.log,
            model,
            arguments.gpu,
            **rates_of(arguments),
            columns=columns_of(arguments.columns),
            engine=arguments.engine,
            gpu_settings=parse_section(GpuSettings, given(arguments, GpuSettings)),
            limits=asked_limits(model, **given(arguments, Limits)),
            precision=parse_section(Precision, given(arguments, Precision)),
            traits=parse_section(ChosenTraits, given(arguments, ChosenTraits)),
            scheduling=scheduling_of(arguments),
            chunked_prefill=not arguments.no_chunked_prefill,
            prefix_cache=arguments.prefix_cache,
            calibration=arguments.calibration,
            progress=lambda requests, share: progress(ended(requests, share)),
        )
    if arguments.figure is not None:
        _draw(answer, arguments.figure)
    if arguments.json:
        rates = {name: getattr(answer.rates, name) for name in answer.rates.__slots__}
        values = {"total": answer.total, "hours": answer.hours, "rates": rates}
        print(json.dumps(values | {"log": answer.notes, "load": load_values(answer.load)}))
    else:
        _print(answer)


def _draw(answer: "Cost", stem: Path) -> None:
    from sweetspot.config import FigureStyle
    from sweetspot.figures.canvas import save
    from sweetspot.figures.load_over_time import load_figure

    deployment, style = answer.load.deployment, FigureStyle()
    found = deployment.calibration
    provenance = (
        f"simulated · {deployment.model.id} · {deployment.gpu.id} · {found.engine} · requests:"
        f" {answer.load.served.requests} · constants: {found.name} ({found.level})"
    )
    save(load_figure(answer.over_time, answer.begins, style, provenance), stem, style.dpi)


def _print(answer: "Cost") -> None:
    from sweetspot.simulator.constants.intervals import ends

    print_what(answer.load)
    columns = [each for each in _COLUMNS if each[0] in answer.total]
    print(f"  {'hour':<18}" + "".join(f"{title:>11}" for _, title, _ in columns))
    for row in answer.hours[:_MOST_HOURS]:
        print(
            f"  {row['hour']:<18}"
            + "".join(f"{digits(row[name], spec):>11}" for name, _, spec in columns)
        )
    if len(answer.hours) > _MOST_HOURS:
        print(f"  and {len(answer.hours) - _MOST_HOURS} hours more, which --json has")
    print("  in all")
    factor = answer.load.deployment.intervals.energy.factor
    for name, unit, spec in _TOTALS:
        if name in answer.total:
            value = answer.total[name]
            beside = f" ({ends(value / factor, value * factor)})"
            if name == "energy_j":
                beside = answer.load.beside("energy_per_token_j", value)
            elif name in ("duration_s", "idle_energy_j", "prefix_hit_rate"):
                beside = ""
            print(f"    {name:<24}{digits(value, spec):>12}  {unit}{beside}")
    print_notes(answer.load, answer.notes)
