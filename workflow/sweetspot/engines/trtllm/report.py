"""The report that `trtllm-bench throughput --report_json` writes, read and checked.

Source: TensorRT-LLM, tensorrt_llm/bench/dataclasses/reporting.py.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from sweetspot.cells.cell import Cell
from sweetspot.engines.trtllm.runnable import Runnable
from sweetspot.errors import EngineError, InputError
from sweetspot.reading import read_as
from sweetspot.schema.keys import Range


@dataclass(frozen=True, kw_only=True)
class _Engine:
    backend: str
    version: str = ""
    dtype: str | None = None
    quantization: str | None = None
    kv_cache_dtype: str | None = None
    max_sequence_length: int | None = None  # only of the TensorRT backend

    @property
    def facts(self) -> dict[str, str]:
        """What records say of it; of weights and KV cache where they are quantized."""
        stored = {
            "engine_quantization": self.quantization,
            "engine_kv_cache_dtype": self.kv_cache_dtype,
        }
        return {"engine_dtype": self.dtype or ""} | {k: v for k, v in stored.items() if v}


@dataclass(frozen=True, kw_only=True)
class _WorldInfo:
    max_batch_size: int
    max_num_tokens: int
    kv_cache_percentage: float | None = None
    scheduling_policy: str = ""


@dataclass(frozen=True, kw_only=True)
class _RequestInfo:
    num_requests: int
    avg_input_length: float
    avg_output_length: float


@dataclass(frozen=True, kw_only=True)
class _Performance:
    total_latency_ms: Annotated[float, Range(gt=0, finite=True)]


@dataclass(frozen=True, kw_only=True)
class _Energy:
    total_energy_j: float | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is used of a report; all else in it is ignored, as versions differ there."""

    engine: _Engine
    world_info: _WorldInfo
    request_info: _RequestInfo
    performance: _Performance
    energy: _Energy | None = None  # of some versions of the 1.3 line and later, by NVML's counter

    @property
    def total_energy_j(self) -> float | None:
        """Of the requests, by its own count; None where it has none."""
        found = self.energy.total_energy_j if self.energy else None
        return found if found and 0 < found < math.inf else None

    @property
    def total_latency_s(self) -> float:
        """From the first request sent to the last response."""
        return self.performance.total_latency_ms / 1e3

    def require(self, model: Runnable, cell: Cell) -> None:
        """Check that what was asked for was run, by the backend of `model`, within its limits.

        Raises:
            EngineError: it was not; version 0.21.0 drops failed requests without a word.
        """
        world, asked = self.world_info, self.request_info
        trtllm, limits = model.trtllm, model.limits
        asked_and_met: dict[str, tuple[object, object]] = {
            "backend": (model.backend_reported, self.engine.backend),
            "version": (trtllm.version, self.engine.version or trtllm.version),
            "requests": (cell.requests, asked.num_requests),
            "mean input tokens": (cell.input_tokens, asked.avg_input_length),
            "mean output tokens": (cell.output_tokens, asked.avg_output_length),
            "max_batch_size": (limits.max_batch_size, world.max_batch_size),
            "max_num_tokens": (limits.max_num_tokens, world.max_num_tokens),
            "max_seq_len": (
                limits.max_seq_len,
                self.engine.max_sequence_length or limits.max_seq_len,
            ),
        }
        wrong = [
            f"{met} instead of {wanted} as {name}"
            for name, (wanted, met) in asked_and_met.items()
            if met != wanted
        ]
        fraction, found = limits.kv_cache_memory_fraction, world.kv_cache_percentage
        if found is not None and not any(
            math.isclose(found, fraction * scale, rel_tol=1e-6) for scale in trtllm.kv_cache_scales
        ):
            wrong.append(f"{found} instead of {fraction} as share of the KV cache")
        if wrong:
            raise EngineError(f"trtllm-bench ran something else: {', '.join(wrong)}")


def read_report(path: Path) -> Report:
    """Read a report.

    Raises:
        EngineError: there is none, or it is not a report of trtllm-bench.
    """
    try:
        return read_as(Report, path, "trtllm-bench report", other_keys=True)
    except InputError as error:
        raise EngineError(str(error)) from error
