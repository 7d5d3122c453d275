"""The command `advise`: energy along the output length, and what would save some of it."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweetspot.cells.sure import digits, often
from sweetspot.cli.commands import Commands, Once
from sweetspot.cli.deployment import add_how, add_what, given, print_note, print_origin
from sweetspot.cli.fitting import columns_of
from sweetspot.cli.loads import Progress, add_columns, add_rates, rates_of
from sweetspot.errors import InputError

if TYPE_CHECKING:
    from sweetspot.ask.advice.advise import Advice, Advised

_ADVISE = """\
Say what tokens cost along the output length, where they cost least, and what would save energy:
shorter inputs or outputs, FP8, another batch limit, a power limit, another board; in J, and with
--price-per-kwh and --gco2-per-kwh, which have no default, money and grams of CO2 equivalents a day.

Requests are all alike (--input, --output), those of a log at its times (--trace), or of the lengths
in a table (--lengths). With --rate they come as a Poisson process: boards wait in between, which
counts, and as many serve as it takes. Without one boards are kept full. Several models are set side
by side. What would save energy is all of the above, or as much of it as is named; of several models
only what is named. Every line says what it rests on, and what the interval holds cannot be told
apart. Every number printed is simulated."""

_EXAMPLES = """\
examples:
  sweetspot advise --model llama-3.1-8b --gpu h100-sxm --input 512
  sweetspot advise --model llama-3.1-8b --gpu h100-sxm --input 4096 --output 512 \\
    --truncate-input 1024 --limit-output 256 --cap-power 400
  sweetspot advise --model llama-3.1-8b qwen2-7b --gpu h100-sxm --input 800 --output 300 \\
    --rate 5 --price-per-kwh 0.25 --gco2-per-kwh 380 --pue 1.2
  sweetspot advise --model llama-3.1-8b --gpu h200 --trace day.csv --other-gpu 2xl40s"""


_MONEY = {"cost": "price_per_kwh", "gco2e": "gco2_per_kwh"}
_SHORT = {"cost": "cost", "gco2e": "gCO2e"}
_TOTALS = (
    ("energy_per_request_j", "J a request"),
    ("energy_per_token_j", "J per output token"),
    ("requests_per_day", "requests a day"),
    ("energy_kwh", "kWh a day"),
    ("cost", "a day, in the currency of --price-per-kwh"),
    ("gco2e", "g of CO2 equivalents a day"),
    ("boards", "boards"),
)


def add_commands(commands: Commands) -> None:
    """Add `advise`."""
    parser = commands.add_parser(
        "advise",
        help="what tokens cost along the output length, and what would save energy",
        description=_ADVISE,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_what(parser, several=True)
    add = parser.add_argument_group("requests").add_argument
    add("--input-tokens", "--input", type=int, metavar="I", help="prompt tokens of each")
    add(
        *("--output-tokens", "--output"),
        type=int,
        metavar="O",
        help="generated tokens of each; default: the length that costs least per token",
    )
    add("--trace", type=Path, metavar="LOG", help="a log, as `sweetspot cost` takes it")
    add(
        "--lengths",
        type=Path,
        metavar="TABLE",
        help="input and output lengths without times: a line a request, or with a count",
    )
    add("--rate", type=float, metavar="R", help="requests per s; default: boards are kept full")
    add("--output-range", metavar="A:B", help="output lengths to look at")
    add(
        "--cells",
        type=Path,
        metavar="FILE",
        help="measured cells of this board and engine, as `sweetspot fit` takes them: the evidence"
        " along lengths",
    )
    add_columns(parser)
    add = parser.add_argument_group(
        "what to do otherwise; default: all that is sensible"
    ).add_argument
    once: dict[str, Any] = {"action": Once}
    add("--truncate-input", **once, type=int, metavar="I", help="prompt tokens at most")
    add("--limit-output", **once, type=int, metavar="O", help="generated tokens at most")
    add("--limit-batch", **once, type=int, metavar="N", help="another max_batch_size")
    add("--cap-power", **once, type=float, metavar="W", help="power limit of each board")
    add(
        "--other-gpu",
        action="append",
        metavar="NAME|FILE",
        help="another board, or 2xl40s for two that share the model; may be repeated",
    )
    add_rates(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    if commands.is_complete("advise"):
        add_how(parser)
    parser.set_defaults(run=_advise)


def _advise(arguments: argparse.Namespace) -> None:
    from sweetspot.ask.advice.advise import advise
    from sweetspot.config import ChosenTraits, GpuSettings, Limits, Precision, parse_section

    with Progress() as progress:
        answer = advise(
            arguments.model,
            arguments.gpu,
            input_tokens=arguments.input_tokens,
            output_tokens=arguments.output_tokens,
            trace=arguments.trace,
            lengths=arguments.lengths,
            rate_per_s=arguments.rate,
            output_range=_range(arguments.output_range),
            truncate_input=arguments.truncate_input,
            limit_output=arguments.limit_output,
            limit_batch=arguments.limit_batch,
            cap_power_w=arguments.cap_power,
            other_gpus=arguments.other_gpu,
            cells=arguments.cells,
            columns=columns_of(arguments.columns),
            engine=arguments.engine,
            gpu_settings=parse_section(GpuSettings, given(arguments, GpuSettings)),
            limits=given(arguments, Limits),
            precision=parse_section(Precision, given(arguments, Precision)),
            traits=parse_section(ChosenTraits, given(arguments, ChosenTraits)),
            calibration=arguments.calibration,
            progress=progress,
            **rates_of(arguments),
        )
    if arguments.json:
        print(json.dumps(answer.values()))
        return
    _print(answer)


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    low, _, high = text.partition(":")
    if not (low.isdecimal() and high.isdecimal()):
        raise InputError(f"--output-range must be like 64:4096, not {text!r}")
    return int(low), int(high)


def _print(answer: "Advice") -> None:
    totals = answer.totals()
    several = len(totals) > 1
    if several:
        print(f"{len(totals)} models on {totals[0]['gpu']}: {answer.models[0].taken.offered.words}")
        _print_beside(totals)
    for each, total in zip(answer.models, totals, strict=True):
        deployment = each.taken.deployment
        what = "" if several else f": {each.taken.offered.words}"
        print(f"{each.model} on {deployment.gpu.id}{what}")
        if deployment.words:
            print(f"  {deployment.words}")
        if not several:
            _print_total(total, " of a board kept full" * (not each.taken.offered.waits))
        _print_along(each)
        if each.levers:
            _print_levers(answer, each)
    for deployment in {each.evidence: each.taken.deployment for each in answer.models}.values():
        print_origin(deployment)
    for note in answer.notes:
        print_note(note)


def _print_total(total: dict[str, Any], whose: str) -> None:
    from sweetspot.simulator.constants.intervals import ends

    factor = total["energy_per_request_high_j"] / total["energy_per_request_j"]
    judged = ("interval_level", "interval_models", "interval_rests_on")
    how_often = f", {often(*(total[name] for name in judged))}"
    for name, unit in _TOTALS:
        if name not in total:
            continue
        value = total[name]
        beside = ""
        if name.startswith("energy") or name in _MONEY:
            beside = f" ({ends(value / factor, value * factor)}{how_often})"
            how_often = ""
        print(
            f"  {name:<26}{digits(value):>12}  {unit}{beside}{whose * (name == 'requests_per_day')}"
        )


def _print_along(each: "Advised") -> None:
    from sweetspot.simulator.constants.intervals import ends

    along = each.along
    how = "boards kept full" if along.simulated else "by your fit"
    print(f"along the output length, at {along.input_tokens} input tokens, {how}")
    print(
        f"  {'output tokens':>13}{'J/output token':>16}{'':<22}{'J/total token':>14}"
        f"{'J/request':>11}{'above least':>13}"
    )
    for row in along.rows:
        beside = ends(row["energy_per_token_low_j"], row["energy_per_token_high_j"])
        mark = "  sweet spot" * (row["output_tokens"] == along.sweet_spot_tokens)
        of_request = digits(row["energy_per_request_j"])
        print(
            f"  {row['output_tokens']:>13}{digits(row['energy_per_token_j']):>16}"
            f" {f'({beside})':<21}{digits(row['energy_per_total_token_j'], '.3g'):>14}"
            f"{of_request:>11}{row['above_least_percent']:>11.1f} %{mark}"
        )
    print(
        f"  sweet spot: {along.sweet_spot_tokens} output tokens; {along.range2_low} to"
        f" {along.range2_high} are within 2 %"
    )
    if along.lost_percent is not None and along.lost_per_request_j is not None:
        print(
            f"  {along.asked_output_tokens} output tokens cost {along.lost_percent:.1f} % more a"
            f" token than there: {digits(along.lost_per_request_j)} J of a request"
        )


def _print_levers(answer: "Advice", each: "Advised") -> None:
    from sweetspot.ask.advice.levers import speed

    rows = [lever.values(answer.rates) for lever in each.levers]
    money = [name for name in _MONEY if getattr(answer.rates, _MONEY[name]) is not None]
    print(
        f"what would save energy, of the same {digits(each.taken.requests_per_day)} requests a day"
    )
    heads = "".join(f"{f'{_SHORT[name]}/day':>10}" for name in money)
    print(f"  {'':<25}{'J/request':>10}{'saves, %':>10}{'':<14}{'kWh/day':>9}{heads}")
    for row in rows:
        if row["why_not"]:
            print(f"  {row['lever']:<25} no: {row['why_not']}")
            continue
        ends = f"({round(row['saved_low_percent'])} to {round(row['saved_high_percent'])})"
        cells = "".join(f"{digits(_saved(row, name)):>10}" for name in money)
        print(
            f"  {row['lever']:<25}{digits(row['energy_per_request_j']):>10}"
            f"{row['saved_percent']:>10.1f} {ends:<13}{digits(_saved(row, 'energy_kwh')):>9}{cells}"
            f"  {row['verdict']}; {row['evidence']}"
        )
    print("and how fast requests are then answered")
    waits = each.taken.offered.waits
    first = f"{'first token':>14}" * waits
    print(f"  {'p95 in s':<25}{'boards':>8}{'requests/s':>12}{first}{'per token':>12}{'W':>8}")
    for row in [{"lever": "as it is", "why_not": "", **speed(each.taken)}, *rows]:
        if not row["why_not"]:
            first = f"{digits(row['ttft_p95_s'], '.3g'):>14}" if waits else ""
            token = "" if row["tpot_p95_s"] is None else digits(row["tpot_p95_s"], ".3g")
            print(
                f"  {row['lever']:<25}{row['boards']:>8}{digits(row['requests_per_s']):>12}{first}"
                f"{token:>12}{row['mean_power_w']:>8.0f}"
            )


def _print_beside(totals: list[dict[str, Any]]) -> None:
    from sweetspot.simulator.constants.intervals import ends

    money = [name for name in _MONEY if name in totals[0]]
    heads = "".join(f"{f'{_SHORT[name]}/day':>10}" for name in money)
    print(
        f"  {'':<17}{'J/request':>10}{'':<18}{'kWh/day':>9}{heads}{'boards':>8}{'s/token p95':>13}"
    )
    for row in totals:
        beside = ends(row["energy_per_request_low_j"], row["energy_per_request_high_j"])
        token = "" if row["tpot_p95_s"] is None else digits(row["tpot_p95_s"], ".3g")
        print(
            f"  {row['model']:<17}{digits(row['energy_per_request_j']):>10} {f'({beside})':<17}"
            f"{digits(row['energy_kwh']):>9}{''.join(f'{digits(row[name]):>10}' for name in money)}"
            f"{row['boards']:>8}{token:>13}  {row['verdict']}; {row['evidence']}"
        )


def _saved(row: dict[str, Any], name: str) -> float:
    """Return a saving; 0 for what is only rounding."""
    value: float = row[f"saved_{name}"]
    return value if abs(row["saved_percent"]) > 1e-9 else 0.0
