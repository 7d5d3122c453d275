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
    campaign.add_argument(
        "--retry",
        choices=("failed", "all"),
        help="cells to measure again; `failed` are those that are not ok",
    )
    campaign.add_argument(
        "--skip-sensor", action="store_true", help="do not look at the power sensor first"
    )
    campaign.set_defaults(run=_campaign, keeps_cells=True)

    report = commands.add_parser(
        "campaign-report",
        help="tables, figures and a report of a campaign's data",
        description=_report.__doc__,
    )
    report.add_argument("data", type=Path, help="folder of a campaign, or a copy of its `compact`")
    report.add_argument("--out", type=Path, required=True, help="folder of the report")
    report.set_defaults(run=_report)


def minutes(text: str) -> float:
    """Return a time that a campaign can have, in minutes."""
    number = float(text)
    if not 0 < number < 7 * 24 * 60:
        raise argparse.ArgumentTypeError(f"must be above 0 and less than a week, not {text}")
    return number


def _campaign(arguments: argparse.Namespace) -> None:
    from sweetspot.campaign.run import run_campaign
    from sweetspot.cli.progress import line_that_updates
    from sweetspot.config import parse_experiment
    from sweetspot.reading import as_mapping, read_yaml

    config = as_mapping(read_yaml(arguments.file, "experiment"), f"experiment {arguments.file}")
    if arguments.engine:
        config = {**config, "engine": arguments.engine}
    with line_that_updates(arguments.out):
        run_campaign(
            parse_experiment(config, str(arguments.file)),
            arguments.out,
            minutes=arguments.minutes,
            sensor=not arguments.skip_sensor,
            remeasure=arguments.retry or "nothing",
        )


def _report(arguments: argparse.Namespace) -> None:
    """Check a campaign's data against its manifest, and make all that its cells can give."""
    from sweetspot.campaign.report.write import write_report

    within = arguments.data / "compact"
    write_report(within if within.is_dir() else arguments.data, arguments.out)
