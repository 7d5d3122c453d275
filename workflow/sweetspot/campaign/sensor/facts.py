"""What a square wave of load shows of a board's power sensors; pure analysis of samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweetspot.metering.counter import counted
from sweetspot.metering.samples import FloatArray, Samples
from sweetspot.metering.trace import PowerTrace, cumulative_energy_j, window_energy_j

SAME_W = 0.5

# Search for the running mean that a sensor shows
STEP_S = 0.02  # of the search for the averaging window
LONGEST_WINDOW_S = 2.0
LONGEST_DELAY_S = 0.4
EXPLAINED = 0.9  # share of the variance that a window must explain to be one


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One period of a wave: load from `on_s` to `off_s`, on the clock of the samples."""

    wave: int
    on_s: float
    off_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveEnergy:
    """Energy of one wave, first edge to last, in J; None where there is no such reading."""

    wave: int
    seconds: float
    counter_j: float | None
    instant_j: float | None
    average_j: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorFacts:
    """What was found; None where the board has no such reading, or it showed nothing.

    Attributes:
        interval_s, largest_gap_s: between samples: median and longest.
        counter_period_s, instant_period_s, average_period_s: median time between two changes of
            the energy counter, the instantaneous and the average power; no finer than interval_s.
        instant_delay_s: from the start of load to half the rise of the instantaneous power.
        average_window_s, average_delay_s: the running mean of the instantaneous power that the
            average power is most like, and how long after its end it is shown.
        usage_is: what nvmlDeviceGetPowerUsage shows: "instant", "average" or "neither".
        idle_w: median power before any program used the GPU.
        off_w, on_w: median power between and in the bursts of load of the first wave.
        energies: of each wave, by each reading.
    """

    interval_s: float
    largest_gap_s: float
    counter_period_s: float | None
    instant_period_s: float | None
    average_period_s: float | None
    instant_delay_s: float | None
    average_window_s: float | None
    average_delay_s: float | None
    usage_is: str | None
    idle_w: float | None
    off_w: float | None
    on_w: float | None
    energies: tuple[WaveEnergy, ...]


def sensor_facts(samples: Samples, cycles: Sequence[Cycle], idle_end_s: float) -> SensorFacts:
    """Return what samples of a square wave show; the board was idle until `idle_end_s`."""
    t_s = samples.t_s
    instant_w, average_w = (samples.complete(f"power_{kind}_w") for kind in ("instant", "average"))
    power_w = average_w if instant_w is None else instant_w
    window = averaging(t_s, instant_w, average_w)
    slow = [cycle for cycle in cycles if cycle.wave == 0]
    loads = [(cycle.on_s, cycle.off_s) for cycle in slow]
    pauses = [(one.off_s, other.on_s) for one, other in pairwise(slow)]
    gaps_s = np.diff(t_s)
    return SensorFacts(
        interval_s=float(np.median(gaps_s)),
        largest_gap_s=float(gaps_s.max()),
        counter_period_s=period_s(t_s, samples.complete("counter_j")),
        instant_period_s=period_s(t_s, instant_w),
        average_period_s=period_s(t_s, average_w),
        instant_delay_s=rise_delay_s(t_s, instant_w, loads),
        average_window_s=window[0] if window else None,
        average_delay_s=window[1] if window else None,
        usage_is=_usage(samples.complete("power_usage_w"), instant_w, average_w),
        idle_w=_median_w(t_s, power_w, [(t_s[0], idle_end_s)]),
        # by the second half of a load or pause the sensor has settled
        off_w=_median_w(t_s, power_w, [((start + end) / 2, end) for start, end in pauses]),
        on_w=_median_w(t_s, power_w, [((start + end) / 2, end) for start, end in loads]),
        energies=tuple(
            _energy(wave, [cycle for cycle in cycles if cycle.wave == wave], samples)
            for wave in sorted({cycle.wave for cycle in cycles})
        ),
    )


def _usage(
    usage_w: FloatArray | None, instant_w: FloatArray | None, average_w: FloatArray | None
) -> str | None:
    if usage_w is None:
        return None
    for name, other_w in (("instant", instant_w), ("average", average_w)):
        if other_w is not None and np.median(np.abs(usage_w - other_w)) < SAME_W:
            return name
    return "neither"


def _median_w(
    t_s: FloatArray, power_w: FloatArray | None, spans: Sequence[tuple[float, float]]
) -> float | None:
    """Return the median power of the samples in any of the spans."""
    if power_w is None:
        return None
    chosen = [power_w[(t_s >= start_s) & (t_s <= end_s)] for start_s, end_s in spans]
    inside_w = np.concatenate([*chosen, []])
    return float(np.median(inside_w)) if inside_w.size else None


def _energy(wave: int, cycles: Sequence[Cycle], samples: Samples) -> WaveEnergy:
    """Return the energy of a wave, from its first edge to its last."""
    start_s, end_s = cycles[0].on_s, cycles[-1].off_s
    counter_j = samples.complete("counter_j")

    def integral_j(channel: str) -> float | None:
        power_w = samples.complete(channel)
        if power_w is None:
            return None
        return window_energy_j(PowerTrace(samples.t_s, power_w), start_s, end_s)

    return WaveEnergy(
        wave=wave,
        seconds=end_s - start_s,
        counter_j=(
            None if counter_j is None else counted(samples.t_s, counter_j, start_s, end_s).energy_j
        ),
        instant_j=integral_j("power_instant_w"),
        average_j=integral_j("power_average_w"),
    )


def period_s(t_s: FloatArray, values: FloatArray | None) -> float | None:
    """Return the median time between changes of a reading; None if it hardly changed."""
    if values is None:
        return None
    changes_s = t_s[1:][np.diff(values) != 0]
    return float(np.median(np.diff(changes_s))) if changes_s.size > 2 else None


def rise_delay_s(
    t_s: FloatArray, power_w: FloatArray | None, loads: Sequence[tuple[float, float]]
) -> float | None:
    """Return the median time from the start of a load to half the rise of the power.

    `loads` are the times from and to which there was load.
    """
    if power_w is None:
        return None
    delays_s = []
    for start_s, end_s in loads:
        before = power_w[t_s <= start_s]
        during = (t_s > start_s) & (t_s <= end_s)
        if not before.size or not during.any():
            continue
        half_w = (before[-1] + power_w[during].max()) / 2
        delays_s.append(t_s[during & (power_w >= half_w)][0] - start_s)
    return float(np.median(delays_s)) if delays_s else None


def averaging(
    t_s: FloatArray, instant_w: FloatArray | None, average_w: FloatArray | None
) -> tuple[float, float] | None:
    """Return window and delay of the running mean that the average power is most like, in s.

    Good to about one update period of the readings. None where no running mean of the
    instantaneous power is much like it.
    """
    if instant_w is None or average_w is None:
        return None
    energy_j = cumulative_energy_j(t_s, instant_w)
    compared = t_s >= t_s[0] + LONGEST_WINDOW_S + LONGEST_DELAY_S
    at_s, shown_w = t_s[compared], average_w[compared]
    if at_s.size < 2:
        return None
    best = (np.inf, 0.0, 0.0)
    for delay_s in np.arange(0, LONGEST_DELAY_S + STEP_S / 2, STEP_S):
        until_j = np.interp(at_s - delay_s, t_s, energy_j)
        for window_s in np.arange(STEP_S, LONGEST_WINDOW_S + STEP_S / 2, STEP_S):
            mean_w = (until_j - np.interp(at_s - delay_s - window_s, t_s, energy_j)) / window_s
            error = float(np.mean((mean_w - shown_w) ** 2))
            best = min(best, (error, float(window_s), float(delay_s)))
    error, window_s, delay_s = best
    return (window_s, delay_s) if error < (1 - EXPLAINED) * float(np.var(shown_w)) else None
