"""A deployment: which model is served, on what boards, by what engine, within what limits."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any, Self

from sweetspot.catalog import Architecture, Gpu, load_model
from sweetspot.catalog import gpu as catalog_gpu
from sweetspot.config import (
    ChosenTraits,
    GpuSettings,
    Limits,
    Precision,
    Traits,
    parse_section,
)
from sweetspot.errors import InputError
from sweetspot.simulator.constants.calibration_file import (
    Calibration,
    engine_traits,
    load_calibration,
)
from sweetspot.simulator.constants.constants import LIMIT_SHARE, Constants
from sweetspot.simulator.constants.intervals import (
    LEVELS,
    WIDEST,
    Change,
    Interval,
    Intervals,
    shipped_intervals,
    unmeasured,
)
from sweetspot.simulator.deployment.cuda_graphs import cuda_graphs
from sweetspot.simulator.deployment.fit import require_fit
from sweetspot.simulator.deployment.memory import kv_cache_blocks
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.shard import Shard, as_served, shard

_ENGINES = {"vllm": "vLLM", "tensorrt-llm": "TensorRT-LLM"}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A model as it is served and simulated; one that cannot be is refused when it is made.

    Attributes:
        model: the whole of it.
        gpu: each of the boards that share it, as it is set.
        calibration: the simulator's constants for that board, and what they rest on.
        limits: of the engine; how many boards share the model is among them.
        precision: what weights and KV cache are stored in.
        traits: what the engine does; windows only where the model has any.

    Raises:
        InputError: so many GPUs cannot share the model, it does not fit in their memory, they have
            no FP8, or draw their power limit with nothing to do.
    """

    model: Architecture
    gpu: Gpu
    calibration: Calibration
    limits: Limits = field(default_factory=Limits)
    precision: Precision = field(default_factory=Precision)
    traits: Traits = field(default_factory=Traits)

    def __post_init__(self) -> None:
        """Refuse what cannot be served."""
        object.__setattr__(self, "traits", honoured(self.traits, self.model))
        waiting_w = self.constants.board.active_power_w
        if LIMIT_SHARE * self.gpu.power_limit_w <= waiting_w:
            raise InputError(
                f"power_limit_w must be above {ceil(waiting_w / LIMIT_SHARE)}, not"
                f" {self.gpu.power_limit_w:g}: {self.gpu.id} draws {waiting_w:g} W with clocks up"
                " and nothing to do; raise it"
            )
        require_fit(self.part, self.model, self.gpu, self.limits, self.precision)

    @cached_property
    def part(self) -> Shard:
        """What each GPU holds and computes of the model."""
        return shard(
            self.model,
            self.limits.tensor_parallel,
            self.precision,
            sliding_windows=self.traits.sliding_windows,
        )

    @cached_property
    def bounds(self) -> SchedulerLimits:
        """What bounds the batch."""
        limits = self.limits
        return SchedulerLimits(
            max_batch_size=limits.max_batch_size,
            max_num_tokens=limits.max_num_tokens,
            tokens_per_block=limits.tokens_per_block,
            kv_blocks=kv_cache_blocks(
                self.part,
                self.gpu,
                max_num_tokens=limits.max_num_tokens,
                max_batch_size=limits.max_batch_size,
                memory_fraction=limits.kv_cache_memory_fraction,
                tokens_per_block=limits.tokens_per_block,
            ),
            windows=self.part.windows,
            graphs=cuda_graphs(
                self.traits.cuda_graphs, limits.max_batch_size, limits.max_num_tokens
            ),
            static_batching=self.traits.static_batching,
        )

    @property
    def constants(self) -> Constants:
        """The simulator's constants of each board."""
        return self.calibration.constants

    @property
    def intervals(self) -> Intervals:
        """How far measured numbers may be from simulated ones.

        What was held out are dense models on boards as they come; their energies in 16 bits on one
        GPU, throughput also in FP8 and on several. Of all else only somebody's own measurements
        say more than a data sheet.
        """
        return self.calibration.intervals.without(
            energy_of=self.no_energy_of, throughput_of=self._never_measured
        )

    def interval_of_change(self, what: Change, times: float) -> Interval | None:
        """Return how far a ratio of two energies of this deployment may be off.

        Args:
            what: differs between the two.
            times: how many times as much the larger one is.

        Returns:
            None where nothing that far apart was held out.
        """
        never = self.no_energy_of
        of = self.calibration.intervals.of
        if not never or of.level == LEVELS[-1]:
            return shipped_intervals().of_change(of, what, times)
        found = shipped_intervals().of_change(WIDEST, what, times)
        return found and unmeasured(found, "energy", never)

    @property
    def no_energy_of(self) -> list[str]:
        """What of the deployment no energy was ever published or measured of, in words."""
        no_energy = {
            "several GPUs": self.limits.tensor_parallel > 1,
            "quantized models": bool(self.quantization),
        }
        return [words for words, there in no_energy.items() if there] + self._never_measured

    @property
    def _never_measured(self) -> list[str]:
        """What of it no throughput was, either."""
        never = {
            "models of experts": self.model.experts is not None,
            "other power limits and clocks": bool(self.gpu.settings),
        }
        return [words for words, there in never.items() if there]

    @property
    def longest_sequence(self) -> int:
        """Tokens of the longest sequence that questions are answered for."""
        return longest_sequence(self.model)

    @property
    def chosen(self) -> str:
        """What of `words` was chosen, and is not the checkpoint's."""
        plain = replace(self.model, quantization=None)
        stored = as_served(plain, self.precision).words
        return in_words(self.limits.tensor_parallel, stored, self.traits, self.gpu.settings)

    def ignores_windows(self, tokens: int) -> bool:
        """Return whether sliding layers attend to more of such a sequence than their window."""
        window = self.model.sliding_window
        return window is not None and not self.traits.sliding_windows and tokens > window

    def require_simulated_length(self) -> None:
        """Refuse a `max_seq_len` beyond what questions are answered for.

        Raises:
            InputError: it is.
        """
        if self.limits.max_seq_len > self.longest_sequence:
            raise InputError(
                f"max_seq_len {self.limits.max_seq_len} is more than the {self.longest_sequence}"
                f" tokens that {self.model.id} is simulated for; lower it"
            )

    @property
    def quantization(self) -> str:
        """What weights and KV cache are stored in, in words; empty for 16 bits."""
        return self.part.quantization.words

    @property
    def words(self) -> str:
        """What is other than one GPU, 16 bits and a TensorRT engine; empty if nothing is."""
        return in_words(
            self.limits.tensor_parallel, self.quantization, self.traits, self.gpu.settings
        )

    def with_traits(self, **traits: Any) -> Self:
        """Return the same deployment with an engine that does otherwise in these."""
        return replace(self, traits=replace(self.traits, **traits))

    def with_constants(self, constants: Constants) -> Self:
        """Return the same deployment on boards of other constants."""
        return replace(self, calibration=replace(self.calibration, constants=constants))


def deploy(
    model: str | os.PathLike[str] | Mapping[str, Any] | Architecture,
    gpu: str | Gpu,
    *,
    gpu_settings: GpuSettings | None = None,
    limits: Limits | None = None,
    precision: Precision | None = None,
    engine: str | None = None,
    traits: ChosenTraits | Traits | None = None,
    calibration: str | os.PathLike[str] | None = None,
) -> Deployment:
    """Return the deployment of a model, with the paper's engine where nothing else is said.

    Args:
        model: catalog id, path of a Hugging Face `config.json` or its folder, the parsed file, or
            what was made of it.
        gpu: catalog id, or what the catalog holds of it.
        gpu_settings: what it is set to; None for what its data sheet says.
        limits: None for the defaults of the configuration.
        precision: None for the checkpoint's 16 bits.
        engine: what serves it; None for the calibration's, or the paper's.
        traits: what of them is None is as the engine does.
        calibration: file of the simulator's constants; None for those that ship.

    Raises:
        InputError: an unknown model, GPU or engine, a calibration that cannot be read or is another
            GPU's, settings that the board cannot have, or a deployment that cannot be
            (`Deployment`).
    """
    board = gpu if isinstance(gpu, Gpu) else catalog_gpu(gpu)
    # a board's constants follow from its data sheet, whatever it is set to
    constants = load_calibration(board, None if calibration is None else Path(calibration), engine)
    return Deployment(
        model=model if isinstance(model, Architecture) else load_model(model),
        gpu=board if gpu_settings is None else board.set_to(**asdict(gpu_settings)),
        calibration=constants,
        limits=limits or Limits(),
        precision=precision or Precision(),
        traits=engine_traits(constants.engine).but(traits),
    )


def honoured(traits: Traits, model: Architecture) -> Traits:
    """Return what comes of these traits with a model: none of its windows where it has none."""
    return traits if model.sliding_layers else replace(traits, sliding_windows=False)


def in_words(gpus: int, quantization: str, traits: Traits, settings: str = "") -> str:
    """Return what is other than one GPU, 16 bits and a TensorRT engine; empty if nothing is."""
    words = [f"{gpus} GPUs"] if gpus > 1 else []
    words += [quantization] if quantization else []
    words += ["sliding windows"] if traits.sliding_windows else []
    if traits.cuda_graphs != "none":
        words.append(f"CUDA graphs of {_ENGINES[traits.cuda_graphs]}")
    words += ["static batches"] if traits.static_batching else []
    words += [settings] if settings else []
    return ", ".join(words)


def longest_sequence(model: Architecture) -> int:
    """Return the tokens of the longest sequence of a model that questions are answered for."""
    # the paper's engines hold 8192, also of models that were published for fewer
    return max(Limits().max_seq_len, model.max_positions)


def asked_limits(model: Architecture, **values: int | float | None) -> Limits:
    """Return limits as somebody asks for them of a model: what is None has its default.

    Those of `max_seq_len` and `max_num_tokens` follow the question: all that the model can hold,
    and with a larger batch more, as it takes a token of each request.

    Raises:
        InputError: as `parse_section`.
    """
    given = {name: value for name, value in values.items() if value is not None}
    batch = given.get("max_batch_size")
    if "max_num_tokens" not in given and isinstance(batch, int):
        given["max_num_tokens"] = max(Limits().max_num_tokens, batch)
    return parse_section(Limits, {"max_seq_len": longest_sequence(model), **given})
