"""What a store gives back of a run, beside what its records and traces say."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, FloatArray, Samples
from sweetspot.metering.trace import PowerTrace, window_energy_j
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
        energy_kept_j: the same of the trace.
        to_the_bit: whether the store gave times of the trace's own back, so that every energy must
            be equal to the bit.
        within_j: else, how far `energy_j` may be off, as times are rounded to the store's unit.
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
    energy_kept_j: float
    to_the_bit: bool
    within_j: float
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
    off_s = _off_s(readings.trace, expected, kept.first_utc_s, store.unit_ns)
    back = _readings(kept, readings.trace, given, off_s, store.unit_ns)
    record, passes = kept.record, kept.record.passes or 1
    start_s, end_s = window_of(kept, readings.trace)
    to_the_bit = bool(given) and not any(math.isnan(each.values[0]) for each in given)
    kept_j = window_energy_j(readings.trace, start_s, end_s)
    within_j = off_s * float(np.abs(np.diff(readings.trace.power_w)).sum())
    try:
        window = None if back is None else Window(back, start_s, end_s)
    except ValueError:  # what is back does not span it
        window = None
    back_j = None if back is None or window is None else window_energy_j(back.trace, start_s, end_s)
    differences = [*_lost(expected, given), *_thinned(expected, given)]
    if window is None or back_j is None:
        differences.append("no energy: what the store has does not span the window")
    elif to_the_bit:
        differences += _other_energies(kept, window)
    elif abs(back_j - kept_j) > within_j + ROUNDING * kept_j:
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
        energy_kept_j=kept_j / passes,
        to_the_bit=to_the_bit,
        within_j=0.0 if to_the_bit else within_j / passes,
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


def _readings(
    kept: Kept, trace: PowerTrace, given: Sequence[Sample], off_s: float, unit_ns: int
) -> Readings | None:
    """Return what a store gave as a meter's readings; None where it is no trace.

    Where it has no times of the trace's own, its first and last sample, which rounding may have put
    inside a window that reaches from one to the other, are moved back by no more than `off_s`.
    """
    given = [each for each in given if math.isfinite(each.values[1])]
    if len(given) < 2:
        return None
    columns = np.array([each.values for each in given]).T
    t_s, power_w, *others = columns
    if np.isnan(t_s).any():
        t_s = _times_s(trace.t_s[0], kept.first_utc_s, [each.at for each in given], unit_ns)
        for place in (0, -1):
            if abs(t_s[place] - trace.t_s[place]) <= off_s:
                t_s[place] = trace.t_s[place]
    try:
        back = PowerTrace(t_s, power_w)
    except ValueError:
        return None
    if np.isnan(others).all():  # of a meter that has power only
        return readings_of(back, None)
    return readings_of(back, Samples(**dict(zip(CHANNELS, (t_s, *others), strict=True))))


def _lost(expected: Sequence[Sample], given: Sequence[Sample]) -> Iterator[str]:
    """Yield how many samples the store lacks, and has beyond those of the trace."""
    wanted, there = ({each.at for each in samples} for samples in (expected, given))
    if lost := wanted - there:
        yield f"{len(lost)} of {len(wanted)} samples are not there"
    if beyond := there - wanted:
        yield f"{len(beyond)} samples are there that are none of the trace's"


def _thinned(expected: Sequence[Sample], given: Sequence[Sample]) -> Iterator[str]:
    """Yield channels that the store keeps, but not for every sample that has one."""
    wanted = {each.at: each.values for each in expected}
    for place, name in enumerate(COLUMNS):
        has = {each.at for each in given if not math.isnan(each.values[place])}
        if has:
            lost = sum(
                not math.isnan(wanted[each.at][place])
                for each in given
                if each.at in wanted and each.at not in has
            )
            if lost:
                yield f"{name} is missing in {lost} samples that have one"


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
