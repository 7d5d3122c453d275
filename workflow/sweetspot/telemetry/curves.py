"""What a store gave back of each board, for a figure."""

from collections.abc import Sequence

from sweetspot.figures.stored_power import MOST_PANELS, StoredPower
from sweetspot.telemetry.contracts import Store
from sweetspot.telemetry.kept import Folder, Kept
from sweetspot.telemetry.query import window_of
from sweetspot.telemetry.sample import COLUMNS, Source

MOST_CELLS = 6
"""Of one board, so that each can be seen."""

POWER = COLUMNS.index("power_w")


def curves(found: Folder, store: Store) -> list[StoredPower]:
    """Return the first boards of a folder, each with its first cells.

    Raises:
        TelemetryError: the store does not answer.
        InputError: a trace cannot be read.
    """
    boards: dict[Source, list[Kept]] = {}
    for kept in sorted(found.kept, key=lambda each: each.first_utc_s):
        boards.setdefault(kept.source, []).append(kept)
    several = list(boards.items())
    drawn = [_curve(source, cells[:MOST_CELLS], store) for source, cells in several[:MOST_PANELS]]
    # the others are only counted
    rest = [StoredPower("", [], ([], []), [], simulated=False)] * (len(several) - len(drawn))
    return [*drawn, *rest]


def _curve(source: Source, cells: Sequence[Kept], store: Store) -> StoredPower:
    """Return one board, on a clock that is 0 s at the first sample of its first cell."""
    begun_s = cells[0].first_utc_s
    traces, windows = [], []
    t_s, power_w = [], []
    for kept in cells:
        readings = kept.readings()
        trace = readings.trace
        shift_s = kept.first_utc_s - begun_s - float(trace.t_s[0])
        traces.append(((trace.t_s + shift_s).tolist(), trace.power_w.tolist()))
        start_s, end_s = window_of(kept, trace)
        windows.append((start_s + shift_s, end_s + shift_s))
        wanted = kept.samples(readings, store.unit_ns)
        for sample in store.read(source, wanted[0].at, wanted[-1].at):
            t_s.append((sample.at * store.unit_ns - round(begun_s * 1e9)) / 1e9)
            power_w.append(sample.values[POWER])
    title = cells[0].record.cell if source.simulated else f"{source.gpu_name} {source.gpu_uuid}"
    return StoredPower(title, traces, (t_s, power_w), windows, simulated=source.simulated)
