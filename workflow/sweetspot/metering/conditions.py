"""In what state a board was during a window."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import Samples

# Bits of NVML's clocks event reasons (nvml.h, nvmlClocksEventReason...)
CLOCKS_SET = 0x2  # by application clocks or a lock
POWER_CAP = 0x4

# Channels of samples that gates of validity ask for, in words.
GATED = {"temperature_c": "its temperature", "event_reasons": "why its clocks are low"}

FULL_CLOCK = 0.99  # of the highest: at that, a setting that says "the highest" holds nothing down


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What was seen of the board in a window; None where it, or its meter, does not say.

    Attributes:
        mean_graphics_mhz, mean_sm_mhz, mean_memory_mhz: mean clocks.
        temperature_start_c, temperature_end_c: of the GPU, first and last sample in the window.
        mean_utilisation: share of time, 0 to 1, in which a kernel ran.
        power_cap_share: share of the window, 0 to 1, in which the power limit held clocks down.
        power_samples: looks in the window at which power was read.
        largest_gap_s: longest time that two neighbours of these span.
        sampler_cpu_share: CPU time of the meter over its running time; 1 is one core.
    """

    mean_graphics_mhz: float | None = None
    mean_sm_mhz: float | None = None
    mean_memory_mhz: float | None = None
    temperature_start_c: float | None = None
    temperature_end_c: float | None = None
    mean_utilisation: float | None = None
    power_cap_share: float | None = None
    power_samples: int | None = None
    largest_gap_s: float | None = None
    sampler_cpu_share: float | None = None


def conditions(readings: Readings, start_s: float, end_s: float) -> Conditions:
    """Return the board's state in [start_s, end_s], which the trace spans."""
    samples = readings.samples
    if samples is None:
        return Conditions()

    def mean(channel: str) -> float | None:
        values = samples.inside(channel, start_s, end_s)
        return float(values.mean()) if values.size else None

    temperature_c = samples.inside("temperature_c", start_s, end_s)
    return Conditions(
        mean_graphics_mhz=mean("graphics_mhz"),
        mean_sm_mhz=mean("sm_mhz"),
        mean_memory_mhz=mean("memory_mhz"),
        temperature_start_c=float(temperature_c[0]) if temperature_c.size else None,
        temperature_end_c=float(temperature_c[-1]) if temperature_c.size else None,
        mean_utilisation=mean("utilisation"),
        power_cap_share=_power_cap_share(samples, start_s, end_s),
        power_samples=power_samples(samples, start_s, end_s),
        largest_gap_s=largest_gap_s(samples, start_s, end_s),
        sampler_cpu_share=readings.sampler_cpu_share,
    )


def remarks(readings: Readings, start_s: float, end_s: float) -> tuple[str, ...]:
    """Return what a reader should know of the board's state in [start_s, end_s]."""
    samples = readings.samples
    if samples is None:
        return ()
    return (
        *_bridged(samples, start_s, end_s),
        *_unchecked(samples, start_s, end_s),
        *_clocks_held(samples, readings.max_sm_mhz, start_s, end_s),
    )


def _bridged(samples: Samples, start_s: float, end_s: float) -> Iterator[str]:
    """Yield what became of instantaneous power where a board that has it did not always say it."""
    looks = samples.inside("t_s", start_s, end_s).size
    failed = looks - samples.inside("power_instant_w", start_s, end_s).size
    found = samples.power()
    if found is None or not failed or not np.isfinite(samples.power_instant_w).any():
        return
    instead = (
        "is taken as straight between the others"
        if found[0] == "power_instant_w"
        else "the 1-s mean stands in for all of it"
    )
    yield f"instantaneous power could not be read in {failed} of {looks} looks, and {instead}"


def _unchecked(samples: Samples, start_s: float, end_s: float) -> Iterator[str]:
    """Yield what a board does not report, so that no gate can ask for it."""
    lacking = [
        words for name, words in GATED.items() if not samples.inside(name, start_s, end_s).size
    ]
    if lacking:
        yield f"this GPU does not report {' and '.join(lacking)}, so that was not checked"


def _clocks_held(
    samples: Samples, max_mhz: float | None, start_s: float, end_s: float
) -> Iterator[str]:
    """Yield how a setting held clocks down; NVML does not say whether they are locked."""
    share = share_with(samples, CLOCKS_SET, start_s, end_s)
    sm_mhz = samples.inside("sm_mhz", start_s, end_s)
    if not share or not sm_mhz.size or max_mhz is None:
        return
    if np.median(sm_mhz) < FULL_CLOCK * max_mhz:
        yield (
            f"a lock or application clocks held the SM clock at {np.median(sm_mhz):.0f} MHz of"
            f" {max_mhz:.0f} MHz, in {share:.0%} of the samples"
        )


def median_power_w(readings: Readings, start_s: float, end_s: float) -> float | None:
    """Return the median power of the samples in [start_s, end_s], in W; None if there are none."""
    t_s = readings.trace.t_s
    power_w = readings.trace.power_w[(t_s >= start_s) & (t_s <= end_s)]
    return float(np.median(power_w)) if power_w.size else None


def grown(samples: Samples, channel: str, start_s: float, end_s: float) -> float | None:
    """Return by how much a cumulative channel grew in a window, as if steadily between readings.

    Some channels are not read at each look. None if no readings span the window.
    """
    t_s, values = samples.read(channel)
    if not values.size or t_s[0] > start_s or t_s[-1] < end_s:
        return None
    edges = np.interp((start_s, end_s), t_s, values)
    return float(edges[1] - edges[0])


def grown_at_most(samples: Samples, channel: str, start_s: float, end_s: float) -> float | None:
    """Return by how much a cumulative channel grew from before a window to after it, at most.

    By the readings nearest to the window that are not in it, as it is not read at each look. None
    if it is not read at all.
    """
    t_s, values = samples.read(channel)
    if not values.size:
        return None
    first = max(0, int(np.searchsorted(t_s, start_s, side="right")) - 1)
    last = min(values.size - 1, int(np.searchsorted(t_s, end_s, side="left")))
    return float(values[last] - values[first])


def share_with(samples: Samples, bits: int, start_s: float, end_s: float) -> float | None:
    """Return the share of a window's samples with any of these event reasons; None if unknown."""
    reasons = samples.inside("event_reasons", start_s, end_s).astype(np.int64)
    return float(((reasons & bits) != 0).mean()) if reasons.size else None


def power_samples(samples: Samples, start_s: float, end_s: float) -> int:
    """Return how many looks of a window power was read at."""
    t_s = samples.t_s[samples.with_power()]
    return int(((t_s >= start_s) & (t_s <= end_s)).sum())


def largest_gap_s(samples: Samples, start_s: float, end_s: float) -> float:
    """Return the longest time between two readings of power, those around the window included.

    A look that takes long is a gap, too: its readings are of any moment of it.
    """
    read = samples.with_power()
    t_s, half_s = samples.t_s[read], np.nan_to_num(samples.look_s[read]) / 2
    spans_s = (t_s + half_s)[1:] - (t_s - half_s)[:-1]
    first = int(np.searchsorted(t_s, start_s, side="right")) - 1
    last = int(np.searchsorted(t_s, end_s, side="left"))
    return float(spans_s[first:last].max())


def _power_cap_share(samples: Samples, start_s: float, end_s: float) -> float | None:
    capped_s = grown(samples, "power_violation_s", start_s, end_s)
    if capped_s is None:
        return share_with(samples, POWER_CAP, start_s, end_s)
    return min(1.0, max(0.0, capped_s / (end_s - start_s)))
