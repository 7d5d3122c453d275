"""What a run and its readings say of a cell: the same for every engine."""

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from sweetspot.catalog import Gpu
from sweetspot.cells.cell import Cell
from sweetspot.config import Metering
from sweetspot.engines.base import Run
from sweetspot.errors import MeterError
from sweetspot.measure.provenance import other_board
from sweetspot.measure.record import CellRecord
from sweetspot.metering.conditions import power_samples
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import Samples
from sweetspot.metering.validity import MIN_SAMPLES
from sweetspot.metering.window import Window

RATIOS = ("energy_per_total_token_j", "energy_per_request_j", "energy_above_idle_j")
"""What follows from other numbers of a record (`with_ratios`)."""


def result_of(
    run: Run, cell: Cell, readings: Readings, metering: Metering | None, wanted: Gpu
) -> dict[str, Any]:
    """Return a record's status, remarks, energies, rates, powers and conditions.

    Where there is a metering, the board that was metered has to be a `wanted` one.

    Raises:
        MeterError: the trace does not span the run, or shows no power in it.
    """
    protocol = metering.protocol if metering else "standard"
    try:
        window = Window(readings, run.start_s, run.end_s, protocol)
    except ValueError as e:
        raise MeterError(f"the power trace does not cover the run: {e}") from e
    if window.energy.energy_j <= 0:
        raise MeterError("the power trace shows 0 W over the whole run")
    doubts = [_wrong_work(run, cell), run.untrusted]
    if metering:
        doubts += [other_board(run.facts, wanted)]
        doubts += window.broken_gates(metering.max_temperature_drift_c)
    wrong = [doubt for doubt in doubts if doubt]
    return {
        "status": "invalid" if wrong else "ok",
        "reason": "; ".join(wrong),
        "remarks": "; ".join((*run.remarks, *_reported(run, window), *window.remarks)),
        "window_start_s": window.start_s,
        "window_end_s": window.end_s,
        "trace_utc_s": trace_utc_s(readings.samples),
        **energies(run, window),
        **run.latencies,
        **_steady(run, readings),
        "host_energy_scope": "" if window.host_energy_j is None else readings.host_scope,
        **asdict(window.conditions),
        **({"mean_sm_mhz": run.mean_sm_mhz} if run.mean_sm_mhz else {}),
    }


def _steady(run: Run, readings: Readings) -> dict[str, Any]:
    """Return what a record says of the steady part of a run, where one is long enough to meter."""
    steady, samples = run.steady, readings.samples
    if steady is None or not steady.output_tokens or samples is None:
        return {}
    if power_samples(samples, steady.start_s, steady.end_s) < MIN_SAMPLES:
        return {}
    part = Window(readings, steady.start_s, steady.end_s)
    window_s = steady.end_s - steady.start_s
    return {
        "steady_start_s": steady.start_s,
        "steady_end_s": steady.end_s,
        "steady_window_s": window_s,
        "steady_energy_per_token_j": part.energy.energy_j / steady.output_tokens,
        "steady_throughput_tokens_per_s": steady.output_tokens / window_s,
    }


def _reported(run: Run, window: Window) -> Iterator[str]:
    """Yield what the engine itself says of the energy of one run, beside what was metered."""
    if run.reported_energy_j is not None:
        gap = run.reported_energy_j / (window.energy.energy_j / run.passes) - 1
        yield f"the engine's own report says {run.reported_energy_j:.6g} J a run, {gap:+.1%}"


def trace_utc_s(samples: Samples | None) -> float | None:
    """Return when the first sample of a trace was, in s since 1970; None where it is not noted."""
    if samples is None or math.isnan(samples.utc_s[0]):
        return None
    return float(samples.utc_s[0])


def with_ratios(record: CellRecord) -> CellRecord:
    """Return the record with what follows from its numbers, whichever version wrote it.

    Energies per token and request are those of the work that was asked: none of an invalid cell.
    """
    energy_j = record.energy_j
    if energy_j is None:
        return record
    if record.status == "ok":
        tokens = record.requests * (record.input_tokens + record.output_tokens)
        record = replace(
            record,
            energy_per_total_token_j=energy_j / tokens,
            energy_per_request_j=energy_j / record.requests,
        )
    before_w, after_w, duration_s = record.idle_before_w, record.idle_after_w, record.duration_s
    if before_w is None or after_w is None or duration_s is None:
        return record
    idle_j = (before_w + after_w) / 2 * duration_s
    return replace(record, energy_above_idle_j=energy_j - idle_j)


def energies(run: Run, window: Window) -> dict[str, Any]:
    """Return a record's energies, rates and mean power, from the window of a run.

    Energy per token is None for a run without output.

    Source: e = E / (N·O) and its reciprocal, section 5.3 of arXiv 2602.05695.
    """
    found, window_s = window.energy, window.end_s - window.start_s

    def of_one_pass(of_the_window: float | None) -> float | None:
        return None if of_the_window is None else of_the_window / run.passes

    return {
        "energy_j": of_one_pass(found.energy_j),
        "energy_source": found.source,
        "energy_counter_j": of_one_pass(found.counter_j),
        "energy_integration_j": of_one_pass(found.integration_j),
        "energy_sum_500ms_j": of_one_pass(found.sum_500ms_j),
        "energy_gap": found.gap,
        "host_energy_j": of_one_pass(window.host_energy_j),
        "passes": run.passes,
        "window_s": window_s,
        "duration_s": of_one_pass(window_s),
        "energy_per_token_j": found.energy_j / run.output_tokens if run.output_tokens else None,
        "tokens_per_j": run.output_tokens / found.energy_j,
        "mean_power_w": found.energy_j / window_s,
        "throughput_tokens_per_s": run.output_tokens / window_s,
        "max_concurrency": run.max_concurrency,
    }


def _wrong_work(run: Run, cell: Cell) -> str:
    """Return what the engine did not do of a cell; empty if all is there."""
    for name, actual, expected in (
        ("requests", run.requests, cell.requests),
        ("input tokens", run.input_tokens, cell.requests * cell.input_tokens),
        ("output tokens", run.output_tokens, cell.total_output_tokens),
    ):
        if actual != run.passes * expected:
            return f"the engine did {actual} {name} instead of {run.passes * expected}"
    return ""
