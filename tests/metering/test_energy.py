"""Energy of a window by every way there is, and which one counts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.metering.energy import window_energy
from sweetspot.metering.meter import Readings
from sweetspot.metering.trace import PowerTrace

NO_COUNTER = "no energy counter on this GPU: power is integrated"


def pulse_w(t_s):
    """600 W from 5 to 15 s, 100 W around it."""
    return np.where((t_s >= 5) & (t_s < 15), 600.0, 100.0)


def pulse_j(t_s):
    return 100 * t_s + 500 * np.clip(t_s - 5, 0, 10)


def pulse_mean_w(t_s):
    return pulse_j(t_s) - pulse_j(t_s - 1)


def steady(readings_of, **channels):
    known = {"power_usage_w": 400, "power_average_w": 400, "counter_j": lambda t: 1e6 + 400 * t}
    return readings_of(**({"power_w": 400} | known | channels))


def test_counter_counts_and_all_others_are_beside_it(readings_of):
    found = window_energy(steady(readings_of, counter_j=lambda t: 404 * t), 2.03, 14.53)
    assert (found.source, found.remarks) == ("counter", ())
    assert found.energy_j == found.counter_j == pytest.approx(404 * 12.5)
    assert found.integration_j == pytest.approx(400 * 12.5)
    assert found.sum_500ms_j == pytest.approx(400 * 12.5)
    assert found.gap == pytest.approx(0.01)


def test_board_without_a_counter_is_integrated(readings_of):
    found = window_energy(steady(readings_of, counter_j=np.nan), 2, 14)
    assert (found.source, found.remarks) == ("integration", (NO_COUNTER,))
    assert found.energy_j == found.integration_j == pytest.approx(400 * 12)
    assert (found.counter_j, found.gap) == (None, None)


def test_counter_with_a_fault_does_not_count_and_the_fault_is_said(readings_of):
    frozen = steady(readings_of, counter_j=lambda t: 400 * np.minimum(t, 8))
    found = window_energy(frozen, 2, 14)
    assert (found.source, found.gap) == ("integration", None)
    assert found.energy_j == pytest.approx(400 * 12)
    assert found.counter_j == pytest.approx(400 * 6)
    assert found.remarks == ("the GPU's energy counter does not count: it stood still for 12.0 s",)
    backwards = steady(readings_of, counter_j=lambda t: 400 * np.where(t < 8.05, t, t - 8.05))
    found = window_energy(backwards, 2, 14)
    assert (found.source, found.counter_j, found.gap) == ("integration", None, None)
    assert found.remarks == (
        "the GPU's energy counter does not count: it went back from 3200 to 20 J",
    )


@pytest.mark.parametrize(("end_s", "source"), [(6.9, "integration"), (7.1, "counter")])
def test_window_must_hold_fifty_steps_of_the_counter(readings_of, end_s, source):
    found = window_energy(steady(readings_of), 2, end_s)
    assert found.source == source
    assert found.energy_j == pytest.approx(400 * (end_s - 2))
    assert found.gap == pytest.approx(0)
    assert bool(found.remarks) == (source == "integration")


def test_too_short_a_window_is_said(readings_of):
    remarks = window_energy(steady(readings_of), 2, 4).remarks
    assert remarks == (
        "the GPU's energy counter does not count: it moves every 0.1 s, and the window is only"
        " 2.0 s long",
    )
    remarks = window_energy(steady(readings_of), 2, 2.15).remarks
    assert remarks == ("the GPU's energy counter does not count: it hardly moved in 0.15 s",)


@pytest.mark.parametrize(("factor", "remarked"), [(1.049, False), (1.06, True), (0.94, True)])
def test_gap_beyond_the_sensors_accuracy_is_said(readings_of, factor, remarked):
    found = window_energy(steady(readings_of, counter_j=lambda t: factor * 400 * t), 2, 14)
    assert found.source == "counter"
    assert found.gap == pytest.approx(factor - 1)
    assert found.remarks == (
        (f"energy counter and integrated power differ by {factor - 1:+.1%}",) if remarked else ()
    )


def test_paper_protocol_sums_whatever_else_there_is(readings_of):
    found = window_energy(steady(readings_of, power_usage_w=410), 2.03, 14.53, "paper")
    assert (found.source, found.remarks) == ("plain sum", ())
    assert found.energy_j == found.sum_500ms_j == pytest.approx(410 * 12.5)
    assert (found.counter_j, found.integration_j) == pytest.approx((400 * 12.5, 400 * 12.5))


def test_paper_protocol_without_readings_to_sum_says_so(readings_of):
    for lacking in ({"interval_s": 1.0}, {"power_usage_w": np.nan, "power_average_w": np.nan}):
        found = window_energy(steady(readings_of, **lacking), 2, 14, "paper")
        assert (found.source, found.sum_500ms_j) == ("integration", None)
        assert found.remarks == (
            "no power readings at steps of 500 ms to sum: power is integrated",
        )


def test_mean_is_summed_where_there_is_no_power_usage(readings_of):
    found = window_energy(steady(readings_of, power_usage_w=np.nan, power_average_w=390), 2, 14)
    assert found.sum_500ms_j == pytest.approx(390 * 12.5)  # both edges are steps: 25 readings


@pytest.mark.parametrize("interval_s", [0.1, 0.25, 0.5])
def test_plain_sum_is_what_a_script_at_500_ms_gets(readings_of, interval_s):
    readings = readings_of(pulse_w, power_usage_w=pulse_mean_w, interval_s=interval_s)
    steps_s = np.arange(4.5, 14.76, 0.5)
    expected_j = 0.5 * pulse_mean_w(steps_s).sum()
    found = window_energy(readings, 4.3, 14.8, "paper")
    assert found.energy_j == pytest.approx(expected_j)


def test_paper_protocol_needs_no_long_window(readings_of):
    found = window_energy(steady(readings_of, interval_s=0.5), 2.2, 4.2, "paper")
    assert (found.source, found.remarks) == ("plain sum", ())


def test_window_between_two_steps_of_the_plain_sum_has_none(readings_of):
    assert window_energy(steady(readings_of), 2.11, 2.39).sum_500ms_j is None


REMARK = (
    "no instantaneous power on this GPU: each 1-s mean is taken as the energy of the second before"
    " it, and power as steady before the window"
)


@pytest.mark.parametrize("window", [(5, 15), (5, 12.3), (5, 5.4), (6.21, 14.9), (3, 18.5)])
def test_board_with_a_mean_only_loses_nothing_to_its_lag(readings_of, window):
    """Integrated as it stands, it would lose 4 % of the first of these windows."""
    readings = readings_of(None, power_average_w=pulse_mean_w, interval_s=0.1)
    found = window_energy(readings, *window)
    assert (found.source, found.remarks) == ("integration of 1-s average", (NO_COUNTER, REMARK))
    start_j, end_j = pulse_j(np.array(window))
    # samples join the kinks of a mean by lines, which are within a tenth of a second of it
    assert found.energy_j == pytest.approx(end_j - start_j, rel=0.01)


def test_readings_of_power_alone_are_integrated():
    """The simulator's: no channels, no counter."""
    readings = Readings(PowerTrace([0, 5, 5, 10], [100, 100, 300, 300]))
    found = window_energy(readings, 4, 6)
    assert (found.energy_j, found.source, found.remarks) == (400, "integration", ())
    assert (found.counter_j, found.sum_500ms_j, found.gap) == (None, None, None)


PIECES = st.lists(st.tuples(st.floats(0.5, 4), st.floats(60, 700)), min_size=2, max_size=10)


@given(PIECES, st.floats(0, 1), st.floats(0, 1))
def test_counter_and_integration_agree_on_any_line_of_power(readings_of, pieces, f, g):
    """Power that goes in straight lines between knots, its exact integral as the counter."""
    gaps_s, knots_w = map(np.array, zip(*pieces, strict=True))
    knots_s = np.cumsum(gaps_s)
    t_s = np.union1d(np.arange(knots_s[0], knots_s[-1], 0.1), knots_s)
    power_w = np.interp(t_s, knots_s, knots_w)
    joules = np.concatenate(([0], np.cumsum(np.diff(t_s) * (power_w[1:] + power_w[:-1]) / 2)))
    readings = readings_of(power_w, t_s=t_s, counter_j=joules)
    start_s, end_s = knots_s[0] + np.array(sorted((f, g))) * (knots_s[-1] - knots_s[0])
    if end_s - start_s < 0.01:
        return
    found = window_energy(readings, start_s, end_s)
    # inside a step of 0.1 s the counter's line is straight and its power's is not
    assert found.counter_j == pytest.approx(found.integration_j, abs=2 * 700 * 0.1 / 4)
    assert found.energy_j in (found.counter_j, found.integration_j)


@given(st.floats(1, 1000), st.floats(0.5, 8), st.floats(0, 6), st.sampled_from([0.05, 0.1, 0.5]))
def test_plain_sum_of_a_constant_is_within_one_reading(readings_of, power_w, length_s, at_s, step):
    readings = readings_of(power_w, power_usage_w=power_w, interval_s=step)
    found = window_energy(readings, at_s, at_s + length_s, "paper")
    assert found.sum_500ms_j == pytest.approx(power_w * length_s, abs=0.5001 * power_w)


@given(st.floats(1, 1000), st.floats(0.01, 8), st.floats(1, 6))
def test_means_of_a_constant_are_exact(readings_of, power_w, length_s, at_s):
    readings = readings_of(None, power_average_w=power_w)
    found = window_energy(readings, at_s, at_s + length_s)
    assert found.energy_j == pytest.approx(power_w * length_s, rel=1e-6)


def test_sum_of_usage_that_is_read_twice_a_second_is_that_of_all_readings(readings_of):
    def usage_w(t):
        return 400 + 10 * np.floor(t)

    every = readings_of(300, power_usage_w=usage_w)
    some = readings_of(
        300, power_usage_w=lambda t: np.where(np.round(10 * t) % 5 == 0, usage_w(t), np.nan)
    )
    found = [window_energy(each, 4.1, 16.2).sum_500ms_j for each in (every, some)]
    assert found[0] == found[1] > 0
    rare = readings_of(
        300, power_usage_w=lambda t: np.where(np.round(10 * t) % 20 == 0, usage_w(t), np.nan)
    )
    assert window_energy(rare, 4.1, 16.2).sum_500ms_j is None


def test_edges_are_as_unsure_as_power_is_bridged_over_them(readings_of):
    """0.1 s of the counter's steps, and the longest time between two readings of power."""

    def edges_s(power_w):
        readings = readings_of(power_w, counter_j=lambda t: 400 * t)
        found = window_energy(readings, 2.03, 14.53)
        return found.edges * found.integration_j / 400

    assert edges_s(400) == pytest.approx(0.2)
    lost = edges_s(lambda t: np.where((t > 5.05) & (t < 5.75), np.nan, 400.0))
    assert lost == pytest.approx(0.1 + 0.8)


def test_trace_whose_power_no_channel_has_is_as_unsure_as_a_mean(readings_of):
    """As of a file that was tampered with."""
    found = steady(readings_of, power_w=400)
    names = ("power_instant_w", "power_average_w")
    nothing = replace(found.samples, **dict.fromkeys(names, np.full(found.trace.t_s.size, np.nan)))
    energy = window_energy(replace(found, samples=nothing), 2.03, 14.53)
    assert energy.edges * energy.integration_j == pytest.approx(400 * (0.1 + 0.1 + 1))
