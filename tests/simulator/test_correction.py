"""What cells say of the simulator's error: more by more of them, nearer ones first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.simulator.correction import Correction, Point

LENGTH = st.integers(1, 10_000)
POINTS = st.lists(
    st.builds(Point, st.sampled_from(["mine", "other"]), LENGTH, LENGTH, LENGTH),
    min_size=1,
    max_size=8,
    unique=True,
)
HERE = Point("mine", 512, 256, 128)


def of_constant(points, ratio):
    return Correction(points, np.full(len(points), np.log(ratio)))


def test_without_cells_nothing_is_corrected():
    (found,) = Correction([], np.array([])).at([HERE])
    assert found.factor == 1
    assert found.times(0.9) > 1.15


@given(POINTS, st.floats(0.8, 1.25))
def test_answer_moves_towards_what_cells_say(points, ratio):
    few = of_constant(points[:1], ratio).at([HERE])[0]
    low, high = sorted((1.0, ratio))
    assert low - 1e-12 <= few.factor <= high + 1e-12


@given(POINTS)
def test_answer_is_surer_by_each_cell_that_is_as_expected(points):
    nothing, few, all_of_them = (
        of_constant(each, 1.0).at([HERE])[0].times(0.9) for each in ([], points[:1], points)
    )
    assert 1 < all_of_them <= few + 1e-12 < nothing


def test_cells_that_scatter_more_than_expected_widen_the_interval_of_their_model_alone():
    points = [HERE._replace(output_tokens=length) for length in (64, 256, 1024)]
    scattered = np.array([0.2, -0.2, 0.2])
    alike, apart = (Correction(points, log_ratios) for log_ratios in (0 * scattered, scattered))
    (before,), (after,) = alike.at([HERE]), apart.at([HERE])
    assert after.times(0.9) - 1 > 3 * (before.times(0.9) - 1)
    other = [HERE._replace(model="other")]
    assert apart.at(other)[0].times(0.9) == pytest.approx(alike.at(other)[0].times(0.9))
    # each quantile is where Student's t has it, of seven degrees of freedom
    assert np.log(after.times(0.9)) == pytest.approx(1.8946 * after.deviation, rel=1e-4)


def test_cell_of_the_model_says_more_than_one_of_another_and_a_near_one_more_than_a_far_one():
    same = of_constant([HERE], 1.1).at([HERE])[0]
    other = of_constant([HERE._replace(model="other")], 1.1).at([HERE])[0]
    far = of_constant([HERE._replace(output_tokens=8192)], 1.1).at([HERE])[0]
    assert same.factor > max(other.factor, far.factor)
    assert min(other.factor, far.factor) > 1
    assert same.deviation < min(other.deviation, far.deviation)


def test_constant_error_is_found_from_four_cells():
    points = [
        HERE._replace(input_tokens=i, output_tokens=o) for i in (64, 2048) for o in (64, 1024)
    ]
    (found,) = of_constant(points, 1.1).at([HERE])
    assert found.factor == pytest.approx(1.1, abs=0.02)


@pytest.mark.parametrize("groups", [None, [0, 1, 1]])
def test_errors_of_cells_left_out_are_those_of_corrections_without_them(groups):
    rng = np.random.default_rng(3)
    points = [
        Point(model, 2**i, 2**o, 100)
        for model in ("mine", "other")
        for i, o in [(6, 6), (9, 8), (6, 11)]
    ]
    log_ratios = 0.05 * rng.standard_normal(len(points))
    at_once = np.array([0, 1, 2] if groups is None else groups)
    expected = []
    for place in range(3):
        out = np.flatnonzero(at_once == at_once[place])
        kept = [k for k in range(len(points)) if k not in out]
        less = Correction([points[k] for k in kept], log_ratios[kept])
        expected.append(less.at([points[place]])[0].factor / np.exp(log_ratios[place]) - 1)
    found = Correction(points, log_ratios).left_out("mine", None if groups is None else at_once)
    assert found == pytest.approx(expected)
