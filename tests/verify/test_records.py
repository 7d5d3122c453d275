"""What a record says of its energy, held against its power trace."""

from dataclasses import replace

import numpy as np
import pytest

from sweetspot.measure.record import CellRecord
from sweetspot.metering.trace import PowerTrace
from sweetspot.plan.plan import plan
from sweetspot.reading import read_as
from sweetspot.verify.records import check_traces, measured_differences, window_bounds_j

# 100 W for 10 s, 300 W for 10 s, 100 W for 5 s
STEPS = PowerTrace(np.array([0, 10, 10, 20, 20, 25.0]), np.array([100, 100, 300, 300, 100, 100.0]))


@pytest.fixture
def measured(small_run):
    """A record as a measuring engine would leave it: two passes in 10 s at 300 W."""
    path = next((small_run / "records").rglob("r0.*.json"))
    record = read_as(CellRecord, path, "cell record")
    tokens = record.requests * record.output_tokens
    numbers = {
        "simulated": False,
        "energy_source": "counter",
        "energy_j": 1510.0,
        "energy_counter_j": 1510.0,
        "energy_integration_j": 1500.0,
        "passes": 2,
        "window_s": 10.0,
        "duration_s": 5.0,
        "energy_per_token_j": 1510.0 / tokens,
        "tokens_per_j": tokens / 1510.0,
        "mean_power_w": 302.0,
        "throughput_tokens_per_s": tokens / 5.0,
    }
    return replace(record, **numbers)


@pytest.mark.parametrize(("window_s", "bounds"), [(5, (500, 1500)), (10, (1000, 3000))])
def test_energy_of_windows_lies_between_the_least_and_the_most(window_s, bounds):
    assert window_bounds_j(STEPS, window_s) == pytest.approx(bounds)
    assert window_bounds_j(STEPS, 25) == pytest.approx((4500, 4500))


def test_measured_record_that_agrees_has_no_difference(measured):
    assert list(measured_differences(measured, STEPS)) == []
    assert list(measured_differences(measured, None)) == []


@pytest.mark.parametrize(
    "name",
    [
        *("energy_j", "energy_counter_j", "duration_s", "window_s", "mean_power_w"),
        *("energy_per_token_j", "tokens_per_j", "throughput_tokens_per_s"),
    ],
)
def test_changed_number_of_a_measured_record_contradicts_the_others(measured, name):
    changed = replace(measured, **{name: getattr(measured, name) * (1 + 1e-9)})
    assert list(measured_differences(changed, STEPS))


def test_integral_that_no_window_of_the_trace_has_is_found(measured):
    changed = replace(measured, energy_integration_j=1600.0)
    (line,) = measured_differences(changed, STEPS)
    assert "in its trace holds 500 to 1500 J a pass" in line
    longer = replace(measured, window_s=50.0, duration_s=25.0, mean_power_w=60.4)
    assert "its trace of 25 s has no window of 50 s" in list(measured_differences(longer, STEPS))


def test_failed_cell_needs_no_trace(measured, small_experiment, tmp_path):
    planned = plan(small_experiment())
    cell = next(planned.cells)
    none = dict.fromkeys(("energy_j", "window_s", "passes"))
    failed = replace(measured, status="failed", **none)
    assert check_traces(planned, {cell.id: failed}, tmp_path) == []
    (check,) = check_traces(planned, {cell.id: measured}, tmp_path)
    assert "is not a power trace: " in check.differences[0]
