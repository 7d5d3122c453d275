"""One block of cells with one engine load: adopt what is there, measure what is missing."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sweetspot.cells.cell import Cell
from sweetspot.config import Metering
from sweetspot.engines.base import Engine, Run, Session
from sweetspot.errors import EngineError, MeterError
from sweetspot.files import write_text_atomic
from sweetspot.measure.provenance import provenance
from sweetspot.measure.record import (
    CellRecord,
    adopt_record,
    record_path,
    spool_path,
    trace_path,
    write_record,
)
from sweetspot.metering.conditions import conditions, idle_power_w, remarks
from sweetspot.metering.energy import window_energy
from sweetspot.metering.meter import Readings
from sweetspot.metering.trace import write_trace
from sweetspot.metering.validity import broken_gates
from sweetspot.plan.block import Block, Settings

Remeasure = Literal["nothing", "failed", "all"]

log = logging.getLogger(__name__)


def measure_block(
    block: Block, engine: Engine, records: Path, out: Path, *, remeasure: Remeasure = "nothing"
) -> None:
    """Measure a block's cells and write their records to `out`, one JSON line each.

    Each finished cell is durable at once in `records`; a cell whose record is there under its key
    is adopted unless `remeasure` names it. So a kill costs one cell.

    Raises:
        InputError: the model does not fit, or a folder cannot be written to.
        EngineError: the engine cannot be loaded.
    """
    done: list[CellRecord] = []
    adopted = 0
    with measuring(block, engine, records) as measure:
        for cell in block.cells:
            record = adopted_record(records, block, cell, remeasure)
            adopted += record is not None
            done.append(record or measure(cell))
    write_text_atomic(out, "".join(f"{record.model_dump_json()}\n" for record in done))
    bad = sum(record.status != "ok" for record in done)
    log.info(
        "%s: %d cells, %d of them adopted%s",
        block.id,
        len(done),
        adopted,
        f", {bad} NOT ok (see reason in the cells table)" if bad else "",
    )


@contextmanager
def measuring(
    block: Block, engine: Engine, records: Path
) -> Iterator[Callable[[Cell], CellRecord]]:
    """Yield a function that measures a cell and makes its record durable.

    The engine is loaded when the first cell asks for it, and closed at the end.
    """
    session: Session | None = None

    def measure(cell: Cell) -> CellRecord:
        nonlocal session
        session = session or engine.load(block.settings)
        record = _measure_cell(block, engine, session, cell, records)
        write_record(record_path(records, cell, block.key(cell)), record)
        return record

    try:
        yield measure
    finally:
        if session is not None:
            session.close()


def adopted_record(
    records: Path, block: Block, cell: Cell, remeasure: Remeasure = "nothing"
) -> CellRecord | None:
    """Return the record that a cell has from an earlier run, unless it is to be measured again."""
    if remeasure == "all":
        return None
    key = block.key(cell)
    record = adopt_record(record_path(records, cell, key), key)
    again = record is not None and remeasure == "failed" and record.status != "ok"
    return None if again else record


def _measure_cell(
    block: Block, engine: Engine, session: Session, cell: Cell, records: Path
) -> CellRecord:
    """Return the record of one run; what the engine or the meter cannot do is a failed cell."""
    key = block.key(cell)
    settings = block.settings
    calibration = settings.calibration
    origin = provenance()
    known = {
        "key": key,
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
        "beyond_native_context": (
            cell.input_tokens + cell.output_tokens > settings.model.max_positions
        ),
        "calibration": _calibration(settings),
        "calibration_level": calibration.level if calibration else "",
        "calibration_seen": ";".join(calibration.seen) if calibration else "",
        "provenance": origin,
    }
    spool = spool_path(records, cell, key)
    try:
        run, readings, idle = _metered(session, cell, settings.metering, spool)
        found = energy_of_run(run, readings, settings.metering)
    except (EngineError, MeterError) as e:
        return CellRecord.model_validate(known | {"status": "failed", "reason": str(e)})
    write_trace(trace_path(records, cell, key), readings)
    spool.unlink(missing_ok=True)  # the whole trace is durable now
    wrong = _doubts(run, cell, readings, settings.metering)
    seen = remarks(readings, run.start_s, run.end_s) if settings.metering else ()
    checked = {
        "status": "invalid" if wrong else "ok",
        "reason": "; ".join(wrong),
        "remarks": "; ".join((*run.remarks, *found.remarks, *seen)),
        "provenance": origin | dict(run.facts),
    }
    return CellRecord.model_validate(known | found.fields | idle | checked)


def _calibration(settings: Settings) -> str:
    """Return whose constants a row rests on, and for what other than the paper's engines."""
    name = settings.calibration.name if settings.calibration else ""
    return "; ".join(filter(None, (name, settings.deployment)))


def _metered(
    session: Session, cell: Cell, metering: Metering | None, spool: Path
) -> tuple[Run, Readings, dict[str, float | None]]:
    """Run a cell under the meter, with idle power before and after.

    The meter is stopped whatever happens: the next cell needs it.
    """
    idle_s = metering.idle_s if metering else 0.0
    session.meter.start(spool)
    try:
        before_s = time.monotonic()
        time.sleep(idle_s)
        run = session.run(cell)
        after_s = time.monotonic()
        time.sleep(idle_s)
    except BaseException:
        with suppress(MeterError):  # the run's own failure says more
            session.meter.stop()
        raise
    readings = session.meter.stop()
    if not idle_s:
        return run, readings, {}
    idle = {
        "idle_before_w": idle_power_w(readings, before_s, before_s + idle_s),
        "idle_after_w": idle_power_w(readings, after_s, after_s + idle_s),
    }
    return run, readings, idle


@dataclass(frozen=True, slots=True)
class Found:
    """What the readings of a run say: the record's fields, and remarks on them."""

    fields: dict[str, Any]
    remarks: tuple[str, ...]


def energy_of_run(run: Run, readings: Readings, metering: Metering | None) -> Found:
    """Return a record's energies, rates, powers and conditions: the same for every engine.

    Energy per token is None for a run without output.

    Source: e = E / (N·O) and its reciprocal, section 5.3 of arXiv 2602.05695.

    Raises:
        MeterError: the trace does not span the run, or shows no power in it.
    """
    protocol = metering.protocol if metering else "standard"
    try:
        window = window_energy(readings, run.start_s, run.end_s, protocol)
    except ValueError as e:
        raise MeterError(f"the power trace does not cover the run: {e}") from e
    if window.energy_j <= 0:
        raise MeterError("the power trace shows 0 W over the whole run")
    window_s = run.end_s - run.start_s

    def of_one_run(of_the_window: float | None) -> float | None:
        return None if of_the_window is None else of_the_window / run.passes

    fields = {
        "energy_j": of_one_run(window.energy_j),
        "energy_source": window.source,
        "energy_counter_j": of_one_run(window.counter_j),
        "energy_integration_j": of_one_run(window.integration_j),
        "energy_sum_500ms_j": of_one_run(window.sum_500ms_j),
        "energy_gap": window.gap,
        "passes": run.passes,
        "window_s": window_s,
        "duration_s": of_one_run(window_s),
        "energy_per_token_j": window.energy_j / run.output_tokens if run.output_tokens else None,
        "tokens_per_j": run.output_tokens / window.energy_j,
        "mean_power_w": window.energy_j / window_s,
        "throughput_tokens_per_s": run.output_tokens / window_s,
        "max_concurrency": run.max_concurrency,
    }
    if metering:
        fields |= asdict(conditions(readings, run.start_s, run.end_s))
    return Found(fields, window.remarks)


def _doubts(run: Run, cell: Cell, readings: Readings, metering: Metering | None) -> tuple[str, ...]:
    """Return why the numbers of a run cannot be trusted."""
    broken: tuple[str, ...] = ()
    if metering:
        drift_c = metering.max_temperature_drift_c
        broken = broken_gates(readings, run.start_s, run.end_s, drift_c)
    return tuple(doubt for doubt in (_wrong_work(run, cell), run.untrusted, *broken) if doubt)


def _wrong_work(run: Run, cell: Cell) -> str:
    """Return what the engine did not do of a cell; empty if all is there."""
    for name, actual, expected in (
        ("requests", run.requests, cell.requests),
        ("input tokens", run.input_tokens, cell.requests * cell.input_tokens),
        ("output tokens", run.output_tokens, cell.total_output_tokens),
    ):
        if actual != run.passes * expected:
            return f"the engine did {actual} {name} instead of {run.passes * expected}"
    return ""
