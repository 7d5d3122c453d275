"""Two tables of cells side by side, from the command line."""

import argparse
from pathlib import Path

from sweetspot.cli.commands import Commands
from sweetspot.cli.fitting import columns_of, refuse_to_replace, use_one_thread

_TABLES = ("ratios", "by_model")


def add_commands(commands: Commands) -> None:
    """Add the command that sets two runs side by side."""
    compare = commands.add_parser(
        "compare", help="set two runs, boards or engines side by side", description=_compare.__doc__
    )
    for name in ("A", "B"):
        compare.add_argument(
            name.lower(), metavar=name, help="measurements, as `sweetspot fit` takes them"
        )
    for name in ("A", "B"):
        compare.add_argument(
            f"--columns-{name.lower()}",
            nargs="+",
            action="extend",
            default=[],
            metavar="NAME=COLUMN",
            help=f"of {name}: which column a quantity is in, or a number for all rows",
        )
    compare.add_argument("--out", type=Path, help="folder of ratios.csv, by_model.* and a figure")
    compare.set_defaults(run=_compare)


def _compare(arguments: argparse.Namespace) -> None:
    """Say what B takes over what A takes, for every cell that is in both, with its interval."""
    use_one_thread()
    from sweetspot.analysis.beside import compare_runs

    if arguments.out is not None:
        for source in (arguments.a, arguments.b):
            refuse_to_replace(source, [arguments.out / f"{name}.csv" for name in _TABLES])
    beside = compare_runs(
        arguments.a,
        arguments.b,
        first_columns=columns_of(arguments.columns_a, "--columns-a"),
        second_columns=columns_of(arguments.columns_b, "--columns-b"),
    )
    print(beside.summary())
    if arguments.out is not None:
        from sweetspot.config import FigureStyle
        from sweetspot.figures.canvas import save
        from sweetspot.figures.labels import catalog_labels, written_out
        from sweetspot.figures.ratios import ratios_figure
        from sweetspot.files import write_text_atomic
        from sweetspot.tables import write_table
        from sweetspot.tables.beside_table import beside_table

        style, out = FigureStyle(), arguments.out
        write_text_atomic(out / "ratios.csv", beside.ratios.to_csv(index=False))
        write_table(beside_table(beside), out / "by_model")
        figure = ratios_figure(
            beside.ratios,
            dict(zip(beside.by_model["model"], beside.by_model["ratio"], strict=True)),
            style,
            catalog_labels(beside.by_model["model"]),
            [f"{beside.intervals}.", *map(written_out, beside.sides)],
        )
        save(figure, out / "ratios", style.dpi)
