"""The paper's power sensor over traces whose energy is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.metering.trace import PowerTrace, window_energy_j
from sweetspot.simulator.sensor import (
    PAPER_SENSOR,
    Sensor,
    mean_read_energy_j,
    read_energy_j,
    sensed,
)

IDLE_W = 100.0


def steps(*pieces):
    """Return a trace of (duration in s, power in W) pieces from 0 s on."""
    edges_s = np.cumsum([0.0, *(duration for duration, _ in pieces)])
    return PowerTrace(np.repeat(edges_s, 2)[1:-1], np.repeat([power for _, power in pieces], 2))


traces = st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 700)), min_size=1, max_size=6).map(
    lambda pieces: steps(*pieces)
)


@given(traces)
def test_ideal_sensor_reads_the_energy(trace):
    ideal = Sensor(average_s=0, period_s=0.5, tail_s=0)
    truth_j = window_energy_j(trace, 0, float(trace.t_s[-1]))
    assert mean_read_energy_j(trace, ideal, idle_w=IDLE_W) == pytest.approx(truth_j, abs=1e-6)


@given(traces)
def test_mean_over_a_second_with_as_long_a_tail_loses_nothing_but_adds_idle_power(trace):
    """What the mean shifts out of the run, the tail brings back; each second once."""
    truth_j = window_energy_j(trace, 0, float(trace.t_s[-1]))
    # the second before the run is idle, too, and what of it is seen in the run is not seen before
    read_j = mean_read_energy_j(trace, PAPER_SENSOR, idle_w=IDLE_W)
    assert read_j == pytest.approx(truth_j + IDLE_W * 1.0, rel=1e-9, abs=1e-6)


def test_window_without_a_tail_lacks_half_a_second_of_what_is_above_idle():
    sensor = Sensor(tail_s=0)
    read_j = mean_read_energy_j(steps((10, 600)), sensor, idle_w=IDLE_W)
    assert read_j == pytest.approx(6000 - 0.5 * (600 - IDLE_W))


def test_run_shorter_than_the_average_is_seen_in_part():
    seen = sensed(steps((0.25, 500)), Sensor(tail_s=0), idle_w=IDLE_W)
    assert seen.power_w[-1] == pytest.approx(0.25 * 500 + 0.75 * IDLE_W)


@given(traces, st.floats(0, 1, exclude_max=True))
def test_one_phase_is_within_a_reading_of_the_mean(trace, phase):
    highest_w = max(IDLE_W, float(trace.power_w.max()))
    one_j = read_energy_j(trace, PAPER_SENSOR, idle_w=IDLE_W, phase=phase)
    mean_j = mean_read_energy_j(trace, PAPER_SENSOR, idle_w=IDLE_W)
    span_s = float(trace.t_s[-1]) + PAPER_SENSOR.tail_s
    # the sensor's slope is at most its range a second; each reading stands for half a second
    bound_j = PAPER_SENSOR.period_s * highest_w * (1 + span_s * PAPER_SENSOR.period_s)
    assert abs(one_j - mean_j) <= bound_j


def test_phases_average_to_the_mean():
    trace = steps((0.7, 650), (1.9, 300), (0.4, 690))
    phases = (np.arange(2000) + 0.5) / 2000
    read_j = [read_energy_j(trace, PAPER_SENSOR, idle_w=IDLE_W, phase=p) for p in phases]
    mean_j = mean_read_energy_j(trace, PAPER_SENSOR, idle_w=IDLE_W)
    assert np.mean(read_j) == pytest.approx(mean_j, rel=1e-3)
