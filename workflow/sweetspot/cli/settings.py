"""The command `settings`: joules per token against a board's power limit and against its clock."""

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweetspot.cells.sure import digits
from sweetspot.cli.commands import Commands
from sweetspot.cli.deployment import add_what, print_origin
from sweetspot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweetspot.ask.board_settings import Swept
    from sweetspot.ask.predict import Prediction

_SETTINGS = """\
Simulate a workload at lower power limits of a board, and with the board locked at lower clocks, and
print what an output token costs there. Two workloads are compared by default: one nearly all
prompts, one nearly all decode. Takes a second or two; every number is simulated, and only at the
board's full limit was anything measured, where clocks fell to about 0.75 of the highest."""

_EXAMPLES = """\
examples:
  sweetspot settings --model llama-3.1-8b --gpu h200 --engine vllm
  sweetspot settings --model llama-3.1-8b --gpu h200 --input 1024 --output 256 --figure limits"""

_LENGTHS = ("4096+16", "256+1024")


def add_commands(commands: Commands) -> None:
    """Add `settings`."""
    settings = commands.add_parser(
        "settings",
        help="joules per token against a board's power limit and clock",
        description=_SETTINGS,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_what(settings)
    add = settings.add_argument
    add(*("--input-tokens", "--input"), type=int, metavar="I", help="prompt tokens of each request")
    add(*("--output-tokens", "--output"), type=int, metavar="O", help="generated tokens of each")
    add(
        "--lengths",
        nargs="+",
        metavar="I+O",
        help=f"both, of several workloads; left out with the two above: {' '.join(_LENGTHS)}",
    )
    add("--requests", type=int, default=400, metavar="N", help="default: %(default)s")
    add("--json", action="store_true", help="print one JSON object")
    add("--figure", type=Path, metavar="STEM", help="write a figure; name without its suffix")
    settings.set_defaults(run=_settings)


def _settings(arguments: argparse.Namespace) -> None:
    from sweetspot.ask.board_settings import sweep_settings
    from sweetspot.files import make_folder

    if arguments.figure is not None:
        make_folder(arguments.figure.parent)
    found = sweep_settings(
        arguments.model,
        arguments.gpu,
        _workloads(arguments),
        requests=arguments.requests,
        engine=arguments.engine,
        calibration=arguments.calibration,
    )
    if arguments.figure is not None:
        _draw(found, arguments.figure)
    if arguments.json:
        print(json.dumps([_values(swept) for swept in found]))
        return
    full = found[0].full
    print(f"{full.model} on {full.gpu}: {full.requests} requests at once")
    for swept in found:
        print(f"{swept.input_tokens} + {swept.output_tokens} tokens")
        _print("power limit, W", swept.by_limit, swept.limits_w)
        _print("clock, MHz", swept.by_clock, swept.clocks_mhz)
    print_origin(full.workload.deployment)
    print("note: no measurement stands behind settings other than the full limit and free clocks")


def _draw(found: "Sequence[Swept]", stem: Path) -> None:
    from sweetspot.config import FigureStyle
    from sweetspot.figures.board_settings import Curve, settings_figure
    from sweetspot.figures.canvas import save

    def curve(swept: "Swept", at: "Sequence[float]", answers: "Sequence[Prediction]") -> Curve:
        return Curve(
            f"{swept.input_tokens} + {swept.output_tokens} tokens",
            at,
            [answer.energy_per_token_j for answer in answers],
            [answer.throughput_tokens_per_s for answer in answers],
        )

    full = found[0].full
    provenance = (
        f"simulated · {full.model} · {full.gpu} · {full.engine} · N = {full.requests} · constants:"
        f" {full.calibration} ({full.calibration_level})"
    )
    figure = settings_figure(
        [curve(each, each.limits_w, each.by_limit) for each in found],
        [curve(each, each.clocks_mhz, each.by_clock) for each in found],
        FigureStyle(),
        provenance,
    )
    save(figure, stem, 200)


def _workloads(arguments: argparse.Namespace) -> list[tuple[int, int]]:
    """Return the lengths of each workload."""
    inputs, outputs = arguments.input_tokens, arguments.output_tokens
    if inputs is None and outputs is None:
        return [_lengths(text) for text in arguments.lengths or _LENGTHS]
    if arguments.lengths:
        raise InputError("--lengths says inputs and outputs; leave it out, or the other two")
    if inputs is None or outputs is None:
        raise InputError("--input-tokens and --output-tokens go together; name both")
    return [(inputs, outputs)]


def _lengths(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)\+(\d+)", text)
    if not match:
        raise InputError(f"--lengths must be like 512+256, not {text!r}")
    return int(match[1]), int(match[2])


def _print(setting: str, answers: "Sequence[Prediction]", at: "Sequence[float]") -> None:
    print(f"  {setting:>14}{'J per token':>14}{'tokens per s':>14}{'W':>8}{'MHz':>8}")
    least_j = min(answer.energy_per_token_j for answer in answers)
    for value, answer in zip(at, answers, strict=True):
        print(
            f"  {value:>14.0f}{digits(answer.energy_per_token_j):>14}"
            f"{digits(answer.throughput_tokens_per_s, '.5g'):>14}{answer.mean_power_w:>8.0f}"
            f"{answer.mean_clock_mhz:>8.0f}"
            + ("  least energy" if answer.energy_per_token_j == least_j else "")
        )


def _values(swept: "Swept") -> dict[str, Any]:
    return {
        "input_tokens": swept.input_tokens,
        "output_tokens": swept.output_tokens,
        "by_limit": [answer.values() for answer in swept.by_limit],
        "by_clock": [answer.values() for answer in swept.by_clock],
    }
