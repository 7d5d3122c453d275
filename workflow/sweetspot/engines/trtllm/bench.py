"""One cell by `trtllm-bench throughput`: a model is loaded and runs a data set.

Source: TensorRT-LLM, tensorrt_llm/bench/benchmark/throughput.py.
"""

from dataclasses import dataclass
from pathlib import Path

from sweetspot.cells.cell import Cell
from sweetspot.engines.trtllm.programs import BENCH, Programs
from sweetspot.engines.trtllm.report import Report, read_report
from sweetspot.engines.trtllm.runnable import Runnable
from sweetspot.engines.trtllm.window import (
    END_LINE,
    START_LINE,
    BenchWindow,
    logged_window,
    requested_window,
    require_latency,
    stamped_window,
)
from sweetspot.engines.worker.client import WORKERS

_WINDOW_PROGRAM = WORKERS.absolute() / "trtllm_bench_window.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One data set to run, all requests sent at once.

    Attributes:
        dataset: JSON lines, as sweetspot.plan.dataset writes them.
        report: where trtllm-bench puts its JSON report; its log and times lie beside it.
        warmup: requests that run before, outside the window.
        min_window_s: the pass is repeated until it has lasted as long; 0 for one pass.
    """

    model: Runnable
    cell: Cell
    dataset: Path
    report: Path
    warmup: int
    min_window_s: float

    @property
    def stamps(self) -> Path:
        """Where the times of all passes are put."""
        return self.report.with_suffix(".stamps.json")

    @property
    def request_times(self) -> Path:
        """Where the times of all requests are put, by versions that can, if there are no stamps."""
        return self.report.with_suffix(".requests.json")

    @property
    def arguments(self) -> list[str]:
        """What trtllm-bench is given."""
        return [
            *self.model.bench,
            *("throughput", *self.model.throughput),
            *("--dataset", str(self.dataset)),
            *("--num_requests", str(self.cell.requests)),
            *("--warmup", str(self.warmup)),
            *("--eos_id", "-1"),  # no id ends a request early: exactly output_tokens are made
            *("--kv_cache_free_gpu_mem_fraction", str(self.model.limits.kv_cache_memory_fraction)),
            *("--report_json", str(self.report)),
        ]

    def command(self, python_command: list[str]) -> list[str]:
        """Return the command line."""
        own = ["--stamps", str(self.stamps), "--min-window-s", str(self.min_window_s)]
        if self.model.trtllm.request_json:
            own += ["--request-json", str(self.request_times)]
        return [*python_command, str(_WINDOW_PROGRAM), *own, "--", *self.arguments]


def run_benchmark(benchmark: Benchmark, programs: Programs) -> tuple[BenchWindow, Report]:
    """Run a data set; return the window [first request sent, last response] and the report.

    Raises:
        EngineError: trtllm-bench is missing, fails, hangs, or reports something else than what
            was asked for.
    """
    for path in (benchmark.report, benchmark.stamps, benchmark.request_times):
        path.unlink(missing_ok=True)  # an old one must not pass for a new one
    stamps_s = programs.run(
        benchmark.command(programs.python_command),
        name=BENCH,
        log_path=benchmark.report.with_suffix(".log"),
        markers=(START_LINE, END_LINE),
    )
    report = read_report(benchmark.report)
    report.require(benchmark.model, benchmark.cell)
    window = stamped_window(benchmark.stamps, benchmark.cell)
    window = window or requested_window(benchmark.request_times)
    window = window or logged_window(stamps_s, report, benchmark.warmup)
    require_latency(window, report)
    return window, report
