"""The command `kernels`: what single kernels reach on each GPU, fitted to published tables."""

import argparse
import json
from pathlib import Path

from sweetspot.cli.commands import Commands, show_progress

_KERNELS = """\
Fit what kernels reach on each GPU (shares of its peak FLOP/s and bandwidth, overheads, ceilings) to
NVIDIA's measured tables of GEMMs and attention, and print it beside the error of each law. These
constants are held in all other fits; the simulator reads them from the file that --out writes.
Takes seconds."""

_EXAMPLES = """\
examples:
  sweetspot kernels
  sweetspot kernels --out workflow/sweetspot/simulator/constants/kernels.json
  sweetspot kernels --page docs/kernels.md"""


def add_commands(commands: Commands) -> None:
    """Add `kernels`."""
    kernels = commands.add_parser(
        "kernels",
        help="what single kernels reach on a GPU, fitted to published tables",
        description=_KERNELS,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kernels.add_argument("--out", type=Path, metavar="FILE", help="write the constants (JSON)")
    kernels.add_argument("--page", type=Path, metavar="FILE", help="write a page (Markdown)")
    kernels.set_defaults(run=_kernels)


def _kernels(arguments: argparse.Namespace) -> None:
    from sweetspot.files import make_folder_of, write_text_atomic
    from sweetspot.reference.kernels import constants_table, errors_table, kernels_page
    from sweetspot.simulator.calibration.kernels.fit import (
        ENGINES,
        GPUS,
        constants_file,
        fit_board,
    )

    for path in (arguments.out, arguments.page):
        if path is not None:
            make_folder_of(path)
    fits = {}
    for gpu_id in GPUS:
        show_progress(f"{gpu_id} ...")
        fits[gpu_id] = fit_board(gpu_id)
    show_progress("")
    file = constants_file(fits)
    if arguments.out is not None:
        write_text_atomic(arguments.out, json.dumps(file, indent=2) + "\n")
    if arguments.page is not None:
        write_text_atomic(arguments.page, kernels_page(fits, file))
    for part in ("board", *ENGINES):
        print(f"{part}\n{constants_table(file, part)}\n")
    print(errors_table(fits))
