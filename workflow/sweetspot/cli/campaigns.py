"""Commands of a campaign: measure for some minutes, and report what such campaigns left."""

import argparse
from pathlib import Path

from sweetspot.cli.commands import Commands

_CAMPAIGN = """\
Measure on this machine's GPU what fits into some minutes, most informative cells first; the same
command goes on from there. Needs no Snakemake, and of Python packages only numpy, pyyaml
and nvidia-ml-py beside those of the engine. However it ends, OUT/compact holds all that was
measured."""


def add_commands(commands: Commands) -> None:
    """Add the commands of campaigns."""
    campaign = commands.add_parser(
        "campaign", help="measure for some minutes what fits", description=_CAMPAIGN
    )
    campaign.add_argument("file", type=Path, help="the experiment, such as campaign.yaml")
    campaign.add_argument("--minutes", type=minutes, required=True, help="time to be done in")
    campaign.add_argument("--out", type=Path, required=True, help="folder of the campaign")
    campaign.add_argument("--engine", help="in place of the file's")
    campaign.add_argument("--gpu", metavar="NAME", help="in place of the file's, or of the node's")
    campaign.add_argument(
        "--retry",
        choices=("failed", "all"),
        help="cells to measure again; `failed` are those that are not ok",
    )
    campaign.add_argument(
        "--skip-sensor", action="store_true", help="do not look at the power sensor first"
    )
    campaign.add_argument(
        "--dry-run",
        action="store_true",
        help="only print what would be measured, and how long each step would take",
    )
    campaign.set_defaults(run=_campaign, keeps_cells=True)

    report = commands.add_parser(
        "campaign-report",
        help="tables, figures and a report of a campaign's data",
        description=_report.__doc__,
    )
    report.add_argument(
        "data", type=Path, help="folder of a campaign or a probe, or a copy of `compact`"
    )
    report.add_argument("--out", type=Path, required=True, help="folder of the report")
    report.add_argument(
        "--beside",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="folder of other campaigns, which this one is compared with; default: %(default)s",
    )
    report.set_defaults(run=_report)


def minutes(text: str) -> float:
    """Return a time that a campaign can have, in minutes."""
    number = float(text)
    if not 0 < number < 7 * 24 * 60:
        raise argparse.ArgumentTypeError(f"must be above 0 and less than a week, not {text}")
    return number


def _campaign(arguments: argparse.Namespace) -> None:
    from sweetspot.campaign.file import parse_campaign
    from sweetspot.campaign.outlook import outlook
    from sweetspot.campaign.whole import run_file
    from sweetspot.cli.progress import line_that_updates
    from sweetspot.reading import as_mapping, read_yaml

    config = as_mapping(read_yaml(arguments.file, "experiment"), f"experiment {arguments.file}")
    file = parse_campaign(config, str(arguments.file), arguments.engine, arguments.gpu)
    if not file.names_gpu:
        file = file.on(gpu_here())
    if arguments.dry_run:
        lines = outlook(file, minutes=arguments.minutes, sensor=not arguments.skip_sensor)
        print("\n".join(lines))
        return
    run_file(
        file,
        arguments.out,
        minutes=arguments.minutes,
        sensor=not arguments.skip_sensor,
        remeasure=arguments.retry or "nothing",
        watched=line_that_updates,
    )


def gpu_here() -> str:
    """Return the id of this node's GPU: of those that a job may use, the first that is known.

    Raises:
        InputError: there is none, or none that the catalog knows: what the file should say.
    """
    from sweetspot.catalog import known_gpu
    from sweetspot.errors import InputError, MeterError
    from sweetspot.metering.nvml import allowed_boards

    try:
        names = list(allowed_boards().values())
    except MeterError as error:
        raise InputError(
            f"no usable NVIDIA GPU here ({error}), and the experiment names none: --gpu, or `gpu:`"
            " in the experiment, says which one is meant; or run this on a node that has one"
        ) from error
    return known_gpu(names, "--gpu my-gpu.yaml, or `gpu:` in the experiment").id


def _report(arguments: argparse.Namespace) -> None:
    """Check a campaign's data against its manifest, and make all that its cells can give."""
    from sweetspot.campaign.report.beside_campaigns import campaigns_in
    from sweetspot.campaign.report.write import probes_beside, write_report
    from sweetspot.config import FigureStyle
    from sweetspot.probe.page import write_probe_page
    from sweetspot.probe.probed import FILE as PROBE

    probes = probes_beside(arguments.data)

    def write(data: Path, out: Path) -> None:
        write_report(data, out, campaigns_in(arguments.beside, but=data), probes)

    if (arguments.data / PROBE).is_file():
        write_probe_page(probes[0], arguments.out, FigureStyle())
        return
    parts = sorted(path.parent for path in arguments.data.glob("*/compact") if path.is_dir())
    if not parts:
        within = arguments.data / "compact"
        write(within if within.is_dir() else arguments.data, arguments.out)
    for part in parts:
        write(part / "compact", arguments.out / part.name)
