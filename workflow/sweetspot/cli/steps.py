"""Commands that the workflow's jobs call; each runs by hand as well."""

import argparse
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from sweetspot.cli.commands import Commands
from sweetspot.cli.fitting import add_max_num_tokens, use_one_thread
from sweetspot.errors import InputError
from sweetspot.reading import parse_json


def add_commands(commands: Commands) -> None:
    """Add one command per kind of job."""
    measure = commands.add_parser(
        "measure", help="measure blocks of cells", description=_measure.__doc__
    )
    of_each: Mapping[str, Any] = {"nargs": "+", "required": True}
    measure.add_argument("--block", **of_each, help="name of each, such as llama-3.2-1b/b1024")
    measure.add_argument("--settings", **of_each, metavar="JSON", help="of each block")
    measure.add_argument("--cells", **of_each, help="such as 'n1000/i64_o64/r0 n1000/...', of each")
    measure.add_argument(
        "--candidates",
        nargs="+",
        help="of each: cells that are measured after those, until they are enough",
    )
    measure.add_argument(
        "--adaptive", metavar="JSON", help="what is enough, as the section `adaptive`"
    )
    measure.add_argument("--out", **of_each, type=Path, help="file of each block")
    measure.add_argument("--records", type=Path, required=True, help="folder of cell records")
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
    analyse.add_argument(
        "--comparison", type=Path, help="comparison.csv, with the paper's numbers beside ours"
    )
    analyse.set_defaults(run=_analyse)

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
    """Run blocks of cells, each with one engine load; records that are there are reused."""
    from sweetspot.engines import engine
    from sweetspot.engines.base import parse_node
    from sweetspot.measure.measure import measure_block
    from sweetspot.plan.block import parse_block
    from sweetspot.plan.dataset import dataset_writer

    candidates = arguments.candidates or [""] * len(arguments.block)
    of_each = (arguments.block, arguments.settings, arguments.cells, candidates, arguments.out)
    if len(set(map(len, of_each))) > 1:
        raise InputError(
            "each --block needs its own --settings, --cells and --out, and --candidates where one"
            " has them, in one order"
        )
    if arguments.candidates and not arguments.adaptive:
        raise InputError("--candidates needs --adaptive, which says what is enough")
    node = parse_node(arguments.node) if arguments.node else None
    with ExitStack() as held:
        observe = None
        if node and node.telemetry.sinks:
            from sweetspot.telemetry.session import publishing

            notes = arguments.records.parent / "logs/telemetry" / f"{arguments.block[0]}.jsonl"
            observe = held.enter_context(publishing(node.telemetry, notes)).observe
        for name, settings, cells, more, out in zip(*of_each, strict=True):
            block = parse_block(name, settings, cells, more, arguments.adaptive)
            dataset = block.settings.dataset
            measure_block(
                block,
                engine(block.settings, node),
                arguments.records,
                out,
                remeasure=arguments.remeasure,
                prepare=dataset_writer(node.datasets, dataset) if node else lambda _: None,
                observe=observe,
            )


def _cells(arguments: argparse.Namespace) -> None:
    """Write one row per cell of the experiment, from the records of its blocks."""
    from sweetspot.measure.cells_table import write_cells

    write_cells(_experiment(arguments.experiment), arguments.blocks, arguments.out)


def _analyse(arguments: argparse.Namespace) -> None:
    """Fit Baselines 1-4, Eqs. 4 and 5 to every load, and the batch form to all loads at once."""
    use_one_thread()
    from sweetspot.analysis.run_files import analyse

    analyse(
        arguments.cells,
        arguments.out,
        weights=arguments.weights,
        max_num_tokens=arguments.max_num_tokens,
        comparison=arguments.comparison,
    )


def _page(arguments: argparse.Namespace) -> None:
    use_one_thread()
    from sweetspot.report.write import write_page

    write_page(
        arguments.folder,
        run=arguments.folder.name,
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
