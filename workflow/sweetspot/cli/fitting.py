"""Fitting one's own measurements from the command line."""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from sweetspot.cells.columns import GivenColumns
from sweetspot.cli.commands import Commands
from sweetspot.errors import InputError
from sweetspot.files import make_folder


def add_commands(commands: Commands) -> None:
    """Add the command that fits anybody's cells."""
    fit = commands.add_parser(
        "fit", help="fit the energy models to your own measurements", description=_fit.__doc__
    )
    fit.add_argument(
        "cells", metavar="FILE", help="measurements: .csv, .jsonl, .json, or a folder of ours"
    )
    add_columns(fit)
    add_weights(fit)
    add_max_num_tokens(fit)
    fit.add_argument("--model", help="show this model only")
    fit.add_argument(
        "--out", type=Path, metavar="DIR", help="also write fits, tables and figures there"
    )
    fit.add_argument("--json", action="store_true", help="print one JSON object")
    fit.set_defaults(run=_fit)


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Add what says the columns of a table of measurements where their names do not."""
    parser.add_argument(
        "--columns",
        nargs="+",
        action="extend",
        type=_named_column,
        default=[],
        metavar="NAME=COLUMN",
        help="which column a quantity is in, or a number for all rows: requests=100",
    )


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add how a fit of one's own counts errors."""
    parser.add_argument(
        "--weights",
        choices=("relative", "equal"),
        default="relative",
        help="whether errors count as a share of each cell's energy or, as in the paper, in J; "
        "default: %(default)s",
    )


def add_max_num_tokens(parser: argparse.ArgumentParser) -> None:
    """Add what an iteration takes at most, where the cells do not say it."""
    parser.add_argument(
        "--max-num-tokens",
        type=int,
        default=8192,
        help="tokens of an iteration at most, for the batch form; default: %(default)s",
    )


def use_one_thread() -> None:
    """Keep numpy, where it is not loaded yet, to one thread.

    Tables as tall and narrow as these give a second one nothing to do but to wait at full load.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def refuse_to_replace(source: str | Path, written: Iterable[Path]) -> None:
    """Refuse to write over the measurements themselves.

    Raises:
        InputError: one of the files to be written is the one that is read.
    """
    for path in written:
        if path.resolve() == Path(source).resolve():
            raise InputError(f"--out would write over {source}; name another")


def _named_column(word: str) -> str:
    """Return a word of --columns."""
    if "=" not in word:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=COLUMN")
    return word


def columns_of(words: Iterable[str], option: str = "--columns") -> GivenColumns:
    """Return the columns that an option names.

    Raises:
        InputError: a word is not NAME=COLUMN, or names a quantity twice.
    """
    columns = GivenColumns(option=option)
    for word in words:
        name, equals, column = word.partition("=")
        if not (name and equals and column):
            raise InputError(f"{option} takes NAME=COLUMN, not {word!r}: output_tokens='out len'")
        if name in columns:
            raise InputError(f"{option} names {name} twice: {columns[name]!r} and {column!r}")
        columns[name] = column
    return columns


def _fit(arguments: argparse.Namespace) -> None:
    """Fit the six energy models to measurements of your own, and say where the sweet spots are."""
    use_one_thread()
    from sweetspot.analysis.fit import fit

    columns = columns_of(arguments.columns)
    if arguments.out is not None:
        if arguments.out.resolve() in Path(arguments.cells, "cells.csv").resolve().parents[:2]:
            raise InputError(f"--out {arguments.out} is where {arguments.cells} lies; name another")
        make_folder(arguments.out)
    found = fit(
        arguments.cells,
        columns=columns,
        weights=arguments.weights,
        max_num_tokens=arguments.max_num_tokens,
    )
    if arguments.json:
        print(json.dumps(found.values(model=arguments.model), ensure_ascii=False))
    else:
        print(found.summary(model=arguments.model))
    if arguments.out is not None:
        from sweetspot.cli.fit_folder import write_fit

        missing = write_fit(found, arguments.out, f"Fit of {Path(arguments.cells).name}")
        print(*missing, f"written to {arguments.out}", sep="\n", file=sys.stderr)
