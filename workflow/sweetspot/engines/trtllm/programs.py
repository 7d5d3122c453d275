"""TensorRT-LLM's programs on one board: in a container or on the node, each with its log."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweetspot.config import Container
from sweetspot.engines.process.container import in_container
from sweetspot.engines.process.run import run_stamped

BENCH = "trtllm-bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Where TensorRT-LLM's programs run.

    Attributes:
        gpu_uuid: the board, the only one that they see.
        folders: what they read and write, which a container has to show them.
        python: command of the Python that has TensorRT-LLM, in the container if there is one.
        timeout_s: longest that one of them may take.
    """

    container: Container
    gpu_uuid: str
    folders: tuple[Path, ...]
    python: str
    timeout_s: float

    @property
    def python_command(self) -> list[str]:
        """The Python that has TensorRT-LLM, as the beginning of a command."""
        return shlex.split(self.python)

    def run(
        self, command: Sequence[str], *, name: str, log_path: Path, markers: Sequence[str] = ()
    ) -> dict[str, list[float]]:
        """Run a program and return when lines with each marker arrived, on the monotonic clock.

        Raises:
            EngineError: it is missing, fails, or takes too long.
            InputError: its log cannot be written, or a folder not be shown to the container.
        """
        return run_stamped(
            in_container(self.container, command, folders=self.folders, gpu_uuid=self.gpu_uuid),
            name=name,
            log_path=log_path,
            timeout_s=self.timeout_s,
            markers=markers,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": self.gpu_uuid, "DO_NOT_TRACK": "1"},
        )
