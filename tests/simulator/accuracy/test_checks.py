"""The accuracy table: docs/accuracy.md says what its rows give, and held-out cells are held out."""

import re
from dataclasses import replace
from itertools import pairwise, zip_longest
from pathlib import Path

import numpy as np
import pytest

from sweetspot.catalog import catalog_entry
from sweetspot.reference.accuracy import _BY_MODEL, _FITS, accuracy_page
from sweetspot.simulator.accuracy import checks
from sweetspot.simulator.accuracy.evaluation import Evaluation, Figure, Row
from sweetspot.simulator.accuracy.measured import measured_tests, read_measured
from sweetspot.simulator.accuracy.throughput import LINKS_AFTER, STATED_AFTER
from sweetspot.simulator.calibration import fit
from sweetspot.simulator.calibration.fit import Identifiability, fit_constants, misfit
from sweetspot.simulator.constants.constants import FITTED

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e\d+)?")

PUBLISHED = {checks.name_of(test): test for test in checks.TESTS}
MEASURED = dict(measured_tests(read_measured(ROOT / "data" / "h200-vllm")))
# Many fits: `make accuracy` makes these rows, and tests here what they are made of.
MANY_FITS = (
    *("leave-one-model-out", "from-three-models", "from-each-model", "from-every-three"),
    *("measured-h200-vllm-other-cells", "measured-h200-vllm-other-models"),
)
OF_ALL_MODELS = ("joint-calibration", "all-models-shared")
JOINT = pytest.mark.slow(reason="a fit to all thirteen models")
FEW = ("llama-3.1-8b", "opt-2.7b", "gemma-2-2b", "llama-3.2-1b")


@pytest.fixture(scope="module", autouse=True)
def _one_start():
    """All searches from one start; the page says that others end alike."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "OTHER_STARTS", 0)
        yield


@pytest.fixture(scope="module")
def evaluation():
    return Evaluation()


@pytest.fixture(scope="module")
def few(evaluation):
    """The evaluation of four models alone, by fits that are not taken to their end."""
    found = Evaluation()
    found.__dict__["names"] = tuple(name for name in evaluation.names if name in FEW)
    found.__dict__["surfaces"] = evaluation.surfaces.only(evaluation.of(FEW))
    return found


def marked(name):
    """Mark the rows of a fit to all models."""
    return pytest.param(name, marks=[JOINT] if name in OF_ALL_MODELS else [])


@pytest.mark.parametrize("name", [marked(n) for n in (*PUBLISHED, *MEASURED) if n not in MANY_FITS])
def test_row_is_what_the_page_says(evaluation, name):
    row = PUBLISHED[name](evaluation) if name in PUBLISHED else MEASURED[name]()
    assert row.predicted or row.level != "own measurements"
    fitted = [seen for seen in row.seen if seen not in (STATED_AFTER, LINKS_AFTER)]
    assert bool(fitted) == (row.level != "data sheet") or name in MEASURED
    assert all(search.converged for search in row.searches)
    heading = "Predictions" if row.predicted else "Errors of fits"
    for part, wanted in (
        (heading, block_of(name)),
        ("By model", column_of(_BY_MODEL.get(name))),
        ("What the data say about the constants", column_of(_FITS.get(name))),
    ):
        now, before = (wanted(table_below(page, part)) for page in (page_of(name, row), PAGE))
        assert not drift(now, before), "docs/accuracy.md has drifted: run `make accuracy`"
        assert now.strip() or part != heading


@pytest.mark.slow(reason="a fit to twelve models")
@pytest.mark.parametrize("model", ["gemma-2-9b"])
def test_model_left_out_has_the_error_that_the_page_says(evaluation, model):
    others = [name for name in evaluation.names if name != model]
    found = fit_constants(evaluation.board, evaluation.targets(others))
    error = evaluation.error_beyond(others, found)
    column = column_of(_BY_MODEL["leave-one-model-out"])(table_below(PAGE, "By model"))
    title = catalog_entry(model).name
    (stated,) = (line for line in column.splitlines() if line.strip().startswith(title))
    assert error == pytest.approx(float(NUMBER.findall(stated)[-1]), abs=0.05)


def test_models_left_out_are_each_predicted_by_all_others(few, monkeypatch):
    monkeypatch.setattr(fit, "MAX_STEPS", 1)
    row = checks.leave_one_model_out(few)
    assert set(row.by_model) == set(FEW)
    assert len(row.searches) == len(FEW)
    for model in FEW[:2]:
        others = [name for name in few.names if name != model]
        found = fit_constants(few.board, few.targets(others)).constants
        assert row.by_model[model] == pytest.approx(few.by_model(found)[model], abs=1e-3)
    mean, worst = row.figures
    assert mean.value == pytest.approx(np.mean(list(row.by_model.values())))
    assert worst.value == max(row.by_model.values())
    assert worst.name == f"worst model ({max(row.by_model, key=row.by_model.__getitem__)})"


@pytest.mark.slow(reason="a dozen fits")
def test_fits_to_one_model_and_to_three_are_held_against_the_others(few, monkeypatch):
    monkeypatch.setattr(fit, "MAX_STEPS", 3)
    one, every_three = checks.from_each_model(few), checks.from_every_three(few)
    found = fit_constants(few.board, few.targets(["opt-2.7b"]))
    others = [name for name in FEW if name != "opt-2.7b"]
    by_model = few.by_model(found.constants)
    expected = np.mean([by_model[name] for name in others])
    assert one.by_model["opt-2.7b"] == pytest.approx(expected, abs=1e-3)
    assert (len(one.searches), len(every_three.searches)) == (4, 3)  # pairs beside Llama 3.1 8B
    errors = {}
    for model in FEW[1:]:
        three_models = [name for name in FEW if name != model]
        fitted = fit_constants(few.board, few.targets(three_models))
        errors[model] = few.by_model(fitted.constants)[model]
    mean, worst, within = every_three.figures
    assert mean.value == pytest.approx(np.mean(list(errors.values())), abs=1e-3)
    assert worst.value == pytest.approx(max(errors.values()), abs=1e-3)
    assert within.value == sum(error <= 4 for error in errors.values())


def test_page_says_in_words_what_would_be_written_and_has_a_row_for_every_test():
    """Its tables: `test_row_is_what_the_page_says`."""
    rows, _, _ = PAGE.partition("\n## How sure an answer is")
    assert words_of(page_of()) == words_of(rows)
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
        ("mean 2.69 %, 431 W, 3e5", False),
        ("mean 2.71 %, 432 W, 3e5", True),
        ("mean 2.65 %, 434 W, 3e5", True),
        ("mean 2.65 %, 432 W, 7e5", True),
        ("worst 2.65 %, 432 W, 3e5", True),
        ("mean 2.65 %, 432 W, 3e5\n", False),
        ("mean 2.65 %, 432 W, 3e5\nmore", True),
    ],
)
def test_drift_is_words_or_numbers_that_other_processors_would_not_give(now, drifted):
    assert bool(drift(now, "mean 2.65 %, 432 W, 3e5")) is drifted


def test_left_out_cells_have_no_part_in_a_fit(evaluation, monkeypatch):
    """Wrong energies of cells that are left out change nothing."""
    monkeypatch.setattr(fit, "MAX_STEPS", 3)
    board, models = evaluation.board, checks.THREE_MODELS
    before = fit_constants(board, evaluation.targets(models)).constants
    spoilt = Evaluation()
    wrong = np.where(spoilt.of(models), 1.0, 3.0) * spoilt.surfaces.values
    spoilt.__dict__["surfaces"] = replace(spoilt.surfaces, values=wrong)
    assert fit_constants(board, spoilt.targets(models)).constants == before


@JOINT
def test_calibration_that_ships_gives_what_the_joint_fit_gives(evaluation, constants):
    """Its files are rounded; what counts is what they give."""
    board, targets = evaluation.board, evaluation.targets(evaluation.names)
    joint, lowest = evaluation.joint, evaluation.joint.objective
    assert misfit(board, targets, joint, joint.constants) == pytest.approx(lowest, rel=1e-9)
    assert lowest <= misfit(board, targets, joint, constants) * (1 + 1e-6) < 1.005 * lowest
    for target in targets:
        ships = target.ratios(board, constants)
        assert ships == pytest.approx(target.ratios(board, joint.constants), rel=0.01)


@JOINT
def test_what_one_model_cannot_tell_has_more_play(evaluation):
    one = fit_constants(evaluation.board, evaluation.targets(["llama-3.1-8b"])).identifiability()
    joint = evaluation.joint.identifiability()
    assert joint.condition_number < one.condition_number
    assert max(joint.play.values()) < 0.2 < one.play["logit_bytes"]
    assert joint.at_bound == evaluation.joint.at_bound == ()


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
