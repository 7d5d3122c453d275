"""Derivatives of cost, as it is written, against central differences on the published cells."""

from dataclasses import replace

import numpy as np
import pytest

from sweetspot.catalog import gpu
from sweetspot.simulator.calibration.fit import Space
from sweetspot.simulator.calibration.layout import Taken
from sweetspot.simulator.calibration.to_published import surface_target
from sweetspot.simulator.constants.constants import BOARD, ENGINE, stated_on
from sweetspot.simulator.cost.dual import Dual, concatenated, variable, with_slopes
from sweetspot.simulator.cost.envelope import Line

STEP = 1e-6  # of the bounds' width
# All that a fit may vary; `host_ahead` is a choice.
NAMES = tuple(name for name in (*BOARD, *ENGINE) if name != "host_ahead")


@pytest.fixture(scope="module")
def runs(board):
    """Return a function that gives one cell of some, in which steps pass the power limit midway."""
    surfaces = surface_target(board)
    return lambda of: surfaces.only(np.arange(surfaces.values.size) % of == 0).runs


@pytest.mark.parametrize(
    ("on", "engine", "of"),
    [
        (gpu("h100-sxm"), "tensorrt-llm", 37),
        (replace(gpu("h100-sxm"), power_limit_w=350.0), "vllm", 37),
        (replace(gpu("h200-sxm"), clock_share=0.7, power_limit_w=400.0), "tensorrt-llm", 37),
        (gpu("l40s"), "vllm-uncompiled", 37),
        (
            gpu("h100-sxm").set_to(power_limit_w=500),
            "tensorrt-llm",
            111,
        ),  # takes five times as long
    ],
    ids=["limit of 700 W", "limit of 350 W, host ahead", "locked, 400 W", "L40S", "set to 500 W"],
)
def test_derivative_by_every_constant_is_what_differences_say(runs, on, engine, of):
    space, some = Space(gpu(on.id), NAMES), runs(of)
    held = stated_on(gpu(on.id), engine)
    shares = np.clip(space.shares_of(held), 0.01, 0.99)  # differences go both ways

    def taken(shares):
        return some.taken(on, space.at(shares, held))

    varied = [variable(name, share) for name, share in zip(NAMES, shares.tolist(), strict=True)]
    found, plain = taken(varied), taken(shares.tolist())
    steps = [STEP * unit for unit in np.eye(len(NAMES))]
    ups, downs = ([taken((shares + by * step).tolist()) for step in steps] for by in (1, -1))
    for quantity in Taken._fields:
        exact, value = getattr(found, quantity), getattr(plain, quantity)
        np.testing.assert_allclose(exact.value, value, rtol=1e-15)
        jacobian = exact.jacobian(NAMES)
        for i, name in enumerate(NAMES):
            up, down = getattr(ups[i], quantity), getattr(downs[i], quantity)
            slope = (up - down) / (2 * STEP)
            # where a step comes to another clock between the two, there are two derivatives
            smooth = np.abs(up + down - 2 * value) < 4e-6 * STEP * value
            assert smooth.mean() > 0.8, (quantity, name)
            off = np.abs(jacobian[:, i] - slope) / (np.abs(slope) + value)
            assert off[smooth].max() < 4e-6, (quantity, name)


@pytest.mark.parametrize(
    ("first", "growth"),
    [(-2.5, 1.0), (2.5, -1.0), (1.0, 0.5), (-1.0, -0.5), (1.5, 0.0), (-1.5, 0.0)],
    ids=["joins", "leaves", "above", "below", "flat above", "flat below"],
)
def test_derivative_of_a_sum_that_comes_to_the_limit_midway(first, growth):
    def summed(first, growth):
        line = Line(np.array([1.0]) * first, np.array([1.0]) * growth)
        return line.sum_of_positive_part(np.array([0.0]), np.array([10.0]))

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


def test_difference_is_free_of_what_both_depend_on_alike():
    x, y = variable("x", 2.0) * np.array([1.0, 3.0]), variable("y", 5.0)
    found = (x + y) - (x + 1.0)
    assert found.value.tolist() == [4, 4]
    assert found.slopes.keys() == {"y"}
    assert (x - 2.0 * x).slopes["x"].tolist() == [-1, -3]


def test_operation_without_a_rule_is_refused_not_taken_for_a_constant():
    with pytest.raises(TypeError):
        np.sin(variable("x", 1.0))


def test_arrays_behind_each_other_keep_their_derivatives():
    x = variable("x", 3.0)
    found = concatenated([x * np.array([1.0, 2.0]), np.array([5.0]), x + np.array([7.0])])
    assert found.value.tolist() == [3, 6, 5, 10]
    assert found.jacobian(["x"])[:, 0].tolist() == [1, 2, 0, 1]
    assert concatenated([np.array([1.0]), np.array([2.0])]).tolist() == [1, 2]
