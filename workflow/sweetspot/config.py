"""The experiment: the one place of its keys, their defaults and what they mean.

`config.yaml` holds the paper's experiment; any key that a file leaves out has the paper's value.
`docs/configuration.md` and `docs/config.schema.json` are generated from these classes
(`make docs`), and a test fails when they drift.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sweetspot.config_errors import explain
from sweetspot.errors import InputError
from sweetspot.workload import MAX_REQUESTS


def _whole_number(value: object) -> object:
    """Read "64" as 64: Snakemake hands on numbers inside of `--config 'a={b: 64}'` as text."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value) else value


WholeNumber = BeforeValidator(_whole_number)
Count = Annotated[int, Field(gt=0, strict=True), WholeNumber]
One = Annotated[Literal[1], WholeNumber]
Natural = Annotated[int, Field(ge=0, strict=True), WholeNumber]
Counts = Annotated[list[Count], Field(min_length=1)]
SweepName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Engine = Literal["tensorrt-llm", "vllm", "transformers", "simulator"]
Weights = Literal["checkpoint", "random"]
Stored = Literal["model", "fp8"]
GraphSizes = Literal["none", "vllm", "tensorrt-llm"]

MAX_GPUS = 8
"""As many share a model at most: what one node's NVLink switch joins."""

GpuCount = Annotated[int, Field(ge=1, le=MAX_GPUS, strict=True), WholeNumber]

PAPER_MODELS = (
    "llama-3.2-1b",
    "opt-1.3b",
    "qwen2-1.5b",
    "gemma-2-2b",
    "opt-2.7b",
    "llama-3.2-3b",
    "granite-3b",
    "opt-6.7b",
    "qwen2-7b",
    "falcon-rw-7b",
    "granite-8b",
    "llama-3.1-8b",
    "gemma-2-9b",
)
PAPER_LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)
PAPER_BATCH_SIZES = (64, 128, 256, 512, 1024)

MIN_FONT_PT = 7.0
"""Nothing on a figure is set smaller than this: the usual lower limit of journals."""


class Section(BaseModel):
    """Base of every part of the experiment: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sweep(Section):
    """A full grid: every model with every combination of the lists."""

    models: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Models of this sweep: catalog ids or paths of a `config.json`. "
        "Left out: the experiment's `models`.",
    )
    input_tokens: Counts = Field(
        default=list(PAPER_LENGTHS), description="Prompt lengths I, in tokens."
    )
    output_tokens: Counts = Field(
        default=list(PAPER_LENGTHS), description="Output lengths O, in tokens per request."
    )
    requests: Counts = Field(default=[1000], description="Requests N of one run.")
    max_batch_size: Counts | None = Field(
        default=None,
        description="Engine limits of requests in flight. Left out: `limits.max_batch_size`.",
    )

    @model_validator(mode="after")
    def _no_cell_twice(self) -> Self:
        for name in ("models", "input_tokens", "output_tokens", "requests", "max_batch_size"):
            values = getattr(self, name) or []
            twice = [v for i, v in enumerate(values) if v in values[:i]]
            if twice:
                raise ValueError(f"duplicate cell: {name} lists {twice[0]} twice; keep it once")
        return self


class Limits(Section):
    """Limits that the engine is built with (paper, section 5.5)."""

    max_seq_len: Count = Field(
        default=8192, description="Longest sequence, I + O, in tokens; longer cells are refused."
    )
    max_batch_size: Count = Field(default=1024, description="Most requests in flight.")
    max_num_tokens: Count = Field(
        default=8192, description="Tokens of one iteration, prefill and decode together."
    )
    tensor_parallel: GpuCount = Field(
        default=1,
        description="GPUs that share each layer; more than 1 can be simulated, not measured.",
    )
    pipeline_parallel: One = Field(default=1, description="GPUs that share the layers.")
    kv_cache_memory_fraction: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="Share of the memory left beside weights and activations that the KV cache "
        "takes (`trtllm-bench --kv_cache_free_gpu_mem_fraction`).",
    )
    tokens_per_block: Count = Field(
        default=32, description="Tokens of one KV-cache block (TensorRT-LLM 0.21 engines: 32)."
    )

    @model_validator(mode="after")
    def _budget_holds_a_batch(self) -> Self:
        if self.max_num_tokens < max(self.max_batch_size, self.tokens_per_block):
            raise ValueError(
                f"max_num_tokens {self.max_num_tokens} is smaller than max_batch_size"
                f" {self.max_batch_size} or tokens_per_block {self.tokens_per_block};"
                " every request in flight takes one token of it"
            )
        return self


class Precision(Section):
    """What weights and KV cache are stored in; other than `model` can be simulated only."""

    weights: Stored = Field(
        default="model",
        description="`model`: the checkpoint's 16 bits; `fp8`: the matrices of all layers in FP8, "
        "embeddings and output head as they are.",
    )
    kv_cache: Stored = Field(
        default="model", description="`model`: as the activations; `fp8`: one byte an element."
    )


class Dataset(Section):
    """Synthetic requests by the rules of TensorRT-LLM's `prepare_dataset.py token-norm-dist`."""

    seed: Natural = Field(default=420, lt=2**32, description="Seed of the token ids.")
    vocab_size: Count = Field(
        default=128000,
        description="Ids are drawn below this: the tokenizer's vocabulary size "
        "(Llama-3.1-8B-Instruct, as in the paper).",
    )
    eos_id: Natural = Field(default=128009, description="End-of-sequence id; never drawn.")


class Metering(Section):
    """How the power of a run is metered: part of what decides a cell's value.

    Attributes:
        interval_s: how often the board is looked at.
        min_window_s: a shorter run is repeated back to back until the window is as long.
        idle_s: how long the board is watched before and after a run.
    """

    protocol: Literal["standard", "paper"]
    interval_s: float
    min_window_s: float
    idle_s: float
    max_temperature_drift_c: float


class Measure(Section):
    """How cells become records."""

    block: Literal["model", "input", "cell"] = Field(
        default="model",
        description="What one job measures with one engine load: all cells of a model and "
        "max_batch_size, those of one request count and input length, or one cell.",
    )
    repeats: Count = Field(default=1, description="How often each cell is measured.")
    remeasure: Literal["nothing", "failed", "all"] = Field(
        default="nothing",
        description="Which cells that have a record are measured again instead of adopting it: "
        "`failed` names those that are not ok.",
    )
    protocol: Literal["standard", "paper"] = Field(
        default="standard",
        description="`standard`: the GPU's energy counter counts, in windows of at least "
        "`min_window_s`. `paper`: `nvmlDeviceGetPowerUsage` every 500 ms, plainly summed, one run "
        "however short. Not for the simulator.",
    )
    interval_s: float = Field(
        default=0.1,
        ge=0.02,
        le=1,
        description="How often the GPU is looked at, in s. The paper protocol: 0.5.",
    )
    min_window_s: float = Field(
        default=10,
        ge=0,
        description="A run shorter than this, in s, is repeated back to back until the measured "
        "window is as long. The paper protocol: 0.",
    )
    idle_s: float = Field(
        default=2, ge=0, description="Idle power is taken this long before and after a run, in s."
    )
    max_temperature_drift_c: float = Field(
        default=30,
        gt=0,
        description="A cell over which the GPU's temperature changes more, in °C, is invalid. It "
        "begins on an idle board: 42 cells on an H200 warmed by 0 to 22 °C.",
    )

    @property
    def metering(self) -> Metering:
        """The values in force; the paper protocol sets two of them itself."""
        paper = self.protocol == "paper"
        return Metering(
            protocol=self.protocol,
            interval_s=0.5 if paper else self.interval_s,
            min_window_s=0 if paper else self.min_window_s,
            idle_s=self.idle_s,
            max_temperature_drift_c=self.max_temperature_drift_c,
        )


class Traits(Section):
    """What engines do differently; the defaults are those of the paper's TensorRT engines."""

    sliding_windows: bool = Field(
        default=False,
        description="Whether sliding layers attend to, and keep in the KV cache, their window only "
        "(vLLM does; `trtllm-bench` sets no window). Nothing changes for models without such "
        "layers.",
    )
    cuda_graphs: GraphSizes = Field(
        default="none",
        description="Whose CUDA graphs replay the steps, which pads them to the next captured "
        "size: `vllm` 0.24 or `tensorrt-llm`, its PyTorch backend, each with its default sizes.",
    )


class Simulator(Traits):
    """The simulated engine."""

    calibration: Path | None = Field(
        default=None,
        description="Calibration file. Left out: the one that ships for the GPU, else the "
        "efficiencies of `h100-sxm` on the GPU's data sheet.",
    )

    @property
    def traits(self) -> Traits:
        """What of it the engine does."""
        return Traits(sliding_windows=self.sliding_windows, cuda_graphs=self.cuda_graphs)


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
            raise ValueError(f"python {self.python!r} is no command: {e}") from e
        if not words:
            raise ValueError("python is empty; name the Python that has the engine")
        return self


class FigureStyle(Section):
    """Look of all figures. Every choice of colours is colour-blind safe and survives greyscale."""

    columns: Annotated[Literal[1, 2], WholeNumber] = Field(
        default=2,
        description="Journal columns that figures of several panels span: 2 sets the panels side "
        "by side, 1 stacks them. Figure 3 is always one column wide.",
    )
    single_width_in: float = Field(
        default=3.35, ge=2.5, le=6.0, description="Width of one journal column, in inches."
    )
    double_width_in: float = Field(
        default=7.0, ge=5.0, le=12.0, description="Width of two journal columns, in inches."
    )
    font_size_pt: float = Field(
        default=MIN_FONT_PT,
        ge=MIN_FONT_PT,
        le=10.0,
        description="Font size at final size, in points; numbers inside heat maps stay at 7.",
    )
    palette: Literal["colorblind", "okabe_ito"] = Field(
        default="colorblind", description="Colours of lines: seaborn's or Okabe and Ito's set."
    )
    colormap: Literal["viridis", "cividis", "magma"] = Field(
        default="viridis", description="Colour scale of heat maps."
    )
    dpi: int = Field(default=300, ge=72, le=1200, description="Resolution of raster formats.")

    @property
    def panels_width_in(self) -> float:
        """Width of a figure of several panels, in inches."""
        return self.double_width_in if self.columns == 2 else self.single_width_in


def paper_sweeps() -> dict[str, Sweep]:
    """Return the three sweeps of the paper: sections 6.3, 6.2 and 8.2."""
    return {
        "grid": Sweep(),
        "requests": Sweep(models=["falcon-rw-7b"], requests=[10, 100]),
        "batch": Sweep(
            models=["llama-3.2-1b"],
            input_tokens=[64],
            requests=[128, 1000],
            max_batch_size=list(PAPER_BATCH_SIZES),
        ),
    }


class Experiment(Section):
    """One run of the workflow; everything it makes lies in `results/<run>/`."""

    run: str = Field(
        default="paper",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of the run and of its folder; letters, digits, `.`, `_`, `-`.",
    )
    engine: Engine = Field(
        default="tensorrt-llm",
        description="What runs the requests. `tensorrt-llm`, `vllm` and `transformers` measure on "
        "this machine's GPU; `simulator` needs none. Nothing falls back from one to another.",
    )
    gpu: str = Field(default="h100-sxm", description="GPU, a catalog id.")
    models: list[str] = Field(
        default=list(PAPER_MODELS),
        min_length=1,
        description="Models: catalog ids, or paths of a Hugging Face `config.json` or its folder.",
    )
    sweeps: dict[SweepName, Sweep] = Field(
        default_factory=paper_sweeps,
        min_length=1,
        description="Named sweeps; a cell that several of them name is measured once.",
    )
    limits: Limits = Field(default=Limits(), description="Limits of the engine.")
    precision: Precision = Field(
        default=Precision(), description="What weights and KV cache are stored in."
    )
    dataset: Dataset = Field(default=Dataset(), description="The requests' token ids.")
    measure: Measure = Field(default=Measure(), description="How cells become records.")
    simulator: Simulator = Field(default=Simulator(), description="The simulated engine.")
    tensorrt_llm: TensorRtLlm = Field(
        default=TensorRtLlm(), description="The engine `tensorrt-llm`."
    )
    vllm: Vllm = Field(default=Vllm(), description="The engine `vllm`.")
    transformers: Transformers = Field(
        default=Transformers(), description="The engine `transformers`."
    )
    node: NodeSettings = Field(
        default=NodeSettings(),
        description="The machine that measures; a change of it measures nothing again.",
    )
    figures: FigureStyle = Field(default=FigureStyle(), description="Look of the figures.")

    @property
    def engine_section(self) -> TensorRtLlm | Vllm | Transformers | None:
        """The section of the engine that measures; None for the simulator."""
        sections: dict[Engine, TensorRtLlm | Vllm | Transformers] = {
            "tensorrt-llm": self.tensorrt_llm,
            "vllm": self.vllm,
            "transformers": self.transformers,
        }
        return sections.get(self.engine)

    @model_validator(mode="after")
    def _cells_can_run(self) -> Self:
        twice = [m for i, m in enumerate(self.models) if m in self.models[:i]]
        if twice:
            raise ValueError(f"duplicate cell: models lists {twice[0]} twice; keep it once")
        for name, sweep in self.sweeps.items():
            longest_input, longest_output = max(sweep.input_tokens), max(sweep.output_tokens)
            if longest_input + longest_output > self.limits.max_seq_len:
                raise ValueError(
                    f"sweeps.{name}: input_tokens {longest_input} + output_tokens"
                    f" {longest_output} = {longest_input + longest_output} is more than"
                    f" limits.max_seq_len {self.limits.max_seq_len};"
                    " shorten a length or raise the limit"
                )
            if max(sweep.requests) > MAX_REQUESTS:
                raise ValueError(
                    f"sweeps.{name}: requests {max(sweep.requests)} is more than {MAX_REQUESTS};"
                    " energy per token no longer changes with so many"
                )
            largest_batch = max(sweep.max_batch_size or [0])
            if largest_batch > self.limits.max_num_tokens:
                raise ValueError(
                    f"sweeps.{name}: max_batch_size {largest_batch} is more than"
                    f" limits.max_num_tokens {self.limits.max_num_tokens};"
                    " every request in flight takes one token of it"
                )
        return self

    @model_validator(mode="after")
    def _engine_can_do_it(self) -> Self:
        if self.engine == "simulator":
            return self
        if self.limits.tensor_parallel > 1:
            raise ValueError(
                f"engine {self.engine} meters one GPU, so limits.tensor_parallel must be 1, not"
                f" {self.limits.tensor_parallel}; only `engine: simulator` takes more"
            )
        for name in ("weights", "kv_cache"):
            if getattr(self.precision, name) != "model":
                raise ValueError(
                    f"engine {self.engine} measures 16 bits, so precision.{name} must be 'model',"
                    f" not {getattr(self.precision, name)!r}; only `engine: simulator` takes others"
                )
        return self


def parse_experiment(config: Mapping[str, Any], source: str = "config") -> Experiment:
    """Return the experiment that a configuration names.

    Raises:
        InputError: one line that says which key is wrong, what it holds and what it may hold.
    """
    return _parsed(Experiment, config, source)


def parse_style(style: Mapping[str, Any], source: str) -> FigureStyle:
    """Return the look of figures, as the section `figures` of an experiment gives it.

    Raises:
        InputError: one line, as `parse_experiment` words it.
    """
    return _parsed(FigureStyle, style, source)


Parsed = TypeVar("Parsed", bound=Section)


def _parsed(section: type[Parsed], data: Mapping[str, Any], source: str) -> Parsed:
    if not isinstance(data, Mapping):
        raise InputError(f"{source} must be a mapping of keys to values, not {data!r}")
    try:
        return section.model_validate(dict(data))
    except ValidationError as e:
        errors = e.errors()
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InputError(f"{source}: {explain(dict(errors[0]), section)}{more}") from e
