"""Commands about a run: what it will take, whether what it left is so, and its crate."""

import argparse
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sweetspot.cli.commands import Commands

if TYPE_CHECKING:
    from sweetspot.measure.estimate import Affordable, RunEstimate, Share

_PLAN = """\
Say what an experiment takes before anything is started: cells, and where they are measured, how
long GPUs will be busy, their energy, when some GPUs are done, and disk. Cells that have a record in
results/ are done; of an adaptive design, as many are counted as are expected to be needed. Time and
energy are the simulator's."""

_VERIFY = """\
Check a finished run, from its power traces to its tables: energies of records against traces,
cells.csv against records, fits, comparison and tables made once more from cells.csv, figures by
their hashes. Nothing is written. Ends with 1 where something differs. Run it in the folder that the
run was made in."""

_CRATE = """\
Put a finished run, or a campaign's data, into an RO-Crate: all of its files with sizes and SHA-256,
the workflow, versions of software, and in words where each cell's numbers come from. A run's is a
Workflow Run Crate 0.5, a campaign's a Process Run Crate 0.5. What is not as the manifest says is
refused."""

MOST_SHOWN = 10
"""Differences of one check."""


def add_commands(commands: Commands) -> None:
    """Add the commands about a run."""
    plan = commands.add_parser(
        "plan", help="GPU hours, kWh and time of an experiment", description=_PLAN
    )
    plan.add_argument(
        "experiment",
        nargs="?",
        default=Path("config.yaml"),
        type=Path,
        metavar="EXPERIMENT",
        help="its file, the whole of it as for --configfile; default: %(default)s",
    )
    plan.add_argument(
        "--gpus", type=int, default=1, metavar="K", help="that share the work; default: %(default)s"
    )
    plan.add_argument(
        "--budget",
        type=_hours,
        metavar="TIME",
        help="GPU time, such as 2h or 90min: which models it pays for, whole and with few cells",
    )
    plan.add_argument(
        "--next",
        action="store_true",
        help="of an adaptive design: which cells come next, why, and how long each takes",
    )
    plan.add_argument("--json", action="store_true", help="print one JSON object")
    plan.set_defaults(run=_plan)

    verify = commands.add_parser(
        "verify", help="check that a run derives from its records", description=_VERIFY
    )
    verify.add_argument("folder", type=Path, metavar="RUN", help="such as results/paper-simulated")
    verify.set_defaults(run=_verify)

    crate = commands.add_parser(
        "crate", help="a run as an RO-Crate, to be published", description=_CRATE
    )
    crate.add_argument("folder", type=Path, metavar="RUN", help="such as results/paper-simulated")
    crate.add_argument(
        "--out", type=Path, metavar="OUT", help="a .zip, or a new folder; default: RUN.crate.zip"
    )
    crate.add_argument("--agent", default="", metavar="NAME", help="who made the run")
    crate.add_argument(
        "--licence",
        default="https://spdx.org/licenses/Apache-2.0",
        metavar="URL",
        help="that the data are under; default: %(default)s",
    )
    crate.set_defaults(run=_crate)


def _plan(arguments: argparse.Namespace) -> None:
    from sweetspot.measure.estimate import affordable, estimate, next_of

    if arguments.next:
        print("\n".join(next_of(arguments.experiment)))
        return
    found = estimate(arguments.experiment, gpus=arguments.gpus)
    paid = [] if arguments.budget is None else affordable(found.experiment, arguments.budget)
    if arguments.json:
        print(json.dumps(found.values() | {"budget": [asdict(each) for each in paid]}))
        return
    print("\n".join(_lines(found)))
    if paid:
        print(f"{_in_words(arguments.budget)} pay for, models in their order, each whole:")
        print("\n".join(_pays(each) for each in paid))


def _hours(text: str) -> float:
    """Return hours of a time such as 2h or 90min."""
    found = re.fullmatch(r"([0-9]+\.?[0-9]*)(h|min)", text)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write it as 2h, 1.5h or 90min")
    return float(found[1]) / (1 if found[2] == "h" else 60)


def _in_words(hours: float) -> str:
    """Return GPU hours in words, those below one in minutes."""
    if hours < 1:
        return f"{60 * hours:.3g} GPU minutes"
    number = f"{hours:,.2f}".rstrip("0").rstrip(".")
    return f"{number} GPU hour{'s' * (number != '1')}"


def _pays(paid: "Affordable") -> str:
    names = f": {', '.join(paid.models)}" if paid.models else ""
    return (
        f"  design {paid.design:<8} {len(paid.models):>3} of {paid.of_models} models,"
        f" {paid.cells} cells, {paid.gpu_hours:.2f} h{names}"
    )


def _lines(found: "RunEstimate") -> list[str]:
    from sweetspot.words import counted

    total = found.total
    blocks = counted(total.blocks, "block")
    lines = [
        f"{found.experiment.run}: {total.cells} cells in {blocks}, {total.cells_left} of them"
        f" without a record; {found.experiment.engine} on {found.experiment.gpu}"
    ]
    wide = max(len(share.model) for share in (*found.models, total))
    title = f"  {'model':<{wide}}  blocks  cells   left"
    if found.simulated:
        lines.append(title)
        lines += [_counts(share, wide) for share in (*found.models, total)]
        lines.append("simulated: needs no GPU, so there are no GPU hours and no kWh")
        return lines
    lines.append(f"{title}  {'GPU hours':<26}kWh")
    for share in (*found.models, total):
        hours, kwh = share.gpu_hours.in_words, share.kwh.in_words
        lines.append(f"{_counts(share, wide)}  {hours:<26}{kwh}")
    gpus = counted(found.gpus, "GPU")
    hours = found.finish_hours.in_words
    lines.append(f"{gpus}: done after {hours} h; a block is one job on one GPU, longest first")
    if found.gpus > 1 and found.longest_hours == found.finish_hours.expected > 0:
        lines.append(
            f"{found.longest} alone takes as long: more GPUs help only if it is split"
            " (`measure: {block: input}`)"
        )
    return [
        *lines,
        f"disk: {found.dataset_bytes / 1e6:.3g} MB for {found.datasets} data sets",
        "hours and kWh are estimates of the simulator, their ends as if all cells were off to one"
        " side;",
        "building and loading engines and warm-up come on top",
        *found.rests_on,
    ]


def _counts(share: "Share", wide: int) -> str:
    return f"  {share.model:<{wide}}{share.blocks:>8}{share.cells:>7}{share.cells_left:>7}"


def _verify(arguments: argparse.Namespace) -> None:
    from sweetspot.measure.provenance import git_commit
    from sweetspot.verify.verify import verify

    found = verify(arguments.folder)
    kind = "simulated" if found.simulated else "measured"
    print(f"{arguments.folder}: run {found.run}, {kind}")
    for check in found.checks:
        count = len(check.differences)
        verdict = f"{count} DIFFERENCE{'S' * (count > 1)}" if count else "ok"
        print(f"  {check.what:<44}{check.count:>7} {check.unit:<8} {verdict}")
    for check in found.checks:
        if check.note:
            print(f"note: {check.what}: {check.note}")
        if check.differences:
            print(f"{check.what}:")
            print("\n".join(f"  {each}" for each in check.differences[:MOST_SHOWN]))
            if len(check.differences) > MOST_SHOWN:
                print(f"  and {len(check.differences) - MOST_SHOWN} more")
    if found.differences:
        this = git_commit()
        if found.made_by != this:
            print(
                f"note: made by the code of {found.made_by or 'no known commit'}, verified by that"
                f" of {this or 'no known commit'}: they may give other numbers"
            )
        raise SystemExit(1)


def _crate(arguments: argparse.Namespace) -> None:
    from sweetspot.crate.crate import Publishing
    from sweetspot.crate.write import write_crate

    folder: Path = arguments.folder
    named = folder if folder.name not in ("", "..") else folder.resolve()
    out = arguments.out or named.with_name(f"{named.name}.crate.zip")
    publishing = Publishing(agent=arguments.agent, licence=arguments.licence)
    count = write_crate(folder, out, publishing)
    print(f"{out}: {count} files, {publishing.licence}")
