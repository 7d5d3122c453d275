"""The intervals that ship, from the errors that they are made of."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweetspot.catalog import gpu
from sweetspot.reference.intervals import intervals_section
from sweetspot.simulator.accuracy.intervals import (
    COLUMNS,
    SURFACES,
    change_coverages,
    class_intervals,
    coverages,
)
from sweetspot.simulator.accuracy.measured import read_measured
from sweetspot.simulator.accuracy.throughput import serving_errors
from sweetspot.simulator.calibration.to_published import surface_target
from sweetspot.simulator.constants.calibration_file import load_calibration, shipped_boards
from sweetspot.simulator.constants.constants import CHOSEN_IN_VIEW, stated_on
from sweetspot.simulator.constants.intervals import QUANTITIES, WIDEST, shipped_intervals

RESIDUALS = Path(__file__).with_name("residuals.csv")


@pytest.fixture(scope="module")
def recorded():
    return pd.read_csv(RESIDUALS)


@pytest.fixture(scope="module")
def of_recorded(recorded):
    return class_intervals(recorded)


def planted(domain, level, same, model, errors, quantity="energy"):
    rows = [
        (domain, level, same, same, quantity, model, 100, 64, 2**place, error)
        for place, error in enumerate(errors)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_shipped_intervals_are_those_of_the_recorded_errors(of_recorded):
    found, shipped = of_recorded, shipped_intervals()
    assert [each.of for each in found.classes] == [each.of for each in shipped.classes]
    for ours, theirs in zip(found.classes, shipped.classes, strict=True):
        for quantity in QUANTITIES:
            one, other = getattr(ours, quantity), getattr(theirs, quantity)
            assert (one is None) == (other is None)
            if one is not None:
                assert one.factor == pytest.approx(other.factor, rel=1e-3)
                assert (one.level, one.models, one.cells, one.rests_on) == (
                    *(other.level, other.models, other.cells, other.rests_on),
                )
        assert [(each.what, each.at_most_times) for each in ours.changes] == [
            (each.what, each.at_most_times) for each in theirs.changes
        ]
        for one, other in zip(ours.changes, theirs.changes, strict=True):
            assert one.interval.factor == pytest.approx(other.interval.factor, rel=1e-3)


def test_recorded_errors_are_those_of_the_constants_that_ship(recorded):
    """Cheap ones: surfaces by what is stated, and throughput by what ships.

    Measured cells by what was not chosen with them in sight.
    """
    board = gpu("h100-sxm")
    surfaces = recorded[(recorded["domain"] == SURFACES) & (recorded["level"] == "data sheet")]
    stated = np.log(surface_target(board).ratios(board, stated_on(board)))
    np.testing.assert_allclose(surfaces["log_ratio"], stated, atol=2e-3)
    ships = serving_errors(lambda each: load_calibration(each).constants)
    for name in ("a100-80gb", "l40s"):
        own = ships[(ships["gpu"] == name) & ~ships["seen"]]
        noted = recorded[
            (recorded["domain"] == f"NVIDIA's throughput on {name}") & recorded["same_engine"]
        ]
        np.testing.assert_allclose(noted["log_ratio"], np.log(own["ratio"]), atol=2e-3)
    measured = read_measured(RESIDUALS.parents[3] / "data" / "h200-vllm")
    target, own = measured.targets[0], measured.own
    held_out = recorded[(recorded["domain"] == measured.name) & (recorded["quantity"] == "energy")]
    held_out = held_out[held_out["level"] == "data sheet"]
    stated = stated_on(own.board, own.engine).having(**CHOSEN_IN_VIEW["data/h200-vllm"])
    ratios = np.log(target.ratios(own.board, stated))
    np.testing.assert_allclose(held_out["log_ratio"], ratios, atol=2e-3)


def test_the_measured_board_ships_with_the_error_of_its_own_cells(of_recorded):
    (own,) = [each for each in of_recorded.classes if each.of.level == "own measurements"]
    ships = shipped_boards()["h200-sxm"].held_out_intervals
    for quantity in QUANTITIES:
        assert getattr(ships, quantity).factor == pytest.approx(
            getattr(own, quantity).factor, rel=0.01
        )


def test_nothing_that_was_fitted_is_evidence(recorded):
    """The joint fit saw the surfaces and FP16 throughput of release 0.15."""
    by_fits = recorded[(recorded["domain"] == SURFACES) & recorded["same_gpu"]]
    assert by_fits["model"].nunique() == 13
    assert by_fits["level"].unique().tolist() == ["published numbers"]
    assert by_fits["quantity"].unique().tolist() == ["energy"]


def test_an_error_that_all_cells_of_a_model_share_is_none_of_their_ratio():
    planted_cells = [
        planted(
            "here", "data sheet", False, f"m{k}", [0.1 * k + 0.02 * place for place in range(3)]
        )
        for k in range(9)
    ]
    (found,) = class_intervals(pd.concat(planted_cells)).classes
    doubled, fourfold = found.changes
    assert found.energy.factor == pytest.approx(np.exp(0.84), abs=1e-3)
    assert [doubled.at_most_times, fourfold.at_most_times] == [2, 4]
    assert doubled.interval.factor == pytest.approx(np.exp(0.02), abs=1e-3)
    assert fourfold.interval.factor == pytest.approx(np.exp(0.04), abs=1e-3)
    assert (fourfold.interval.cells, fourfold.interval.models) == (27, 9)


def test_coverage_of_changes_is_of_pairs_that_the_intervals_do_not_know():
    flat, steep = (
        pd.concat(planted(where, "data sheet", False, f"m{k}", [0.0, slope]) for k in range(9))
        for where, slope in (("flat", 0.01), ("steep", 0.1))
    )
    found = {
        domain: (what, pairs, share)
        for domain, _, what, pairs, share in change_coverages(pd.concat([flat, steep]))
    }
    assert found == {"flat": ("requests", 9, 1.0), "steep": ("requests", 9, 0.0)}


def test_coverage_is_of_a_radius_that_knows_nothing_of_the_domain():
    level = "data sheet"
    here = pd.concat(
        [planted("here", level, False, f"m{k}", [0.1]) for k in range(9)]
        + [planted("here", level, False, "t", [0.1], "throughput")]
    )
    there = pd.concat(
        [planted("there", level, False, f"m{k}", [0.3, 0.6]) for k in range(9)]
        + [planted("there", level, False, "t", [0.1], "throughput")]
    )
    found = {(c.domain, c.quantity): c for c in coverages(pd.concat([here, there]))}
    # of `there`, half the cells are within a data sheet's 1.4, which is all that `here` asks for
    assert found["there", "energy"].covered == 0.5
    assert found["there", "energy"].interval.factor == 1.4
    assert found["here", "energy"].covered == 1.0
    assert found["here", "energy"].interval.factor == pytest.approx(np.exp(0.6), abs=1e-3)


def test_a_domain_alone_in_its_class_is_judged_by_a_wider_one():
    wide = [
        planted("sheet", "data sheet", False, f"m{k}", [0.5], quantity)
        for k in range(3)
        for quantity in QUANTITIES
    ]
    alone = planted("fit", "published numbers", True, "m0", [0.01])
    *_, found = coverages(pd.concat([*wide, alone]))
    assert found.domain == "fit"
    assert found.interval.level == 0.75
    assert "as nothing is known of (published numbers, same engine, same GPU)" in (
        found.interval.rests_on
    )


def test_every_interval_and_every_domain_is_on_the_page(recorded):
    page = intervals_section(recorded)
    for domain in recorded["domain"].unique():
        assert page.count(domain) >= 2
    widest = shipped_intervals().of(WIDEST)
    assert f"{widest.energy.factor:.3f}" in page
