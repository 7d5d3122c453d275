"""The command `calibrate`: the simulator's constants, fitted to cells or to published numbers."""

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from sweetspot.cli.commands import Commands
from sweetspot.cli.fitting import add_columns, columns_of
from sweetspot.errors import InputError
from sweetspot.schema.writing import json_text, plain

if TYPE_CHECKING:  # it loads much that other commands do without
    from sweetspot.simulator.constants.calibration_file import CalibrationFile

_CALIBRATE = """\
Fit the simulator's constants, within their physical bounds, to the measured cells of a run: to
energy and duration of each at once, as energy alone cannot distinguish a slow card at low power
from a fast one at its limit. One cell in five is held out of the fit: the error on these says what
the calibration is worth, the error on the others does not.

Cells of other GPUs, failed and simulated ones have no part; the others are of one engine. Limits
of the engine are those of the manifest.json beside the cells; without one, the paper's. The
engine's constants are fitted first, and the board's beside them where the cells have several batch
sizes, input and output lengths; what is not fitted stays at what data sheets and kernel tables
state. Engine and board can be written to files of their own.

Nothing is written where energies of cells held out are missed by more than 20 %, or more than a
third of the fitted constants are at a bound, unless --accept-error is given.

A table of your own is read as `sweetspot fit` reads it. It needs energy and duration of each run,
or what they follow from; cells that name no GPU or engine are taken to be of --gpu and --engine.

Without --cells, the fit is that of the calibration that ships: for h100-sxm, to the paper's Table 5
and to NVIDIA's published throughput. `make calibration` makes all files that ship."""

_EXAMPLES = """\
examples:
  sweetspot calibrate --cells results/my-run/cells.csv --gpu h100-sxm --out my-h100.json
  sweetspot predict --model llama-3.1-8b --gpu h100-sxm --input 512 --output 256 \\
    --calibration my-h100.json
  sweetspot calibrate --cells data/h200-vllm/records.jsonl --gpu h200-sxm \\
    --board-out my-h200.json --engine-out my-vllm.json
  sweetspot calibrate --probe probes/my-h100 --board-out my-h100.json"""

# Beyond these a fit says more of the law's limits, or of wrong cells, than of the board.
MOST_ENERGY_ERROR_PERCENT = 20.0
MOST_AT_BOUND_SHARE = 1 / 3


def add_commands(commands: Commands) -> None:
    """Add `calibrate`."""
    calibrate = commands.add_parser(
        "calibrate",
        help="fit the simulator's constants to your cells, or to published numbers",
        description=_CALIBRATE,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = calibrate.add_argument
    add(
        "--cells",
        type=Path,
        metavar="FILE",
        help="cells.csv of a run, records.jsonl of a campaign, or your own table, read as by `fit`",
    )
    add_columns(calibrate)
    add(
        "--engine",
        metavar="NAME",
        help="what ran the cells, where your own table does not say it",
    )
    add(
        "--probe",
        type=Path,
        metavar="DIR",
        help="what `sweetspot probe` left: the board's constants are fitted to it",
    )
    add("--gpu", metavar="NAME", help="catalog id; whose cells")
    add("--out", type=Path, metavar="FILE", help="calibration file (JSON): engine and board")
    add("--board-out", type=Path, metavar="FILE", help="the board's constants alone, any engine's")
    add("--engine-out", type=Path, metavar="FILE", help="the engine's constants alone, any GPU's")
    add(
        "--hold-out",
        type=int,
        metavar="K",
        help="keep one cell in K out of the fit, default: 5",
    )
    add(
        "--allow-simulated",
        action="store_true",
        help="for trying: simulated cells will do; the calibration says so wherever it is named",
    )
    add(
        "--published",
        metavar="NAME",
        help="for calibrations that ship: anybody finds the cells under this name; level"
        " `published numbers`",
    )
    add(
        "--accept-error",
        action="store_true",
        help="write also what cells held out, or constants at their bounds, speak against",
    )
    add("--json", action="store_true", help="print the calibration file")
    calibrate.set_defaults(run=_calibrate)


def _calibrate(arguments: argparse.Namespace) -> None:
    from sweetspot.files import make_folder_of, write_text_atomic

    if arguments.cells is None and arguments.probe is None:
        of_cells = ("gpu", "engine", "columns", "hold_out", "allow_simulated", "published")
        for option in (*of_cells, "accept_error"):
            if getattr(arguments, option):
                name = f"--{option.replace('_', '-')}"
                raise InputError(f"{name} is for --cells; name a cells.csv or leave it out")
    elif arguments.cells is not None and arguments.gpu is None:
        raise InputError("--cells needs --gpu: the GPU whose cells are taken")
    places = {
        part: path
        for part in ("out", "board_out", "engine_out")
        if (path := getattr(arguments, part)) is not None
    }
    if not places:
        raise InputError("nothing to write; name --out, --board-out or --engine-out")
    for path in places.values():  # a mistake shows now, not after a minute of fitting
        make_folder_of(path)
    if arguments.probe is not None:
        _of_probe(arguments, places)
        return
    found = _fitted(arguments)
    if arguments.cells is not None and not arguments.accept_error:
        _require_trust(found, arguments.cells)
    for part, path in places.items():
        kept = {"board_out": "board", "engine_out": "engine"}.get(part)
        written = found if kept is None else found.only(kept)  # type: ignore[arg-type]
        write_text_atomic(path, json_text(written, indent=2) + "\n")
    if arguments.json:
        print(json.dumps(plain(found)))
    else:
        _print(found, next(iter(places.values())))


def _of_probe(arguments: argparse.Namespace, places: dict[str, Path]) -> None:
    """Write and print what a probe says of its board."""
    from sweetspot.files import write_text_atomic
    from sweetspot.probe.board import board_of_probe
    from sweetspot.probe.probed import read_probed
    from sweetspot.simulator.constants.constants import METADATA

    if arguments.cells is not None or arguments.gpu is not None or set(places) != {"board_out"}:
        raise InputError("--probe gives a board's constants alone: with it, only --board-out")
    probed = read_probed(arguments.probe)
    if probed is None:
        raise InputError(f"{arguments.probe} holds no probe.json; `sweetspot probe` leaves one")
    found = board_of_probe(probed)
    written = found.to_file(arguments.probe.name)
    out = places["board_out"]
    write_text_atomic(out, json_text(written, indent=2) + "\n")
    if arguments.json:
        print(json.dumps(plain(written) | {"intervals": found.intervals}))
        return
    print(f"{written.name}, fitted to {len(found.steps)} steps of {arguments.probe}")
    print(f"mean error of their powers: {found.error_percent:.1f} %")
    for name in found.fitted:
        value = getattr(found.constants, name)
        least, most = (f"{end:.3g}" for end in found.intervals[name])
        print(f"  {name:<20}{value:>12.4g}  {METADATA[name]['unit']} ({least} to {most}, 95 %)")
    if found.at_bound:
        print(f"at a bound, where they say little: {', '.join(found.at_bound)}")
    print(f"use it: sweetspot {shlex.join(['predict', '--calibration', str(out)])} ...")


def _fitted(arguments: argparse.Namespace) -> "CalibrationFile":
    if arguments.cells is None:
        from sweetspot.simulator.calibration.to_published import calibrate_to_published

        return calibrate_to_published()
    from sweetspot.simulator.calibration.to_cells import calibrate_to_cells

    return calibrate_to_cells(
        arguments.cells,
        arguments.gpu,
        hold_out=5 if arguments.hold_out is None else arguments.hold_out,
        engine=arguments.engine,
        columns=columns_of(arguments.columns),
        allow_simulated=arguments.allow_simulated,
        published=arguments.published or "",
    )


def _require_trust(found: "CalibrationFile", cells: Path) -> None:
    """Refuse a fit that its own evidence speaks against.

    Raises:
        InputError: says what speaks against it, and what to do.
    """
    energy_percent = found.held_out_errors_percent["energy_per_token"]
    bounds = len(found.at_bound), len(found.fitted)
    if energy_percent > MOST_ENERGY_ERROR_PERCENT:
        against = (
            f"energies of cells held out are missed by {energy_percent:.0f} %, more than"
            f" {MOST_ENERGY_ERROR_PERCENT:g} %"
        )
    elif bounds[0] > MOST_AT_BOUND_SHARE * bounds[1]:
        against = (
            f"{bounds[0]} of {bounds[1]} fitted constants are at a bound"
            f" ({', '.join(found.at_bound)}), more than a third"
        )
    else:
        return
    raise InputError(
        f"the fit to {cells} is not written: {against}; look whether all cells are of this GPU and"
        " engine, measured under the limits of manifest.json beside them (the paper's without"
        " one), or measure more lengths and batch sizes (--accept-error to write it all the same)"
    )


def _print(found: "CalibrationFile", out: Path) -> None:
    from sweetspot.simulator.constants.intervals import QUANTITIES

    print(f"{found.name} ({found.level}), fitted to {', '.join(found.seen)}")
    for name, error in found.held_out_errors_percent.items():
        print(f"mean error on cells held out, {name}: {error:.2f} %")
    for name, error in found.errors_percent.items():
        print(f"mean error on what it was fitted to, no evidence, {name}: {error:.2f} %")
    if found.search is not None:
        print(f"the search {found.search.ended}")
    if found.starts is not None:
        print(
            f"from {found.starts.count} starts: simulated numbers differ by"
            f" {found.starts.prediction_percent:.2f} % at most"
        )
    if found.held_out_intervals is not None:
        for name in QUANTITIES:
            known = getattr(found.held_out_intervals, name)
            print(f"answers say: {name} {known.words}")
    if found.at_bound:
        print(f"at a bound, where they say little: {', '.join(found.at_bound)}")
    print(f"use it: sweetspot {shlex.join(['predict', '--calibration', str(out)])} ...")
