"""`sweetspot repeats`: what cells that were measured several times say, with an interval."""

import argparse
from pathlib import Path
from typing import Any

from sweetspot.cli.commands import Commands

_REPEATS = """\
Print J per output token of each cell of a run: the mean of its repeats that are ok, and its 95 %
interval (Student's t). It says how well the measurement repeats, not how right the board's sensor
is."""


def add_commands(commands: Commands) -> None:
    """Add the command."""
    repeats = commands.add_parser(
        "repeats", help="J per token of repeated cells, with intervals", description=_REPEATS
    )
    repeats.add_argument(
        "cells", type=Path, metavar="FILE", help="cells.csv of a run, records.jsonl of a campaign"
    )
    repeats.set_defaults(run=_repeats)


def _repeats(arguments: argparse.Namespace) -> None:
    from sweetspot.analysis.repeats import repeats_of
    from sweetspot.cells.read import read_cells
    from sweetspot.words import counted

    cells = read_cells(arguments.cells)
    for row in repeats_of(cells).itertuples():
        name = (
            f"{row.model} {row.engine} b{row.max_batch_size} n{row.requests} i{row.input_tokens}"
            f" o{row.output_tokens}"
        )
        print(f"{name}: {_in_words(row)}")
    if left_out := int((cells["status"] != "ok").sum()):
        are = "is" if left_out == 1 else "are"
        print(
            f"{counted(left_out, 'cell')} {are} not ok and left out; the reasons are in"
            f" {arguments.cells}"
        )


def _in_words(row: Any) -> str:
    """Return the mean of repeats with its interval."""
    if not row.repeats:
        return "no repeat is ok"
    mean = f"{row.energy_per_token_j:.5g} J/token"
    if row.repeats == 1:
        return f"{mean}, measured once: measure.repeats gives an interval"
    return f"{mean}, {row.low_j:.5g} to {row.high_j:.5g} (95 %, {row.repeats} repeats)"
