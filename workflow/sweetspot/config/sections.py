"""What all parts of an experiment are made of, and those that every engine has."""

import re
from collections.abc import Mapping
from numbers import Integral
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sweetspot.config.wording import mistakes, said
from sweetspot.errors import InputError
from sweetspot.reading import as_mapping


def _whole_number(value: object) -> object:
    """Read "64" as 64: Snakemake hands on numbers inside of `--config 'a={b: 64}'` as text.

    Integers of numpy and pandas become Python's own.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return int(value) if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value) else value


WholeNumber = BeforeValidator(_whole_number)
Count = Annotated[int, Field(gt=0, strict=True), WholeNumber, said("must be a positive integer")]
One = Annotated[Literal[1], WholeNumber]
Natural = Annotated[
    int, Field(ge=0, strict=True), WholeNumber, said("must be an integer of 0 or more")
]
Seed = Annotated[
    int,
    Field(ge=0, lt=2**32, strict=True),
    WholeNumber,
    said(f"must be an integer from 0 to {2**32 - 1}"),
]
Counts = Annotated[list[Count], Field(min_length=1)]
Stored = Literal["model", "fp8"]
GraphSizes = Literal["none", "vllm", "tensorrt-llm"]

MAX_GPUS = 8
"""As many share a model at most: what one node's NVLink switch joins."""

GpuCount = Annotated[
    int,
    Field(ge=1, le=MAX_GPUS, strict=True),
    WholeNumber,
    said(f"must be an integer from 1 to {MAX_GPUS}"),
]


class Section(BaseModel):
    """Base of every part of the experiment: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


Parsed = TypeVar("Parsed", bound=Section)


def parse_section(section: type[Parsed], values: Mapping[str, Any], source: str = "") -> Parsed:
    """Return a part of an experiment as somebody wrote it, or asked for it.

    Raises:
        InputError: one line that names all that is wrong, the values met and those allowed, after
            the name of their source.
    """
    try:
        return section.model_validate(as_mapping(values, source))
    except ValidationError as e:
        raise InputError(f"{source}: " * bool(source) + mistakes(e, section)) from e


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
        for name, why in (
            ("max_batch_size", "every request in flight takes one token of it"),
            ("tokens_per_block", "a prompt that is cut must fill a block of the KV cache"),
        ):
            if self.max_num_tokens < getattr(self, name):
                raise ValueError(
                    f"max_num_tokens {self.max_num_tokens} is smaller than {name}"
                    f" {getattr(self, name)}; {why}: raise the one or lower the other"
                )
        return self


class Precision(Section):
    """What weights and KV cache are stored in; other than `model` can be simulated only."""

    weights: Stored = Field(
        default="model",
        description="`model`: as the checkpoint has them; `fp8`: the matrices of all layers in "
        "FP8, embeddings and output head as they are.",
    )
    kv_cache: Stored = Field(
        default="model",
        description="`model`: as the activations, or as the checkpoint says; `fp8`: one byte an "
        "element.",
    )


class Dataset(Section):
    """Synthetic requests by the rules of TensorRT-LLM's `prepare_dataset.py token-norm-dist`."""

    seed: Seed = Field(default=420, description="Seed of the token ids.")
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
    repeats: Annotated[
        int,
        Field(ge=1, le=1000, strict=True),
        WholeNumber,
        said("must be an integer from 1 to 1000"),
    ] = Field(default=1, description="How often each cell is measured.")
    remeasure: Literal["nothing", "failed", "all"] = Field(
        default="nothing",
        description="Which cells that have a record are measured again instead of reusing it: "
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


class GpuSettings(Section):
    """What a board is set to, other than its data sheet has it; simulated only."""

    power_limit_w: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="Power limit, in W, of each board. Left out: the data sheet's.",
    )
    clock_mhz: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="Clock that each board is locked at, in MHz; at the power limit it falls "
        "below. Left out: the highest.",
    )


class ChosenTraits(Section):
    """What the simulated engine is to do otherwise than by itself."""

    sliding_windows: bool | None = Field(
        default=None,
        description="Whether sliding layers attend to, and keep in the KV cache, their window only "
        "(vLLM does; `trtllm-bench` sets no window). Nothing changes for models without such "
        "layers. Left out: as the engine does.",
    )
    cuda_graphs: GraphSizes | None = Field(
        default=None,
        description="Whose CUDA graphs replay the steps, which pads them to the next captured "
        "size: `vllm` 0.24 or `tensorrt-llm`, its PyTorch backend, each with its default sizes. "
        "Left out: the engine's own.",
    )


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
        values = {name: getattr(chosen, name, None) for name in type(self).model_fields}
        return self.model_copy(
            update={name: value for name, value in values.items() if value is not None}
        )
