"""What trtllm-bench and the LLM API run: a model, by one of TensorRT-LLM's backends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from sweetspot.config import Limits
from sweetspot.engines.trtllm.versions import TrtLlmVersion


class Runnable(Protocol):
    """A model that can be run: a built engine, or a checkpoint for PyTorch."""

    @property
    def trtllm(self) -> TrtLlmVersion:
        """What runs it."""

    @property
    def limits(self) -> Limits:
        """What its engine was built with, or is to be told."""

    @property
    def backend_reported(self) -> str:
        """What a report of trtllm-bench has as its backend."""

    @property
    def bench(self) -> tuple[str, ...]:
        """The arguments of trtllm-bench that stand before any of its commands."""

    @property
    def throughput(self) -> tuple[str, ...]:
        """The arguments of `trtllm-bench throughput` that choose it."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """What runs read and write, which a container has to show them."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What records say of it."""


def named(name: str, checkpoint: Path) -> tuple[str, ...]:
    """Return how trtllm-bench is told a model: its name in reports, and its folder."""
    return ("--model", name, "--model_path", str(checkpoint))
