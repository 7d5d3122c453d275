"""What a store gives back of a run, beside what its records and traces say."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, FloatArray, Samples
from sweetspot.metering.trace import PowerTrace
from sweetspot.metering.window import Window
from sweetspot.telemetry.contracts import Store
from sweetspot.telemetry.kept import Folder, Kept, readings_of
from sweetspot.telemetry.sample import COLUMNS, Sample

WAYS = {
    "integration_j": "energy_integration_j",
    "counter_j": "energy_counter_j",
    "sum_500ms_j": "energy_sum_500ms_j",
}
"""An energy of a window, and where a record has it, of one pass."""

POWER = COLUMNS.index("power_w")

ROUNDING = 1e-12
"""Relative; what sums of floats may be off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A cell as a store has it, beside its record.

    Attributes:
        device: whose samples they are.
        samples, samples_kept: how many the store gave, and how many the trace has.
        gap_s, gap_kept_s: the longest time between two neighbours, of both.
        energy_j: of one pass, integrated from what the store gave; None where it does not span the
            window.
        energy_kept_j: the same of the trace, or of what of it is in stores.
        to_the_bit: whether the store gave times of the trace's own back, so that every energy must
            be equal to the bit.
        within_j: else, how far `energy_j` may be off, as times are rounded to the store's unit.
        not_kept: channels that the trace has and the store has not, for no sample: what needs them
            was not compared.
        differences: what is not as it should be, a line each; none if all is.
    """

    cell: str
    device: str
    simulated: bool
    samples: int
    samples_kept: int
    gap_s: float | None
    gap_kept_s: float
    energy_j: float | None
    energy_kept_j: float | None
    to_the_bit: bool
    within_j: float
    not_kept: tuple[str, ...]
    differences: tuple[str, ...]


def query(
    found: Folder, store: Store, told: Callable[[int], None] = lambda _: None
) -> list[Returned]:
    """Return every cell of a folder as a store gives it back, compared.

    Args:
        found: what lies in the folder.
        store: its caller closes it.
        told: is called after each cell with their number.

    Raises:
        TelemetryError: the store does not answer.
        InputError: a trace cannot be read.
    """
    rows = []
    for kept in found.kept:
        rows.append(compared(kept, store))
        told(len(rows))
    return rows


def compared(kept: Kept, store: Store) -> Returned:
    """Return one cell as a store gives it back; raises as `query`."""
    readings = kept.readings()
    expected = kept.samples(readings, store.unit_ns)
    given = store.read(kept.source, expected[0].at, expected[-1].at)
    record, passes = kept.record, kept.record.passes or 1
    off_s = _off_s(readings.trace, expected, kept.first_utc_s, store.unit_ns)
    to_the_bit = bool(given) and not any(math.isnan(each.values[0]) for each in given)
    wanted: Readings | None = readings
    if to_the_bit:
        back = _whole(given)
    else:
        wanted = _power_alone(kept, readings.trace, expected, 0.0, store.unit_ns)
        back = _power_alone(kept, readings.trace, given, off_s, store.unit_ns)
    span = window_of(kept, readings.trace)
    of_trace, of_store = _window(wanted, *span), _window(back, *span)
    kept_j = None if of_trace is None else of_trace.energy.integration_j
    back_j = None if of_store is None else of_store.energy.integration_j
    within_j = 0.0
    pairs = _pairs(expected, given)
    differences = [*_lost(expected, given), *_thinned(*pairs)]
    if of_store is None or back_j is None:
        differences.append("no energy: what the store has does not span the window")
    elif to_the_bit:
        differences += [*_other_values(*pairs), *_other_energies(kept, of_store)]
    elif of_trace is not None and kept_j is not None:
        within_j = off_s * float(np.abs(np.diff(of_trace.readings.trace.power_w)).sum())
        if abs(back_j - kept_j) > within_j + ROUNDING * kept_j:
            differences.append(
                f"{back_j / passes!r} J, not {kept_j / passes!r} J within {within_j / passes:.2g} J"
            )
    return Returned(
        cell=record.cell,
        device=kept.source.gpu_uuid,
        simulated=record.simulated,
        samples=len(given),
        samples_kept=len(expected),
        gap_s=_gap_s(given, store.unit_ns),
        gap_kept_s=_gap_s(expected, store.unit_ns) or 0.0,
        energy_j=None if back_j is None else back_j / passes,
        energy_kept_j=None if kept_j is None else kept_j / passes,
        to_the_bit=to_the_bit,
        within_j=within_j / passes,
        not_kept=tuple(_not_kept(*pairs)),
        differences=tuple(differences),
    )


def window_of(kept: Kept, trace: PowerTrace) -> tuple[float, float]:
    """Return a cell's window on the clock of its trace; of older simulated ones it is all of it."""
    start_s, end_s = kept.record.window_start_s, kept.record.window_end_s
    if start_s is None or end_s is None:
        return float(trace.t_s[0]), float(trace.t_s[-1])
    return start_s, end_s


def _off_s(trace: PowerTrace, samples: Sequence[Sample], first_utc_s: float, unit_ns: int) -> float:
    """Return by how much a time that a store has is off at most, in s.

    That is half a unit, and more where samples had to be moved apart. Power over time is then
    another by that times the sum of all its changes at most.
    """
    at_s = _times_s(trace.t_s[0], first_utc_s, [each.at for each in samples], unit_ns)
    rounded_s = max(unit_ns / 2e9, float(np.abs(at_s - trace.t_s).max()))
    return rounded_s + float(np.spacing(np.abs(trace.t_s).max()))


def _times_s(first_t_s: float, first_utc_s: float, at: Sequence[int], unit_ns: int) -> FloatArray:
    """Return times of a store on the clock of a trace, in s."""
    since_ns = np.array(at, dtype=np.int64) * unit_ns - round(first_utc_s * 1e9)
    return np.asarray(first_t_s + since_ns / 1e9, dtype=np.float64)


def _whole(given: Sequence[Sample]) -> Readings | None:
    """Return what a store gave with the trace's own times as a meter's readings.

    None where it is no trace. A store that has power alone gives power alone.
    """
    t_s, power_w, *others = np.array([each.values for each in given]).T
    samples = None
    if not np.isnan(others).all():
        samples = Samples(**dict(zip(CHANNELS, (t_s, *others), strict=True)))
        if found := samples.power():
            power_w = found[1]
    known = np.isfinite(power_w)
    try:
        trace = PowerTrace(t_s[known], power_w[known])
    except ValueError:
        return None
    return readings_of(trace, samples if known.all() else None)


def _power_alone(
    kept: Kept, trace: PowerTrace, samples: Sequence[Sample], off_s: float, unit_ns: int
) -> Readings | None:
    """Return power at the times of a store as a meter's readings; None where it is no trace.

    The first and the last sample, which rounding may have put inside a window that reaches from one
    to the other, are moved back by no more than `off_s`. With 0 s all are where the trace has them.
    """
    known = [place for place, each in enumerate(samples) if math.isfinite(each.values[POWER])]
    power_w = [samples[place].values[POWER] for place in known]
    if not off_s:
        t_s = trace.t_s[known]
    else:
        at = [samples[place].at for place in known]
        t_s = _times_s(trace.t_s[0], kept.first_utc_s, at, unit_ns)
        for place in (0, -1) if known else ():
            if abs(t_s[place] - trace.t_s[place]) <= off_s:
                t_s[place] = trace.t_s[place]
    try:
        return readings_of(PowerTrace(t_s, np.array(power_w)), None)
    except ValueError:
        return None


def _window(readings: Readings | None, start_s: float, end_s: float) -> Window | None:
    """Return a window of readings; None where they do not span it."""
    try:
        return None if readings is None else Window(readings, start_s, end_s)
    except ValueError:
        return None


def _lost(expected: Sequence[Sample], given: Sequence[Sample]) -> Iterator[str]:
    """Yield how many samples the store lacks, and has beyond those of the trace."""
    wanted, there = ({each.at for each in samples} for samples in (expected, given))
    if lost := wanted - there:
        yield f"{len(lost)} of {len(wanted)} samples are not there"
    if beyond := there - wanted:
        yield f"{len(beyond)} samples are there that are none of the trace's"


def _pairs(expected: Sequence[Sample], given: Sequence[Sample]) -> tuple[FloatArray, FloatArray]:
    """Return (n, columns) values of the n samples that both have, of the trace and of the store."""
    wanted = {each.at: each.values for each in expected}
    pairs = [(wanted[each.at], each.values) for each in given if each.at in wanted]
    both = np.array(pairs, dtype=np.float64).reshape(-1, 2, len(COLUMNS))
    return both[:, 0], both[:, 1]


def _thinned(there: FloatArray, back: FloatArray) -> Iterator[str]:
    """Yield channels that the store keeps, but not for every sample that has one."""
    is_kept = ~np.isnan(back)
    lost = (~np.isnan(there) & ~is_kept).sum(axis=0)
    for name, count in zip(COLUMNS, lost * is_kept.any(axis=0), strict=True):
        if count:
            yield f"{name} is missing in {count} samples that have one"


def _not_kept(there: FloatArray, back: FloatArray) -> Iterator[str]:
    """Yield channels that the trace has, and no sample of the store."""
    for place, name in enumerate(COLUMNS):
        has, keeps = (not np.isnan(values[:, place]).all() for values in (there, back))
        if len(back) and has and not keeps:
            yield name


def _other_values(there: FloatArray, back: FloatArray) -> Iterator[str]:
    """Yield channels in which samples have another value than the trace."""
    changed = (there != back) & ~np.isnan(there) & ~np.isnan(back)
    for name, count in zip(COLUMNS, changed.sum(axis=0), strict=True):
        if count:
            yield f"{name} is another in {count} samples"


def _other_energies(kept: Kept, window: Window) -> Iterator[str]:
    """Yield energies that are other than a record's, to the bit, of the channels that are back."""
    record = kept.record
    for way, name in WAYS.items():
        there, back = getattr(record, name), getattr(window.energy, way)
        if there is None or back is None or not record.passes:
            continue
        if back / record.passes != there:
            yield f"{name} is {back / record.passes!r}, not {there!r} as its record says"


def _gap_s(samples: Sequence[Sample], unit_ns: int) -> float | None:
    steps = [later.at - earlier.at for earlier, later in pairwise(samples)]
    return max(steps) * unit_ns / 1e9 if steps else None
