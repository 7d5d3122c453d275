"""The state of a board in a window."""

from dataclasses import replace

import numpy as np
import pytest

from sweetspot.metering.conditions import Conditions, conditions, median_power_w, remarks
from sweetspot.metering.meter import Readings
from sweetspot.metering.trace import PowerTrace


def test_means_are_of_the_window_only(readings_of):
    readings = readings_of(
        300,
        graphics_mhz=lambda t: np.where(t < 5, 300, 1400),
        sm_mhz=lambda t: np.where(t < 5, 345, 1500),
        memory_mhz=2619,
        temperature_c=lambda t: 40 + t,
        utilisation=lambda t: np.where(t < 10, 1.0, 0.5),
        power_violation_s=lambda t: 7 + np.clip(t - 8, 0, 3),
        meter={"sampler_cpu_share": 0.004},
    )
    found = conditions(readings, 5.0, 15.0)
    assert found.mean_graphics_mhz == 1400
    assert found.mean_sm_mhz == 1500
    assert found.mean_memory_mhz == 2619
    assert (found.temperature_start_c, found.temperature_end_c) == pytest.approx((45, 55))
    assert found.mean_utilisation == pytest.approx(0.75, abs=0.01)
    assert found.power_cap_share == pytest.approx(0.3)
    assert found.power_samples == 101
    assert found.largest_gap_s == pytest.approx(0.1)
    assert found.sampler_cpu_share == 0.004


def test_what_a_board_does_not_say_is_none(readings_of):
    found = conditions(readings_of(300), 5.02, 5.04)
    assert found == Conditions(power_samples=0, largest_gap_s=pytest.approx(0.1))


def test_meter_without_channels_says_nothing():
    assert conditions(Readings(PowerTrace([0, 9], [5, 5])), 1, 2) == Conditions()


def test_power_cap_is_taken_from_the_bits_where_there_is_no_time(readings_of):
    readings = readings_of(300, event_reasons=lambda t: np.where(t < 7.51, 0x4, 0x1))
    assert conditions(readings, 5.0, 15.0).power_cap_share == pytest.approx(26 / 101)


@pytest.mark.parametrize(
    ("window", "share"),
    [((5.0, 15.0), 0.3), ((5.3, 9.3), 0.45), ((8.6, 9.2), 1.0), ((0.2, 2.0), 0.0)],
)
def test_time_at_the_power_limit_that_is_read_once_a_second_counts(readings_of, window, share):
    """Here from 7.5 to 10.5 s; what single looks say of why clocks are low tells it less well."""
    readings = readings_of(
        300,
        power_violation_s=lambda t: np.where(
            np.isclose(t % 1, 0.5), 7 + np.clip(t - 7.5, 0, 3), np.nan
        ),
        event_reasons=0x1,
    )
    found = conditions(readings, *window).power_cap_share
    assert found == pytest.approx(share)  # of the last one, with no reading before it, looks say it


@pytest.mark.parametrize(
    ("start_s", "end_s", "gap_s"),
    [
        (1.0, 4.0, 0.1),
        (1.0, 6.0, 2.0),
        (5.5, 5.6, 2.0),  # inside the gap: the samples around the window count
        (4.0, 6.5, 2.0),
        (7.0, 9.0, 0.1),
    ],
)
def test_largest_gap_is_of_the_window_and_its_edges(readings_of, start_s, end_s, gap_s):
    times = np.concatenate((np.arange(0, 5.01, 0.1), np.arange(7.0, 10, 0.1)))
    found = conditions(readings_of(300, t_s=times), start_s, end_s)
    assert found.largest_gap_s == pytest.approx(gap_s)


def test_look_that_took_long_is_a_gap(readings_of):
    """Its time is the middle of the look: half a second from both neighbours."""
    times = np.concatenate((np.arange(0, 5.01, 0.1), [5.5], np.arange(6.0, 10, 0.1)))
    readings = readings_of(300, t_s=times, look_s=lambda t: np.where(t == 5.5, 1.0, 0.002))
    assert conditions(readings, 3, 8).largest_gap_s == pytest.approx(1.001)


def test_look_over_which_power_is_bridged_is_no_sample_and_part_of_a_gap(readings_of):
    lost = readings_of(
        lambda t: np.where((t > 5.05) & (t < 5.75), np.nan, 300.0),  # read at 5.0, 5.8, 5.9, ...
        look_s=lambda t: np.where((t > 5.25) & (t < 5.35), 0.08, 0.002),
    )
    found = conditions(lost, 4.95, 6.05)
    assert (found.power_samples, found.largest_gap_s) == (4, pytest.approx(0.802))
    between = conditions(lost, 5.25, 5.45)
    assert (between.power_samples, between.largest_gap_s) == (0, pytest.approx(0.802))


def test_median_power_is_that_of_the_samples_within(readings_of):
    readings = readings_of(lambda t: np.where(np.isclose(t % 1, 0.5), 900.0, 90.0))
    assert median_power_w(readings, 2, 4) == 90
    assert median_power_w(readings, 2.01, 2.09) is None


@pytest.mark.parametrize(
    ("sm_mhz", "reasons", "meter", "expected"),
    [
        (1410, 0x2, {"max_sm_mhz": 1980}, True),
        (1980, 0x2, {"max_sm_mhz": 1980}, False),  # set to the highest
        (1965, 0x2, {"max_sm_mhz": 1980}, False),  # which is reached but for a step or two
        (1935, 0x2, {"max_sm_mhz": 1980}, True),
        (1410, 0x4, {"max_sm_mhz": 1980}, False),  # by the power cap
        (1410, 0x2, {}, False),
        (np.nan, 0x2, {"max_sm_mhz": 1980}, False),
        (1410, np.nan, {"max_sm_mhz": 1980}, False),
    ],
)
def test_clocks_that_were_set_are_said(readings_of, sm_mhz, reasons, meter, expected):
    readings = readings_of(300, sm_mhz=sm_mhz, event_reasons=reasons, temperature_c=50, meter=meter)
    held = f"a lock or application clocks held the SM clock at {sm_mhz} MHz of 1980 MHz"
    said = [remark for remark in remarks(readings, 5, 15) if "clocks held" in remark]
    assert said == ([f"{held}, in 100% of the samples"] if expected else [])


@pytest.mark.parametrize(
    ("told", "lacking"),
    [
        ({"temperature_c": 50, "event_reasons": 0x4}, None),
        ({"temperature_c": 50}, "why its clocks are low"),
        ({"event_reasons": 0x4}, "its temperature"),
        ({}, "its temperature and why its clocks are low"),
    ],
)
def test_what_no_gate_could_ask_for_is_said(readings_of, told, lacking):
    said = f"this GPU does not report {lacking}, so that was not checked"
    assert remarks(readings_of(300, **told), 5, 15) == ((said,) if lacking else ())


def test_meter_of_power_only_has_no_gates_to_speak_of(readings_of):
    assert remarks(replace(readings_of(300), samples=None), 5, 15) == ()
