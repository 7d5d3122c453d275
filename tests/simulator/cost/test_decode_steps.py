"""Closed forms of decode steps against adding them up."""

from math import inf, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.simulator.cost.decode_steps import DecodeSteps, Line, Pace, largest

# Binary fractions: every sum is exact, so that ties of several lines are ties.
values = st.integers(1, 4000).map(lambda n: n / 16)
growths = st.one_of(st.just(0.0), st.integers(0, 64).map(lambda n: n / 64))
lines = st.lists(st.builds(Line, values, growths), min_size=1, max_size=6)
any_lines = st.lists(
    st.builds(Line, st.floats(1e-4, 1e-1), st.one_of(st.just(0.0), st.floats(1e-12, 1e-6))),
    min_size=1,
    max_size=6,
)
starts = st.integers(0, 500)
steps_of = st.sampled_from([0, 1, 7, 64])  # by how much the context grows with each step


def laid_out(found, context, growth, most):
    """Return the steps of these lines; of each, the clock's share is its place among them."""
    paces = list(Pace)
    pieces = largest([(line, Line(float(k), 0.0), paces[k % 3]) for k, line in enumerate(found)])
    return DecodeSteps(pieces, context, growth, most)


def durations(found, context, growth, count):
    return [max(line.at(context + growth * j) for line in found) for j in range(count)]


@given(lines, starts, steps_of, st.integers(1, 300))
def test_duration_is_the_sum_of_the_largest_lines(found, context, growth, count):
    steps = laid_out(found, context, growth, count)
    assert steps.duration_s(count) == sum(durations(found, context, growth, count))
    begins, ends, *_ = zip(*steps.parts, strict=True)
    assert begins == (0, *ends[:-1])
    assert ends[-1] == count


@given(lines, starts, steps_of, st.integers(1, 200), st.data())
def test_fewer_steps_are_the_first_of_them(found, context, growth, most, data):
    count = data.draw(st.integers(1, most))
    steps = laid_out(found, context, growth, most)
    assert steps.duration_s(count) == sum(durations(found, context, growth, count))
    for begin, end, first_s, growth_s, share, pace in steps.parts:
        line = found[int(share.first)]
        assert (share.growth, pace) == (0, list(Pace)[int(share.first) % 3])
        for j in range(begin, end):
            assert first_s + growth_s * j == line.at(context + growth * j)


@given(any_lines, starts, steps_of, st.integers(1, 300))
def test_any_lines_are_met_up_to_rounding(found, context, growth, count):
    expected = sum(durations(found, context, growth, count))
    assert laid_out(found, context, growth, count).duration_s(count) == pytest.approx(expected)


@given(lines, starts, steps_of, st.integers(1, 200), st.integers(-100, 10**6))
def test_wait_is_reached_with_the_step_that_a_loop_reaches_it_with(
    found, context, growth, most, sixteenths
):
    wait_s, steps = sixteenths / 16, durations(found, context, growth, most)
    made = 1
    while made < most and sum(steps[:made]) < wait_s:
        made += 1
    assert laid_out(found, context, growth, most).until(wait_s, most) == made


@given(lines, starts, steps_of, st.integers(2, 200), st.data())
def test_wait_as_long_as_some_steps_takes_just_these(found, context, growth, most, data):
    count = data.draw(st.integers(1, most - 1))
    wait_s = sum(durations(found, context, growth, count))
    steps = laid_out(found, context, growth, most)
    assert steps.until(wait_s, most) == count
    assert steps.until(nextafter(wait_s, inf), most) == count + 1


@given(any_lines, starts, steps_of, st.integers(1, 100_000), st.floats(0, 1000))
def test_any_numbers_give_a_count_that_reaches_the_wait(found, context, growth, most, wait_s):
    steps = laid_out(found, context, growth, most)
    made = steps.until(wait_s, most)
    assert 1 <= made <= most
    if made < most:
        assert steps.duration_s(made) >= wait_s
    if made > 1:
        assert steps.duration_s(made - 1) < wait_s or made == most


def test_endless_wait_takes_all_steps():
    steps = laid_out([Line(1.0, 0.0)], 0, 0, 7)
    assert steps.until(inf, 7) == 7
    assert steps.duration_s(7) == 7


whole = st.integers(-40, 40).map(float)


@given(whole, whole, whole, whole, st.integers(0, 30), st.integers(1, 30))
def test_sums_of_a_line_are_those_of_its_values(first, growth, other, by, begin, count):
    line, beside = Line(first, growth), Line(other, by)
    place = range(begin, begin + count)
    edges = begin, begin + count
    assert line.sum(*edges) == sum(line.at(j) for j in place)
    assert line.sum_of_positive_part(*edges) == sum(max(0.0, line.at(j)) for j in place)
    expected = sum(line.at(j) * beside.at(j) for j in place)
    assert line.sum_of_product(beside, *edges) == pytest.approx(expected, abs=1e-6)
