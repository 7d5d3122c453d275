"""When cells ran, and on what: of a run's records, or of a list that somebody kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sweetspot.errors import InputError, shown
from sweetspot.telemetry.captures.rows import read_rows
from sweetspot.telemetry.captures.times import time_ns
from sweetspot.telemetry.kept import read_folder
from sweetspot.telemetry.query import window_of
from sweetspot.telemetry.sample import Source

NAMES = {
    "model": ("model",),
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "requests": ("requests",),
    "start_utc": ("start_utc", "start"),
    "end_utc": ("end_utc", "end"),
}
OPTIONAL = {
    name: (name,)
    for name in ("gpu", "host", "engine", "max_batch_size", "repeat", "passes", "gpu_name")
}
COUNTS = ("input_tokens", "output_tokens", "requests", "max_batch_size", "repeat", "passes")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellWindow:
    """When a cell ran.

    Attributes:
        source: the board, as the cluster's data call it; of a window that names a host alone, "",
            and what the host draws is taken.
        gpu: what kind of board; "" where nothing says.
        passes: how often the run was repeated in the window.
        start_ns, end_ns: since 1970, UTC.
        invalid: why the run's own record is no measurement of it; "" if it is, or there is none.
    """

    model: str
    engine: str
    gpu: str
    source: Source
    input_tokens: int
    output_tokens: int
    requests: int
    max_batch_size: int
    repeat: int
    passes: int
    start_ns: int
    end_ns: int
    invalid: str = ""


def read_windows(path: Path) -> list[CellWindow]:
    """Return the windows of a run's or a campaign's folder, or of a CSV.

    Raises:
        InputError: it cannot be read, or has none; the message names the line.
    """
    found = list(_of_run(path) if path.is_dir() else _of_list(path))
    if not found:
        raise InputError(f"{path} has no window of a measured cell that has a place in time")
    return found


def _of_run(folder: Path) -> Iterator[CellWindow]:
    for kept in read_folder(folder).kept:
        record = kept.record
        if record.simulated:
            continue
        trace = kept.readings().trace
        begun_ns = round(kept.first_utc_s * 1e9)
        start_ns, end_ns = (
            begun_ns + round((at_s - float(trace.t_s[0])) * 1e9) for at_s in window_of(kept, trace)
        )
        yield CellWindow(
            model=record.model,
            engine=record.engine,
            gpu=record.gpu,
            source=kept.source,
            input_tokens=record.input_tokens,
            output_tokens=record.output_tokens,
            requests=record.requests,
            max_batch_size=record.max_batch_size,
            repeat=record.repeat,
            passes=record.passes or 1,
            start_ns=start_ns,
            end_ns=end_ns,
            invalid="" if record.status == "ok" else record.reason or record.status,
        )


def _of_list(path: Path) -> Iterator[CellWindow]:
    for where, row in read_rows(path, "list of windows", NAMES, OPTIONAL):
        if missing := [name for name in NAMES if not row[name]]:
            raise InputError(f"{where} has no {missing[0]}")
        try:
            counts = {name: int(row[name]) for name in COUNTS if row.get(name)}
            start_ns, end_ns = time_ns(row["start_utc"]), time_ns(row["end_utc"])
        except ValueError as error:
            raise InputError(
                f"{where}: {error}; counts are whole numbers, times are in ISO 8601 or"
                " numbers since 1970, UTC"
            ) from error
        if min(counts.values()) < 0 or not start_ns < end_ns:
            raise InputError(
                f"{where}: it ends at {shown(row['end_utc'])}, and begins at"
                f" {shown(row['start_utc'])}; counts are not negative, and the end is later"
            )
        if not (row["gpu"] or row["host"]):
            raise InputError(f"{where} names no gpu and no host: whose power is it?")
        yield CellWindow(
            model=row["model"],
            engine=row["engine"],
            gpu=row["gpu_name"],
            source=Source(gpu_uuid=row["gpu"], gpu_name=row["gpu_name"], host=row["host"]),
            input_tokens=counts["input_tokens"],
            output_tokens=counts["output_tokens"],
            requests=counts["requests"],
            max_batch_size=counts.get("max_batch_size", counts["requests"]),
            repeat=counts.get("repeat", 0),
            passes=counts.get("passes", 1) or 1,
            start_ns=start_ns,
            end_ns=end_ns,
        )
