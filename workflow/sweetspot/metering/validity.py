"""What makes the numbers of a window worthless, however fine they look."""

from collections.abc import Iterator

from sweetspot.metering.conditions import Conditions, grown_at_most, share_with
from sweetspot.metering.energy import SENSOR_ACCURACY, WindowEnergy
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import Samples

# Bits of NVML's clocks event reasons (nvml.h, nvmlClocksEventReason...)
SLOWDOWNS = {
    0x08: "hardware slowdown",
    0x20: "thermal slowdown by the driver",
    0x40: "thermal slowdown by the hardware",
    0x80: "power brake",
}
MAX_GAP_S = 1.0
MAX_GAP_INTERVALS = 5
MIN_SAMPLES = 3
MIN_HOT_SHARE = 0.01  # of the window: a counter that ticks by chance is not a slowdown
MIN_SHARE = 0.5  # of the samples that the interval asks for
MEAN_STEP_S = 1.0  # of a 1-s mean that stands in for power that could not be read
MAX_ENERGY_GAP = 2 * SENSOR_ACCURACY  # or, where edges may cost more, once that and these


def broken_gates(
    readings: Readings,
    start_s: float,
    end_s: float,
    max_temperature_drift_c: float,
    *,
    seen: Conditions,
    energy: WindowEnergy,
) -> tuple[str, ...]:
    """Return why the energy of [start_s, end_s] must not be used, one line a reason; () if it may.

    Readings of a meter that has power only, such as the simulator's, break none.
    `seen` and `energy` are what `conditions` and `window_energy` found in the same window.
    """
    step_s = _step_s(readings)
    if readings.samples is None or step_s is None:
        return ()
    return (
        *_company(readings, start_s, end_s),
        *_slowdowns(readings.samples, start_s, end_s),
        *_sampling(seen, step_s, end_s - start_s),
        *_drift(seen, max_temperature_drift_c),
        *_disagreement(energy),
    )


def _company(readings: Readings, start_s: float, end_s: float) -> Iterator[str]:
    if readings.mig:
        yield "MIG is on: the GPU is partitioned, and its power is of all its parts"
    others = [
        f"{each.pid} ({each.name})" if each.name else str(each.pid)
        for each in readings.strangers
        if each.first_s <= end_s and each.last_s >= start_s
    ]
    if others:
        yield f"other processes on the GPU: {', '.join(others)}"


def _slowdowns(samples: Samples, start_s: float, end_s: float) -> Iterator[str]:
    for bit, name in SLOWDOWNS.items():
        share = share_with(samples, bit, start_s, end_s)
        if share:
            yield f"{name} in {share:.0%} of the samples"
    hot_s = grown_at_most(samples, "thermal_violation_s", start_s, end_s)
    if hot_s is not None and hot_s > MIN_HOT_SHARE * (end_s - start_s):
        yield f"clocks were held down by heat for {hot_s:.2g} s"


def _step_s(readings: Readings) -> float | None:
    """Return how far readings of power are meant to be apart: a mean that stands in, a second.

    None where the meter has no such thing.
    """
    samples, interval_s = readings.samples, readings.interval_s
    stands_in = readings.power_is_average and samples and not samples.with_power().all()
    return max(interval_s, MEAN_STEP_S) if interval_s and stands_in else interval_s


def _sampling(seen: Conditions, step_s: float, window_s: float) -> Iterator[str]:
    if seen.power_samples is None or seen.largest_gap_s is None:
        return
    needed = max(MIN_SAMPLES, MIN_SHARE * window_s / step_s)
    if seen.power_samples < needed:
        yield (
            f"only {seen.power_samples} power samples in {window_s:.3f} s, {needed:.0f} needed: the"
            " run is too short, or the host too busy, to be metered"
        )
    allowed_s = max(MAX_GAP_S, MAX_GAP_INTERVALS * step_s)
    if seen.largest_gap_s > allowed_s:
        yield f"{seen.largest_gap_s:.1f} s without a power sample ({allowed_s:g} s allowed)"


def _drift(seen: Conditions, max_temperature_drift_c: float) -> Iterator[str]:
    before_c, after_c = seen.temperature_start_c, seen.temperature_end_c
    if before_c is None or after_c is None:
        return
    if abs(after_c - before_c) > max_temperature_drift_c:
        yield (
            f"the GPU went from {before_c:.0f} to {after_c:.0f} °C"
            f" ({max_temperature_drift_c:g} °C allowed)"
        )


def _disagreement(energy: WindowEnergy) -> Iterator[str]:
    """Yield a gap beyond what sensor and edges explain, in windows of any length."""
    if energy.gap is None or energy.edges is None:
        return
    allowed = max(MAX_ENERGY_GAP, SENSOR_ACCURACY + energy.edges)
    if abs(energy.gap) > allowed:
        yield (
            f"energy counter and integrated power differ by {energy.gap:+.0%}"
            f" ({allowed:.0%} allowed): neither can be trusted"
        )
