"""The sections of the engines, and of the node that measures."""

import shlex
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from sweetspot.config.sections import ChosenTraits, Natural, Section, Seed

Weights = Literal["checkpoint", "random"]


class Noise(Section):
    """What simulated measurements scatter by.

    Attributes:
        deviation: relative standard deviation of a cell's energy.
        seed: another one draws other numbers.
    """

    deviation: float
    seed: int = 0


class Simulator(ChosenTraits):
    """The simulated engine."""

    engine: str | None = Field(
        default=None,
        description="Whose habits and overheads are simulated: `tensorrt-llm`, `vllm`, "
        "`vllm-uncompiled` or `transformers`. Left out: the calibration file's, or the paper's "
        "`tensorrt-llm`.",
    )
    calibration: Path | None = Field(
        default=None,
        description="Calibration file of the GPU, of the engine, or of both. Left out: those that "
        "ship; for a GPU without one, the constants of `h100-sxm`, scaled by data sheet.",
    )
    noise: float | None = Field(
        default=None,
        gt=0,
        le=0.5,
        description="Relative standard deviation of noise on the energy of simulated cells: the "
        "power trace of each cell and repeat is multiplied by a number drawn for it (log-normal, "
        "median 1). For studies of fits and of `measure.repeats`. Left out: none.",
    )
    noise_seed: Seed = Field(default=0, description="Another seed draws other noise.")

    @property
    def drawn(self) -> Noise | None:
        """The noise in force."""
        return None if self.noise is None else Noise(deviation=self.noise, seed=self.noise_seed)


class TensorRtLlm(Section):
    """The engine `tensorrt-llm`: the paper's, through `trtllm-bench`."""

    version: Literal["0.21.0", "1.2.0", "1.2.1"] = Field(
        default="0.21.0",
        description="Version of TensorRT-LLM; another one found on the node is refused.",
    )
    mode: Literal["bench", "llm-api"] = Field(
        default="bench",
        description="`bench`: each cell is a `trtllm-bench throughput` of its own, as in the "
        "paper. `llm-api`: one engine load runs all cells of a block.",
    )
    warmup: Natural = Field(
        default=2, description="Requests that run before the measured window of each cell."
    )


class Vllm(Section):
    """The engine `vllm`: one load runs all cells of a block."""

    version: str = Field(
        default="0.24.0", description="Version of vLLM; another one found on the node is refused."
    )
    weights: Weights = Field(
        default="checkpoint",
        description="`random`: the architecture without a checkpoint, weights drawn from "
        "N(0, 0.02).",
    )
    warmup: Natural = Field(
        default=2, description="Requests that run before the measured window of each cell."
    )
    compilation: Literal["default", "none"] = Field(
        default="default",
        description="`default`: vLLM's own choice. `none`: no torch.compile, CUDA graphs for "
        "decoding only; starts sooner.",
    )


class Transformers(Section):
    """The engine `transformers`: static batches by `generate`, one load for a block."""

    version: str = Field(
        default="5.17.0",
        description="Version of Transformers; another one found on the node is refused.",
    )
    weights: Weights = Field(
        default="checkpoint",
        description="`random`: the architecture without a checkpoint, weights drawn from "
        "N(0, 0.02).",
    )
    warmup: Natural = Field(
        default=2,
        description="Requests that run before the measured window of each cell, for a few tokens; "
        "a static cache warms up a whole batch.",
    )
    cache: Literal["dynamic", "static"] = Field(
        default="dynamic",
        description="KV cache of `generate`; `static` lets it compile decoding, and is not for "
        "Falcon.",
    )
    attention: Literal["sdpa", "eager"] = Field(
        default="sdpa", description="Attention implementation."
    )
    device: Literal["cuda", "cpu"] = Field(
        default="cuda",
        description="`cpu` only tries the pipeline: its cells are invalid, as what is metered is "
        "the GPU.",
    )


class Container(Section):
    """What a measuring engine is run in."""

    runtime: Literal["none", "apptainer", "docker"] = Field(
        default="none", description="`none`: the engine is installed on the node."
    )
    image: str = Field(
        default="", description="Image of the engine: a `.sif` file, or a name that docker knows."
    )

    @model_validator(mode="after")
    def _has_image(self) -> Self:
        if (self.runtime == "none") != (self.image == ""):
            raise ValueError(
                f"container.runtime {self.runtime} and container.image {self.image!r} do not go"
                " together; name both, or neither"
            )
        return self


class NodeSettings(Section):
    """Where things lie on the machine that measures; none of it decides a value."""

    checkpoints: Path = Field(
        default=Path("checkpoints"),
        description="Folder of Hugging Face checkpoints: `<checkpoints>/<hub id>` for each model "
        "of the catalog. A model given as a path is its own checkpoint.",
    )
    workspace: Path = Field(
        default=Path("results/.engines"),
        description="Folder that keeps the engines that were built, for all runs; each is about "
        "as large as its model's weights.",
    )
    timeout_s: float = Field(
        default=21600,
        gt=0,
        description="A build, load or run that takes longer, in s, is ended and fails. The "
        "longest of the paper's cells takes about 2 h.",
    )
    python: str = Field(
        default="python3",
        min_length=1,
        description="Command of the Python that has the engine, on the node or in the container.",
    )
    container: Container = Field(default=Container(), description="What the engine is run in.")
    opt_examples: Path = Field(
        default=Path("/app/tensorrt_llm/examples/models/contrib/opt"),
        description="Folder of TensorRT-LLM's `convert_checkpoint.py` for OPT; the default is "
        "where NVIDIA's container has it.",
    )

    @model_validator(mode="after")
    def _python_is_a_command(self) -> Self:
        try:
            words = shlex.split(self.python)
        except ValueError as e:
            raise ValueError(f"python {self.python!r} is not a command: {e}") from e
        if not words:
            raise ValueError("python is empty; name the Python that has the engine")
        return self
