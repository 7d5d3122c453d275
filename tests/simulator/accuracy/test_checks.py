"""The accuracy table: its targets hold, and its rows say what their constants saw."""

import json
import re
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest

from sweetspot.cli import main
from sweetspot.simulator.accuracy import checks as accuracy
from sweetspot.simulator.accuracy.evaluation import Evaluation, Figure
from sweetspot.simulator.calibration.identifiability import identifiability
from sweetspot.simulator.constants.constants import FITTED, at_bound

DOCS = Path(__file__).parents[3] / "docs"
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e\d+)?")
MANY_FITS = (accuracy.leave_one_model_out, accuracy.from_each_model, accuracy.from_every_three)


@pytest.fixture(scope="module")
def evaluation():
    return Evaluation()


@pytest.mark.parametrize(
    "test",
    [t for t in accuracy.TESTS if t not in MANY_FITS],
    ids=lambda t: t.__name__,
)
def test_row_meets_its_targets(evaluation, test):
    row = test(evaluation)
    assert row.met, row
    assert row.predicted or row.level == "published numbers"
    assert bool(row.seen) == (row.level != "data sheet")


@pytest.mark.slow
def test_all_targets_are_met_and_the_page_says_what_evaluation_gives(capsys, tmp_path):
    measured = str(DOCS.parent / "data" / "h200-vllm")
    page = str(tmp_path / "accuracy.md")
    assert main(["evaluate", "--json", "--measured", measured, "--page", page]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["met"], [test["name"] for test in found["tests"] if not test["met"]]
    committed = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    drifted = drift((tmp_path / "accuracy.md").read_text(encoding="utf-8"), committed)
    assert not drifted, "docs/accuracy.md has drifted: run `make accuracy`"


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


def test_left_out_cells_have_no_part_in_a_fit(evaluation):
    """Wrong energies of cells that are left out change nothing."""
    seen = evaluation.of(accuracy.THREE_MODELS)
    before = evaluation.fit(seen).constants
    spoilt = Evaluation()
    wrong = np.where(seen, 1.0, 3.0) * spoilt.surfaces.values
    spoilt.__dict__["surfaces"] = replace(spoilt.surfaces, values=wrong)
    assert spoilt.fit(seen).constants == before


def test_joint_fit_is_the_calibration_that_ships(evaluation, constants):
    found = evaluation.joint.constants
    for name in FITTED:
        assert getattr(found, name) == pytest.approx(getattr(constants, name), rel=1e-3), name


def test_what_one_model_cannot_tell_has_more_play(evaluation):
    one = identifiability(evaluation.fit(evaluation.of(["llama-3.1-8b"])))
    joint = identifiability(evaluation.joint)
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
