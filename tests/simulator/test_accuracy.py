"""The accuracy table: its targets hold, and its rows say what their constants saw."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sweetspot.simulator import accuracy
from sweetspot.simulator.constants import FITTED, at_bound
from sweetspot.simulator.evaluation import Evaluation, Figure
from sweetspot.simulator.identifiability import identifiability

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def evaluation():
    return Evaluation()


@pytest.mark.parametrize(
    "test",
    [t for t in accuracy.TESTS if t is not accuracy.leave_one_model_out],
    ids=lambda t: t.__name__,
)
def test_row_meets_its_targets(evaluation, test):
    row = test(evaluation)
    assert row.met, row
    if row.predicted and test is not accuracy.headline_figures:
        assert all(f"| {figure.value:.2f} %" in PAGE for figure in row.figures), row
    assert row.predicted or row.level == "published numbers"
    assert bool(row.seen) == (row.level != "data sheet")


@pytest.mark.slow
def test_left_out_models_meet_their_targets(evaluation):
    row = accuracy.leave_one_model_out(evaluation)
    assert row.met, row
    assert "| {:.2f} %, worst {:.2f} %".format(*(f.value for f in row.figures)) in PAGE


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
