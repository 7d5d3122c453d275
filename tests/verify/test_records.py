"""What a record says of its energy, held against its power trace."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sweetspot.engines.base import Run, Steady
from sweetspot.measure.measure import measure_block
from sweetspot.measure.record import CellRecord, record_path, trace_path
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, Samples
from sweetspot.metering.trace import PowerTrace, read_trace
from sweetspot.plan.plan import Plan, plan
from sweetspot.reading import read_as
from sweetspot.verify.records import (
    check_traces,
    measured_differences,
    read_records,
    recomputed_differences,
    window_bounds_j,
)

# 100 W for 10 s, 300 W for 10 s, 100 W for 5 s
STEPS = PowerTrace(np.array([0, 10, 10, 20, 20, 25.0]), np.array([100, 100, 300, 300, 100, 100.0]))


@pytest.fixture
def measured(small_run):
    """A record as a measuring engine would leave it: two passes in 10 s at 300 W."""
    path = next((small_run / "records").rglob("r0.*.json"))
    record = read_as(CellRecord, path, "cell record")
    tokens = record.requests * record.output_tokens
    numbers = {
        "schema_version": 2,
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


class Engine:
    """An engine, session and meter in one: a window of three passes on a board that is not calm."""

    name, version, simulated = "vllm", "0.24.0", False

    @property
    def meter(self):
        return self

    def load(self, settings):
        return self

    def close(self):
        pass

    def start(self, spool=None, observe=None):
        spool.parent.mkdir(parents=True, exist_ok=True)
        spool.touch()

    def stop(self):
        t_s = 5000 + np.linspace(0, 12, 121) + 1e-3 * np.sin(np.arange(121.0))
        power_w = 600 + 90 * np.sin(t_s)
        channels = dict.fromkeys(CHANNELS, np.full(t_s.size, np.nan)) | {
            "t_s": t_s,
            "power_instant_w": power_w,
            "power_usage_w": power_w,
            "counter_j": 601 * (t_s - 5000),
            "host_counter_j": 300.0 * (t_s - 4000),
            "sm_mhz": np.full(t_s.size, 1979.9),
            "utc_s": np.where(t_s == t_s[0], 1795904242.3671403, np.nan),
        }
        samples = Samples(**channels)
        counter_j = samples.complete("counter_j")
        trace = PowerTrace(t_s, power_w)
        return Readings(trace, counter_j, samples, interval_s=0.1, host_scope="2 CPU packages")

    def run(self, cell):
        return Run(
            start_s=5001.2003,
            end_s=5008.7001,
            passes=3,
            requests=3 * cell.requests,
            input_tokens=3 * cell.requests * cell.input_tokens,
            output_tokens=3 * cell.total_output_tokens,
            facts={"gpu_name": "NVIDIA H100 80GB HBM3", "gpu_uuid": "GPU-0"},
            steady=Steady(start_s=5002.1002, end_s=5007.3, output_tokens=123.4),
        )


@pytest.fixture
def measured_with_a_trace(small_experiment, tmp_path, monkeypatch):
    """A block whose records and traces lie in tmp_path, and one of its cells."""
    monkeypatch.setattr("sweetspot.measure.measure.median_power_w", lambda *_: 250.0)
    measure = {"idle_s": 1e-3, "interval_s": 0.1}
    (block,) = plan(small_experiment(engine="vllm", measure=measure)).blocks
    measure_block(block, Engine(), tmp_path, tmp_path / "block.jsonl")
    return block, block.cells[0]


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


def test_measured_record_and_its_trace_give_the_same_numbers_to_the_bit(
    measured_with_a_trace, tmp_path
):
    block, cell = measured_with_a_trace
    path = record_path(tmp_path, cell, block.key(cell))
    record = read_as(CellRecord, path, "cell record")
    assert (record.schema_version, record.status, record.passes) == (3, "ok", 3)
    assert record.energy_source == "counter"
    assert record.energy_above_idle_j == record.energy_j - 250 * record.duration_s

    def differences(**changes):
        trace = read_trace(trace_path(tmp_path, cell, record.key))
        changed = replace(record, **changes)
        return list(recomputed_differences(changed, *trace, block.settings.metering))

    assert differences() == []
    for name in (
        *("energy_j", "energy_counter_j", "energy_integration_j", "energy_sum_500ms_j"),
        *("window_s", "duration_s", "tokens_per_j", "mean_sm_mhz", "host_energy_j", "trace_utc_s"),
        *("energy_per_total_token_j", "energy_per_request_j", "energy_above_idle_j"),
    ):
        bit = math.nextafter(getattr(record, name), math.inf)
        assert any(each.startswith(f"{name} is") for each in differences(**{name: bit}))
    assert any(line.startswith("energy_j is") for line in differences(window_start_s=5001.21))
    for name in ("steady_window_s", "steady_energy_per_token_j", "steady_throughput_tokens_per_s"):
        assert differences(**{name: getattr(record, name) * (1 + 1e-9)})
    assert differences(steady_start_s=5001.0) == ["its steady part is not inside its window"]
    assert differences(steady_end_s=None) == ["has a steady part without its times or rate"]
    assert differences(window_start_s=None) == ["has an energy and no window or passes"]


def test_ok_record_whose_trace_breaks_a_gate_is_found(measured_with_a_trace, tmp_path):
    block, cell = measured_with_a_trace
    record = read_as(CellRecord, record_path(tmp_path, cell, block.key(cell)), "cell record")
    trace, samples = read_trace(trace_path(tmp_path, cell, record.key))

    def judged(record, **channels):
        changed = replace(samples, **{k: np.full(trace.t_s.size, v) for k, v in channels.items()})
        found = recomputed_differences(record, trace, changed, block.settings.metering)
        return [line for line in found if line.startswith("status")]

    assert judged(record) == []
    hot = {"event_reasons": 0x40}
    slowed = "status is 'ok', though thermal slowdown by the hardware in 100% of the samples"
    assert judged(record, **hot) == [slowed]
    assert judged(replace(record, status="invalid"), **hot) == []


def test_looks_over_which_power_was_bridged_are_counted_as_the_record_counted_them(
    measured_with_a_trace, tmp_path
):
    """Earlier versions counted them as samples, so none of their records may fail for it."""
    block, cell = measured_with_a_trace
    record = read_as(CellRecord, record_path(tmp_path, cell, block.key(cell)), "cell record")
    trace, samples = read_trace(trace_path(tmp_path, cell, record.key))
    read = np.arange(trace.t_s.size) % 3 == 0  # every third: too few, by what is counted now
    power_w = np.interp(trace.t_s, trace.t_s[read], trace.power_w[read])
    bridged = PowerTrace(trace.t_s, power_w)
    lost = replace(samples, power_instant_w=np.where(read, power_w, np.nan), power_usage_w=power_w)

    def differences(**changes):
        changed = replace(record, **changes)
        found = recomputed_differences(changed, bridged, lost, block.settings.metering)
        return [line.partition(" is ")[0] for line in found]

    of_power = ["energy_integration_j", "energy_sum_500ms_j", "energy_gap"]
    assert record.power_samples == 75
    assert differences() == of_power
    assert differences(power_samples=25) == ["status", *of_power, "largest_gap_s"]
    assert differences(power_samples=26) == [
        *("status", *of_power, "power_samples", "largest_gap_s")
    ]


def test_looks_that_were_bridged_beside_a_window_count_as_the_record_counted_them(
    measured_with_a_trace, tmp_path
):
    """They widen the gap at its edge, and are no samples of it by either way of counting."""
    block, cell = measured_with_a_trace
    record = read_as(CellRecord, record_path(tmp_path, cell, block.key(cell)), "cell record")
    t_s = np.arange(121) / 10
    power_w = np.full(t_s.size, 600.0)
    trace = PowerTrace(t_s, power_w)
    none = np.full(t_s.size, np.nan)
    lost = np.where((t_s == 0.9) | (t_s == 1.0), np.nan, power_w)
    channels = {"t_s": t_s, "power_instant_w": lost, "power_usage_w": power_w}
    samples = Samples(**dict.fromkeys(CHANNELS, none) | channels)
    window = {"window_start_s": 1.05, "window_end_s": 8.05}

    def differences(gap_s):
        changed = replace(record, **window, power_samples=70, largest_gap_s=gap_s)
        found = list(recomputed_differences(changed, trace, samples, block.settings.metering))
        return [line for line in found if line.startswith(("power_samples", "largest_gap_s"))]

    earlier_s, now_s = float(np.diff(t_s[10:82]).max()), float(t_s[11] - t_s[8])
    assert differences(earlier_s) == differences(now_s) == []
    assert differences(0.2) == [f"largest_gap_s is 0.2, not {now_s} as its trace gives"]


def test_time_at_the_power_limit_may_be_counted_in_looks_as_earlier(
    measured_with_a_trace, tmp_path
):
    block, cell = measured_with_a_trace
    record = read_as(CellRecord, record_path(tmp_path, cell, block.key(cell)), "cell record")
    trace, samples = read_trace(trace_path(tmp_path, cell, record.key))
    start_s, end_s = record.window_start_s, record.window_end_s
    t_s, half_s = trace.t_s, (start_s + end_s) / 2
    once_a_second = np.where(np.arange(t_s.size) % 10 == 0, t_s, np.nan)
    capped = replace(
        samples, event_reasons=np.where(t_s < half_s, 0x4, 0), power_violation_s=once_a_second
    )

    def differences(share):
        changed = replace(record, power_cap_share=share)
        return list(recomputed_differences(changed, trace, capped, block.settings.metering))

    in_window = t_s[(t_s >= start_s) & (t_s <= end_s)]
    assert differences(1.0) == differences(float((in_window < half_s).mean())) == []
    assert differences(0.9) == ["power_cap_share is 0.9, not 1.0 as its trace gives"]


def test_ok_record_that_names_another_board_is_found(measured_with_a_trace, tmp_path):
    block, cell = measured_with_a_trace
    planned = Plan(blocks=(block,), sweeps={})
    assert read_records(planned, tmp_path)[1].differences == ()
    path = record_path(tmp_path, cell, block.key(cell))
    path.write_text(path.read_text().replace("NVIDIA H100 80GB HBM3", "Tesla T4"))
    (line,) = read_records(planned, tmp_path)[1].differences
    assert "its record has status 'ok', though metered was 'Tesla T4' (GPU-0), not h100-" in line


def test_failed_cell_needs_no_trace(measured, small_experiment, tmp_path):
    planned = plan(small_experiment())
    cell = next(planned.cells)
    none = dict.fromkeys(("energy_j", "window_s", "passes"))
    failed = replace(measured, status="failed", **none)
    assert check_traces(planned, {cell.id: failed}, tmp_path) == []
    (check,) = check_traces(planned, {cell.id: measured}, tmp_path)
    assert "is not a power trace: " in check.differences[0]
