"""Commands that make tables and figures: one by hand, or those of a run in one process."""

import argparse
import gc
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sweetspot.cli.commands import Commands
from sweetspot.cli.fitting import (
    add_columns,
    add_max_num_tokens,
    add_weights,
    columns_of,
    refuse_to_replace,
    use_one_thread,
)
from sweetspot.reading import parse_json

if TYPE_CHECKING:
    from sweetspot.cells.observations import Observations
    from sweetspot.config import FigureStyle
    from sweetspot.figures.canvas import Drawing
    from sweetspot.tables import Table


def add_commands(commands: Commands) -> None:
    """Add the commands."""
    table = commands.add_parser("table", help="make one of the paper's tables")
    table.intermixed = True
    table.add_argument("name", help="such as table3_mape")
    table.add_argument(
        "cells", nargs="?", metavar="FILE", help="your own measurements, in place of --fits"
    )
    add_columns(table)
    add_weights(table)
    add_max_num_tokens(table)
    _add_run(table, models="of table2_models: catalog ids or config.json; of the fits: only these")
    table.add_argument("--out", type=_stem, required=True, help="file name without its suffix")
    table.set_defaults(run=_table)

    tables = commands.add_parser("tables", help="make tables of a run")
    tables.add_argument("names", nargs="+", metavar="NAME", help="such as table3_mape")
    _add_run(tables, models="of table2_models")
    tables.add_argument("--out", type=Path, required=True, help="folder of the tables")
    tables.set_defaults(run=_tables)

    figure = commands.add_parser("figure", help="draw a figure of the paper, or of a fit")
    figure.add_argument("name", help="such as figure2_output_length")
    figure.add_argument("cells", metavar="FILE", help="cells.csv, or your own measurements")
    add_columns(figure)
    _add_drawing(figure)
    figure.add_argument("--out", type=_stem, required=True, help="file name without its suffix")
    figure.set_defaults(run=_figure)

    figures = commands.add_parser("figures", help="draw figures of a run")
    figures.add_argument("names", nargs="+", metavar="NAME", help="such as figure2_output_length")
    figures.add_argument("--cells", required=True, metavar="FILE", help="cells.csv")
    _add_drawing(figures)
    figures.add_argument("--out", type=Path, required=True, help="folder of the figures")
    figures.set_defaults(run=_figures)


def _add_run(parser: argparse.ArgumentParser, models: str) -> None:
    parser.add_argument("--models", nargs="*", default=[], help=f"{models}; default: all")
    parser.add_argument("--fits", type=Path, help="folder of the fits")
    parser.add_argument("--comparison", type=Path, help="comparison.csv")


def _add_drawing(parser: argparse.ArgumentParser) -> None:
    add_max_num_tokens(parser)
    parser.add_argument("--style", default="{}", metavar="JSON", help="as `figures` in config.yaml")
    parser.add_argument(
        "--weights", choices=("relative", "equal"), default="relative", help="of figures of a fit"
    )


def _stem(text: str) -> Path:
    """Return a file's name without a suffix that one of its kinds will get."""
    path = Path(text)
    if path.name in ("", ".."):
        raise argparse.ArgumentTypeError(f"{text!r} is a folder: name a file in it")
    kinds = (".csv", ".md", ".html", ".tex", ".png", ".pdf")
    return path.with_suffix("") if path.suffix in kinds else path


def _table(arguments: argparse.Namespace) -> None:
    use_one_thread()
    from sweetspot.tables import make_table, write_table

    if arguments.cells is None:
        table = make_table(
            arguments.name,
            models=arguments.models,
            fits=arguments.fits,
            comparison=arguments.comparison,
        )
    else:
        table = _table_of_own(arguments)
    write_table(table, arguments.out)
    print(f"written: {arguments.out}.csv, .md, .html and .tex")


def _table_of_own(arguments: argparse.Namespace) -> "Table":
    from sweetspot.analysis.fit import fit
    from sweetspot.errors import unknown_name
    from sweetspot.outputs import TABLES_OF_BATCH, TABLES_OF_OWN_FITS
    from sweetspot.tables.own_table import own_table, with_reading

    known = (*TABLES_OF_OWN_FITS, *TABLES_OF_BATCH)
    if arguments.name not in known:
        raise unknown_name("table of measurements", arguments.name, known)
    refuse_to_replace(arguments.cells, [arguments.out.with_name(f"{arguments.out.name}.csv")])
    columns = columns_of(arguments.columns)
    found = fit(
        arguments.cells,
        columns=columns,
        weights=arguments.weights,
        max_num_tokens=arguments.max_num_tokens,
    )
    _say(found.notes)
    return with_reading(own_table(arguments.name, found, models=arguments.models), found)


def _tables(arguments: argparse.Namespace) -> None:
    use_one_thread()
    from sweetspot.tables import make_tables, write_table

    for name, table in make_tables(
        arguments.names,
        models=arguments.models,
        fits=arguments.fits,
        comparison=arguments.comparison,
    ):
        write_table(table, arguments.out / name)


@contextmanager
def _cycles_left() -> Iterator[None]:
    """Have Python look for no objects that only refer to one another, as a few figures are few.

    Each look goes through all that Matplotlib and pandas are made of: a sixth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_cycles_left()
def _figure(arguments: argparse.Namespace) -> None:
    use_one_thread()
    from sweetspot.cells.observations import read_observations
    from sweetspot.figures.canvas import save

    style = _checked_style(arguments, [arguments.name])
    observations = read_observations(arguments.cells, columns=columns_of(arguments.columns))
    _say(observations.notes)
    [figure] = _drawn([arguments.name], observations, style, arguments)
    save(figure, arguments.out, style.dpi)
    print(f"written: {arguments.out}.png, .pdf and .alt.txt")


@_cycles_left()
def _figures(arguments: argparse.Namespace) -> None:
    use_one_thread()
    from sweetspot.cells.observations import read_observations
    from sweetspot.figures.canvas import save

    style = _checked_style(arguments, arguments.names)
    observations = read_observations(arguments.cells)
    drawn = _drawn(arguments.names, observations, style, arguments)
    for name, figure in zip(arguments.names, drawn, strict=True):
        save(figure, arguments.out / name, style.dpi)


def _checked_style(arguments: argparse.Namespace, names: Iterable[str]) -> "FigureStyle":
    from sweetspot.analysis.batch_form import check_max_num_tokens
    from sweetspot.config import parse_style
    from sweetspot.errors import unknown_name
    from sweetspot.figures.by_name import BATCH_FIGURES, FIGURES, FIT_FIGURES

    known = (*FIGURES, *FIT_FIGURES, *BATCH_FIGURES)
    for name in names:
        if name not in known:
            raise unknown_name("figure", name, known)
    check_max_num_tokens(arguments.max_num_tokens)
    return parse_style(parse_json(arguments.style, "--style"), "--style")


def _drawn(
    names: Sequence[str],
    observations: "Observations",
    style: "FigureStyle",
    arguments: argparse.Namespace,
) -> "Iterator[Drawing]":
    """Draw figures of one table of cells, which is fitted once for all of them."""
    from sweetspot.analysis.batch_across import across_models
    from sweetspot.analysis.batch_fits import fit_models
    from sweetspot.analysis.cells import ok_cells
    from sweetspot.analysis.fit import fit_observations
    from sweetspot.figures.by_name import BATCH_FIGURES, FIGURES, FIT_FIGURES, SHOW_BATCH
    from sweetspot.figures.labels import catalog_labels

    cells = observations.cells
    labels = catalog_labels(cells["model"].unique())
    if any(name in SHOW_BATCH or name in BATCH_FIGURES for name in names):
        fits = fit_models(ok_cells(cells), max_num_tokens=arguments.max_num_tokens)
        energies = {model: fit.energy_per_token_j for model, fit in fits.items()}
    if any(name in FIT_FIGURES for name in names):
        groups = fit_observations(observations, weights=arguments.weights).groups()
    for name in names:
        if name in BATCH_FIGURES:
            yield BATCH_FIGURES[name](across_models(fits), cells, style, labels)
        elif name in SHOW_BATCH:
            yield SHOW_BATCH[name](cells, style, labels, energies)
        elif name in FIGURES:
            yield FIGURES[name](cells, style, labels)
        else:
            yield FIT_FIGURES[name](groups, style, labels)


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        print(note, file=sys.stderr)
