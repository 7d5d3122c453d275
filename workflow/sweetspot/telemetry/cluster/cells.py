"""Cells by the paper's way of metering, of power that a cluster samples, and what that may miss."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from sweetspot.errors import one_line
from sweetspot.metering.energy import PAPER_STEP_S
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, Samples
from sweetspot.metering.trace import PowerTrace
from sweetspot.metering.validity import MIN_SAMPLES
from sweetspot.metering.window import Window
from sweetspot.telemetry.captures.times import iso
from sweetspot.telemetry.cluster.windows import CellWindow
from sweetspot.telemetry.contracts import Store
from sweetspot.telemetry.sample import COLUMNS, Sample

AROUND_NS = 60 * 10**9
"""So much before and after a window is asked for: of what is sampled once a minute, a sample."""

PUNCTUAL = 1.1
"""A clock that is late by less is still one of 500 ms."""

GAP = 1.5
"""Intervals; where neighbours are further apart, a sample is missing."""

POWER = COLUMNS.index("power_w")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredCell:
    """A row of the table of cells; numbers are None where there are none.

    Attributes:
        power_of: what drew it, "GPU" or "host".
        energy_j: of one pass: the paper's plain sum, or what `energy_source` says.
        energy_integration_j: of one pass, by trapezoids.
        sampling_error_j: by how much `energy_j` may be off as power is known at its samples alone
            (`sampling_error_j`).
        sampling_error: relative to `energy_j`.
        power_samples: in the window.
        interval_s: the usual time between them.
        largest_gap_s: the longest, those next to the window included.
    """

    model: str
    engine: str
    gpu: str
    device: str
    host: str
    power_of: str
    input_tokens: int
    output_tokens: int
    requests: int
    max_batch_size: int
    repeat: int
    passes: int
    status: str
    reason: str = ""
    simulated: bool = False
    energy_j: float | None = None
    energy_source: str = ""
    energy_integration_j: float | None = None
    energy_sum_500ms_j: float | None = None
    sampling_error_j: float | None = None
    sampling_error: float | None = None
    energy_per_token_j: float | None = None
    tokens_per_j: float | None = None
    duration_s: float
    mean_power_w: float | None = None
    throughput_tokens_per_s: float
    power_samples: int
    interval_s: float | None = None
    largest_gap_s: float | None = None
    start_utc: str
    end_utc: str


def metered_cells(windows: Iterable[CellWindow], store: Store) -> list[MeteredCell]:
    """Return a cell for each window, of the power that a store has of its board or host.

    Raises:
        TelemetryError: the store does not answer.
        InputError: it cannot tell which device is meant.
    """
    return [metered_cell(window, store) for window in windows]


def metered_cell(window: CellWindow, store: Store) -> MeteredCell:
    """Return the cell of a window; raises as above.

    It is invalid where the samples are too few, or the run's own record is.
    """
    unit = store.unit_ns
    found = store.read(
        window.source,
        (window.start_ns - AROUND_NS) // unit,
        -(-(window.end_ns + AROUND_NS) // unit),
    )
    found = [each for each in found if math.isfinite(each.values[POWER])]
    window_s = (window.end_ns - window.start_ns) / 1e9
    inside = sum(window.start_ns <= each.at * unit <= window.end_ns for each in found)
    known: dict[str, Any] = {
        "model": window.model,
        "engine": window.engine,
        "gpu": window.gpu,
        "device": window.source.gpu_uuid,
        "host": window.source.host,
        "power_of": "GPU" if window.source.gpu_uuid else "host",
        "input_tokens": window.input_tokens,
        "output_tokens": window.output_tokens,
        "requests": window.requests,
        "max_batch_size": window.max_batch_size,
        "repeat": window.repeat,
        "passes": window.passes,
        "duration_s": window_s / window.passes,
        "throughput_tokens_per_s": (
            window.passes * window.requests * window.output_tokens / window_s
        ),
        "power_samples": inside,
        "start_utc": iso(window.start_ns),
        "end_utc": iso(window.end_ns),
    }
    if inside < MIN_SAMPLES:
        reason = f"only {inside} power samples in {window_s:.3f} s, {MIN_SAMPLES} needed"
        if not found:
            reason += ", and none around: gpu and host have to be called, and times be, as there"
        return MeteredCell(**known, status="invalid", reason=reason)
    try:
        readings, interval_s = _readings(found, window.start_ns, unit)
        of_window = Window(readings, 0.0, window_s, "paper")
    except ValueError as error:  # as samples that begin after the window does, or negative power
        return MeteredCell(**known, status="invalid", reason=one_line(error))
    energy, passes = of_window.energy, window.passes
    step_s = PAPER_STEP_S if energy.source == "plain sum" else interval_s
    error_j = sampling_error_j(readings.trace, window_s, max(interval_s, step_s))
    tokens = passes * window.requests * window.output_tokens
    return MeteredCell(
        **known,
        status="invalid" if window.invalid else "ok",
        reason=window.invalid,
        energy_j=energy.energy_j / passes,
        energy_source=energy.source,
        energy_integration_j=energy.integration_j / passes,
        energy_sum_500ms_j=None if energy.sum_500ms_j is None else energy.sum_500ms_j / passes,
        sampling_error_j=error_j / passes,
        sampling_error=error_j / energy.energy_j if energy.energy_j else None,
        energy_per_token_j=energy.energy_j / tokens if tokens else None,
        tokens_per_j=tokens / energy.energy_j if energy.energy_j else None,
        mean_power_w=energy.energy_j / window_s,
        interval_s=interval_s,
        largest_gap_s=of_window.conditions.largest_gap_s,
    )


def _readings(found: Sequence[Sample], start_ns: int, unit_ns: int) -> tuple[Readings, float]:
    """Return samples as a meter's readings on a clock that is 0 s at `start_ns`, and the interval.

    They are 500 ms apart, as the paper's are, where their median is, with what a clock is late by.
    """
    t_s = np.array([(each.at * unit_ns - start_ns) / 1e9 for each in found])
    power_w = np.array([each.values[POWER] for each in found])
    interval_s = float(np.median(np.diff(t_s)))
    unknown = np.full(t_s.size, np.nan)
    channels = dict.fromkeys(CHANNELS, unknown) | {
        "t_s": t_s,
        "power_instant_w": power_w,
        "power_usage_w": power_w,
    }
    punctual = interval_s <= PUNCTUAL * PAPER_STEP_S
    readings = Readings(
        PowerTrace(t_s, power_w),
        samples=Samples(**channels),
        interval_s=min(interval_s, PAPER_STEP_S) if punctual else interval_s,
    )
    return readings, interval_s


def sampling_error_j(trace: PowerTrace, window_s: float, interval_s: float) -> float:
    """Return by how much the energy of [0, window_s] may be off, as power is sampled, in J.

    At each edge half an interval is anybody's: times the power there. Where samples are missing,
    power may have been anything that was seen from the sample before the window to that after it.
    Power that swings within an interval, and a sensor that is off, are not in it.
    """
    t_s, power_w = trace.t_s, trace.power_w
    start_w, end_w = np.interp((0.0, window_s), t_s, power_w)
    error_j = interval_s / 2 * float(start_w + end_w)
    first = int(np.searchsorted(t_s, 0.0, side="right")) - 1
    last = int(np.searchsorted(t_s, window_s, side="left"))
    t_s, power_w = t_s[first : last + 1], power_w[first : last + 1]
    clipped_s = np.clip(t_s, 0.0, window_s)
    between_w = (power_w[1:] + power_w[:-1]) / 2
    most_w = np.maximum(power_w.max() - between_w, between_w - power_w.min())
    missing = np.diff(t_s) > GAP * interval_s
    return error_j + float((np.diff(clipped_s) * most_w)[missing].sum())


def table_of(cells: Iterable[MeteredCell]) -> str:
    """Return cells as CSV, which `sweetspot fit` takes."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = [each.name for each in fields(MeteredCell)]
    table.writerow(names)
    for cell in cells:
        values = asdict(cell)
        table.writerow("" if values[name] is None else values[name] for name in names)
    return text.getvalue()
