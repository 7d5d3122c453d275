"""The measured window of a run of trtllm-bench: by the best of what there is.

First what workers/trtllm_bench_window.py has stamped inside of the engine's process; else the
requests' own times, where the version writes them; else when a line of the log arrived.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from sweetspot.cells.cell import Cell
from sweetspot.engines.trtllm.report import Report
from sweetspot.errors import EngineError, InputError
from sweetspot.reading import read_as
from sweetspot.schema.keys import NonEmpty
from sweetspot.schema.mistakes import wrong

START_LINE = "Starting benchmark..."
END_LINE = "Benchmark complete."
STAMP_TOLERANCE_S = 0.5  # by which a log line may arrive late
LATENCY_TOLERANCE_S = 1e-3  # between the report and the times that it was made from
MAX_GAP_SHARE = 0.05  # of a window in which the engine may wait for its next pass


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchWindow:
    """A measured window on the monotonic clock: its passes, and what is to be said of it.

    Attributes:
        passes: (start, end) of each pass, in s, one after the other.
        source: what it was found by.
        remarks: what a reader should know.
    """

    passes: tuple[tuple[float, float], ...]
    source: str
    remarks: tuple[str, ...] = ()

    @property
    def start_s(self) -> float:
        """First request sent."""
        return self.passes[0][0]

    @property
    def end_s(self) -> float:
        """Last response."""
        return self.passes[-1][1]

    @property
    def untrusted(self) -> str:
        """Why its power is not that of the cell's requests; empty if it is."""
        window_s = self.end_s - self.start_s
        gaps_s = window_s - sum(end_s - start_s for start_s, end_s in self.passes)
        if gaps_s <= MAX_GAP_SHARE * window_s:
            return ""
        return (
            f"the engine waited {gaps_s / window_s:.0%} of the window between its"
            f" {len(self.passes)} passes"
        )


@dataclass(frozen=True, kw_only=True)
class _Pass:
    start_ns: int
    end_ns: int
    requests: int
    input_tokens: int
    output_tokens: int

    def __post_init__(self) -> None:
        if self.start_ns >= self.end_ns:
            raise wrong(f"a pass of {self.start_ns} to {self.end_ns} ns")


@dataclass(frozen=True, kw_only=True)
class _Stamps:
    passes: Annotated[tuple[_Pass, ...], NonEmpty()]


@dataclass(frozen=True, kw_only=True)
class _Request:
    start_timestamp: int
    end_timestamp: int


def stamped_window(path: Path, cell: Cell) -> BenchWindow | None:
    """Return the window that was stamped in the engine's process; None if none was.

    Raises:
        EngineError: it is not such a file, or a pass did other work than the cell's.
    """
    if not path.exists():
        return None
    try:
        stamps = read_as(_Stamps, path, "stamps of passes")
    except InputError as error:
        raise EngineError(str(error)) from error
    work = (cell.requests, cell.requests * cell.input_tokens, cell.total_output_tokens)
    for number, each in enumerate(stamps.passes, start=1):
        done = (each.requests, each.input_tokens, each.output_tokens)
        if done != work:
            raise EngineError(
                f"pass {number} of {len(stamps.passes)} did {done} instead of {work} requests,"
                " input and output tokens"
            )
    seconds = tuple((each.start_ns / 1e9, each.end_ns / 1e9) for each in stamps.passes)
    return BenchWindow(passes=seconds, source="stamps in the engine's process")


def requested_window(path: Path) -> BenchWindow | None:
    """Return the window that the requests' own times span (`--request_json`); None without them.

    Raises:
        EngineError: it is not such a file.
    """
    if not path.exists():
        return None
    try:
        records = read_as(list[_Request], path, "times of requests", other_keys=True)
    except InputError as error:
        raise EngineError(str(error)) from error
    if not records:
        raise EngineError(f"the times of requests {path} list no request")
    start_ns = min(record.start_timestamp for record in records)
    end_ns = max(record.end_timestamp for record in records)
    remark = "one pass only: TensorRT-LLM could not be stamped from within; its log says why"
    return BenchWindow(
        passes=((start_ns / 1e9, end_ns / 1e9),), source="--request_json", remarks=(remark,)
    )


def logged_window(
    stamps_s: Mapping[str, Sequence[float]], report: Report, warmup: int
) -> BenchWindow:
    """Return the window from the measured pass's first line on, as long as the report says.

    The last line comes up to 1 s after the last response and does not end it.

    Raises:
        EngineError: the log does not show the passes that there should be, or contradicts the
            report.
    """
    passes = 2 if warmup else 1
    starts_s, ends_s = stamps_s[START_LINE], stamps_s[END_LINE]
    if not len(starts_s) == len(ends_s) == passes:
        raise EngineError(
            f"trtllm-bench logged {len(starts_s)} times {START_LINE!r} and {len(ends_s)} times"
            f" {END_LINE!r} instead of {passes}; is it of another version?"
        )
    end_s = starts_s[-1] + report.total_latency_s
    if end_s > ends_s[-1] + STAMP_TOLERANCE_S:
        raise EngineError(
            f"trtllm-bench reports {report.total_latency_s:.3f} s, but its log shows a pass of"
            f" {ends_s[-1] - starts_s[-1]:.3f} s"
        )
    remark = (
        "window by log line and reported latency, some ms late, and one pass only: TensorRT-LLM"
        " could not be stamped from within; its log says why"
    )
    return BenchWindow(passes=((starts_s[-1], end_s),), source="log lines", remarks=(remark,))


def require_latency(window: BenchWindow, report: Report) -> None:
    """Check that the report's latency is that of the window's last pass, which it covers.

    Raises:
        EngineError: it is not, so that one of them was misread.
    """
    start_s, end_s = window.passes[-1]
    if abs(end_s - start_s - report.total_latency_s) > LATENCY_TOLERANCE_S:
        raise EngineError(
            f"the last pass took {end_s - start_s:.3f} s by its requests, and"
            f" {report.total_latency_s:.3f} s by the report"
        )
