"""Cell records: one JSON file per finished cell, written durably and reused by later runs."""

import logging
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from sweetspot.cells.cell import Cell, Status
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.plan.block import Block
from sweetspot.reading import parse_as, read_as, read_bytes_if_there, read_text

log = logging.getLogger(__name__)

Remeasure = Literal["nothing", "failed", "all"]
"""Which records of earlier runs are not to be reused."""


class CellRecord(BaseModel):
    """What is known of one cell. Numbers are None where the cell failed."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    schema_version: Literal[2] = 2
    key: str = Field(
        description="Hash of everything that decides the cell's value; names its record's file."
    )
    cell: str = Field(description="Readable id: model, limits, requests, lengths, repeat.")
    model: str = Field(description="Model id.")
    engine: str = Field(description="What ran the requests.")
    engine_version: str = Field(description="Version of the engine's software.")
    gpu: str = Field(description="GPU, a catalog id.")
    input_tokens: int = Field(description="I, prompt length of each request.")
    output_tokens: int = Field(description="O, generated tokens of each request.")
    requests: int = Field(description="N, requests of the run, all sent at once.")
    max_batch_size: int = Field(description="The engine's limit of requests in flight.")
    repeat: int = Field(description="0 for the first measurement of this cell, 1 for the second.")
    status: Status = Field(
        description="`failed`: the engine did not finish it; `invalid`: it ran, but a check says"
        " that its numbers cannot be trusted."
    )
    reason: str = Field(default="", description="Why the cell is not ok, in one line.")
    simulated: bool = Field(description="Whether a simulator gave the numbers.")
    noise: FiniteFloat | None = Field(
        default=None,
        description="Of simulated cells with noise (`simulator.noise`): its relative standard"
        " deviation.",
    )
    remarks: str = Field(
        default="", description="What a reader of the numbers should know, joined by `; `."
    )
    energy_j: FiniteFloat | None = Field(
        default=None,
        description="Energy of one run, in J, by what `energy_source` names: that of the window,"
        " divided by `passes`.",
    )
    energy_source: Literal[
        "", "counter", "integration", "integration of 1-s average", "plain sum"
    ] = Field(
        default="",
        description="Which of the next three is `energy_j`"
        " ([the rule](measuring.md#which-energy-counts)).",
    )
    energy_counter_j: FiniteFloat | None = Field(
        default=None, description="Energy of one run by the GPU's own counter, in J."
    )
    energy_integration_j: FiniteFloat | None = Field(
        default=None, description="Energy of one run by integrating the power trace, in J."
    )
    energy_sum_500ms_j: FiniteFloat | None = Field(
        default=None,
        description="Energy of one run as the paper sums it, in J: power read every 500 ms, times"
        " 0.5 s.",
    )
    energy_gap: FiniteFloat | None = Field(
        default=None, description="(counter − integration) / integration."
    )
    passes: int | None = Field(
        default=None, description="How often the run was repeated back to back in its window."
    )
    window_s: FiniteFloat | None = Field(
        default=None, description="The measured window with all passes, in s."
    )
    duration_s: FiniteFloat | None = Field(
        default=None,
        description="One run, in s: first request sent to the end of the run; `window_s` divided"
        " by `passes`.",
    )
    energy_per_token_j: FiniteFloat | None = Field(
        default=None, description="J per output token, e = E / (N·O)."
    )
    tokens_per_j: FiniteFloat | None = Field(
        default=None, description="Output tokens per J, its reciprocal."
    )
    mean_power_w: FiniteFloat | None = Field(
        default=None, description="`energy_j` / `duration_s`, in W."
    )
    throughput_tokens_per_s: FiniteFloat | None = Field(
        default=None, description="Output tokens per s, all requests together."
    )
    max_concurrency: int | None = Field(
        default=None,
        description="Most requests that the limits let be in flight; empty where the engine does"
        " not say.",
    )
    idle_before_w: FiniteFloat | None = Field(
        default=None, description="Median power before the run, in W."
    )
    idle_after_w: FiniteFloat | None = Field(
        default=None, description="Median power after the run, in W."
    )
    mean_graphics_mhz: FiniteFloat | None = Field(
        default=None, description="Mean graphics clock of the window, in MHz."
    )
    mean_sm_mhz: FiniteFloat | None = Field(
        default=None, description="Mean clock of the multiprocessors, in MHz."
    )
    mean_memory_mhz: FiniteFloat | None = Field(
        default=None, description="Mean memory clock, in MHz."
    )
    mean_utilisation: FiniteFloat | None = Field(
        default=None, description="Mean share of the time in which a kernel ran, as NVML says."
    )
    temperature_start_c: FiniteFloat | None = Field(
        default=None, description="Temperature of the GPU as the window begins, in °C."
    )
    temperature_end_c: FiniteFloat | None = Field(
        default=None, description="Temperature of the GPU as it ends, in °C."
    )
    power_cap_share: FiniteFloat | None = Field(
        default=None, description="Share of the window in which the power limit held clocks down."
    )
    power_samples: int | None = Field(
        default=None, description="Power samples inside of the window."
    )
    largest_gap_s: FiniteFloat | None = Field(
        default=None, description="Longest time between two of them, in s."
    )
    sampler_cpu_share: FiniteFloat | None = Field(
        default=None, description="Share of one CPU core that the sampling took."
    )
    energy_per_token_low_j: FiniteFloat | None = Field(
        default=None,
        description="Of simulated cells: the lowest measured energy per output token that is"
        " expected, in J, in `interval_level` of cells.",
    )
    energy_per_token_high_j: FiniteFloat | None = Field(
        default=None, description="The highest one, in J."
    )
    interval_level: FiniteFloat | None = Field(
        default=None, description="In what share of cells of a new model it lies between."
    )
    interval_models: int | None = Field(default=None, description="On how many models that rests.")
    interval_rests_on: str = Field(default="", description="On which numbers it rests, in words.")
    throughput_low_tokens_per_s: FiniteFloat | None = Field(
        default=None, description="The same of throughput, in output tokens per s: the lowest."
    )
    throughput_high_tokens_per_s: FiniteFloat | None = Field(
        default=None, description="The highest one, in output tokens per s."
    )
    throughput_interval_level: FiniteFloat | None = Field(
        default=None, description="As `interval_level`, of throughput."
    )
    throughput_interval_models: int | None = Field(
        default=None, description="As `interval_models`, of throughput."
    )
    throughput_interval_rests_on: str = Field(
        default="", description="As `interval_rests_on`, of throughput."
    )
    beyond_native_context: bool = Field(
        description="I + O is more than the model was published for: work of the right shape, not"
        " valid text."
    )
    calibration: str = Field(
        default="",
        description="The simulator's constants, and what is other than one GPU, the model's"
        " precision and a TensorRT engine; empty for measured cells.",
    )
    calibration_level: str = Field(default="", description="What they rest on.")
    calibration_seen: str = Field(
        default="",
        description="What they were fitted to, joined by `;`: agreement with it is not evidence.",
    )
    provenance: dict[str, str] = Field(
        description="Code, machine and time; of measured cells the GPU (name, UUID, driver, power"
        " limit), the checkpoint and the engine's dtype, too."
    )


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


def spool_path(records: Path, cell: Cell, key: str) -> Path:
    """Return where power samples lie while a cell is measured; one that stays was cut short."""
    return records / f"{cell.id}.{key}.samples.csv"


def write_record(path: Path, record: CellRecord) -> None:
    """Write a record so that a kill leaves it whole or absent.

    Raises:
        InputError: if the folder cannot be written to.
    """
    write_text_atomic(path, record.model_dump_json(indent=1) + "\n")


def read_record(path: Path, key: str) -> CellRecord | None:
    """Return the record of an earlier run, or None if there is none.

    A corrupt, truncated or misplaced one is set aside under another name and named in a warning.

    Raises:
        InputError: if the file cannot be read or moved.
    """
    if path.is_dir():
        _set_aside(path, "corrupt")
        return None
    content = read_bytes_if_there(path, "cell record")
    if content is None:
        return None
    try:
        record = parse_as(CellRecord, content, str(path))
    except InputError:
        _set_aside(path, "corrupt")
        return None
    if record.key != key:
        _set_aside(path, "misplaced")
        return None
    return record


def cells_left(block: Block, records: Path, remeasure: Remeasure = "nothing") -> list[Cell]:
    """Return the cells of a block that are still to be measured or simulated."""

    def is_left(cell: Cell) -> bool:
        path = record_path(records, cell, block.key(cell))
        again = remeasure == "all" or (remeasure == "failed" and _is_failed(path))
        return again or not path.is_file()

    return [cell for cell in block.cells if is_left(cell)]


def _is_failed(path: Path) -> bool:
    """Return whether a record is there and says that its cell is not ok."""
    try:
        return read_as(CellRecord, path, "cell record").status != "ok"
    except InputError:
        return False


def _set_aside(path: Path, what: str) -> None:
    aside = path.with_name(f"{path.name}.{what}")
    try:
        path.replace(aside)
    except OSError as e:
        raise InputError(f"cannot set the {what} record {path} aside: {e.strerror}") from e
    log.warning("%s cell record set aside as %s; its cell is done again", what, aside)


def read_block(path: Path) -> list[CellRecord]:
    """Return the records of a block's file, one JSON line each.

    Raises:
        InputError: names the line that is not a record, and what to do.
    """
    advice = "delete the file and run again: finished cells are reused from their own records"
    # Not splitlines: a reason may hold other line separators, which JSON does not escape.
    lines = read_text(path, "cell records").removesuffix("\n").split("\n")
    return [
        parse_as(CellRecord, line, f"{path} line {number}", advice)
        for number, line in enumerate(lines if lines != [""] else [], start=1)
    ]
