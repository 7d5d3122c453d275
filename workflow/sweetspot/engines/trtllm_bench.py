"""TensorRT-LLM 0.21.0 through `trtllm-bench`: build an engine, run a data set on it.

Source: TensorRT-LLM 0.21.0 documentation and tensorrt_llm/{commands/bench,bench}.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from sweetspot.catalog.architecture import BYTES_PER_PARAMETER
from sweetspot.engines.process import run_stamped
from sweetspot.engines.trtllm_report import Report, read_report
from sweetspot.errors import EngineError, InputError
from sweetspot.files import write_text_atomic

PROGRAM = "trtllm-bench"
VERSION = "0.21.0"
START_LINE = "Starting benchmark..."
END_LINE = "Benchmark complete."
STAMP_TOLERANCE_S = 0.5  # by which a log line may arrive late


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One engine to build.

    Attributes:
        name: Hugging Face name of the model, which also names its folder in the workspace.
        checkpoint: folder with the model's config.json and safetensors.
        workspace: where engines are put; one per max_batch_size, GPU type and TensorRT-LLM version,
            as trtllm-bench gives all engines of a model the same folder.
    """

    name: str
    checkpoint: Path
    workspace: Path
    max_seq_len: int
    max_batch_size: int
    max_num_tokens: int

    @property
    def engine_dir(self) -> Path:
        """Where trtllm-bench puts the engine, with tp = pp = 1."""
        return self.workspace / self.name / "tp_1_pp_1"

    @property
    def command(self) -> list[str]:
        """The command line; explicit limits, so that no data set tunes the engine."""
        return [
            *_program(self),
            *("--workspace", str(self.workspace), "build"),
            *("--tp_size", "1", "--pp_size", "1"),
            *("--max_seq_len", str(self.max_seq_len)),
            *("--max_batch_size", str(self.max_batch_size)),
            *("--max_num_tokens", str(self.max_num_tokens)),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One data set to run, all requests sent at once.

    Attributes:
        dataset: JSON lines, as sweetspot.dataset writes them.
        report: where trtllm-bench puts its JSON report.
        warmup: requests that run before, outside the window.
        kv_cache_memory_fraction: share of the free memory that the KV cache takes.
    """

    build: Build
    dataset: Path
    report: Path
    requests: int
    input_tokens: int
    output_tokens: int
    warmup: int
    kv_cache_memory_fraction: float

    @property
    def command(self) -> list[str]:
        """The command line; without --backend, 0.21.0 runs the TensorRT engine."""
        return [
            *_program(self.build),
            *("throughput", "--engine_dir", str(self.build.engine_dir)),
            *("--dataset", str(self.dataset)),
            *("--num_requests", str(self.requests)),
            *("--warmup", str(self.warmup)),
            *("--eos_id", "-1"),  # no id ends a request early: exactly output_tokens are made
            *("--kv_cache_free_gpu_mem_fraction", str(self.kv_cache_memory_fraction)),
            *("--report_json", str(self.report)),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPass:
    """One measured pass: its window on the monotonic clock, and the engine's own report."""

    start_s: float
    end_s: float
    report: Report


def build_engine(build: Build, *, log_path: Path, timeout_s: float) -> Path:
    """Build an engine, or keep the one that the same command line built; return its folder.

    Raises:
        EngineError: trtllm-bench is missing, fails, hangs, or leaves no engine.
        InputError: the engine is of another version of TensorRT-LLM, or not of 16 bits.
    """
    made_by, command = build.engine_dir / "sweetspot_build.json", json.dumps(build.command)
    if made_by.is_file() and made_by.read_text() == command:
        return build.engine_dir
    if build.engine_dir.exists():  # half of an engine, or one with other limits
        shutil.rmtree(build.engine_dir)
    run_stamped(build.command, markers=(), log_path=log_path, timeout_s=timeout_s)
    if not (build.engine_dir / "config.json").is_file():
        raise EngineError(f"{PROGRAM} build left no engine in {build.engine_dir}; see {log_path}")
    _require_engine(build)
    write_text_atomic(made_by, command)  # last: it says that the engine is whole
    return build.engine_dir


def run_benchmark(benchmark: Benchmark, *, log_path: Path, timeout_s: float) -> MeasuredPass:
    """Run a data set and return the window [first request sent, last response].

    The window starts when the measured pass logs its start, and is as long as the report's total
    latency: "Benchmark complete." comes up to 1 s after the last response.

    Raises:
        EngineError: trtllm-bench is missing, fails, hangs, or reports something else than what
            was asked for.
    """
    benchmark.report.unlink(missing_ok=True)  # an old report must not pass for a new one
    stamps_s = run_stamped(
        benchmark.command, markers=(START_LINE, END_LINE), log_path=log_path, timeout_s=timeout_s
    )
    report = read_report(benchmark.report)
    report.require(
        requests=benchmark.requests,
        input_tokens=benchmark.input_tokens,
        output_tokens=benchmark.output_tokens,
    )
    passes = 2 if benchmark.warmup else 1
    starts_s, ends_s = stamps_s[START_LINE], stamps_s[END_LINE]
    if not len(starts_s) == len(ends_s) == passes:
        raise EngineError(
            f"{PROGRAM} logged {len(starts_s)} times {START_LINE!r} and {len(ends_s)} times"
            f" {END_LINE!r} instead of {passes}; is it version {VERSION}? See {log_path}"
        )
    start_s = starts_s[-1]
    end_s = start_s + report.total_latency_s
    if end_s > ends_s[-1] + STAMP_TOLERANCE_S:
        raise EngineError(
            f"{PROGRAM} reports {report.total_latency_s:.3f} s, but its log shows a pass of"
            f" {ends_s[-1] - start_s:.3f} s; see {log_path}"
        )
    return MeasuredPass(start_s=start_s, end_s=end_s, report=report)


def _require_engine(build: Build) -> None:
    """Check what an engine says of itself; older ones and other tools may say nothing.

    Raises:
        InputError: it is not what the experiment asks for, and the node or checkpoint is why.
    """
    try:
        config = json.loads((build.engine_dir / "config.json").read_text())
        version = config.get("version", VERSION)
        dtype = config.get("pretrained_config", {}).get("dtype", "float16")
    except (ValueError, AttributeError) as error:
        raise EngineError(f"{PROGRAM} left no valid config.json in {build.engine_dir}") from error
    if version != VERSION:
        raise InputError(
            f"this node has TensorRT-LLM {version}; the experiment asks for {VERSION}"
            " (tensorrt_llm.version)"
        )
    if dtype not in BYTES_PER_PARAMETER:
        raise InputError(
            f"the engine of {build.name} computes in {dtype}; set torch_dtype in"
            f" {build.checkpoint / 'config.json'} to one of {', '.join(BYTES_PER_PARAMETER)}"
        )


def _program(build: Build) -> tuple[str, ...]:
    return (PROGRAM, "--model", build.name, "--model_path", str(build.checkpoint))
