"""Sensor facts from synthetic curves whose periods, windows and delays are known."""

import numpy as np
import pytest

from sweetspot.campaign.sensor.facts import Cycle, averaging, period_s, sensor_facts
from sweetspot.metering.samples import CHANNELS, Samples

IDLE_W, OFF_W, ON_W = 60.0, 120.0, 600.0
SAMPLE_S = 0.02
START_S = 500.0


def square_wave(cycles, t_s):
    """Return the board's true power."""
    power_w = np.where(t_s < cycles[0].on_s - 0.5, IDLE_W, OFF_W)
    for cycle in cycles:
        power_w = np.where((t_s >= cycle.on_s) & (t_s < cycle.off_s), ON_W, power_w)
    return power_w


def cycles_of(wave, first_s, on_s, off_s, count):
    starts = first_s + np.arange(count) * (on_s + off_s)
    return [Cycle(wave=wave, on_s=start, off_s=start + on_s) for start in starts.tolist()]


CYCLES = [*cycles_of(0, START_S + 4, 3, 3, 4), *cycles_of(1, START_S + 29, 0.5, 0.5, 10)]


def samples_of(period_s=0.1, window_s=1.0, delay_s=0.0, missing=(), seed=0):
    """Return what a meter at 20 ms sees: readings renewed every `period_s`, means over windows."""
    fine_s = np.arange(START_S - 5, START_S + 42, 1e-3)
    noise_w = np.random.default_rng(seed).normal(0, 2, fine_s.size)
    power_w = square_wave(CYCLES, fine_s) + noise_w
    energy_j = np.concatenate(([0.0], np.cumsum(power_w[:-1] * 1e-3)))

    def until_j(at_s):
        return np.interp(at_s, fine_s, energy_j)

    t_s = np.arange(START_S, START_S + 41, SAMPLE_S)
    renewed_s = np.floor(t_s / period_s) * period_s

    def mean_w(over_s):
        at_s = renewed_s - delay_s
        return (until_j(at_s) - until_j(at_s - over_s)) / over_s

    values = dict.fromkeys(CHANNELS, np.full(t_s.size, np.nan)) | {
        "t_s": t_s,
        "power_instant_w": mean_w(0.025),
        "power_average_w": mean_w(window_s),
        "power_usage_w": mean_w(window_s),
        "counter_j": np.round(until_j(renewed_s), 3),
    }
    return Samples(**(values | {name: np.full(t_s.size, np.nan) for name in missing}))


def facts(**sensor):
    return sensor_facts(samples_of(**sensor), CYCLES, idle_end_s=START_S + 3)


@pytest.mark.parametrize("period", [0.04, 0.1, 0.2])
def test_update_periods_are_found_to_the_sampling_interval(period):
    found = facts(period_s=period)
    for value in (found.counter_period_s, found.instant_period_s, found.average_period_s):
        assert value == pytest.approx(period, abs=SAMPLE_S / 2)
    assert found.interval_s == pytest.approx(SAMPLE_S)


@pytest.mark.parametrize("window", [0.3, 0.5, 1.0, 1.5])
def test_averaging_window_is_found_to_an_update_period(window):
    found = facts(window_s=window)
    assert found.average_window_s == pytest.approx(window, abs=0.1)
    assert found.average_delay_s == pytest.approx(0, abs=0.1)


def test_delay_of_the_average_is_relative_to_the_instantaneous_power():
    samples = samples_of()
    late_w = np.interp(samples.t_s - 0.2, samples.t_s, samples.power_average_w)
    window_s, delay_s = averaging(samples.t_s, samples.power_instant_w, late_w)
    assert window_s == pytest.approx(1.0, abs=0.06)
    assert delay_s == pytest.approx(0.2, abs=0.05)


def test_reading_that_is_not_a_running_mean_has_no_window():
    samples = samples_of()
    other_w = np.random.default_rng(1).permutation(samples.power_average_w)
    assert averaging(samples.t_s, samples.power_instant_w, other_w) is None


@pytest.mark.parametrize("delay", [0.0, 0.15])
def test_late_sensor_shows_the_rise_late(delay):
    # a reading is as old as half a period, and shows half of the rise half a window later
    assert facts(delay_s=delay).instant_delay_s == pytest.approx(delay + 0.06, abs=0.08)


def test_powers_are_those_of_the_plateaus():
    found = facts()
    assert found.idle_w == pytest.approx(IDLE_W, abs=1)
    assert found.off_w == pytest.approx(OFF_W, abs=1)
    assert found.on_w == pytest.approx(ON_W, abs=1)


def test_energies_of_each_wave_are_those_of_the_curve_but_for_the_lag_of_the_mean():
    slow, fast = facts().energies
    assert slow.seconds == pytest.approx(21)
    true_j = 12 * ON_W + 9 * OFF_W
    assert slow.counter_j == pytest.approx(true_j, rel=0.01)
    assert slow.instant_j == pytest.approx(true_j, rel=0.01)
    # half a second of the rise at its start is not in the average yet
    assert slow.average_j == pytest.approx(true_j - 0.5 * (ON_W - OFF_W), rel=0.01)
    assert fast.counter_j == pytest.approx(5 * ON_W + 4.5 * OFF_W, rel=0.02)


def test_usage_is_told_from_what_it_equals():
    assert facts().usage_is == "average"
    assert facts(window_s=0.025).usage_is == "instant"
    assert facts(missing=("power_usage_w",)).usage_is is None
    assert facts(missing=("power_average_w", "power_instant_w")).usage_is == "neither"


def test_board_without_a_reading_has_no_fact_of_it():
    found = facts(missing=("power_instant_w", "counter_j"))
    assert found.instant_period_s is found.instant_delay_s is found.counter_period_s is None
    assert found.average_window_s is None
    assert found.on_w == pytest.approx(ON_W, abs=1)  # by the average
    assert found.energies[0].counter_j is None


def test_reading_that_stands_still_has_no_period():
    t_s = np.arange(0, 5, 0.02)
    assert period_s(t_s, np.full(t_s.size, 70.0)) is None
