"""Commands that the workflow's jobs call; each runs by hand as well."""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from sweetspot.tables import Table


def add_commands(commands: Commands) -> None:
    """Add one command per kind of job."""
    measure = commands.add_parser(
        "measure", help="measure one block of cells", description=_measure.__doc__
    )
    measure.add_argument("--block", required=True, help="name, such as llama-3.2-1b/b1024")
    measure.add_argument("--settings", required=True, metavar="JSON", help="the block's settings")
    measure.add_argument("--cells", required=True, help="such as 'n1000/i64_o64/r0 n1000/...'")
    measure.add_argument("--records", type=Path, required=True, help="folder of cell records")
    measure.add_argument("--out", type=Path, required=True, help="the block's file")
    measure.add_argument(
        "--remeasure",
        choices=("nothing", "failed", "all"),
        default="nothing",
        help="which earlier records not to reuse; default: %(default)s",
    )
    measure.add_argument(
        "--node", metavar="JSON", help="for engines that measure: where this machine has things"
    )
    measure.set_defaults(run=_measure, keeps_cells=True)

    cells = commands.add_parser("cells", help="tabulate all cells", description=_cells.__doc__)
    cells.add_argument("--experiment", required=True, metavar="JSON", help="the configuration")
    cells.add_argument("--out", type=Path, required=True, help="cells.csv")
    cells.add_argument("blocks", nargs="+", type=Path, help="the blocks' files")
    cells.set_defaults(run=_cells)

    analyse = commands.add_parser(
        "analyse", help="write the fits of a run's cells", description=_analyse.__doc__
    )
    analyse.add_argument("cells", type=Path, help="cells.csv")
    analyse.add_argument("--out", type=Path, required=True, help="folder of the fits")
    analyse.add_argument(
        "--weights", choices=("equal", "relative"), default="equal", help="as `analysis.weights`"
    )
    add_max_num_tokens(analyse)
    analyse.set_defaults(run=_analyse)

    compare = commands.add_parser(
        "compare-paper",
        help="put the paper's numbers beside ours",
        description=_compare_paper.__doc__,
    )
    compare.add_argument("cells", type=Path, help="cells.csv")
    compare.add_argument("--fits", type=Path, required=True, help="folder of the fits")
    compare.add_argument("--out", type=Path, required=True, help="comparison.csv")
    compare.set_defaults(run=_compare_paper)

    table = commands.add_parser("table", help="make one of the paper's tables")
    table.intermixed = True
    table.add_argument("name", help="such as table3_mape")
    table.add_argument(
        "cells", nargs="?", metavar="FILE", help="your own measurements, in place of --fits"
    )
    add_columns(table)
    add_weights(table)
    table.add_argument(
        "--models",
        nargs="*",
        default=[],
        help="of table2_models: catalog ids or config.json; of the fits: only these; default: all",
    )
    table.add_argument("--fits", type=Path, help="folder of the fits")
    table.add_argument("--comparison", type=Path, help="comparison.csv")
    table.add_argument("--out", type=Path, required=True, help="file name without its suffix")
    table.set_defaults(run=_table)

    figure = commands.add_parser("figure", help="draw a figure of the paper, or of a fit")
    figure.add_argument("name", help="such as figure2_output_length")
    figure.add_argument("cells", metavar="FILE", help="cells.csv, or your own measurements")
    add_columns(figure)
    add_max_num_tokens(figure)
    figure.add_argument("--style", default="{}", metavar="JSON", help="as `figures` in config.yaml")
    figure.add_argument(
        "--weights", choices=("relative", "equal"), default="relative", help="of figures of a fit"
    )
    figure.add_argument("--out", type=Path, required=True, help="file name without its suffix")
    figure.set_defaults(run=_figure)

    page = commands.add_parser("page", help="put what a run gave on one page")
    page.add_argument("folder", type=Path, help="of the run")
    page.add_argument("--models", nargs="*", default=[], help="as of `table`")
    page.add_argument("--tables", nargs="*", default=[], help="names of those that there are")
    page.add_argument("--figures", nargs="*", default=[], help="names of those that there are")
    page.add_argument("--blocks", nargs="+", type=Path, required=True, help="the blocks' files")
    page.add_argument("--out", type=Path, required=True, help="report.html")
    page.set_defaults(run=_page)

    manifest = commands.add_parser("manifest", help="list a run's files with their hashes")
    manifest.add_argument("--experiment", required=True, metavar="JSON", help="the configuration")
    manifest.add_argument("--out", type=Path, required=True, help="manifest.json")
    manifest.add_argument("files", nargs="+", type=Path)
    manifest.set_defaults(run=_manifest)

    dataset = commands.add_parser(
        "dataset", help="write a request data set for trtllm-bench", description=_dataset.__doc__
    )
    for name in ("requests", "input-tokens", "output-tokens"):
        dataset.add_argument(f"--{name}", type=int, required=True)
    for name in ("vocab-size", "eos-id", "seed"):
        key = f"dataset.{name.replace('-', '_')}"
        dataset.add_argument(f"--{name}", type=int, help=f"default: the paper's, as `{key}`")
    dataset.add_argument("--out", type=Path, required=True, help="JSON lines")
    dataset.set_defaults(run=_dataset)


def _measure(arguments: argparse.Namespace) -> None:
    """Run one block of cells with one engine load; records that are there are reused."""
    from sweetspot.engines import engine
    from sweetspot.engines.base import parse_node
    from sweetspot.measure.measure import measure_block
    from sweetspot.plan.block import parse_block
    from sweetspot.plan.dataset import dataset_writer

    block = parse_block(arguments.block, arguments.settings, arguments.cells)
    node = parse_node(arguments.node) if arguments.node else None
    measure_block(
        block,
        engine(block.settings, node),
        arguments.records,
        arguments.out,
        remeasure=arguments.remeasure,
        prepare=dataset_writer(node.datasets, block.settings.dataset) if node else lambda _: None,
    )


def _cells(arguments: argparse.Namespace) -> None:
    """Write one row per cell of the experiment, from the records of its blocks."""
    from sweetspot.measure.cells_table import write_cells

    write_cells(_experiment(arguments.experiment), arguments.blocks, arguments.out)


def _analyse(arguments: argparse.Namespace) -> None:
    """Fit Baselines 1-4, Eqs. 4 and 5 to every load, and the batch form to all loads at once."""
    from sweetspot.analysis.run_files import analyse

    analyse(
        arguments.cells,
        arguments.out,
        weights=arguments.weights,
        max_num_tokens=arguments.max_num_tokens,
    )


def _compare_paper(arguments: argparse.Namespace) -> None:
    """Write one row per published number that the cells can answer."""
    from sweetspot.analysis.run_files import write_comparison

    write_comparison(arguments.cells, arguments.fits, arguments.out)


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


def _table_of_own(arguments: argparse.Namespace) -> "Table":
    from sweetspot.analysis.fit import fit
    from sweetspot.errors import unknown_name
    from sweetspot.outputs import TABLES_OF_BATCH, TABLES_OF_OWN_FITS
    from sweetspot.tables.own_table import own_table

    known = (*TABLES_OF_OWN_FITS, *TABLES_OF_BATCH)
    if arguments.name not in known:
        raise unknown_name("table of measurements", arguments.name, known)
    refuse_to_replace(arguments.cells, [arguments.out.with_name(f"{arguments.out.name}.csv")])
    columns = columns_of(arguments.columns)
    found = fit(arguments.cells, columns=columns, weights=arguments.weights)
    _say(found.notes)
    return own_table(arguments.name, found, models=arguments.models)


def _figure(arguments: argparse.Namespace) -> None:
    use_one_thread()
    from sweetspot.analysis.batch_tables import batch_fit
    from sweetspot.analysis.fit import fit_observations
    from sweetspot.cells.observations import read_observations
    from sweetspot.config import parse_style
    from sweetspot.errors import unknown_name
    from sweetspot.figures.by_name import BATCH_FIGURES, FIGURES, FIT_FIGURES, SHOW_BATCH
    from sweetspot.figures.canvas import save
    from sweetspot.figures.labels import catalog_labels

    name = arguments.name
    known = (*FIGURES, *FIT_FIGURES, *BATCH_FIGURES)
    if name not in known:
        raise unknown_name("figure", name, known)
    style = parse_style(parse_json(arguments.style, "--style"), "--style")
    observations = read_observations(arguments.cells, columns=columns_of(arguments.columns))
    _say(observations.notes)
    labels = catalog_labels(observations.cells["model"].unique())
    if name in SHOW_BATCH or name in BATCH_FIGURES:
        batch = batch_fit(observations.cells, max_num_tokens=arguments.max_num_tokens)
    if name in BATCH_FIGURES:
        figure = BATCH_FIGURES[name](batch.across, observations.cells, style, labels)
    elif name in SHOW_BATCH:
        figure = SHOW_BATCH[name](observations.cells, style, labels, batch.energies)
    elif name in FIGURES:
        figure = FIGURES[name](observations.cells, style, labels)
    else:
        groups = fit_observations(observations, weights=arguments.weights).groups()
        figure = FIT_FIGURES[name](groups, style, labels)
    save(figure, arguments.out, style.dpi)


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        print(note, file=sys.stderr)


def _page(arguments: argparse.Namespace) -> None:
    use_one_thread()
    from sweetspot.report.write import write_page

    write_page(
        arguments.folder,
        blocks=arguments.blocks,
        models=arguments.models,
        table_names=arguments.tables,
        figure_names=arguments.figures,
        out=arguments.out,
    )


def _manifest(arguments: argparse.Namespace) -> None:
    from sweetspot.measure.manifest import write_manifest

    write_manifest(_experiment(arguments.experiment), arguments.files, arguments.out)


def _dataset(arguments: argparse.Namespace) -> None:
    """Write requests by the rules of prepare_dataset.py token-norm-dist, lengths fixed."""
    from sweetspot.config import Dataset
    from sweetspot.plan.dataset import RequestSpec, write_dataset

    given = {field.name: getattr(arguments, field.name) for field in fields(RequestSpec)}
    spec = {name: value for name, value in given.items() if value is not None}
    write_dataset(arguments.out, RequestSpec(**(asdict(Dataset()) | spec)))


def _experiment(text: str) -> Any:
    from sweetspot.config import parse_experiment

    return parse_experiment(parse_json(text, "--experiment"), "--experiment")
