"""The accuracy table: every row meets its targets, and docs/accuracy.md says what it gives."""

import re
from dataclasses import replace
from itertools import pairwise, zip_longest
from pathlib import Path

import numpy as np
import pytest

from sweetspot.reference.accuracy import _BY_MODEL, _FITS, accuracy_page
from sweetspot.simulator.accuracy import checks
from sweetspot.simulator.accuracy.evaluation import Evaluation, Figure, Row
from sweetspot.simulator.accuracy.measured import measured_tests
from sweetspot.simulator.calibration.fit import Identifiability, fit_constants, misfit
from sweetspot.simulator.constants.constants import FITTED, at_bound

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e\d+)?")
# How long a search takes hangs on the processor that rounds it.
LENGTH = re.compile(r"\d+ evaluations")

# Slowest first, so that no worker is left with one of them at the end.
MANY_FITS = (checks.from_every_three, checks.leave_one_model_out, checks.from_each_model)
PUBLISHED = {
    checks.name_of(test): test
    for test in (*MANY_FITS, *(test for test in checks.TESTS if test not in MANY_FITS))
}
MEASURED = dict(measured_tests(ROOT / "data" / "h200-vllm"))
CASES = [
    pytest.param(name, marks=pytest.mark.slow if PUBLISHED.get(name) in MANY_FITS else ())
    for name in (*PUBLISHED, *MEASURED)
]


@pytest.fixture(scope="session")
def evaluation():
    return Evaluation()


@pytest.mark.parametrize("name", CASES)
def test_row_meets_its_targets_and_is_what_the_page_says(evaluation, name):
    row = PUBLISHED[name](evaluation) if name in PUBLISHED else MEASURED[name]()
    assert row.met, row
    assert row.predicted or row.level == "published numbers"
    assert bool(row.seen) == (row.level != "data sheet") or name in MEASURED
    assert all(search.converged for search in row.searches)
    heading = "Predictions" if row.predicted else "Errors of fits"
    for part, wanted in (
        (heading, block_of(name)),
        ("How the fits ended", block_of(name)),
        ("By model", column_of(_BY_MODEL.get(name))),
        ("What the data say about the constants", column_of(_FITS.get(name))),
    ):
        now, before = (wanted(table_below(page, part)) for page in (page_of(name, row), PAGE))
        assert not drift(now, before), "docs/accuracy.md has drifted: run `make accuracy`"
        assert now.strip() or part != heading


def test_page_says_in_words_what_would_be_written_and_has_a_row_for_every_test():
    """Its tables: `test_row_meets_its_targets_and_is_what_the_page_says`."""
    assert words_of(page_of()) == words_of(PAGE)
    titles = re.findall(r"^\| `(.+?)`: ", PAGE, re.MULTILINE)
    assert sorted(titles) == sorted([*PUBLISHED, *MEASURED])


def page_of(name="", row=None):
    """Return the page with this row, and with empty ones where it asks for others."""
    nothing = Identifiability(1.0, dict.fromkeys(FITTED, 0.0), ())
    models = dict.fromkeys(Evaluation().names, 0.0)
    other = Row("other", "data sheet", (), True, (Figure("mean", 0.0),), models, nothing)
    return accuracy_page(dict.fromkeys([*_BY_MODEL, *_FITS], other) | ({name: row} if name else {}))


def table_below(page, heading):
    """Return the lines of the table that stands first under a heading."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")]


def block_of(name):
    """Return a function that takes a test's lines out of a table."""

    def block(lines):
        starts = [i for i, line in enumerate(lines) if line.startswith("| `")] + [len(lines)]
        found = [
            line
            for start, end in pairwise(starts)
            for line in lines[start:end]
            if lines[start].startswith((f"| `{name}`:", f"| `{name}` "))
        ]
        return "\n".join(found)

    return block


def column_of(title):
    """Return a function that takes the column of this title, and the first one, out of a table."""

    def column(lines):
        rows = [line.strip("|").split("|") for line in lines]
        if title is None or f" {title} " not in rows[0]:
            return ""
        place = [cell.strip() for cell in rows[0]].index(title)
        return "\n".join(f"{row[0]}: {row[place]}" for row in rows)

    return column


def words_of(page):
    """Return the lines that are in no table, and the headings of tables."""
    lines = page.splitlines()
    below = zip_longest(lines, lines[1:], fillvalue="")
    return [a for a, b in below if not a.startswith("|") or b.startswith("| ---")]


def drift(now, before):
    """Return pairs of lines that differ in words, or in numbers by more than CPUs do."""
    pairs = zip_longest(now.splitlines(), before.splitlines(), fillvalue="")
    return [(a, b) for a, b in pairs if NUMBER.sub("#", a) != NUMBER.sub("#", b) or far(a, b)]


def far(now, before):
    """Return whether numbers differ: by 0.05 points or 1 % of them, 1 W, or twofold in an order."""
    now, before = (LENGTH.sub(lambda found: found[0].replace(" ", "e0 "), x) for x in (now, before))
    for a, b in zip(NUMBER.findall(now), NUMBER.findall(before), strict=True):
        if "e" in a + b:
            if not 0.5 <= float(a) / float(b) <= 2:
                return True
        elif abs(float(a) - float(b)) > (max(0.0501, 0.01 * float(b)) if "." in a + b else 1):
            return True
    return False


@pytest.mark.parametrize(
    ("now", "drifted"),
    [
        ("mean 2.69 %, 431 W, 3e5, 60 evaluations", False),
        ("mean 2.71 %, 432 W, 3e5, 60 evaluations", True),
        ("mean 2.65 %, 434 W, 3e5, 60 evaluations", True),
        ("mean 2.65 %, 432 W, 7e5, 60 evaluations", True),
        ("mean 2.65 %, 432 W, 3e5, 90 evaluations", False),
        ("mean 2.65 %, 432 W, 3e5, 150 evaluations", True),
        ("worst 2.65 %, 432 W, 3e5, 60 evaluations", True),
        ("mean 2.65 %, 432 W, 3e5, 60 evaluations\n", False),
        ("mean 2.65 %, 432 W, 3e5, 60 evaluations\nmore", True),
    ],
)
def test_drift_is_words_or_numbers_that_other_processors_would_not_give(now, drifted):
    assert bool(drift(now, "mean 2.65 %, 432 W, 3e5, 60 evaluations")) is drifted


def test_left_out_cells_have_no_part_in_a_fit(evaluation):
    """Wrong energies of cells that are left out change nothing."""
    board, models = evaluation.board, checks.THREE_MODELS
    before = fit_constants(board, evaluation.targets(models)).constants
    spoilt = Evaluation()
    wrong = np.where(spoilt.of(models), 1.0, 3.0) * spoilt.surfaces.values
    spoilt.__dict__["surfaces"] = replace(spoilt.surfaces, values=wrong)
    assert fit_constants(board, spoilt.targets(models)).constants == before


def test_joint_fit_is_one_optimum_from_wherever_the_search_starts(evaluation):
    starts = evaluation.joint.starts
    assert (starts.converged, starts.count) == (5, 5)
    assert starts.cost_percent < 0.01
    assert starts.prediction_percent < 0.05


def test_calibration_that_ships_gives_what_the_joint_fit_gives(evaluation, constants):
    """Not the same constants: an earlier search stopped on the way along a flat valley.

    What counts is what they give: a misfit within 0.5 % of the smallest, and every energy and
    throughput within 1 %.
    """
    board, targets = evaluation.board, evaluation.targets(evaluation.names)
    lowest = evaluation.joint.objective
    assert misfit(board, targets, evaluation.joint.constants) == pytest.approx(lowest, rel=1e-9)
    assert lowest <= misfit(board, targets, constants) < 1.005 * lowest
    for target in targets:
        ships = target.ratios(board, constants)
        assert ships == pytest.approx(target.ratios(board, evaluation.joint.constants), rel=0.01)


def test_what_one_model_cannot_tell_has_more_play(evaluation):
    one = fit_constants(evaluation.board, evaluation.targets(["llama-3.1-8b"])).identifiability()
    joint = evaluation.joint.identifiability()
    assert joint.condition_number < one.condition_number
    assert joint.play["kv_energy_sharing"] < 1 < one.play["kv_energy_sharing"]
    assert joint.play["request_energy_j"] < 0.2
    assert joint.at_bound == tuple(at_bound(evaluation.joint.constants))


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("mean", 2.0), True),
        (Figure("mean", 2.0, at_most=2.0), True),
        (Figure("mean", 2.1, at_most=2.0), False),
        (Figure("power", 140.0, "W", 700.0, 150.0), False),
        (Figure("mean", float(np.nan), at_most=2.0), False),
    ],
)
def test_figure_is_held_against_its_target(figure, met):
    assert figure.met is met
