"""Closed forms of decode steps against adding them up."""

from math import inf, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.simulator.cost.decode_steps import DecodeSteps

# Binary fractions: every sum is exact, so that ties of the two sides are ties.
values = st.integers(1, 4000).map(lambda n: n / 16)
growths = st.one_of(st.just(0.0), st.integers(0, 400).map(lambda n: n / 16))
lines = st.tuples(values, growths, values, growths)


def durations(line, count):
    first, growth, limited, limited_growth = line
    return [max(first + growth * j, limited + limited_growth * j) for j in range(count)]


@given(lines, st.integers(1, 300))
def test_duration_is_the_sum_of_the_steps(line, count):
    assert DecodeSteps(*line).duration_s(count) == sum(durations(line, count))


@given(lines, st.integers(1, 200), st.integers(-100, 10**6).map(lambda n: n / 16))
def test_wait_is_reached_with_the_step_that_a_loop_reaches_it_with(line, most, wait_s):
    steps = durations(line, most)
    made = 1
    while made < most and sum(steps[:made]) < wait_s:
        made += 1
    assert DecodeSteps(*line).until(wait_s, most) == (made, sum(steps[:made]))


@given(lines, st.integers(2, 200), st.data())
def test_wait_as_long_as_some_steps_takes_just_these(line, most, data):
    count = data.draw(st.integers(1, most))
    wait_s = sum(durations(line, count))
    assert DecodeSteps(*line).until(wait_s, most) == (count, wait_s)


@given(lines, st.integers(2, 200), st.data())
def test_wait_a_hair_longer_takes_one_step_more(line, most, data):
    count = data.draw(st.integers(1, most - 1))
    wait_s = nextafter(sum(durations(line, count)), inf)
    assert DecodeSteps(*line).until(wait_s, most)[0] == count + 1


@given(
    st.floats(1e-4, 1e-1),
    st.floats(0, 1e-4),
    st.floats(1e-4, 1e-1),
    st.floats(0, 1e-4),
    st.integers(1, 100_000),
    st.floats(0, 1000),
)
def test_any_numbers_give_a_count_that_reaches_the_wait(a, b, c, d, most, wait_s):
    steps = DecodeSteps(a, b, c, d)
    made, duration_s = steps.until(wait_s, most)
    assert 1 <= made <= most
    assert duration_s == steps.duration_s(made)
    if made < most:
        assert duration_s >= wait_s
    if made > 1:
        assert steps.duration_s(made - 1) < wait_s or made == most


def test_endless_wait_takes_all_steps():
    assert DecodeSteps(1.0, 0.0, 0.5, 0.0).until(float("inf"), 7) == (7, pytest.approx(7.0))
