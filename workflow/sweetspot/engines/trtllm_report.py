"""The report that `trtllm-bench throughput --report_json` writes, read and checked.

Source: TensorRT-LLM, tensorrt_llm/bench/dataclasses/reporting.py.
"""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sweetspot.errors import EngineError


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Engine(_Section):
    backend: str
    version: str = ""
    dtype: str | None = None


class _RequestInfo(_Section):
    num_requests: int
    avg_input_length: float
    avg_output_length: float


class _Performance(_Section):
    total_latency_ms: float = Field(gt=0, allow_inf_nan=False)


class Report(_Section):
    """What is used of a report; all else in it is ignored, as versions differ there."""

    engine: _Engine
    request_info: _RequestInfo
    performance: _Performance

    @property
    def total_latency_s(self) -> float:
        """From the first request sent to the last response."""
        return self.performance.total_latency_ms / 1e3

    def require(self, *, requests: int, input_tokens: int, output_tokens: int) -> None:
        """Check that what was asked for was run, on the TensorRT engine.

        Raises:
            EngineError: it was not; version 0.21.0 drops failed requests without a word.
        """
        asked_and_met = {
            "backend": ("TRT", self.engine.backend),
            "requests": (requests, self.request_info.num_requests),
            "mean input tokens": (input_tokens, self.request_info.avg_input_length),
            "mean output tokens": (output_tokens, self.request_info.avg_output_length),
        }
        wrong = [
            f"{met} instead of {asked} as {name}"
            for name, (asked, met) in asked_and_met.items()
            if met != asked
        ]
        if wrong:
            raise EngineError(f"trtllm-bench ran something else: {', '.join(wrong)}")


def read_report(path: Path) -> Report:
    """Read a report.

    Raises:
        EngineError: there is none, or it is not a report of trtllm-bench.
    """
    try:
        return Report.model_validate(json.loads(path.read_text()))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "top level"
        raise EngineError(
            f"the trtllm-bench report {path} cannot be used: {where}: {first['msg']}"
        ) from error
    except (OSError, ValueError) as error:
        raise EngineError(f"the trtllm-bench report {path} cannot be read: {error}") from error
