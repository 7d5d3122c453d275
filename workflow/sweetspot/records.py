"""Cell records: one JSON file per finished cell, written durably and adopted by later runs."""

import logging
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.workload import Cell

log = logging.getLogger(__name__)


class CellRecord(BaseModel):
    """What is known of one cell. Numbers are None where the cell failed.

    Attributes:
        status: ok; failed (the engine did not finish it); invalid (it ran, but a check says that
            its numbers cannot be trusted).
        reason: why a cell is not ok, in one line.
        energy_j: energy of the measured window that counts, by `energy_source`.
        duration_s: the measured window: first request sent to the end of the run.
        energy_per_token_j, tokens_per_j, throughput_tokens_per_s: per output token, N·O of them.
        beyond_native_context: I + O is more than the model was published for: work of the right
            shape, not valid text.
        calibration, calibration_level, calibration_seen: the simulator's constants, and what they
            were fitted to (names joined by ";"); empty for measured cells.
        provenance: code, machine and time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    key: str
    cell: str
    model: str
    engine: str
    engine_version: str
    gpu: str
    input_tokens: int
    output_tokens: int
    requests: int
    max_batch_size: int
    repeat: int
    status: Literal["ok", "failed", "invalid"]
    reason: str = ""
    simulated: bool
    energy_j: FiniteFloat | None = None
    duration_s: FiniteFloat | None = None
    energy_per_token_j: FiniteFloat | None = None
    tokens_per_j: FiniteFloat | None = None
    mean_power_w: FiniteFloat | None = None
    throughput_tokens_per_s: FiniteFloat | None = None
    max_concurrency: int | None = None
    energy_source: Literal["", "integration"] = ""
    beyond_native_context: bool
    calibration: str = ""
    calibration_level: str = ""
    calibration_seen: str = ""
    provenance: dict[str, str]


# In the table every row says where it came from; the machine and time of each stay in its record,
# so that the same experiment gives the same table.
COLUMNS = tuple(
    name for name in CellRecord.model_fields if name not in ("schema_version", "provenance")
)


def record_path(records: Path, cell: Cell, key: str) -> Path:
    """Return where the record of a cell lies; a changed key is another file."""
    return records / f"{cell.id}.{key}.json"


def trace_path(records: Path, cell: Cell, key: str) -> Path:
    """Return where the power trace of a cell lies."""
    return records / f"{cell.id}.{key}.trace.csv.gz"


def write_record(path: Path, record: CellRecord) -> None:
    """Write a record so that a kill leaves it whole or absent.

    Raises:
        InputError: if the folder cannot be written to.
    """
    write_text_atomic(path, record.model_dump_json(indent=1) + "\n")


def adopt_record(path: Path) -> CellRecord | None:
    """Return the record of an earlier run, or None if there is none.

    A corrupt or truncated one is set aside under another name and named in a warning.

    Raises:
        InputError: if the file cannot be read or moved.
    """
    try:
        return CellRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        aside = path.with_name(f"{path.name}.corrupt")
        try:
            path.replace(aside)
        except OSError as e:
            raise InputError(f"cannot set the corrupt record {path} aside: {e.strerror}") from e
        log.warning("corrupt cell record set aside as %s; its cell is done again", aside)
        return None
    except OSError as e:
        raise InputError(f"cannot read cell record {path}: {e.strerror}") from e


def read_block(path: Path) -> list[CellRecord]:
    """Return the records of a block's file, one JSON line each.

    Raises:
        InputError: names the line that is no record, and what to do.
    """
    records = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"cannot read {path}: {e}") from e
    for number, line in enumerate(lines, start=1):
        try:
            records.append(CellRecord.model_validate_json(line))
        except ValidationError as e:
            raise InputError(
                f"{path} line {number} is no cell record; delete the file and run again:"
                " finished cells are adopted from their own records"
            ) from e
    return records
