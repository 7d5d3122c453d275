"""The experiment: the one place of its keys, their defaults and what they mean.

`config.yaml` holds the paper's experiment; any key that a file leaves out has the paper's value.
`docs/configuration.md` and `docs/config.schema.json` are generated from these classes
(`make docs`), and a test fails when they drift.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sweetspot.catalog import catalog_id, gpu
from sweetspot.catalog.gpus import is_gpu_file
from sweetspot.cells.cell import MAX_REQUESTS
from sweetspot.config.analysis import Analysis
from sweetspot.config.engines import NodeSettings, Simulator, TensorRtLlm, Transformers, Vllm
from sweetspot.config.figure_style import FigureStyle
from sweetspot.config.sections import (
    Counts,
    Dataset,
    GpuSettings,
    Limits,
    Measure,
    Precision,
    Section,
    parse_section,
)
from sweetspot.config.wording import said
from sweetspot.errors import InputError

SweepName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]+$"),
    said("may hold letters, digits, '_' and '-' only"),
]
RunName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
    said("must begin with a letter or digit and may hold letters, digits, '.', '_' and '-' only"),
]
Engine = Literal["tensorrt-llm", "vllm", "transformers", "simulator"]


def _gpu_id(name: str) -> str:
    try:
        board = gpu(name)
        return name if is_gpu_file(name) else board.id
    except InputError as e:
        raise ValueError(str(e)) from e


# Whatever a board or a model is called, the experiment holds its id; or else its file's path, of
# which a plan takes the content.
GpuName = Annotated[str, AfterValidator(_gpu_id)]
ModelName = Annotated[str, AfterValidator(lambda name: catalog_id(name) or name)]

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


class Sweep(Section):
    """A full grid: every model with every combination of the lists."""

    models: list[ModelName] | None = Field(
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

    run: RunName = Field(
        default="paper",
        description="Name of the run and of its folder; letters, digits, `.`, `_`, `-`.",
    )
    engine: Engine = Field(
        default="tensorrt-llm",
        description="What runs the requests. `tensorrt-llm`, `vllm` and `transformers` measure on "
        "this machine's GPU; `simulator` needs none. Nothing falls back from one to another.",
    )
    gpu: GpuName = Field(
        default="h100-sxm",
        description="GPU: a catalog id, the name that nvidia-smi shows, or the path of a "
        "[file of one's own](models.md#a-gpu-of-ones-own).",
    )
    gpu_settings: GpuSettings = Field(
        default=GpuSettings(), description="What the GPU is set to; simulated only."
    )
    models: list[ModelName] = Field(
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
    analysis: Analysis = Field(default=Analysis(), description="Fits of the energy models.")
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
        for name, value in self.gpu_settings:
            if value is not None:
                raise ValueError(
                    f"engine {self.engine} measures the GPU as it is set and changes nothing of it,"
                    f" so gpu_settings.{name} must be left out, not {value:g}; only"
                    " `engine: simulator` takes it"
                )
        return self


def parse_experiment(config: Mapping[str, Any], source: str = "config") -> Experiment:
    """Return the experiment that a configuration names.

    Raises:
        InputError: one line that says which key is wrong, what it holds and what it may hold.
    """
    return parse_section(Experiment, config, source)


def parse_style(style: Mapping[str, Any], source: str) -> FigureStyle:
    """Return the look of figures, as the section `figures` of an experiment gives it.

    Raises:
        InputError: one line, as `parse_experiment` words it.
    """
    return parse_section(FigureStyle, style, source)
