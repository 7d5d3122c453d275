"""Gates: each breaks for its own reason, and only for that."""

import numpy as np
import pytest

from sweetspot.metering.meter import Readings
from sweetspot.metering.processes import Stranger
from sweetspot.metering.trace import PowerTrace
from sweetspot.metering.window import Window

WINDOW = (4.0, 16.0)


@pytest.fixture
def gates(readings_of):
    """Return a function that gives the broken gates of a good run with changes."""

    def broken(window=WINDOW, drift_c=15, **changes):
        good = {
            "temperature_c": 50,
            "event_reasons": 0,
            "thermal_violation_s": 3.0,
            "counter_j": lambda t: 300 * t,
        }
        readings = readings_of(**({"power_w": 300} | good | changes))
        return Window(readings, *window).broken_gates(drift_c)

    return broken


def during(start_s, end_s, value):
    return lambda t: np.where((t > start_s) & (t < end_s), value, 0)


def test_good_run_breaks_none(gates):
    assert gates() == ()
    assert gates(interval_s=0.5) == ()


def test_board_that_says_little_breaks_none(readings_of):
    assert Window(readings_of(300), *WINDOW).broken_gates(15) == ()


def test_simulated_readings_break_none():
    assert Window(Readings(PowerTrace([0, 20], [5, 5])), *WINDOW).broken_gates(15) == ()


@pytest.mark.parametrize(
    ("first_s", "last_s", "broken"),
    [(0, 20, True), (15, 15, True), (0, 4, True), (0, 3.9, False), (16.1, 20, False)],
)
def test_strangers_on_the_board(gates, first_s, last_s, broken):
    others = (Stranger(12, "python", first_s, last_s), Stranger(34, "", first_s, last_s))
    expected = ("other processes on the GPU: 12 (python), 34",) if broken else ()
    assert gates(meter={"strangers": others}) == expected


def test_mig(gates):
    assert gates(meter={"mig": False}) == ()
    assert gates(meter={"mig": True}) == (
        "MIG is on: the GPU is partitioned, and its power is of all its parts",
    )


@pytest.mark.parametrize(
    ("bit", "name"),
    [
        (0x08, "hardware slowdown"),
        (0x20, "thermal slowdown by the driver"),
        (0x40, "thermal slowdown by the hardware"),
        (0x80, "power brake"),
    ],
)
def test_slowdowns(gates, bit, name):
    assert gates(event_reasons=during(7, 13.05, bit | 0x4)) == (f"{name} in 50% of the samples",)
    assert gates(event_reasons=during(0, 3.9, bit)) == ()


def test_short_slowdown_is_not_rounded_away_in_the_gate(gates):
    assert len(gates(event_reasons=during(8.95, 9.05, 0x40))) == 1


@pytest.mark.parametrize("bits", [0x1, 0x2, 0x4, 0x10, 0x100])
def test_other_reasons_for_lower_clocks_are_not_a_fault(gates, bits):
    assert gates(event_reasons=bits) == ()


def test_time_of_thermal_violation(gates):
    grown = {"thermal_violation_s": lambda t: 3 + np.clip(t - 10, 0, 0.25)}
    assert gates(**grown) == ("clocks were held down by heat for 0.25 s",)
    assert gates(window=(11, 20), **grown) == ()


@pytest.mark.parametrize(
    ("interval_s", "gap_s", "allowed_s"), [(0.1, 1.2, "1"), (0.5, 2.7, "2.5"), (0.1, 0.9, None)]
)
def test_gaps(gates, interval_s, gap_s, allowed_s):
    times = np.arange(0, 20, interval_s)
    times = times[(times <= 8) | (times >= 8 + gap_s)]
    gap_s = times[times > 8][0] - 8
    expected = (f"{gap_s:.1f} s without a power sample ({allowed_s} s allowed)",)
    assert gates(t_s=times, interval_s=interval_s) == (expected if allowed_s else ())


def test_too_few_samples(gates):
    assert gates(window=(4.05, 4.25)) == (
        "only 2 power samples in 0.200 s, 3 needed: the run is too short, or the host too busy, to"
        " be metered",
    )
    sparse = np.arange(0, 20, 0.3)
    assert gates(t_s=sparse)[0].startswith("only 40 power samples in 12.000 s, 60 needed")
    assert gates(t_s=np.arange(0, 20, 0.19)) == ()


def test_looks_at_which_power_was_not_read_are_no_samples(gates):
    lost = {"power_w": lambda t: np.where(np.round(t / 0.1) % 5 == 0, 300.0, np.nan)}
    assert gates(**lost)[0].startswith("only 25 power samples in 12.000 s, 60 needed")
    short = {"power_w": lambda t: np.where((t > 6.05) & (t < 6.95), np.nan, 300.0)}
    assert gates(**short) == ()
    assert gates((6.05, 7.05), **short)[0].startswith("only 1 power samples in 1.000 s, 5 needed")


def test_mean_that_stands_in_has_a_sample_a_second(gates):
    lost = {
        "power_w": lambda t: np.where(t > 3, np.nan, 300.0),
        "power_average_w": lambda t: np.where(np.round(t / 0.1) % 10 == 0, 300.0, np.nan),
    }
    assert gates(**lost) == ()
    assert gates((4.05, 6.05), **lost)[0].startswith("only 2 power samples in 2.000 s, 3 needed")


def test_temperature_drift(gates):
    heating = {"temperature_c": lambda t: 40 + np.round(2 * t)}
    assert gates(**heating) == ("the GPU went from 48 to 72 °C (15 °C allowed)",)
    assert gates(drift_c=24, **heating) == ()
    assert len(gates(temperature_c=lambda t: 90 - 2 * t)) == 1


@pytest.mark.parametrize(
    ("factor", "window", "broken"),
    [
        (1.11, WINDOW, True),
        (0.89, WINDOW, True),
        (1.09, WINDOW, False),
        (1.2, (4.0, 8.0), True),
        (1.43, (4.0, 5.0), True),
        (1.24, (4.0, 5.0), False),  # 5 % of the sensor, 20 % of the edges: 0.1 s of each's steps
        (1.43, (4.0, 4.4), False),
    ],
)
def test_counter_and_power_that_disagree(gates, factor, window, broken):
    allowed = max(0.1, 0.05 + 0.2 / (window[1] - window[0]))
    text = (
        f"energy counter and integrated power differ by {factor - 1:+.0%} ({allowed:.0%} allowed):"
        " neither can be trusted"
    )
    assert gates(window, counter_j=lambda t: factor * 300 * t) == ((text,) if broken else ())


def test_counter_with_a_fault_disagrees_with_nothing(gates):
    assert gates(counter_j=lambda t: 300 * np.minimum(t, 8)) == ()


def test_all_broken_gates_are_named(gates):
    found = gates(event_reasons=0x40, temperature_c=lambda t: 4 * t, meter={"mig": True})
    assert len(found) == 3


def test_time_of_thermal_violation_that_is_read_once_a_second(gates):
    def read_once_a_second(held_s):
        return lambda t: np.where(np.isclose(t % 1, 0.5), held_s(t), np.nan)

    hot = read_once_a_second(lambda t: 3 + np.clip(t - 15.7, 0, 0.25))  # by the end of the window
    assert gates(thermal_violation_s=hot) == ("clocks were held down by heat for 0.25 s",)
    before = read_once_a_second(lambda t: 3 + np.clip(t - 2.9, 0, 0.25))
    assert gates(thermal_violation_s=before) == ()
