"""Cell records: one JSON file per finished cell, written durably and reused by later runs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from sweetspot.cells.cell import Cell, Status
from sweetspot.errors import InputError
from sweetspot.reading import parse_as, read_bytes_if_there, read_text
from sweetspot.schema.keys import FiniteFloat
from sweetspot.schema.writing import json_text

log = logging.getLogger(__name__)

SPOOL = ".samples.csv"

Useless = Callable[[Path, str], None]
"""What becomes of the file of a record that is of no use, and what is wrong with it in a word."""


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """What is known of one cell. Numbers are None where the cell failed."""

    schema_version: Annotated[
        Literal[2, 3],
        "3; records of 2, which do not say when the window began, are used, too.",
    ] = 3
    key: Annotated[
        str, "Hash of everything that decides the cell's value; names its record's file."
    ]
    cell: Annotated[str, "Readable id: model, limits, requests, lengths, repeat."]
    model: Annotated[str, "Model id."]
    engine: Annotated[str, "What ran the requests."]
    engine_version: Annotated[str, "Version of the engine's software."]
    gpu: Annotated[str, "GPU, a catalog id."]
    input_tokens: Annotated[int, "I, prompt length of each request."]
    output_tokens: Annotated[int, "O, generated tokens of each request."]
    requests: Annotated[
        int, "N, requests of the run, all sent at once unless `endpoint.arrivals` says otherwise."
    ]
    max_batch_size: Annotated[int, "The engine's limit of requests in flight."]
    repeat: Annotated[int, "0 for the first measurement of this cell, 1 for the second."]
    status: Annotated[
        Status,
        "`failed`: the engine did not finish it; `invalid`: it ran, but a check says"
        " that its numbers cannot be trusted.",
    ]
    reason: Annotated[str, "Why the cell is not ok, in one line."] = ""
    simulated: Annotated[bool, "Whether a simulator gave the numbers."]
    noise: Annotated[
        FiniteFloat | None,
        "Of simulated cells with noise (`simulator.noise`): its relative standard deviation.",
    ] = None
    remarks: Annotated[str, "What a reader of the numbers should know, joined by `; `."] = ""
    energy_j: Annotated[
        FiniteFloat | None,
        "Energy of one run, in J, by what `energy_source` names: that of the window,"
        " divided by `passes`.",
    ] = None
    energy_source: Annotated[
        Literal["", "counter", "integration", "integration of 1-s average", "plain sum"],
        "Which of the next three is `energy_j` ([the rule](measuring.md#which-energy-counts)).",
    ] = ""
    energy_counter_j: Annotated[
        FiniteFloat | None, "Energy of one run by the GPU's own counter, in J."
    ] = None
    energy_integration_j: Annotated[
        FiniteFloat | None, "Energy of one run by integrating the power trace, in J."
    ] = None
    energy_sum_500ms_j: Annotated[
        FiniteFloat | None,
        "Energy of one run as the paper sums it, in J: power read every 500 ms, times 0.5 s.",
    ] = None
    energy_gap: Annotated[FiniteFloat | None, "(counter − integration) / integration."] = None
    passes: Annotated[int | None, "How often the run was repeated back to back in its window."] = (
        None
    )
    window_s: Annotated[FiniteFloat | None, "The measured window with all passes, in s."] = None
    window_start_s: Annotated[
        FiniteFloat | None, "When it began, on the clock of the power trace, in s."
    ] = None
    window_end_s: Annotated[FiniteFloat | None, "When it ended, on the same clock."] = None
    trace_utc_s: Annotated[
        FiniteFloat | None,
        "When a measured trace's first sample was, in s since 1970 (UTC); noted once, as the meter"
        " started, and in the trace, too.",
    ] = None
    duration_s: Annotated[
        FiniteFloat | None,
        "One run, in s: first request sent to the end of the run; `window_s` divided by `passes`.",
    ] = None
    energy_per_token_j: Annotated[FiniteFloat | None, "J per output token, e = E / (N·O)."] = None
    tokens_per_j: Annotated[FiniteFloat | None, "Output tokens per J, its reciprocal."] = None
    energy_per_total_token_j: Annotated[
        FiniteFloat | None, "J per token, of input and output together, E / (N·(I + O))."
    ] = None
    energy_per_request_j: Annotated[FiniteFloat | None, "J per request, E / N."] = None
    energy_above_idle_j: Annotated[
        FiniteFloat | None,
        "`energy_j` less what the GPU draws idle in `duration_s`, by the mean of `idle_before_w`"
        " and `idle_after_w`, in J; empty where idle power was not measured.",
    ] = None
    host_energy_j: Annotated[
        FiniteFloat | None,
        "Energy of the node's CPUs in one run, in J, beside the GPU's and in no other number; all"
        " that they did, whoever asked for it. Empty where no counter could be read, and in"
        " simulated cells.",
    ] = None
    host_energy_scope: Annotated[
        str, "What that covers, in words ([which counters](measuring.md#the-hosts-energy))."
    ] = ""
    mean_power_w: Annotated[FiniteFloat | None, "`energy_j` / `duration_s`, in W."] = None
    throughput_tokens_per_s: Annotated[
        FiniteFloat | None, "Output tokens per s, all requests together."
    ] = None
    max_concurrency: Annotated[
        int | None,
        "Most requests that the limits let be in flight; empty where the engine does not say.",
    ] = None
    ttft_p50_s: Annotated[
        FiniteFloat | None,
        "Of an endpoint's requests: time to the first token from sending, in s; percentile 50.",
    ] = None
    ttft_p90_s: Annotated[FiniteFloat | None, "The same, percentile 90."] = None
    ttft_p99_s: Annotated[FiniteFloat | None, "The same, percentile 99."] = None
    tpot_p50_s: Annotated[
        FiniteFloat | None,
        "Of an endpoint's requests: time between two tokens, (last − first) / (O − 1), in s;"
        " percentile 50.",
    ] = None
    tpot_p90_s: Annotated[FiniteFloat | None, "The same, percentile 90."] = None
    tpot_p99_s: Annotated[FiniteFloat | None, "The same, percentile 99."] = None
    e2e_p50_s: Annotated[
        FiniteFloat | None,
        "Of an endpoint's requests: time to the last token from sending, in s; percentile 50.",
    ] = None
    e2e_p90_s: Annotated[FiniteFloat | None, "The same, percentile 90."] = None
    e2e_p99_s: Annotated[FiniteFloat | None, "The same, percentile 99."] = None
    steady_start_s: Annotated[
        FiniteFloat | None,
        "When an endpoint's steady part began, on the clock of the power trace: the time in which"
        " at least 0.9 of the most answers at once were being written.",
    ] = None
    steady_end_s: Annotated[FiniteFloat | None, "When it ended, on the same clock."] = None
    steady_window_s: Annotated[FiniteFloat | None, "How long it was, in s."] = None
    steady_energy_per_token_j: Annotated[
        FiniteFloat | None, "J per output token that came in the steady part, beside the whole."
    ] = None
    steady_throughput_tokens_per_s: Annotated[FiniteFloat | None, "Output tokens per s in it."] = (
        None
    )
    idle_before_w: Annotated[FiniteFloat | None, "Median power before the run, in W."] = None
    idle_after_w: Annotated[FiniteFloat | None, "Median power after the run, in W."] = None
    mean_graphics_mhz: Annotated[
        FiniteFloat | None, "Mean graphics clock of the window, in MHz."
    ] = None
    mean_sm_mhz: Annotated[
        FiniteFloat | None,
        "Mean clock of the multiprocessors, in MHz; of a simulated cell by its model.",
    ] = None
    mean_memory_mhz: Annotated[FiniteFloat | None, "Mean memory clock, in MHz."] = None
    mean_utilisation: Annotated[
        FiniteFloat | None, "Mean share of the time in which a kernel ran, as NVML says."
    ] = None
    temperature_start_c: Annotated[
        FiniteFloat | None, "Temperature of the GPU as the window begins, in °C."
    ] = None
    temperature_end_c: Annotated[
        FiniteFloat | None, "Temperature of the GPU as it ends, in °C."
    ] = None
    power_cap_share: Annotated[
        FiniteFloat | None, "Share of the window in which the power limit held clocks down."
    ] = None
    power_samples: Annotated[int | None, "Readings of power inside of the window."] = None
    largest_gap_s: Annotated[FiniteFloat | None, "Longest time between two of them, in s."] = None
    sampler_cpu_share: Annotated[
        FiniteFloat | None, "Share of one CPU core that the sampling took."
    ] = None
    energy_per_token_low_j: Annotated[
        FiniteFloat | None,
        "Of simulated cells: the lowest measured energy per output token that is"
        " expected, in J, in `interval_level` of cells.",
    ] = None
    energy_per_token_high_j: Annotated[FiniteFloat | None, "The highest one, in J."] = None
    interval_level: Annotated[
        FiniteFloat | None, "In what share of cells of a new model it lies between."
    ] = None
    interval_models: Annotated[int | None, "On how many models that rests."] = None
    interval_rests_on: Annotated[str, "On which numbers it rests, in words."] = ""
    throughput_low_tokens_per_s: Annotated[
        FiniteFloat | None, "The same of throughput, in output tokens per s: the lowest."
    ] = None
    throughput_high_tokens_per_s: Annotated[
        FiniteFloat | None, "The highest one, in output tokens per s."
    ] = None
    throughput_interval_level: Annotated[
        FiniteFloat | None, "As `interval_level`, of throughput."
    ] = None
    throughput_interval_models: Annotated[int | None, "As `interval_models`, of throughput."] = None
    throughput_interval_rests_on: Annotated[str, "As `interval_rests_on`, of throughput."] = ""
    beyond_native_context: Annotated[
        bool,
        "I + O is more than the model was published for: work of the right shape, not valid text.",
    ]
    calibration: Annotated[
        str,
        "The simulator's constants, and what is other than one GPU, the model's"
        " precision and a TensorRT engine; empty for measured cells.",
    ] = ""
    calibration_level: Annotated[str, "What they rest on."] = ""
    calibration_seen: Annotated[
        str, "What they were fitted to, joined by `;`: agreement with it is not evidence."
    ] = ""
    provenance: Annotated[
        dict[str, str],
        "Code, machine and time; of measured cells the GPU (name, UUID, driver, power"
        " limit), the checkpoint and the engine's dtype, too.",
    ]


# In the table every row says where it came from; the machine and time of each stay in its record,
# so that the same experiment gives the same table.
OF_ONE_RUN = (
    *("schema_version", "window_start_s", "window_end_s", "trace_utc_s"),
    *("steady_start_s", "steady_end_s", "provenance"),
)
COLUMNS = tuple(each.name for each in fields(CellRecord) if each.name not in OF_ONE_RUN)


def record_path(records: Path, cell: Cell, key: str) -> Path:
    """Return where the record of a cell lies; a changed key is another file."""
    return records / f"{cell.id}.{key}.json"


def trace_path(records: Path, cell: Cell, key: str) -> Path:
    """Return where the power trace of a cell lies."""
    return records / f"{cell.id}.{key}.trace.csv.gz"


def spool_path(record: Path) -> Path:
    """Return where power samples lie while the cell of a record is measured.

    One that stays was cut short.
    """
    return record.with_suffix(SPOOL)


def record_bytes(record: CellRecord) -> bytes:
    """Return the file of a record."""
    return f"{json_text(record, indent=1)}\n".encode()


def set_aside(path: Path, what: str) -> None:
    """Rename a record that is of no use, and say so in a warning; raises InputError."""
    aside = path.with_name(f"{path.name}.{what}")
    try:
        path.replace(aside)
    except OSError as e:
        raise InputError(f"cannot set the {what} record {path} aside: {e.strerror}") from e
    log.warning("%s cell record set aside as %s; its cell is done again", what, aside)


def read_record(path: Path, key: str, useless: Useless = set_aside) -> CellRecord | None:
    """Return the record of an earlier run, or None if there is none.

    A corrupt, truncated or misplaced one is `useless`: set aside under another name and named in a
    warning, unless something else is to become of it.

    Raises:
        InputError: if the file cannot be read or moved.
    """
    if path.is_dir():
        useless(path, "corrupt")
        return None
    content = read_bytes_if_there(path, "cell record")
    if content is None:
        return None
    try:
        record = parse_as(CellRecord, content, str(path))
    except InputError:
        useless(path, "corrupt")
        return None
    if record.key != key:
        useless(path, "misplaced")
        return None
    return record


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
