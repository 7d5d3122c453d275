"""The command `evaluate`: how accurate the simulator is, and whether that is evidence."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweetspot.cli.commands import Commands, show_progress
from sweetspot.errors import InputError

if TYPE_CHECKING:  # it loads numpy, which other commands do without
    from sweetspot.simulator.accuracy.evaluation import Row

_EVALUATE = """\
Fit the simulator's constants again, as each test says, and hold what comes out against published
numbers: energy per token on the 13 x 49 cells of the paper's Table 5, efficiencies that its text
states, NVIDIA's throughput of Llama 3.1 8B, and its latencies of a server with up to 250 clients;
with --measured also against cells that a campaign measured. All of it takes a minute.

Each test says what its constants were fitted to, or chosen in view of. Figures of these numbers are
the error of a fit, and evidence for nothing; the others are predictions. The laws of the simulator
were chosen with all of these numbers in sight: only constants are held out, here as everywhere.

--intervals makes of what was held out, by class of calibration, the intervals that answers carry;
the page has what they cover of numbers that they do not rest on."""

_EXAMPLES = """\
examples:
  sweetspot evaluate
  sweetspot evaluate --only joint-calibration headline-figures
  sweetspot evaluate --measured data/h200-vllm --only measured-h200-vllm
  sweetspot evaluate --json | jq '.tests[] | select(.evidence == "prediction")'

tests:
  all-models-shared, leave-one-model-out, from-one-model, from-three-models, from-each-model,
  from-every-three, headline-figures, throughput-from-data-sheet, energy-from-data-sheet,
  throughput-from-half, joint-calibration, fp8-throughput, shared-throughput, served-latency

tests on each folder NAME of --measured:
  measured-NAME, measured-NAME-in-view, measured-NAME-power, measured-NAME-idle,
  measured-NAME-other-cells, measured-NAME-other-models"""


def add_commands(commands: Commands) -> None:
    """Add `evaluate`."""
    evaluate = commands.add_parser(
        "evaluate",
        help="how accurate the simulator is, test by test",
        description=_EVALUATE,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.add_argument("--only", nargs="+", default=[], metavar="NAME", help="some tests")
    evaluate.add_argument(
        "--measured",
        nargs="+",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="data of campaigns with in-flight batching, such as data/h200-vllm",
    )
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    evaluate.add_argument(
        "--page", type=Path, metavar="FILE", help="write all of it as Markdown, too"
    )
    add = evaluate.add_argument
    add("--intervals", type=Path, metavar="FILE", help="write the intervals that answers carry")
    add("--residuals", type=Path, metavar="FILE", help="and the errors that they are made of (CSV)")
    evaluate.set_defaults(run=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> None:
    from sweetspot.files import make_folder_of, write_text_atomic
    from sweetspot.reference.accuracy import accuracy_page
    from sweetspot.reference.intervals import intervals_section
    from sweetspot.simulator.accuracy.checks import evaluate
    from sweetspot.simulator.accuracy.evaluation import Evaluation
    from sweetspot.simulator.accuracy.intervals import class_intervals, held_out_ratios
    from sweetspot.simulator.accuracy.measured import read_measured

    made = [arguments.page, arguments.intervals, arguments.residuals]
    if arguments.intervals is not None and not arguments.measured:
        raise InputError("intervals rest on measured cells, too; name a folder with --measured")
    if arguments.page is not None and arguments.only:
        raise InputError("a page holds all tests; leave out --only or --page")
    for path in filter(None, made):
        make_folder_of(path)  # a mistake shows now, not after the fits
    rows, evaluation = {}, Evaluation()
    measured = [read_measured(folder) for folder in arguments.measured]
    for name, row in evaluate(arguments.only, _running, measured, evaluation):
        rows[name] = row
        if not arguments.json:
            _print(name, row)
    if any(made):
        _running("intervals")
        found = held_out_ratios(evaluation, measured)
        if arguments.page is not None:
            write_text_atomic(arguments.page, accuracy_page(rows) + intervals_section(found))
        if arguments.intervals is not None:
            from sweetspot.schema.writing import json_text, plain

            text = json_text(plain(class_intervals(found), without_none=True), indent=2)
            write_text_atomic(arguments.intervals, text + "\n")
        if arguments.residuals is not None:
            write_text_atomic(arguments.residuals, found.to_csv(index=False))
    show_progress("")
    missed = [name for name, row in rows.items() if not row.met]
    if arguments.json:
        tests = [{"name": name, **_values(row)} for name, row in rows.items()]
        print(json.dumps({"met": not missed, "tests": tests}))
    else:
        print(f"targets: {'all met' if not missed else 'missed by ' + ', '.join(missed)}")


def _values(row: "Row") -> dict[str, Any]:
    """Return a row as it is printed as JSON."""
    return {
        **asdict(row),
        "evidence": row.evidence,
        "figures": [{**asdict(figure), "met": figure.met} for figure in row.figures],
        "met": row.met,
    }


def _print(name: str, row: "Row") -> None:
    show_progress("")
    print(f"{name}: {row.test}")
    seen = ", ".join(row.seen) or "nothing"
    print(f"  {row.evidence}; constants: {row.level}, fitted to or chosen in view of: {seen}")
    stopped = [search.ended for search in row.searches if not search.converged]
    if stopped:
        print(f"  {len(stopped)} of {len(row.searches)} fits did not converge: {stopped[0]}")
    for figure in row.figures:
        met = {True: "met", False: "NOT MET"}[figure.met] if figure.target else "no target"
        value = f"{figure.value:.{figure.decimals}f} {figure.unit}"
        print(f"  {figure.name:<44}{value:>12}  {figure.target:<16}{met}")


def _running(name: str) -> None:
    show_progress(f"{name} ...")
