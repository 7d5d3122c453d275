"""Streamed statistics against those of all values at once."""

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.metering.trace import window_energy_j
from sweetspot.simulator.statistics import LatencySketch, PowerGrid

PROMISED = 0.005  # docs/serving.md: quantiles are within 0.5 % of their value

latencies_s = st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e6)), min_size=1, max_size=300)


@given(latencies_s)
def test_quantiles_are_those_of_the_values_within_the_accuracy(values):
    sketch = LatencySketch()
    for value in values:
        sketch.add(value)
    found = sketch.latency()
    assert found.mean_s == pytest.approx(np.mean(values), rel=1e-9)
    for percent, quantile_s in ((50, found.p50_s), (95, found.p95_s), (99, found.p99_s)):
        exact_s = next(v for v in sorted(values) if share_up_to(v, values) >= percent)
        assert quantile_s == pytest.approx(exact_s, rel=PROMISED * (1 + 1e-9), abs=0)


def share_up_to(value, values):
    """Return the percentage of the values that do not pass `value`, exactly."""
    return Fraction(100 * sum(each <= value for each in values), len(values))


def test_few_values_have_their_largest_as_the_tail():
    sketch = LatencySketch()
    sketch.add(1.0)
    sketch.add(100.0)
    found = sketch.latency()
    assert (found.p50_s, found.p99_s) == pytest.approx((1.0, 100.0), rel=PROMISED)


def test_sketch_without_values_has_no_statistics():
    assert LatencySketch().latency() is None


def test_sketch_does_not_grow_with_the_stream():
    sketch = LatencySketch()
    for value in np.random.default_rng(0).lognormal(0, 3, 100_000):
        sketch.add(float(value))
    assert len(sketch._counts) < 4000


stretches = st.lists(
    st.tuples(st.one_of(st.just(0.0), st.floats(1e-6, 50)), st.floats(0, 700)),
    min_size=1,
    max_size=60,
).filter(lambda found: sum(duration_s for duration_s, _ in found) > 0)


@given(stretches, st.sampled_from([2, 8, 64]))
def test_grid_conserves_energy_and_is_no_longer_than_asked(found, most):
    grid, now_s, energy_j = PowerGrid(most), 0.0, 0.0
    for duration_s, power_w in found:
        grid.add(now_s, duration_s, duration_s * power_w)
        now_s += duration_s
        energy_j += duration_s * power_w
    trace = grid.trace()
    assert trace.t_s[-1] == pytest.approx(now_s)
    assert trace.t_s.size <= 2 * most
    whole_j = window_energy_j(trace, 0.0, trace.t_s[-1])
    assert whole_j == pytest.approx(energy_j, rel=1e-9, abs=1e-9)
    assert trace.power_w.max() <= max(power_w for _, power_w in found) * (1 + 1e-6) + 1e-6


def test_grid_says_when_power_was_drawn():
    grid = PowerGrid(8)
    grid.add(0.0, 4.0, 400.0)
    grid.add(4.0, 4.0, 2000.0)
    trace = grid.trace()
    assert window_energy_j(trace, 0.0, 4.0) == pytest.approx(400, rel=0.2)
    assert trace.power_w[0] == pytest.approx(100)
    assert trace.power_w[-1] == pytest.approx(500)
    assert trace.t_s[-1] < inf
