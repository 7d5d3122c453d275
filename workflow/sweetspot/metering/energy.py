"""The energy of a window: all that can be had of it, and which one counts."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sweetspot.metering.counter import PERIODS, STILL_S, Counted, counted
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import FloatArray, Samples
from sweetspot.metering.trace import PowerTrace, window_energy_j

Source = Literal["counter", "integration", "integration of 1-s average", "plain sum"]
ProtocolName = Literal["standard", "paper"]

MOST_USAGE_GAP = 3  # steps; where usage is further apart, the paper's sum is none
PAPER_STEP_S = 0.5  # section 4 of arXiv 2602.05695: power every 500 ms
SENSOR_ACCURACY = 0.05  # boards are within 5 % of the truth (arXiv 2312.02741)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowEnergy:
    """Energy of one window, in J, by every way there is; None where there is none.

    Attributes:
        energy_j: the one that counts.
        source: which one that is.
        integration_j: power over time, edges of the window interpolated.
        counter_j: by the board's counter, sound or not.
        sum_500ms_j: the paper's: readings of power usage, one every 0.5 s, times 0.5 s.
        gap: (counter - integration) / integration; None without a sound counter.
        edges: what of such a gap the window's edges alone may make; None where there is none.
        remarks: what a reader should know of them.
    """

    energy_j: float
    source: Source
    integration_j: float
    counter_j: float | None
    sum_500ms_j: float | None
    gap: float | None
    edges: float | None
    remarks: tuple[str, ...] = ()


def window_energy(
    readings: Readings, start_s: float, end_s: float, protocol: ProtocolName = "standard"
) -> WindowEnergy:
    """Return the energy of [start_s, end_s] by every way there is, and which one counts.

    The trace spans the window.

    standard: the board's counter, if it has one that moved throughout the window (not back, and
    never still for more than a second) and at least 50 times in it; otherwise the integral of the
    instantaneous power, or of the 1-s mean on a board that has no other. paper: the plain sum at
    500 ms. What made the choice another than the first one is in `remarks`, and so is a gap of
    more than 5 % between counter and integration.
    """
    integration_j = _integration_j(readings, start_s, end_s)
    sum_j = _sum_500ms_j(readings, start_s, end_s)
    counter = _counted(readings, start_s, end_s)
    counter_j = None if counter is None else counter.energy_j
    gap = None if counter is None or counter.fault else _gap(counter.energy_j, integration_j)
    doubt = "" if counter is None else counter.fault or _too_short(counter, end_s - start_s)

    remarks = []
    if counter is not None and (counter.fault or (doubt and protocol == "standard")):
        remarks.append(f"the GPU's energy counter does not count: {doubt}")
    if gap is not None and not doubt and abs(gap) > SENSOR_ACCURACY:
        remarks.append(f"energy counter and integrated power differ by {gap:+.1%}")

    source: Source
    if protocol == "paper" and sum_j is not None:
        source, energy_j = "plain sum", sum_j
    elif protocol == "standard" and counter_j is not None and not doubt:
        source, energy_j = "counter", counter_j
    else:
        source, energy_j = "integration", integration_j
        if protocol == "standard" and counter is None and readings.samples is not None:
            remarks.append("no energy counter on this GPU: power is integrated")
        if protocol == "paper":
            remarks.append("no power readings at steps of 500 ms to sum: power is integrated")
        if readings.power_is_average:
            source = "integration of 1-s average"
            remarks.append(
                "no instantaneous power on this GPU: each 1-s mean is taken as the energy of the"
                " second before it, and power as steady before the window"
            )
    return WindowEnergy(
        energy_j=energy_j,
        source=source,
        integration_j=integration_j,
        counter_j=counter_j,
        sum_500ms_j=sum_j,
        gap=gap,
        edges=None if gap is None else _edges_j(readings, counter, start_s, end_s) / integration_j,
        remarks=tuple(remarks),
    )


def _counted(readings: Readings, start_s: float, end_s: float) -> Counted | None:
    if readings.counter_j is None:
        return None
    return counted(readings.trace.t_s, readings.counter_j, start_s, end_s)


def _gap(counter_j: float | None, integration_j: float) -> float | None:
    if counter_j is None or integration_j <= 0:
        return None
    return (counter_j - integration_j) / integration_j


def _edges_j(readings: Readings, counter: Counted | None, start_s: float, end_s: float) -> float:
    """Return by how much counter and integral may differ for when they were read alone, in J.

    A reading of the counter is up to one of its periods old, a mean of 1 s is of any time in that
    second, and between two readings power may have been anything up to its highest in the window.
    """
    t_s, power_w = readings.trace.t_s, readings.trace.power_w
    if readings.samples is not None:
        read = readings.samples.with_power()
        t_s, power_w = t_s[read], power_w[read]
    first = int(np.searchsorted(t_s, start_s, side="right")) - 1
    last = int(np.searchsorted(t_s, end_s, side="left"))
    around = slice(first, last + 1)
    period_s = STILL_S if counter is None or counter.period_s is None else counter.period_s
    mean_s = 1.0 if readings.power_is_average else 0.0
    unsure_s = period_s + float(np.diff(t_s[around]).max()) + mean_s
    return unsure_s * float(power_w[around].max())


def _too_short(counter: Counted, window_s: float) -> str:
    if counter.period_s is None:
        return f"it hardly moved in {window_s:.2g} s"
    if window_s >= PERIODS * counter.period_s:
        return ""
    return f"it moves every {counter.period_s:.2g} s, and the window is only {window_s:.1f} s long"


def _integration_j(readings: Readings, start_s: float, end_s: float) -> float:
    if readings.power_is_average:
        return _by_seconds_j(readings.trace, start_s, end_s)
    return window_energy_j(readings.trace, start_s, end_s)


def _by_seconds_j(trace: PowerTrace, start_s: float, end_s: float) -> float:
    """Return the energy of a window from power that is a mean over the second before each sample.

    Integrated as it stands, such a trace would lag 0.5 s behind the board: a window between idle
    times would lose half a second of its power, 5 % of 10 s. But a mean in W is also the energy of
    its second in J: readings 1 s apart, back from the window's end, add up exactly. The first of
    these seconds may begin before the window; what it drew there is the mean at the window's start.
    """
    window_s = end_s - start_s
    seconds = math.ceil(window_s)
    ends_w = np.interp(end_s - np.arange(seconds), trace.t_s, trace.power_w)
    before_w = np.interp(start_s, trace.t_s, trace.power_w)
    return float(ends_w.sum() - (seconds - window_s) * before_w)


def _sum_500ms_j(readings: Readings, start_s: float, end_s: float) -> float | None:
    """Return the paper's energy: power usage at steps of 0.5 s in the window, times 0.5 s.

    The steps are those of a meter that began with the trace, whatever the window; each takes the
    reading nearest to it. None where readings are further apart, or no step is in the window.
    """
    samples, interval_s = readings.samples, readings.interval_s
    if samples is None or interval_s is None or interval_s > PAPER_STEP_S:
        return None
    power_w = _usage_w(samples)
    if power_w is None:
        return None
    known = np.isfinite(power_w)
    t_s, power_w = samples.t_s[known], power_w[known]
    is_sparse = not known.all()  # it is not read at each look
    if t_s.size < 2 or (is_sparse and float(np.diff(t_s).max()) > MOST_USAGE_GAP * PAPER_STEP_S):
        return None
    steps_s = np.arange(t_s[0], t_s[-1], PAPER_STEP_S)
    right = np.clip(np.searchsorted(t_s, steps_s), 1, t_s.size - 1)
    nearest = np.where(steps_s - t_s[right - 1] <= t_s[right] - steps_s, right - 1, right)
    inside = nearest[(t_s[nearest] >= start_s) & (t_s[nearest] <= end_s)]
    return float(power_w[inside].sum() * PAPER_STEP_S) if inside.size else None


def _usage_w(samples: Samples) -> FloatArray | None:
    """Return what nvmlDeviceGetPowerUsage said, NaN where it was not asked."""
    for channel in ("power_usage_w", "power_average_w"):
        if (power_w := samples.complete(channel)) is not None:
            return power_w
    return samples.power_usage_w
