"""The command `probe`: a board looked at kernel by kernel."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweetspot.cli.campaigns import minutes
from sweetspot.cli.commands import Commands
from sweetspot.cli.extras import missing_package

if TYPE_CHECKING:
    from sweetspot.probe.probed import Probed

_PROBE = """\
Measure what this node's GPU draws while single kernels run: no program, a context, copies, matrix
products, decode attention, decoder layers, norms, most informative first, 5 s each, with clocks.
Needs torch in the Python of --python, and beside it what a campaign needs. OUT/probe.json has each
step as soon as it is done; the same command goes on with those that are missing. OUT/report.html
shows all of it, where the extra `analysis` is installed; elsewhere `sweetspot campaign-report OUT`
makes it. `sweetspot calibrate --probe OUT` makes the board's constants of it."""

_EXAMPLES = """\
examples:
  sweetspot probe --minutes 8 --out probes/my-h100
  sweetspot calibrate --probe probes/my-h100 --board-out my-h100.json"""


def add_commands(commands: Commands) -> None:
    """Add `probe`."""
    parser = commands.add_parser(
        "probe",
        help="power and clocks of this node's GPU, kernel by kernel",
        description=_PROBE,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the probe")
    add("--minutes", type=minutes, default=10.0, help="time to be done in; default: %(default)g")
    add("--gpu", metavar="NAME", help="which GPU it must be; left out: whichever is here")
    add(
        "--python",
        default="python3",
        metavar="COMMAND",
        help="that has torch; default: %(default)s",
    )
    add(
        "--seconds",
        type=float,
        default=5.0,
        metavar="S",
        help="of each window; default: %(default)g, which sensors need",
    )
    add("--retry", action="store_true", help="measure failed and invalid steps again")
    add(
        "--device",
        choices=("cuda", "cpu"),
        default="cuda",
        help="cpu: small kernels on the CPU, to try the path; the numbers mean nothing",
    )
    parser.set_defaults(run=_probe, keeps_cells=True)


def _probe(arguments: argparse.Namespace) -> None:
    from sweetspot.config import NodeSettings, parse_section
    from sweetspot.errors import EngineError, InputError
    from sweetspot.probe.run import Asked, run_probe
    from sweetspot.probe.steps import steps

    if not 0.1 <= arguments.seconds <= 600:
        raise InputError(f"--seconds must be from 0.1 to 600, not {arguments.seconds:g}")
    probed = run_probe(
        arguments.out,
        Asked(
            minutes=arguments.minutes,
            gpu=arguments.gpu,
            seconds=arguments.seconds,
            device=arguments.device,
            node=parse_section(NodeSettings, {"python": arguments.python}),
            again=arguments.retry,
        ),
    )
    done = sum(each.status == "ok" for each in probed.steps)
    print(f"{arguments.out}: {done} of {len(steps())} steps of {probed.gpu} are ok")
    if done:
        _write_page(probed, arguments.out)
    if not done:
        reasons = "; ".join(dict.fromkeys(each.reason for each in probed.steps))
        raise EngineError(f"no step could be measured: {reasons or 'there was no time'}")


def _write_page(probed: "Probed", out: Path) -> None:
    """Write the page of a probe; where a package is missing, say how to come by it."""
    from sweetspot.config import FigureStyle

    try:
        from sweetspot.probe.page import write_probe_page

        write_probe_page(probed, out, FigureStyle())
    except ImportError as error:
        if missing_package(error) is None:
            raise
        print(f"`sweetspot campaign-report {out} --out REPORT` shows it, with the extra `analysis`")
    else:
        print(f"{out / 'report.html'} shows it")
