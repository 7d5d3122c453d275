"""The explorer's page: of a question (`explore`), and of a run (`explore-run`)."""

import argparse
import os
import sys
from pathlib import Path

from sweetspot.cli.commands import Commands, show_progress
from sweetspot.cli.fitting import add_columns, columns_of, refuse_to_replace
from sweetspot.reading import parse_json

_EXPLORE = """\
Simulate models on boards over input and output lengths, requests at once and at a rate, batch
limits and precisions, and write a page to look around in: energy per token with its sweet spot,
power, throughput, latencies, kWh, money and CO2. The page is one file that needs no network, and a
browser opens it. It takes some fifteen seconds for each model on each board. Every number is
simulated, but those of --cells."""

_EXAMPLES = """\
examples:
  sweetspot explore --model llama-3.1-8b --gpu h100-sxm
  sweetspot explore --model llama-3.1-8b ./my-model --gpu h100 h200 --out build/ours.html --no-open
  sweetspot explore --model llama-3.1-8b --gpu h200 --engine vllm --cells my.csv"""


def add_commands(commands: Commands) -> None:
    """Add `explore` and `explore-run`."""
    parser = commands.add_parser(
        "explore",
        help="a page to look around in: energy over lengths, loads, batches, boards",
        description=_EXPLORE,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    for what, of in (("model", "ids, or paths of folders"), ("gpu", "ids, or files of one's own")):
        add(
            *(f"--{what}", f"--{what}s"),
            dest=f"{what}s",
            nargs="+",
            action="extend",
            required=True,
            metavar="NAME",
            help=f"{of}, as of `sweetspot predict`",
        )
    add("--engine", metavar="NAME", help="as of `sweetspot predict`")
    add(
        "--cells",
        type=Path,
        metavar="FILE",
        help="measurements to be shown beside, as `sweetspot fit` takes them",
    )
    add_columns(parser)
    add(
        "--out",
        type=Path,
        default=Path("explorer.html"),
        metavar="FILE",
        help="default: %(default)s",
    )
    add("--no-open", action="store_true", help="open no browser")
    parser.set_defaults(run=_explore)

    of_run = commands.add_parser(
        "explore-run", help="write the explorer of a run", description=_explore_run.__doc__
    )
    of_run.add_argument("cells", type=Path, help="cells.csv")
    of_run.add_argument("--experiment", required=True, metavar="JSON", help="the configuration")
    of_run.add_argument("--out", type=Path, required=True, help="explorer.html")
    of_run.set_defaults(run=_explore_run)


def _explore(arguments: argparse.Namespace) -> None:
    from sweetspot.explorer.explore import explore
    from sweetspot.files import make_folder_of

    if arguments.cells is not None:
        refuse_to_replace(arguments.cells, [arguments.out])
    make_folder_of(arguments.out)
    try:
        path = explore(
            arguments.models,
            arguments.gpus,
            arguments.out,
            engine=arguments.engine,
            cells=arguments.cells,
            columns=columns_of(arguments.columns),
            progress=lambda share: show_progress(f"{100 * share:.0f} % is simulated"),
        )
    finally:
        show_progress("")
    print(path)
    if not arguments.no_open and _has_display():
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


def _has_display() -> bool:
    """Return whether a browser has somewhere to open; one in the terminal shows no such page."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _explore_run(arguments: argparse.Namespace) -> None:
    """Write a page of a run's cells, with simulated grids and the paper's surfaces beside."""
    from sweetspot.config import parse_experiment
    from sweetspot.explorer.run import write_run_page

    what = "--experiment"
    experiment = parse_experiment(parse_json(arguments.experiment, what), what)
    write_run_page(arguments.cells, experiment, arguments.out)
