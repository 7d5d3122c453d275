"""What all parts of an experiment are made of, and those that every engine has."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal, Self, TypeVar

from sweetspot.errors import InputError
from sweetspot.reading import as_mapping
from sweetspot.schema.keys import NonEmpty, Range, Said
from sweetspot.schema.mistakes import MistakesError, wrong
from sweetspot.schema.reading import AS_TEXT, Checked, converted

Count = Annotated[int, Range(gt=0), Said("must be a positive integer")]
Natural = Annotated[int, Range(ge=0), Said("must be an integer of 0 or more")]
Seed = Annotated[int, Range(ge=0, lt=2**32), Said(f"must be an integer from 0 to {2**32 - 1}")]
Counts = Annotated[list[Count], NonEmpty()]
BlockSize = Literal["model", "input", "cell"]  # the largest first
Remeasure = Literal["nothing", "failed", "all"]
DesignName = Literal["grid", "few", "adaptive"]
Stored = Literal["model", "fp8"]
GraphSizes = Literal["none", "vllm", "tensorrt-llm"]

MAX_GPUS = 8
"""As many share a model at most: what one node's NVLink switch joins."""

GpuCount = Annotated[
    int, Range(ge=1, le=MAX_GPUS), Said(f"must be an integer from 1 to {MAX_GPUS}")
]


@dataclass(frozen=True, kw_only=True)
class Section(Checked):
    """Base of every part of the experiment: values are checked once, and never change."""


Parsed = TypeVar("Parsed", bound=Section)


def parse_section(section: type[Parsed], values: Mapping[str, Any], source: str = "") -> Parsed:
    """Return a part of an experiment as somebody wrote it, or asked for it.

    Raises:
        InputError: one line that names all that is wrong, the values met and those allowed, after
            the name of their source.
    """
    try:
        return converted(section, as_mapping(values, source), AS_TEXT)
    except MistakesError as e:
        raise InputError(f"{source}: " * bool(source) + str(e)) from e


@dataclass(frozen=True, kw_only=True)
class Limits(Section):
    """Limits that the engine is built with (paper, section 5.5)."""

    max_seq_len: Annotated[
        Count, "Longest sequence, I + O, in tokens; longer cells are refused."
    ] = 8192
    max_batch_size: Annotated[Count, "Most requests in flight."] = 1024
    max_num_tokens: Annotated[Count, "Tokens of one iteration, prefill and decode together."] = 8192
    tensor_parallel: Annotated[
        GpuCount,
        "GPUs that share each layer; more than 1 can be simulated, and measured at an endpoint.",
    ] = 1
    pipeline_parallel: Annotated[Literal[1], "GPUs that share the layers."] = 1
    kv_cache_memory_fraction: Annotated[
        float,
        Range(gt=0, le=1),
        "Share of the memory left beside weights and activations that the KV cache "
        "takes (`trtllm-bench --kv_cache_free_gpu_mem_fraction`).",
    ] = 0.9
    tokens_per_block: Annotated[
        Count, "Tokens of one KV-cache block (TensorRT-LLM 0.21 engines: 32)."
    ] = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, why in (
            ("max_batch_size", "every request in flight takes one token of it"),
            ("tokens_per_block", "a prompt that is cut must fill a block of the KV cache"),
        ):
            if self.max_num_tokens < getattr(self, name):
                raise wrong(
                    f"max_num_tokens {self.max_num_tokens} is smaller than {name}"
                    f" {getattr(self, name)}; {why}: raise the one or lower the other"
                )


@dataclass(frozen=True, kw_only=True)
class Precision(Section):
    """What weights and KV cache are stored in; other than `model` can be simulated only."""

    weights: Annotated[
        Stored,
        "`model`: as the checkpoint has them; `fp8`: the matrices of all layers in "
        "FP8, embeddings and output head as they are.",
    ] = "model"
    kv_cache: Annotated[
        Stored,
        "`model`: as the activations, or as the checkpoint says; `fp8`: one byte an element.",
    ] = "model"


@dataclass(frozen=True, kw_only=True)
class Dataset(Section):
    """Synthetic requests by the rules of TensorRT-LLM's `prepare_dataset.py token-norm-dist`."""

    seed: Annotated[Seed, "Seed of the token ids."] = 420
    vocab_size: Annotated[
        Count,
        "Ids are drawn below this: the tokenizer's vocabulary size "
        "(Llama-3.1-8B-Instruct, as in the paper).",
    ] = 128000
    eos_id: Annotated[Natural, "End-of-sequence id; never drawn."] = 128009


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class Measure(Section):
    """How cells become records."""

    block: Annotated[
        BlockSize,
        "What one job measures with one engine load: all cells of a model and "
        "max_batch_size, those of one request count and input length, or one cell.",
    ] = "model"
    design: Annotated[
        DesignName,
        "Which cells of each sweep's lengths are measured: all of the `grid`, or the `few`, 18,"
        " that tell the coefficients of Eq. 5 [in a ninth of the time](few-cells.md), or, of an"
        " `adaptive` design, one after the other until the section `adaptive` says enough.",
    ] = "grid"
    repeats: Annotated[
        int,
        Range(ge=1, le=1000),
        Said("must be an integer from 1 to 1000"),
        "How often each cell is measured.",
    ] = 1
    remeasure: Annotated[
        Remeasure,
        "Which cells that have a record are measured again instead of reusing it: "
        "`failed` names those that are not ok.",
    ] = "nothing"
    protocol: Annotated[
        Literal["standard", "paper"],
        "`standard`: the GPU's energy counter counts, in windows of at least "
        "`min_window_s`. `paper`: `nvmlDeviceGetPowerUsage` every 500 ms, plainly summed, one run "
        "however short. Not for the simulator.",
    ] = "standard"
    interval_s: Annotated[
        float,
        Range(ge=0.02, le=1),
        "How often the GPU is looked at, in s. The paper protocol: 0.5.",
    ] = 0.1
    min_window_s: Annotated[
        float,
        Range(ge=0, le=86_400),
        "A run shorter than this, in s, is repeated back to back until the measured "
        "window is as long. The paper protocol: 0.",
    ] = 10
    idle_s: Annotated[
        float,
        Range(ge=0, le=3600),
        "Idle power is taken this long before and after a run, in s.",
    ] = 2
    max_temperature_drift_c: Annotated[
        float,
        Range(gt=0, le=1000),
        "A cell over which the GPU's temperature changes more, in °C, is invalid. It "
        "begins on an idle board: 42 cells on an H200 warmed by 0 to 22 °C.",
    ] = 30

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


@dataclass(frozen=True, kw_only=True)
class Adaptive(Section):
    """When `measure.design: adaptive` has measured enough of a grid: all that is set must hold."""

    error_percent: Annotated[
        float | None,
        Range(gt=0, le=100),
        "A relative fit of Eq. 5 errs by no more than this, in %, mean over the sweep's lengths,"
        " with 95 % as far as its own residuals show. `null`: it does not matter.",
    ] = 2.0
    spot_factor: Annotated[
        float | None,
        Range(gt=1, le=100),
        "The output length of least energy (Eq. 6), median over the input lengths, is known with"
        " 95 % within this factor to either side. Left out: it does not matter.",
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.error_percent is None and self.spot_factor is None:
            raise wrong(
                "adaptive has neither error_percent nor spot_factor, so it would never end; set one"
            )


@dataclass(frozen=True, kw_only=True)
class GpuSettings(Section):
    """What a board is set to, other than its data sheet has it; simulated only."""

    power_limit_w: Annotated[
        float | None,
        Range(gt=0, le=100_000),
        "Power limit, in W, of each board. Left out: the data sheet's.",
    ] = None
    clock_mhz: Annotated[
        float | None,
        Range(gt=0, le=100_000),
        "Clock that each board is locked at, in MHz; at the power limit it falls "
        "below. Left out: the highest.",
    ] = None


@dataclass(frozen=True, kw_only=True)
class ChosenTraits(Section):
    """What the simulated engine is to do otherwise than by itself."""

    sliding_windows: Annotated[
        bool | None,
        "Whether sliding layers attend to, and keep in the KV cache, their window only "
        "(vLLM does; `trtllm-bench` sets no window). Nothing changes for models without such "
        "layers. Left out: as the engine does.",
    ] = None
    cuda_graphs: Annotated[
        GraphSizes | None,
        "Whose CUDA graphs replay the steps, which pads them to the next captured "
        "size: `vllm` 0.24 or `tensorrt-llm`, its PyTorch backend, each with its default sizes. "
        "Left out: the engine's own.",
    ] = None


@dataclass(frozen=True, kw_only=True)
class Traits(Section):
    """What engines do differently; the defaults are those of the paper's TensorRT engines.

    Attributes:
        sliding_windows, cuda_graphs: as in `ChosenTraits`.
        static_batching: whether a batch runs until its longest answer is done.
    """

    sliding_windows: bool = False
    cuda_graphs: GraphSizes = "none"
    static_batching: bool = False

    def but(self, chosen: "ChosenTraits | Traits | None") -> Self:
        """Return these traits, but for those that are chosen."""
        if chosen is None:
            return self
        values = {key.name: getattr(chosen, key.name, None) for key in fields(self)}
        return replace(self, **{name: each for name, each in values.items() if each is not None})
