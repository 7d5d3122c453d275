"""Records against their power traces, and the blocks' files and cells.csv against the records."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

from sweetspot.cells.cell import Cell
from sweetspot.config import Metering
from sweetspot.engines.base import Run
from sweetspot.errors import InputError, shown
from sweetspot.measure.cells_table import write_table
from sweetspot.measure.measure import completed
from sweetspot.measure.provenance import other_board
from sweetspot.measure.record import CellRecord, record_path, trace_path
from sweetspot.measure.result import RATIOS, energies, trace_utc_s, with_ratios
from sweetspot.metering.conditions import POWER_CAP, Conditions, conditions, share_with
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import Samples
from sweetspot.metering.trace import PowerTrace, cumulative_energy_j, read_trace
from sweetspot.metering.validity import broken_gates
from sweetspot.metering.window import Window
from sweetspot.plan.block import Block
from sweetspot.plan.plan import Plan
from sweetspot.plan.split import as_found
from sweetspot.reading import parse_as, read_as, read_text
from sweetspot.schema.writing import json_text
from sweetspot.verify.check import Check, differing_values, read_rows

BY_SOURCE = {
    "counter": "energy_counter_j",
    "integration": "energy_integration_j",
    "integration of 1-s average": "energy_integration_j",
    "plain sum": "energy_sum_500ms_j",
}
"""Where a record has the energy that its `energy_source` names."""

ONE_DIVISION = 1e-12
"""Relative; what dividing by the number of passes in another order may do."""

WITHIN = 0.01
"""Relative; how far windows between those that begin or end with a sample may lie beyond them."""


def read_records(planned: Plan, records: Path) -> tuple[dict[str, CellRecord], Check]:
    """Return the records of all cells by the cell's id, and what is wrong with them.

    One that is missing, unreadable or another cell's is left out.
    """
    found, wrong = {}, []
    for block in planned.blocks:
        for cell in block.cells:
            path = record_path(records, cell, block.key(cell))
            try:
                record = read_as(CellRecord, path, "cell record")
            except InputError as error:
                others = sorted(path.parent.glob(f"r{cell.repeat}.*.json"))
                hint = (
                    f" (there is {others[0].name}: of another experiment, model or version)"
                    if others and not path.exists()
                    else ""
                )
                wrong.append(f"{cell.id}: {error}{hint}")
                continue
            misfits = list(_not_of(record, block, cell))
            wrong += [f"{cell.id}: its record has {each}" for each in misfits]
            if not misfits:
                found[cell.id] = record
    count = sum(len(block.cells) for block in planned.blocks)
    return found, Check("records: one a cell, under its key", count, "records", tuple(wrong))


def check_traces(planned: Plan, found: Mapping[str, CellRecord], records: Path) -> list[Check]:
    """Check energies, rates and powers of all records against their traces."""
    recomputed = older = 0
    exact: list[str] = []
    bounded: list[str] = []
    for block, cell, record in _with_records(planned, found):
        if record.energy_j is None:  # a failed cell has no numbers, and no trace
            continue
        try:
            trace, samples = read_trace(trace_path(records, cell, block.key(cell)))
        except InputError as error:
            (exact if _is_exact(record) else bounded).append(f"{cell.id}: {error}")
            continue
        if _is_exact(record):
            recomputed += 1
            differences = recomputed_differences(record, trace, samples, block.settings.metering)
            exact += [f"{cell.id}: {each}" for each in differences]
        else:
            older += 1
            average = Readings(trace, samples=samples).power_is_average
            bounded += [
                f"{cell.id}: {each}"
                for each in measured_differences(record, None if average else trace)
            ]
    checks = []
    if recomputed or exact:
        what = "energies from power traces, to the bit"
        checks.append(Check(what, recomputed, "records", tuple(exact)))
    if older or bounded:
        note = "earlier versions did not note where a window began: its energy is held in bounds"
        what = "energies among those of the traces' windows"
        checks.append(Check(what, older, "records", tuple(bounded), note))
    return checks


def _is_exact(record: CellRecord) -> bool:
    """Return whether the window of a record is known: it is noted, or all of a simulated trace."""
    return record.simulated or record.schema_version >= 3


def recomputed_differences(
    record: CellRecord, trace: PowerTrace, samples: Samples | None, metering: Metering | None
) -> Iterator[str]:
    """Yield where a record says other than the window of its trace gives, computed once more."""
    whole = record.schema_version < 3  # of a simulated one
    start_s = 0.0 if whole else record.window_start_s
    end_s = float(trace.t_s[-1]) if whole else record.window_end_s
    passes = record.passes
    if start_s is None or end_s is None or not passes:
        yield "has an energy and no window or passes"
        return
    readings = Readings(
        trace,
        counter_j=None if samples is None else samples.complete("counter_j"),
        samples=samples,
        interval_s=metering.interval_s if metering else None,
    )
    try:
        run = Run(
            start_s=start_s,
            end_s=end_s,
            requests=passes * record.requests,
            input_tokens=passes * record.requests * record.input_tokens,
            output_tokens=passes * record.requests * record.output_tokens,
            passes=passes,
            max_concurrency=record.max_concurrency,
        )
        window = Window(readings, start_s, end_s, metering.protocol if metering else "standard")
        wanted = energies(run, window)
        seen = _seen(record, window)
    except (ValueError, ZeroDivisionError) as error:
        yield f"its trace gives no energy: {error}"
        return
    if record.status == "invalid":  # it may be for work other than asked
        for name in ("energy_per_token_j", "tokens_per_j", "throughput_tokens_per_s"):
            del wanted[name]
    elif metering:  # who else was on the board is in no trace
        drift_c = metering.max_temperature_drift_c
        for broken in broken_gates(
            readings, start_s, end_s, drift_c, seen=seen, energy=window.energy
        ):
            yield f"status is 'ok', though {broken}"
    if not record.simulated:
        wanted |= asdict(seen) | {"trace_utc_s": trace_utc_s(samples)}
        del wanted["sampler_cpu_share"]  # which no trace holds
    yield from _steady_differences(record, readings)
    if not whole:
        ratios = with_ratios(record)
        wanted |= {name: getattr(ratios, name) for name in RATIOS}
    for name, value in wanted.items():
        there = getattr(record, name)
        if there != value:
            yield f"{name} is {shown(there)}, not {shown(value)} as its trace gives"


def _seen(record: CellRecord, window: Window) -> Conditions:
    """Return the board's state in a window, by looks as its record counted them.

    Earlier versions counted those at which power could not be read, and was bridged, as samples,
    and those at the power limit where not every look has the time there.
    """
    seen, readings = window.conditions, window.readings
    samples = readings.samples
    found = None if samples is None else samples.power()
    if samples is None or found is None:
        return seen
    if _looks(record) != _looks(seen):
        bridged: dict[str, Any] = dict([found])
        all_read = replace(readings, samples=replace(samples, **bridged))
        earlier = conditions(all_read, window.start_s, window.end_s)
        seen = earlier if _looks(record) == _looks(earlier) else seen
    capped = share_with(samples, POWER_CAP, window.start_s, window.end_s)
    return replace(seen, power_cap_share=capped) if record.power_cap_share == capped else seen


def _looks(of: CellRecord | Conditions) -> tuple[int | None, float | None]:
    """Return what tells ways of counting looks apart: those beside a window widen gaps alone."""
    return of.power_samples, of.largest_gap_s


def _steady_differences(record: CellRecord, readings: Readings) -> Iterator[str]:
    """Yield where the steady part of a record says other than its trace gives.

    What tokens came in it is in no trace: they are those of its rate.
    """
    start_s, end_s = record.steady_start_s, record.steady_end_s
    window_s, rate = record.steady_window_s, record.steady_throughput_tokens_per_s
    if start_s is None and end_s is None:
        return
    if start_s is None or end_s is None or not window_s or not rate:
        yield "has a steady part without its times or rate"
        return
    if not _inside(record, start_s, end_s):
        yield "its steady part is not inside its window"
        return
    if window_s != end_s - start_s:
        yield f"steady_window_s is {shown(window_s)}, not the {shown(end_s - start_s)} of its times"
    energy_j = Window(readings, start_s, end_s).energy.energy_j
    there, wanted = record.steady_energy_per_token_j, energy_j / (rate * window_s)
    if there is None or not isclose(there, wanted, rel_tol=ONE_DIVISION):
        yield f"steady_energy_per_token_j is {shown(there)}, not {shown(wanted)} as its trace gives"


def _inside(record: CellRecord, start_s: float, end_s: float) -> bool:
    first_s, last_s = record.window_start_s, record.window_end_s
    return first_s is not None and last_s is not None and first_s <= start_s < end_s <= last_s


def measured_differences(record: CellRecord, trace: PowerTrace | None) -> Iterator[str]:
    """Yield where a measured record contradicts itself or its trace.

    `trace` is None where it does not hold power at its times, but means.
    """
    energy_j, passes, window_s = record.energy_j, record.passes, record.window_s
    if energy_j is None or not passes or not window_s:
        yield "has an energy and no window or passes"
        return
    tokens = record.requests * record.output_tokens
    wanted = {
        "energy_j": getattr(record, BY_SOURCE.get(record.energy_source, ""), None),
        "duration_s": window_s / passes,
        "energy_per_token_j": energy_j / tokens,
        "tokens_per_j": tokens / energy_j,
        "mean_power_w": energy_j * passes / window_s,
        "throughput_tokens_per_s": tokens * passes / window_s,
    }
    if record.status == "invalid":  # it may be for work other than asked
        wanted = {name: wanted[name] for name in ("energy_j", "duration_s", "mean_power_w")}
    for name, value in wanted.items():
        there = getattr(record, name)
        if there is None or value is None or not isclose(there, value, rel_tol=ONE_DIVISION):
            yield f"{name} is {shown(there)}, not {shown(value)} as its other numbers give"
    integral_j = record.energy_integration_j
    if trace is not None and integral_j is not None:
        try:
            low_j, high_j = window_bounds_j(trace, window_s)
        except ValueError as error:
            yield str(error)
            return
        if not (1 - WITHIN) * low_j <= integral_j * passes <= (1 + WITHIN) * high_j:
            yield (
                f"energy_integration_j is {shown(integral_j)}, and a window of {window_s:g} s in"
                f" its trace holds {low_j / passes:g} to {high_j / passes:g} J a pass"
            )


def window_bounds_j(trace: PowerTrace, window_s: float) -> tuple[float, float]:
    """Return the least and the most energy of windows of this length in a trace, in J.

    Of windows that begin or end at a sample, or at an end of the trace.

    Raises:
        ValueError: the trace is shorter.
    """
    first_s, last_s = float(trace.t_s[0]), float(trace.t_s[-1])
    if not 0 < window_s <= last_s - first_s:
        raise ValueError(f"its trace of {last_s - first_s:g} s has no window of {window_s:g} s")
    starts_s = np.concatenate([trace.t_s, trace.t_s - window_s])
    starts_s = np.clip(starts_s, first_s, last_s - window_s)
    energy_j = cumulative_energy_j(trace.t_s, trace.power_w)
    at_end_j, at_start_j = (
        np.interp(at_s, trace.t_s, energy_j) for at_s in (starts_s + window_s, starts_s)
    )
    held_j = at_end_j - at_start_j
    return float(held_j.min()), float(held_j.max())


def block_file(block: Block) -> str:
    """Return the file of a block's records, in the folder of a run."""
    return f"blocks/{block.id}.jsonl"


def blocks_of_jobs(planned: Plan, folder: Path) -> list[Block]:
    """Return the blocks of a run as its jobs were: those that took too long for one are split."""
    return [
        part
        for block in planned.blocks
        for part in as_found(block, lambda each: (folder / block_file(each)).is_file())
    ]


def check_blocks(planned: Plan, found: Mapping[str, CellRecord], folder: Path) -> Check:
    """Check that the blocks' files hold the records, line by line."""
    wrong = []
    blocks = blocks_of_jobs(planned, folder)
    for block in blocks:
        name = block_file(block)
        try:
            lines = read_text(folder / name, "cell records").removesuffix("\n").split("\n")
        except InputError as error:
            wrong.append(f"{name}: {error}")
            continue
        if len(lines) != len(block.cells):
            wrong.append(f"{name}: has {len(lines)} lines, not {len(block.cells)}")
            continue
        wrong += [
            f"{name}: the line of {cell.id} is not its record"
            for cell, line in zip(block.cells, lines, strict=True)
            if cell.id in found and not _is_line_of(line, completed(found[cell.id], block.settings))
        ]
    return Check("blocks/ from records", len(blocks), "files", tuple(wrong))


def _is_line_of(line: str, record: CellRecord) -> bool:
    """Return whether a line is a record's; earlier versions wrote fewer fields."""
    if line == json_text(record):
        return True
    try:
        return record.schema_version < 3 and with_ratios(parse_as(CellRecord, line, "")) == record
    except InputError:
        return False


def check_cells(planned: Plan, found: Mapping[str, CellRecord], cells_csv: Path) -> Check:
    """Check that cells.csv has a row a cell, with its record's numbers to the last digit."""
    settings = {cell.id: block.settings for block in planned.blocks for cell in block.cells}
    rows = (
        (completed(found[cell], settings[cell]), sweeps)
        for cell, sweeps in planned.sweeps.items()
        if cell in found
    )
    with tempfile.TemporaryDirectory() as temporary:
        made_csv = Path(temporary) / "cells.csv"
        write_table(rows, made_csv)
        made = read_rows(made_csv)
    try:
        there = read_rows(cells_csv)
    except InputError as error:
        return Check(_CELLS, 0, "rows", (f"cells.csv: {error}",))
    count = max(0, len(there) - 1)
    # What has no record was named already.
    without = planned.sweeps.keys() - found.keys()
    there = [row for row in there if not row or row[0] not in without]
    differences = tuple(differing_values("cells.csv", there, made, exact=True))
    return Check(_CELLS, count, "rows", differences)


_CELLS = "cells.csv from records"


def _with_records(
    planned: Plan, found: Mapping[str, CellRecord]
) -> Iterator[tuple[Block, Cell, CellRecord]]:
    for block in planned.blocks:
        for cell in block.cells:
            if cell.id in found:
                yield block, cell, found[cell.id]


def _not_of(record: CellRecord, block: Block, cell: Cell) -> Iterator[str]:
    """Yield what a record says of itself that is not so of its cell."""
    settings = block.settings
    wanted = {
        "key": block.key(cell),
        "cell": cell.id,
        "model": cell.model,
        "engine": cell.engine,
        "gpu": settings.gpu.id,
        "input_tokens": cell.input_tokens,
        "output_tokens": cell.output_tokens,
        "requests": cell.requests,
        "max_batch_size": cell.max_batch_size,
        "repeat": cell.repeat,
        "simulated": settings.calibration is not None,
    }
    for name, value in wanted.items():
        there = getattr(record, name)
        if there != value:
            yield f"{name} {shown(there)}, not {shown(value)}"
    metered = record.status == "ok" and settings.metering
    if metered and (reason := other_board(record.provenance, settings.gpu)):
        yield f"status 'ok', though {reason}"
