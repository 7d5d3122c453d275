"""One block of cells with one engine load: adopt what is there, measure what is missing."""

import logging
from contextlib import suppress
from pathlib import Path

from sweetspot.engines.base import Engine, Run, Session
from sweetspot.errors import EngineError, MeterError
from sweetspot.files import write_text_atomic
from sweetspot.metering.meter import Readings, window_counter_j
from sweetspot.metering.trace import window_energy_j, write_trace
from sweetspot.plan import Block, Settings
from sweetspot.provenance import provenance
from sweetspot.records import CellRecord, adopt_record, record_path, trace_path, write_record
from sweetspot.workload import Cell

log = logging.getLogger(__name__)


def measure_block(
    block: Block, engine: Engine, records: Path, out: Path, *, remeasure: bool = False
) -> None:
    """Measure a block's cells and write their records to `out`, one JSON line each.

    Each finished cell is durable at once in `records`; a cell whose record is there under its key
    is adopted unless `remeasure` is set. So a kill costs one cell.

    Raises:
        InputError: the model does not fit, or a folder cannot be written to.
        EngineError: the engine cannot be loaded.
    """
    done: list[CellRecord] = []
    session: Session | None = None
    adopted = 0
    try:
        for cell in block.cells:
            key = block.key(cell)
            path = record_path(records, cell, key)
            record = None if remeasure else adopt_record(path, key)
            if record is None:
                session = session or engine.load(block.settings)
                record = _measure_cell(block, engine, session, cell, records)
                write_record(path, record)
            else:
                adopted += 1
            done.append(record)
    finally:
        if session is not None:
            session.close()
    write_text_atomic(out, "".join(f"{record.model_dump_json()}\n" for record in done))
    bad = sum(record.status != "ok" for record in done)
    log.info(
        "%s: %d cells, %d of them adopted%s",
        block.id,
        len(done),
        adopted,
        f", {bad} NOT ok (see reason in the cells table)" if bad else "",
    )


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
    try:
        run, readings = _metered(session, cell)
        found = energy_of_run(run, readings)
    except (EngineError, MeterError) as e:
        return CellRecord.model_validate(known | {"status": "failed", "reason": str(e)})
    write_trace(trace_path(records, cell, key), readings.trace)
    wrong = _wrong_work(run, cell)
    status = "invalid" if wrong else "ok"
    checked = {"status": status, "reason": wrong, "provenance": origin | dict(run.facts)}
    return CellRecord.model_validate(known | found | checked)


def _calibration(settings: Settings) -> str:
    """Return whose constants a row rests on, and what they were used for beyond one 16-bit GPU."""
    name = settings.calibration.name if settings.calibration else ""
    return "; ".join(filter(None, (name, settings.deployment)))


def _metered(session: Session, cell: Cell) -> tuple[Run, Readings]:
    """Run a cell under the meter, which is stopped whatever happens: the next cell needs it."""
    session.meter.start()
    try:
        run = session.run(cell)
    except BaseException:
        with suppress(MeterError):  # the run's own failure says more
            session.meter.stop()
        raise
    return run, session.meter.stop()


def energy_of_run(run: Run, readings: Readings) -> dict[str, float | int | str | None]:
    """Return a record's energies, rates and powers: the same for every engine and meter.

    Energy per token is None for a run without output.

    Source: e = E / (N·O) and its reciprocal, section 5.3 of arXiv 2602.05695.

    Raises:
        MeterError: the trace does not span the run, or shows no power in it.
    """
    try:
        energy_j = window_energy_j(readings.trace, run.start_s, run.end_s)
    except ValueError as e:
        raise MeterError(f"the power trace does not cover the run: {e}") from e
    if energy_j <= 0:
        raise MeterError("the power trace shows 0 W over the whole run")
    duration_s = run.end_s - run.start_s
    return {
        "energy_j": energy_j,
        "energy_source": "integration",
        "energy_counter_j": window_counter_j(readings, run.start_s, run.end_s),
        "duration_s": duration_s,
        "energy_per_token_j": energy_j / run.output_tokens if run.output_tokens else None,
        "tokens_per_j": run.output_tokens / energy_j,
        "mean_power_w": energy_j / duration_s,
        "throughput_tokens_per_s": run.output_tokens / duration_s,
        "max_concurrency": run.max_concurrency,
    }


def _wrong_work(run: Run, cell: Cell) -> str:
    """Return what the engine did not do of a cell; empty if all is there."""
    for name, actual, expected in (
        ("requests", run.requests, cell.requests),
        ("input tokens", run.input_tokens, cell.requests * cell.input_tokens),
        ("output tokens", run.output_tokens, cell.total_output_tokens),
    ):
        if actual != expected:
            return f"the engine did {actual} {name} instead of {expected}"
    return ""
