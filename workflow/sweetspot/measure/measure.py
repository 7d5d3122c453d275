"""One block of cells with one engine load: reuse what is there, measure what is missing."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from sweetspot.cells.cell import Cell
from sweetspot.config import Remeasure
from sweetspot.engines.base import Engine, Run, Session
from sweetspot.errors import EngineError, MeterError, one_line
from sweetspot.files import write_text_atomic
from sweetspot.measure.adaptive import more_cells
from sweetspot.measure.keeping import Finished, keeping
from sweetspot.measure.provenance import provenance
from sweetspot.measure.record import (
    CellRecord,
    record_path,
    spool_path,
    trace_path,
)
from sweetspot.measure.result import result_of, with_ratios
from sweetspot.measure.reuse import reusable_record
from sweetspot.metering.conditions import median_power_w
from sweetspot.metering.meter import Observe, Readings
from sweetspot.plan.block import Block, Settings
from sweetspot.schema.reading import converted
from sweetspot.schema.writing import json_text

log = logging.getLogger(__name__)


def measure_block(
    block: Block,
    engine: Engine,
    records: Path,
    out: Path,
    *,
    remeasure: Remeasure = "nothing",
    prepare: Callable[[Cell], None] = lambda _: None,
    observe: Observe | None = None,
) -> None:
    """Measure a block's cells and write their records to `out`, one JSON line each.

    Each finished cell is durable at once in `records`, simulated ones some together; a cell whose
    record is there under its key is reused unless `remeasure` names it. So a kill costs one
    measured cell.
    `prepare` makes what another cell needs before it runs, `observe` what gets the samples of each.
    Candidates come last, until they are enough; those with a record are the run's, too.

    Raises:
        InputError: the model does not fit, or a folder cannot be written to.
        EngineError: the engine cannot be loaded.
    """
    done: dict[Cell, CellRecord] = {}
    reused, certain = 0, set(block.cells)
    with measuring(block, engine, records, observe) as measure:
        for cell in (*block.cells, *block.candidates):
            record = reusable_record(records, block, cell, remeasure)
            reused += record is not None
            if record:  # how sure a simulated number is may be known better than when written
                done[cell] = completed(record, block.settings)
            elif cell in certain:
                prepare(cell)
                done[cell] = measure(cell)
        for cell in more_cells(block, done):
            prepare(cell)
            done[cell] = measure(cell)
        for cell in block.candidates:  # to be measured again, but no longer needed
            if cell not in done and (record := reusable_record(records, block, cell)):
                done[cell] = completed(record, block.settings)
    cells = [cell for cell in (*block.cells, *block.candidates) if cell in done]
    write_text_atomic(out, "".join(f"{json_text(done[cell])}\n" for cell in cells))
    bad = sum(record.status != "ok" for record in done.values())
    if reused or bad:  # that all went as asked is for who watches the run to say
        log.info(
            "%s: %d cells, %d of them reused%s",
            block.id,
            len(done),
            reused,
            f", {bad} NOT ok (see reason in the cells table)" if bad else "",
        )


class MeasureCell(Protocol):
    """Measures a cell and makes its record durable."""

    def __call__(self, cell: Cell, *, idle: bool = True) -> CellRecord:
        """Return the record; idle power is taken around the run unless `idle` says otherwise."""


@contextmanager
def measuring(
    block: Block, engine: Engine, records: Path, observe: Observe | None = None
) -> Iterator[MeasureCell]:
    """Yield a function that measures a cell and makes its record durable.

    That of a simulated cell may be so only at the end. The engine is loaded when the first cell
    asks for it, and closed at the end.
    """
    session: Session | None = None

    def measure(cell: Cell, *, idle: bool = True) -> CellRecord:
        nonlocal session
        session = session or engine.load(block.settings)
        path = record_path(records, cell, block.key(cell))
        record, readings = _measure_cell(block, engine, session, cell, path, observe, idle=idle)
        keep(Finished(record, readings, path, trace_path(records, cell, record.key)))
        if readings is not None:
            spool_path(path).unlink(missing_ok=True)  # the whole trace is durable now
        return record

    try:
        with keeping(together=engine.simulated) as keep:
            yield measure
    finally:
        if session is not None:
            session.close()


def described(block: Block, engine: Engine, cell: Cell) -> dict[str, Any]:
    """Return what a cell's record says whatever comes of it."""
    settings = block.settings
    calibration = settings.calibration
    return {
        "key": block.key(cell),
        "cell": cell.id,
        "model": cell.model,
        "engine": engine.name,
        "engine_version": engine.version,
        "gpu": settings.gpu.id,
        "input_tokens": cell.input_tokens,
        "output_tokens": cell.output_tokens,
        "requests": cell.requests,
        "max_batch_size": cell.max_batch_size,
        "repeat": cell.repeat,
        "simulated": engine.simulated,
        "noise": settings.noise.deviation if settings.noise else None,
        "beyond_native_context": (
            cell.input_tokens + cell.output_tokens > settings.model.max_positions
        ),
        "calibration": _calibration(settings),
        "calibration_level": calibration.level if calibration else "",
        "calibration_seen": ";".join(calibration.seen) if calibration else "",
        "provenance": provenance(),
    }


def _measure_cell(
    block: Block,
    engine: Engine,
    session: Session,
    cell: Cell,
    path: Path,
    observe: Observe | None,
    *,
    idle: bool,
) -> tuple[CellRecord, Readings | None]:
    """Return the record of one run, and what the meter read.

    What the engine or the meter cannot do is a failed cell, which has no readings.
    """
    known, settings = described(block, engine, cell), block.settings
    try:
        idle_s = settings.metering.idle_s if settings.metering and idle else 0.0
        run, readings, idle_w = _metered(session, cell, idle_s, spool_path(path), observe)
        result = result_of(run, cell, readings, settings.metering, settings.gpu)
    except (EngineError, MeterError) as e:
        return converted(CellRecord, known | {"status": "failed", "reason": one_line(e)}), None
    facts = {"provenance": known["provenance"] | dict(run.facts)}
    record = converted(CellRecord, known | result | idle_w | facts)
    return completed(record, settings), readings


def completed(record: CellRecord, settings: Settings) -> CellRecord:
    """Return the record with what follows from it today: ratios, and a simulated one's error."""
    record = with_ratios(record)
    per_token_j, rate = record.energy_per_token_j, record.throughput_tokens_per_s
    if not record.simulated or per_token_j is None or rate is None:
        return record
    bounds = settings.deployment.intervals.bounds(per_token_j, rate)
    return replace(record, **asdict(bounds))


def _calibration(settings: Settings) -> str:
    """Return whose constants a row rests on, and for what other than the paper's engines."""
    if settings.calibration is None:
        return ""
    return "; ".join(filter(None, (settings.calibration.name, settings.deployment.chosen)))


def _metered(
    session: Session, cell: Cell, idle_s: float, spool: Path, observe: Observe | None
) -> tuple[Run, Readings, dict[str, float | None]]:
    """Run a cell under the meter, with idle power for so long before and after.

    The meter is stopped whatever happens: the next cell needs it.
    """
    session.meter.start(spool, observe)
    try:
        before_s = time.monotonic()
        if idle_s:  # even 0 s would give the core away
            time.sleep(idle_s)
        run = session.run(cell)
        after_s = time.monotonic()
        if idle_s:
            time.sleep(idle_s)
    except BaseException:
        with suppress(MeterError):  # the run's own failure says more
            session.meter.stop()
        raise
    readings = session.meter.stop()
    if not idle_s:
        return run, readings, {}
    idle = {
        "idle_before_w": median_power_w(readings, before_s, before_s + idle_s),
        "idle_after_w": median_power_w(readings, after_s, after_s + idle_s),
    }
    return run, readings, idle
