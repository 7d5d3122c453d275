"""What a power sensor makes of a run: the paper's sensor laid over a simulated trace.

On Hopper, `nvmlDeviceGetPowerUsage` is a mean over the last second; the paper reads it every 500 ms
and adds the readings up. The benchmark's log ends up to 1 s after the last response, so a window
taken from it has a tail.

Source: section 5.3 of arXiv 2602.05695; NVML API reference (1-s average); Yang, Adámek and Armour,
SC'24 (update periods and averaging windows).
"""

from dataclasses import dataclass

import numpy as np

from sweetspot.metering.trace import PowerTrace, cumulative_energy_j, window_energy_j


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """How power is read. All in s.

    Attributes:
        average_s: a reading is the mean power of this long before it; 0 for an ideal sensor.
        period_s: time between readings; each counts for as long.
        tail_s: how long after the end of the run the window ends.
    """

    average_s: float = 1.0
    period_s: float = 0.5
    tail_s: float = 1.0


PAPER_SENSOR = Sensor()


def read_energy_j(trace: PowerTrace, sensor: Sensor, *, idle_w: float, phase: float) -> float:
    """Return the plain sum of a sensor's readings times their period, in J.

    Args:
        trace: power as steps, from the start of the run to its end.
        sensor: how it is read.
        idle_w: power before the run and in the tail.
        phase: when the first reading falls after the start, as a share of the period, 0 to 1.
    """
    seen = sensed(trace, sensor, idle_w=idle_w)
    end_s = trace.t_s[-1] + sensor.tail_s
    at_s = np.arange(trace.t_s[0] + phase * sensor.period_s, end_s, sensor.period_s)
    return float(np.interp(at_s, seen.t_s, seen.power_w).sum() * sensor.period_s)


def mean_read_energy_j(trace: PowerTrace, sensor: Sensor, *, idle_w: float) -> float:
    """Return the mean of `read_energy_j` over all phases, in J: a plain sum has no other bias."""
    seen = sensed(trace, sensor, idle_w=idle_w)
    return window_energy_j(seen, float(trace.t_s[0]), float(trace.t_s[-1] + sensor.tail_s))


def sensed(trace: PowerTrace, sensor: Sensor, *, idle_w: float) -> PowerTrace:
    """Return what the sensor shows, from the start of the run to the end of its tail.

    The running mean of power in steps is linear between the times of the steps and the same times
    an averaging window later, so the answer is exact.
    """
    start_s, end_s = float(trace.t_s[0]), float(trace.t_s[-1])
    last_s = end_s + sensor.tail_s
    padded = PowerTrace(
        t_s=np.concatenate(([start_s - sensor.average_s, start_s], trace.t_s, [end_s, last_s])),
        power_w=np.concatenate(([idle_w, idle_w], trace.power_w, [idle_w, idle_w])),
    )
    if sensor.average_s == 0:
        return padded
    times_s = np.unique(np.concatenate((padded.t_s, padded.t_s + sensor.average_s)))
    times_s = times_s[(times_s >= start_s) & (times_s <= last_s)]
    energy_j = cumulative_energy_j(padded.t_s, padded.power_w)
    until_j = np.interp(times_s, padded.t_s, energy_j)
    before_j = np.interp(times_s - sensor.average_s, padded.t_s, energy_j)
    return PowerTrace(times_s, (until_j - before_j) / sensor.average_s)
