"""The energy counter: what it says of a window, and when it is not believed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.metering.counter import counted

T_S = np.arange(0, 20.05, 0.1)


def renewed(t_s, power_w, period_s=0.1, phase_s=0.03):
    """A counter at constant power that moves every `period_s`."""
    return power_w * (np.floor((t_s - phase_s) / period_s) * period_s + phase_s) + 1e6


@pytest.mark.parametrize("phase_s", [0.0, 0.03, 0.07, 0.0999])
@pytest.mark.parametrize("period_s", [0.01, 0.1, 0.25])
def test_steady_power_is_counted_whatever_the_counters_steps(period_s, phase_s):
    counter_j = renewed(T_S, 500, period_s, phase_s)
    found = counted(T_S, counter_j, 3.02, 15.55)
    assert found.energy_j == pytest.approx(500 * 12.53, abs=500 * (0.1 + period_s))
    assert found.fault == ""
    assert found.period_s == pytest.approx(max(0.1, period_s), rel=0.25)


@given(
    st.lists(st.tuples(st.floats(0.3, 3), st.floats(50, 700)), min_size=1, max_size=12),
    st.floats(0, 0.1),
)
def test_counter_equals_the_integral_of_any_steps_of_power(pieces, phase_s):
    """Its edges alone are uncertain: by its own period and the meter's, at the power there."""
    lengths_s, powers_w = map(np.array, zip(*pieces, strict=True))
    # 2 s idle at 60 W, the pieces, idle again
    knots_s = np.cumsum([0, 2, *lengths_s, 3])
    knots_j = np.cumsum([0, 120, *lengths_s * powers_w, 180])
    t_s = np.arange(0, knots_s[-1], 0.1)
    renewed_s = np.floor((t_s - phase_s) / 0.1) * 0.1 + phase_s
    start_s, end_s = 2.0, float(knots_s[-2])
    found = counted(t_s, np.interp(renewed_s, knots_s, knots_j), start_s, end_s)
    true_j = float((lengths_s * powers_w).sum())
    assert found.energy_j == pytest.approx(true_j, abs=0.1 * (powers_w[0] + powers_w[-1]) + 12)
    assert found.fault == ""


def test_window_between_two_idle_times_is_within_one_percent():
    """Lags lose something of the load at the end, and little of the idle time at the start."""
    errors = []
    for phase_s in np.linspace(0, 0.1, 21)[:-1]:
        for start_s in np.linspace(5, 5.1, 11):
            renewed_s = np.floor((T_S - phase_s) / 0.1) * 0.1 + phase_s
            true_j = ([0, start_s, start_s + 10, 21], [0, 500, 7500, 8100])
            found = counted(T_S, np.interp(renewed_s, *true_j), start_s, start_s + 10)
            errors.append(found.energy_j / 7000 - 1)
    assert -0.01 < min(errors) < np.mean(errors) < max(errors) <= 0.001


@pytest.mark.parametrize(
    ("counter_j", "fault"),
    [
        (500 * np.minimum(T_S, 10), "it stood still for 10.0 s"),
        (500 * np.minimum(T_S, 17.5), "it stood still for 2.5 s"),  # half a second of it inside
        (500 * np.where(T_S < 8, T_S, np.maximum(8, T_S - 3)), "it stood still for 3.0 s"),
        (np.full_like(T_S, 7.0), "it stood still for 20.0 s"),
        (500 * np.where(T_S < 9.95, T_S, T_S - 9.95), "it went back from 4950 to 25 J"),
        (np.where(T_S < 9.95, 5000.0, 4000.0), "it went back from 5000 to 4000 J"),
        ((500 * T_S + 4290e3) % (2**32 / 1e3), "it wrapped around, from 4294950 to 33 J"),
        (1e3 * ((T_S - 9.95) % (2**64 / 1e6)), "it wrapped around, from 18446744073709500 to 50 J"),
    ],
)
def test_counter_that_cannot_be_believed_is_found_out(counter_j, fault):
    assert counted(T_S, counter_j, 2.0, 18.0).fault == fault


@pytest.mark.parametrize(("still_s", "fault"), [(0.9, ""), (1.5, "it stood still for 1.5 s")])
def test_sound_counter_stands_still_for_no_longer_than_a_second(still_s, fault):
    counter_j = 500 * np.where(T_S < 8, T_S, np.maximum(8, T_S - still_s))
    assert counted(T_S, counter_j, 2.0, 18.0).fault == fault


def test_frozen_counter_counts_nothing_and_one_that_went_back_means_nothing():
    assert counted(T_S, np.full_like(T_S, 7.0), 2.0, 18.0).energy_j == 0
    assert counted(T_S, -T_S, 2.0, 18.0).energy_j is None


@pytest.mark.parametrize("at_s", [1.0, 1.95, 18.15, 19.0])
def test_fault_outside_of_the_window_is_none_of_it(at_s):
    counter_j = renewed(T_S, 500) - np.where(at_s > T_S, 0, 5e5)
    found = counted(T_S, counter_j, 2.0, 18.0)
    assert found.fault == ""
    assert found.energy_j == pytest.approx(500 * 16, rel=0.003)


def test_gap_between_readings_is_not_a_standstill():
    t_s = np.concatenate((T_S[T_S < 8], T_S[T_S > 11]))
    assert counted(t_s, renewed(t_s, 500), 2.0, 18.0).fault == ""


def test_slow_meter_may_see_the_counter_stand_for_some_readings():
    t_s = np.arange(0, 100, 2.0)
    assert counted(t_s, 500 * np.floor(t_s / 3) * 3, 10.0, 90.0).fault == ""


def test_period_is_unknown_until_the_counter_moved_three_times():
    t_s = np.arange(0, 0.65, 0.1)
    assert counted(t_s, renewed(t_s, 500), 0.15, 0.35).period_s == pytest.approx(0.1)
    assert counted(t_s, renewed(t_s, 500, 0.3), 0.15, 0.35).period_s is None
