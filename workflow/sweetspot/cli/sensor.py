"""The command `sensor`: how much of alpha5 the paper's way of reading power makes."""

import argparse
from pathlib import Path

from sweetspot.cli.commands import Commands, show_progress

_SENSOR = """\
Simulate the 13 x 49 cells of the paper's grid, read each power trace as the paper does (1-s mean,
every 500 ms, plain sum, with and without a 1-s tail), and print alpha5 of Eq. 5 fitted to the true
energy and to what was read, beside the published one. Takes a few seconds; every number but the
published ones is simulated."""

_EXAMPLES = """\
examples:
  sweetspot sensor
  sweetspot sensor --json --calibration my-h100.json
  sweetspot sensor --page docs/sensor.md --figure docs/images/sensor"""


def add_commands(commands: Commands) -> None:
    """Add `sensor`."""
    sensor = commands.add_parser(
        "sensor",
        help="what the paper's way of reading power adds to short runs",
        description=_SENSOR,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = sensor.add_argument
    add("--calibration", type=Path, metavar="FILE", help="the simulator's constants, for h100-sxm")
    add("--json", action="store_true", help="print one JSON object")
    add("--page", type=Path, metavar="FILE", help="write a page (Markdown)")
    add("--figure", type=Path, metavar="STEM", help="write a figure; name without its suffix")
    sensor.set_defaults(run=_sensor)


def _sensor(arguments: argparse.Namespace) -> None:
    from sweetspot.ask.sensor_error import read_grid
    from sweetspot.catalog import gpu
    from sweetspot.config import FigureStyle
    from sweetspot.figures.canvas import save
    from sweetspot.figures.sensor_error import sensor_figure
    from sweetspot.files import make_folder, make_folder_of, write_text_atomic
    from sweetspot.reference.sensor import sensor_page
    from sweetspot.simulator.constants.calibration_file import load_calibration

    if arguments.page is not None:
        make_folder_of(arguments.page)
    if arguments.figure is not None:
        make_folder(arguments.figure.parent)
    board = gpu("h100-sxm")
    calibration = load_calibration(board, arguments.calibration)
    readings = read_grid(board, calibration.constants, lambda model: show_progress(f"{model} ..."))
    show_progress("")
    named = f"{calibration.name} ({calibration.level})"
    if arguments.page is not None:
        write_text_atomic(arguments.page, sensor_page(readings, named))
    if arguments.figure is not None:
        source = f"simulated · {board.id} · calibration {named} · N = 1000 · max_batch_size 1024"
        figure = sensor_figure(readings.cells, readings.alpha5, FigureStyle(), source)
        save(figure, arguments.figure, 200)
    if arguments.json:
        print(readings.as_json(named))
        return
    print("alpha5 of Eq. 5, J per request")
    print(readings.alpha5.drop(columns="physics").round(3).to_string())
    print(f"simulated; constants: {named}")
