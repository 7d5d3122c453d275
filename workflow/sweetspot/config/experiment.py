"""The experiment: the one place of its keys, their defaults and what they mean.

`config.yaml` holds the paper's experiment; any key that a file leaves out has the paper's value.
`docs/configuration.md` and `docs/config.schema.json` are generated from these classes
(`make docs`), and a test fails when they drift.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from sweetspot.catalog import catalog_id, gpu
from sweetspot.catalog.gpus import is_gpu_file
from sweetspot.cells.cell import MAX_REQUESTS
from sweetspot.config.analysis import Analysis
from sweetspot.config.endpoint import Endpoint
from sweetspot.config.engines import (
    DeepSpeed,
    NodeSettings,
    Simulator,
    TensorRtLlm,
    Transformers,
    Vllm,
)
from sweetspot.config.figure_style import FigureStyle
from sweetspot.config.sections import (
    Adaptive,
    Counts,
    Dataset,
    GpuSettings,
    Limits,
    Measure,
    Precision,
    Section,
    parse_section,
)
from sweetspot.errors import InputError
from sweetspot.schema.keys import Becomes, Matching, NonEmpty, Said
from sweetspot.schema.mistakes import wrong

CAMPAIGN_KEYS = ("probe", "engines", "parts")
"""What the file of a campaign may have beside the keys of an experiment."""

SweepName = Annotated[
    str,
    Matching(r"^[A-Za-z0-9_-]+$"),
    Said("may hold letters, digits, '_' and '-' only"),
]
RunName = Annotated[
    str,
    Matching(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"),
    Said(
        "must begin with a letter or digit and may hold letters, digits, '.', '_' and '-' only, 100"
        " at most"
    ),
]
Engine = Literal["tensorrt-llm", "vllm", "transformers", "deepspeed", "endpoint", "simulator"]


def _gpu_id(name: str) -> str:
    board = gpu(name)
    return name if is_gpu_file(name) else board.id


# Whatever a board or a model is called, the experiment holds its id; or else its file's path, of
# which a plan takes the content.
GpuName = Annotated[str, Becomes(_gpu_id)]
ModelName = Annotated[str, Becomes(lambda name: catalog_id(name) or name)]

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


@dataclass(frozen=True, kw_only=True)
class Sweep(Section):
    """A full grid: every model with every combination of the lists."""

    models: Annotated[
        list[ModelName] | None,
        NonEmpty(),
        "Models of this sweep: catalog ids or paths of a `config.json`. "
        "Left out: the experiment's `models`.",
    ] = None
    input_tokens: Annotated[Counts, "Prompt lengths I, in tokens."] = field(
        default_factory=lambda: list(PAPER_LENGTHS)
    )
    output_tokens: Annotated[Counts, "Output lengths O, in tokens per request."] = field(
        default_factory=lambda: list(PAPER_LENGTHS)
    )
    requests: Annotated[Counts, "Requests N of one run."] = field(default_factory=lambda: [1000])
    max_batch_size: Annotated[
        Counts | None, "Engine limits of requests in flight. Left out: `limits.max_batch_size`."
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("models", "input_tokens", "output_tokens", "requests", "max_batch_size"):
            values = getattr(self, name) or []
            twice = [v for i, v in enumerate(values) if v in values[:i]]
            if twice:
                raise wrong(f"duplicate cell: {name} lists {twice[0]} twice; keep it once")


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


@dataclass(frozen=True, kw_only=True)
class Experiment(Section):
    """One run of the workflow; everything it makes lies in `results/<run>/`."""

    run: Annotated[
        RunName, "Name of the run and of its folder; letters, digits, `.`, `_`, `-`."
    ] = "paper"
    engine: Annotated[
        Engine,
        "What runs the requests. `tensorrt-llm`, `vllm`, `transformers` and `deepspeed` measure on "
        "this machine's GPU, `endpoint` a server that runs on it; `simulator` needs none. Nothing "
        "falls back from one to another.",
    ] = "tensorrt-llm"
    gpu: Annotated[
        GpuName,
        "GPU: a catalog id, the name that nvidia-smi shows, or the path of a "
        "[file of one's own](models.md#a-gpu-of-ones-own).",
    ] = "h100-sxm"
    gpu_settings: Annotated[GpuSettings, "What the GPU is set to; simulated only."] = field(
        default_factory=GpuSettings
    )
    models: Annotated[
        list[ModelName],
        NonEmpty(),
        "Models: catalog ids, or paths of a Hugging Face `config.json` or its folder.",
    ] = field(default_factory=lambda: list(PAPER_MODELS))
    holdout: Annotated[
        list[ModelName],
        "Of these, models that no fit of constants may see: they are measured, predicted and"
        " compared, and `sweetspot calibrate` leaves them out.",
    ] = field(default_factory=list)
    sweeps: Annotated[
        dict[SweepName, Sweep],
        NonEmpty(),
        "Named sweeps; a cell that several of them name is measured once.",
    ] = field(default_factory=paper_sweeps)
    limits: Annotated[Limits, "Limits of the engine."] = field(default_factory=Limits)
    precision: Annotated[Precision, "What weights and KV cache are stored in."] = field(
        default_factory=Precision
    )
    dataset: Annotated[Dataset, "The requests' token ids."] = field(default_factory=Dataset)
    measure: Annotated[Measure, "How cells become records."] = field(default_factory=Measure)
    adaptive: Annotated[
        Adaptive, "When `measure.design: adaptive` has measured enough; free to change."
    ] = field(default_factory=Adaptive)
    simulator: Annotated[Simulator, "The simulated engine."] = field(default_factory=Simulator)
    tensorrt_llm: Annotated[TensorRtLlm, "The engine `tensorrt-llm`."] = field(
        default_factory=TensorRtLlm
    )
    vllm: Annotated[Vllm, "The engine `vllm`."] = field(default_factory=Vllm)
    transformers: Annotated[Transformers, "The engine `transformers`."] = field(
        default_factory=Transformers
    )
    deepspeed: Annotated[DeepSpeed, "The engine `deepspeed`."] = field(default_factory=DeepSpeed)
    endpoint: Annotated[
        Endpoint, "The engine `endpoint`: [a running server](serving-measure.md)."
    ] = field(default_factory=Endpoint)
    node: Annotated[
        NodeSettings, "The machine that measures; a change of it measures nothing again."
    ] = field(default_factory=NodeSettings)
    analysis: Annotated[Analysis, "Fits of the energy models."] = field(default_factory=Analysis)
    figures: Annotated[FigureStyle, "Look of the figures."] = field(default_factory=FigureStyle)

    @property
    def engine_section(self) -> TensorRtLlm | Vllm | Transformers | DeepSpeed | Endpoint | None:
        """The section of the engine that measures; None for the simulator."""
        sections: dict[Engine, TensorRtLlm | Vllm | Transformers | DeepSpeed | Endpoint] = {
            "tensorrt-llm": self.tensorrt_llm,
            "vllm": self.vllm,
            "transformers": self.transformers,
            "deepspeed": self.deepspeed,
            "endpoint": self.endpoint,
        }
        return sections.get(self.engine)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_cells_that_can_run()
        if self.measure.design == "adaptive" and self.measure.block != "model":
            raise wrong(
                "measure.design adaptive looks at all cells of a model at once, so measure.block"
                f" must be model, not {self.measure.block}"
            )
        if self.engine != "simulator":
            self._require_what_can_be_measured()

    def _require_cells_that_can_run(self) -> None:
        strange = [model for model in self.holdout if model not in self.models]
        if strange:
            raise wrong(f"holdout names {strange[0]}, which models does not list; add it there")
        twice = [m for i, m in enumerate(self.models) if m in self.models[:i]]
        if twice:
            raise wrong(f"duplicate cell: models lists {twice[0]} twice; keep it once")
        for name, sweep in self.sweeps.items():
            longest_input, longest_output = max(sweep.input_tokens), max(sweep.output_tokens)
            if longest_input + longest_output > self.limits.max_seq_len:
                raise wrong(
                    f"sweeps.{name}: input_tokens {longest_input} + output_tokens"
                    f" {longest_output} = {longest_input + longest_output} is more than"
                    f" limits.max_seq_len {self.limits.max_seq_len};"
                    " shorten a length or raise the limit"
                )
            if max(sweep.requests) > MAX_REQUESTS:
                raise wrong(
                    f"sweeps.{name}: requests {max(sweep.requests)} is more than {MAX_REQUESTS};"
                    " energy per token no longer changes with so many"
                )
            largest_batch = max(sweep.max_batch_size or [0])
            if largest_batch > self.limits.max_num_tokens:
                raise wrong(
                    f"sweeps.{name}: max_batch_size {largest_batch} is more than"
                    f" limits.max_num_tokens {self.limits.max_num_tokens};"
                    " every request in flight takes one token of it"
                )

    def _require_what_can_be_measured(self) -> None:
        if self.engine == "endpoint":
            self._require_what_one_server_is()
        if self.limits.tensor_parallel > 1 and self.engine != "endpoint":
            raise wrong(
                f"engine {self.engine} meters one GPU, so limits.tensor_parallel must be 1, not"
                f" {self.limits.tensor_parallel}; only `engine: endpoint` and `engine: simulator`"
                " take more"
            )
        for name in ("weights", "kv_cache"):
            if getattr(self.precision, name) != "model":
                raise wrong(
                    f"engine {self.engine} measures 16 bits, so precision.{name} must be 'model',"
                    f" not {getattr(self.precision, name)!r}; only `engine: simulator` takes others"
                )
        for name, value in asdict(self.gpu_settings).items():
            if value is not None:
                raise wrong(
                    f"engine {self.engine} measures the GPU as it is set and changes nothing of it,"
                    f" so gpu_settings.{name} must be left out, not {value:g}; only"
                    " `engine: simulator` takes it"
                )

    def _require_what_one_server_is(self) -> None:
        sweeps = self.sweeps.values()
        models = {model for sweep in sweeps for model in sweep.models or self.models}
        limits = {
            limit
            for sweep in sweeps
            for limit in sweep.max_batch_size or [self.limits.max_batch_size]
        }
        for name, values in (("models", models), ("max_batch_size", limits)):
            if len(values) > 1:
                raise wrong(
                    f"engine endpoint measures one server as it runs, so {name} must be one value,"
                    f" not {len(values)}; a run for each"
                )


def parse_experiment(config: Mapping[str, Any], source: str = "config") -> Experiment:
    """Return the experiment that a configuration names.

    Raises:
        InputError: one line that says which key is wrong, what it holds and what it may hold; or
            that it is a campaign's file.
    """
    keys = config if isinstance(config, Mapping) else ()
    if of_campaign := [key for key in CAMPAIGN_KEYS if key in keys]:
        raise InputError(
            f"{source}: `{of_campaign[0]}` is a key of campaigns, of which `sweetspot campaign FILE"
            " --dry-run` says what they would measure"
        )
    return parse_section(Experiment, config, source)


def parse_style(style: Mapping[str, Any], source: str) -> FigureStyle:
    """Return the look of figures, as the section `figures` of an experiment gives it.

    Raises:
        InputError: one line, as `parse_experiment` words it.
    """
    return parse_section(FigureStyle, style, source)
