"""`sweetspot repeats`: what cells that were measured several times say, with an interval."""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from sweetspot.cli.commands import Commands

LEVEL = 0.95

_CELL = ("model", "engine", "max_batch_size", "requests", "input_tokens", "output_tokens")

_REPEATS = """\
Print J per output token of each cell of a run: the mean of its repeats that are ok, and its 95 %
interval (Student's t). It says how well the measurement repeats, not how right the board's sensor
is."""


def add_commands(commands: Commands) -> None:
    """Add the command."""
    repeats = commands.add_parser(
        "repeats", help="J per token of repeated cells, with intervals", description=_REPEATS
    )
    repeats.add_argument("cells", type=Path, metavar="FILE", help="cells.csv of a run")
    repeats.set_defaults(run=_repeats)


def _repeats(arguments: argparse.Namespace) -> None:
    from io import StringIO

    from sweetspot.errors import InputError
    from sweetspot.reading import read_text

    measured: dict[tuple[str, ...], list[float]] = {}
    left_out = 0
    try:
        for row in csv.DictReader(StringIO(read_text(arguments.cells, "cells table"))):
            values = measured.setdefault(tuple(row[name] for name in _CELL), [])
            if row["status"] == "ok":
                values.append(float(row["energy_per_token_j"]))
            else:
                left_out += 1
    except KeyError as error:
        raise InputError(
            f"{arguments.cells} is not the cells.csv of a run: it has no column {error.args[0]};"
            " `sweetspot fit` takes tables of one's own"
        ) from error
    except (TypeError, ValueError, csv.Error) as error:
        raise InputError(f"{arguments.cells} is not the cells.csv of a run: {error}") from error
    if not measured:
        raise InputError(f"{arguments.cells} has no cells")
    for (model, engine, batch, requests, inputs, outputs), values in measured.items():
        name = f"{model} {engine} b{batch} n{requests} i{inputs} o{outputs}"
        print(f"{name}: {_in_words(values)}")
    if left_out:
        print(f"{left_out} cells are not ok and left out; their reasons are in {arguments.cells}")


def _in_words(values: Sequence[float]) -> str:
    """Return the mean of repeats with its interval."""
    from math import sqrt

    from scipy.special import stdtrit

    count = len(values)
    if not count:
        return "no repeat is ok"
    mean = fmean(values)
    if count == 1:
        return f"{mean:.5g} J/token, measured once: measure.repeats gives an interval"
    half = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * stdev(values) / sqrt(count)
    return f"{mean:.5g} J/token, {mean - half:.5g} to {mean + half:.5g} (95 %, {count} repeats)"
