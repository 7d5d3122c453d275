"""Derivatives of cost, as it is written, against central differences on the published cells."""

import numpy as np
import pytest

from sweetspot.catalog import gpu
from sweetspot.simulator.calibration.fit import at_shares, shares_of
from sweetspot.simulator.calibration.to_published import surface_target, throughput_target
from sweetspot.simulator.constants.constants import FITTED, stated_constants, transfer
from sweetspot.simulator.cost.dual import Dual, variable, with_slopes
from sweetspot.simulator.cost.roofline import _sum_of_positive_part

STEP = 1e-6  # of the bounds' width


@pytest.fixture(scope="module")
def cells(board):
    """Some cells of every model, with segments whose steps pass the power limit midway."""
    surfaces = surface_target(board)
    some = np.arange(surfaces.values.size) % 5 == 0
    return {"surfaces": surfaces.only(some).runs, "throughput": throughput_target(board).runs}


@pytest.fixture(scope="module", params=["stated", "ships"])
def shares(request, constants):
    """Places that are inside the bounds, as differences go both ways."""
    return np.clip(
        shares_of(stated_constants() if request.param == "stated" else constants), 0.01, 0.99
    )


def at(shares, board):
    """Return a board's constants; with `Dual`s for shares, with their derivatives."""
    return transfer(at_shares(shares, stated_constants()), gpu("h100-sxm"), board)


@pytest.mark.parametrize("target", ["h100-sxm", "l40s"])
@pytest.mark.parametrize("which", ["surfaces", "throughput"])
def test_derivative_by_every_constant_is_what_differences_say(cells, shares, which, target):
    runs, board = cells[which], gpu(target)
    varied = [variable(name, share) for name, share in zip(FITTED, shares, strict=True)]
    for quantity, found in enumerate(runs.energy_and_duration(board, at(varied, board))):
        jacobian = found.jacobian(FITTED)
        plain = runs.energy_and_duration(board, at(shares.tolist(), board))[quantity]
        np.testing.assert_array_equal(found.value, plain)
        for i, name in enumerate(FITTED):
            up, down = (
                runs.energy_and_duration(board, at((shares + step).tolist(), board))[quantity]
                for step in (STEP * np.eye(len(FITTED))[i], -STEP * np.eye(len(FITTED))[i])
            )
            slope = (up - down) / (2 * STEP)
            # where a step comes to the power limit between the two, there are two derivatives
            smooth = np.abs(up + down - 2 * plain) < 2e-6 * STEP * plain
            assert smooth.mean() > 0.9, name
            off = np.abs(jacobian[:, i] - slope) / (np.abs(slope) + plain)
            assert off[smooth].max() < 1e-6, name


@pytest.mark.parametrize(
    ("first", "growth"),
    [(-2.5, 1.0), (2.5, -1.0), (1.0, 0.5), (-1.0, -0.5), (1.5, 0.0), (-1.5, 0.0)],
    ids=["joins", "leaves", "above", "below", "flat above", "flat below"],
)
def test_derivative_of_a_sum_that_comes_to_the_limit_midway(first, growth):
    def summed(first, growth):
        line = np.array([1.0]) * first, np.array([1.0]) * growth
        return _sum_of_positive_part(*line, np.array([10.0]))

    found = summed(variable("first", first), variable("growth", growth))
    step = 1e-6
    by_first = (summed(first + step, growth) - summed(first - step, growth)) / (2 * step)
    assert found.value == summed(first, growth)
    assert found.slopes["first"] == pytest.approx(by_first, abs=1e-6)
    if growth:  # from a flat line every growth goes somewhere else
        by_growth = (summed(first, growth + step) - summed(first, growth - step)) / (2 * step)
        assert found.slopes["growth"] == pytest.approx(by_growth, abs=1e-6)


def test_result_of_plain_numbers_is_plain():
    assert with_slopes(3.0, (1.0, 2.0)) == 3.0
    assert not isinstance(with_slopes(3.0, (1.0, 2.0)), Dual)


def test_operation_without_a_rule_is_refused_not_taken_for_a_constant():
    with pytest.raises(TypeError):
        np.sin(variable("x", 1.0))
