"""The constants of the simulator's laws: a board's, an engine's, each with unit, bounds, source."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from sweetspot.catalog import gpu as catalog_gpu
from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.kernels import KernelConstants, kernel_constants

# TensorRT-LLM 1.3.0rc20 kernel tables for H100 SXM, published with NVIDIA AIConfigurator 0.12.0.
_KERNELS = "TensorRT-LLM kernel tables (NVIDIA AIConfigurator 0.12.0, H100 SXM)"
# Per-kernel NVML power on H200, published in the AIConfigurator repository.
_KERNEL_POWER = "H200 per-kernel NVML power (NVIDIA AIConfigurator repository)"
_THROUGHPUT = "fits to NVIDIA's published TensorRT-LLM throughput"
_CELLS = "data/h200-vllm"


def _constant(
    low: float, high: float, stated: float, unit: str, meaning: str, source: str, fit: bool = False
) -> Any:
    return field(
        metadata={
            "low": low,
            "high": high,
            "stated": stated,
            "unit": unit,
            "meaning": meaning,
            "source": source,
            "fit": fit,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardConstants:
    """What turns FLOPs and bytes into joules on one GPU, whatever engine runs there.

    Meaning, bounds and source are in each field's metadata, as is the value `stated` by kernel
    tables and data sheets before any fit. Bounds and stated values are an H100 SXM's.
    """

    idle_power_w: float = _constant(
        40.0,
        110.0,
        78.0,
        "W",
        "power of the board with clocks down",
        f"{_CELLS}: an H200 before its first cell",
    )
    active_power_w: float = _constant(
        90.0,
        220.0,
        126.0,
        "W",
        "power of the board with clocks up and nothing to do",
        f"{_CELLS}: 123-129 W between cells of a loaded vLLM; {_KERNEL_POWER}: 126-131 W with"
        " hardly any work",
    )
    flop_energy_j: float = _constant(
        0.5e-12,
        1.6e-12,
        1.0e-12,
        "J/FLOP",
        "per FLOP (FP16/BF16 tensor core) at the highest clock",
        f"{_KERNEL_POWER}: 0.70e-12 at the power limit, where clocks are at 0.75 of the highest",
        fit=True,
    )
    voltage_share: float = _constant(
        0.3,
        1.0,
        0.7,
        "1",
        "v of ((1 - v) + v f)²: how joules per FLOP fall with the clock's share f of the highest",
        f"{_CELLS}: clocks of 42 cells are met within 2.3 to 2.8 % by 0.6 to 1.0",
    )
    byte_energy_j: float = _constant(
        60e-12,
        260e-12,
        160e-12,
        "J/B",
        "per byte of weights, activations and logits at the highest clock",
        f"ML.ENERGY v3, Llama 3.1 8B in vLLM on an H100 at batch 8: 486 W in steps of 7.3 ms;"
        f" {_KERNEL_POWER}: 64-120e-12",
    )
    kv_byte_energy_j: float = _constant(
        80e-12,
        260e-12,
        165e-12,
        "J/B",
        "per byte of KV cache in decode attention with 4 queries per KV head, highest clock",
        "fits to ML.ENERGY v3 serving power on H100: 110-240e-12",
        fit=True,
    )
    on_die_share: float = _constant(
        0.0,
        0.8,
        0.4,
        "1",
        "share of joules per byte that is spent on the die, whose voltage falls with the clock",
        f"{_CELLS}: clocks and energies are met best by 0.3 to 0.8",
    )
    kv_energy_sharing: float = _constant(
        0.0,
        0.2,
        0.06,
        "1",
        "joules per byte of KV cache fall as queries per KV head to minus this power",
        f"0 = a byte is a byte; {_KERNEL_POWER}: 0.12 from 1 to 4 queries per KV head, 0.2 to 8",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConstants:
    """What one engine, of a version and as it is compiled, adds to the work of a model.

    Metadata as in `BoardConstants`; stated values are TensorRT-LLM's.
    """

    layer_overhead_s: float = _constant(
        1e-5,
        1.5e-4,
        5e-5,
        "s",
        "per layer and iteration, on the GPU: kernels' starts and ends, and gaps between them",
        f"{_KERNELS}: 4 or 5 GEMMs of 3.7 us, attention of 24 us, and the kernels between them",
        fit=True,
    )
    step_overhead_s: float = _constant(
        0.0,
        5e-3,
        6e-5,
        "s",
        "per iteration, on the host: scheduler, launches",
        f"{_THROUGHPUT} with the kernel tables' overlap: below 1e-4",
    )
    sequence_overhead_s: float = _constant(
        0.0,
        4e-5,
        4e-6,
        "s",
        "per request and iteration, on the host: batch manager, sampling",
        f"{_THROUGHPUT}: 1.5e-6 to 8e-6",
        fit=True,
    )
    host_ahead: float = _constant(
        0.0,
        1.0,
        0.0,
        "0 or 1",
        "1: the host prepares the next iteration while the GPU computes, and the slower of the two"
        " sets the pace; 0: the GPU waits for it",
        "TensorRT-LLM's C++ executor: the GPU waits, for 1e-4 s and less",
    )
    logit_bytes: float = _constant(
        4.0,
        200.0,
        8.0,
        "B",
        "bytes moved per logit",
        "FP32 write and at least one read when sampled; more where sampling is not fused",
        fit=True,
    )
    weight_byte_energy_j: float = _constant(
        0.0,
        150e-12,
        0.0,
        "J/B",
        "per byte of weights, beyond what a byte costs on the board",
        "not explained: what Table 5's surfaces ask for where few requests fit in memory",
        fit=True,
    )
    elementwise_passes: float = _constant(
        0.3,
        2.5,
        1.0,
        "1",
        "how often tensors of norms, positions and activation function pass the memory bus",
        "1 = each tensor once; less where kernels are fused",
    )
    unfused_norm_bytes: float = _constant(
        0.0,
        100.0,
        0.0,
        "B",
        "per element of a norm with an offset (Gemma's), moved by kernels that are not fused",
        "0 = fused, as engines that compile a model have it",
    )
    unfused_norm_s: float = _constant(
        0.0,
        1e-4,
        0.0,
        "s",
        "per such norm and iteration: starts and ends of its kernels",
        "0 = fused, as engines that compile a model have it",
    )
    request_overhead_s: float = _constant(
        0.0,
        1e-3,
        0.0,
        "s",
        "per request, once, beyond its tokens: intake, set-up, response",
        f"{_THROUGHPUT}: up to 4e-4 at 128 + 128 tokens",
    )
    request_energy_j: float = _constant(
        0.0,
        1.0,
        0.2,
        "J",
        "per request, once, beyond its tokens and above `active_power_w`",
        "1 ms of a board at its limit is 0.7 J",
        fit=True,
    )
    run_overhead_s: float = _constant(
        0.0,
        1.5,
        1.0,
        "s",
        "per run, in the measured window but outside any iteration",
        "trtllm-bench 0.20/0.21 ends its window about 1 s after the last response",
    )
    run_overhead_w: float = _constant(
        100.0,
        200.0,
        150.0,
        "W",
        "power during `run_overhead_s`",
        "an H100 whose clocks are up, or about to fall: 100 to 200 W",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """A board's constants, an engine's, and what its kernels reach there, which no fit changes.

    Names of the first two differ, so one name means one constant.
    """

    board: BoardConstants
    engine: EngineConstants
    kernels: KernelConstants

    def of(self, name: str) -> float:
        """Return the constant of this name."""
        owner = self.board if name in BOARD else self.engine
        value: float = getattr(owner, name)
        return value

    def having(self, **values: Any) -> Self:
        """Return the same constants but for those that are named."""
        of_board = {name: value for name, value in values.items() if name in BOARD}
        of_engine = {name: value for name, value in values.items() if name not in BOARD}
        return replace(
            self,
            board=replace(self.board, **of_board) if of_board else self.board,
            engine=replace(self.engine, **of_engine) if of_engine else self.engine,
        )


# Boards at their limit of 700 W read 690 to 693 W (H200 kernel power tables of AIConfigurator's
# repository; H100 of ML.ENERGY v3).
LIMIT_SHARE = 0.988
REFERENCE_GPU = "h100-sxm"
"""The GPU of the bounds and stated values."""

BOARD = tuple(f.name for f in fields(BoardConstants))
ENGINE = tuple(f.name for f in fields(EngineConstants))
METADATA = {f.name: f.metadata for f in (*fields(BoardConstants), *fields(EngineConstants))}
FITTED = tuple(name for name, meta in METADATA.items() if meta["fit"])
"""Constants that the paper's surfaces and the published throughput determine."""
AFTER_THROUGHPUT = tuple(n for n, meta in METADATA.items() if _THROUGHPUT in meta["source"])
"""Constants that are stated within what fits to NVIDIA's throughput gave."""


# What is stated of other engines than the paper's, where it differs; nothing was fitted to cells.
_VLLM = {
    # vLLM's asynchronous scheduling, on by default, prepares a step while the GPU computes one
    "host_ahead": 1.0,
    # pull request 17866 of vLLM: 2.6 ms a token for Llama 3.2 1B, whose kernels take less
    "step_overhead_s": 2e-3,
    # 13 us a request and step in a profile of vLLM 0.27.1's loop without a GPU (openfabric-systems/
    # simllm, pull request 204)
    "sequence_overhead_s": 1.3e-5,
    # logits are cast to FP32, scaled and sampled by kernels of their own
    "logit_bytes": 40.0,
    "request_energy_j": 0.0,
    "run_overhead_s": 0.0,
}
_UNFUSED = {
    # GemmaRMSNorm.forward_native: a cast to FP32 (6 B), a square (8), a mean (4), two products (16)
    # and a cast back (6); 8 kernels of 2.5 us
    "unfused_norm_bytes": 40.0,
    "unfused_norm_s": 2e-5,
}
# Wide: four cells of one model, data/h200-transformers. What a step takes in Python is taken as the
# host's, whatever the number of layers and requests.
_TRANSFORMERS = {
    # the median of 20 to 73 ms a step of Llama 3.2 1B, whose kernels take less than 2 ms
    "step_overhead_s": 5.2e-2,
    "sequence_overhead_s": 0.0,
    # GenerationMixin._sample copies the last logits to FP32 and takes the largest: 2 + 2 + 4 + 4 B
    "logit_bytes": 12.0,
    "request_energy_j": 0.0,
    "run_overhead_s": 0.0,
}
_STATED: dict[str, dict[str, float]] = {
    "tensorrt-llm": {},
    "vllm": _VLLM,
    "vllm-uncompiled": _VLLM | _UNFUSED,
    "transformers": _TRANSFORMERS | _UNFUSED,
}


def stated_on(gpu: Gpu, engine: str = "tensorrt-llm") -> Constants:
    """Return the constants of an engine on a GPU as data sheets and kernel tables state them.

    Nothing is fitted: neither energy nor throughput of whole runs went into them, except where a
    source says so.
    """
    stated = {name: meta["stated"] for name, meta in METADATA.items()} | _STATED[engine]
    board = BoardConstants(**{name: stated[name] for name in BOARD})
    return Constants(
        board=transfer(board, gpu),
        engine=EngineConstants(**{name: stated[name] for name in ENGINE}),
        kernels=kernel_constants(gpu, engine),
    )


def stated_apart(engine: str, other: str) -> dict[str, float]:
    """Return what is stated of an engine otherwise than of another one."""
    stated, others = (
        {name: meta["stated"] for name, meta in METADATA.items()} | _STATED[each]
        for each in (engine, other)
    )
    return {name: value for name, value in stated.items() if value != others[name]}


def scales(gpu: Gpu) -> dict[str, float]:
    """Return by what constants of a GPU that nobody measured differ from the reference's.

    Powers scale with the power limit, joules per FLOP with the power limit per peak FLOP/s: a GPU
    is built so that GEMMs at peak draw about its limit. That is an assumption, and outputs name it.
    """
    reference = catalog_gpu(REFERENCE_GPU)
    watts = (gpu.full_power_limit_w or gpu.power_limit_w) / reference.power_limit_w
    flops = gpu.fp16_flops / reference.fp16_flops
    return {"idle_power_w": watts, "active_power_w": watts, "flop_energy_j": watts / flops}


# Between what was found of an H100 (1.6e-10) and of an H200 (1.0e-10).
OTHER_BYTE_ENERGY_J = 1.3e-10

# What was chosen with cells in sight, by these cells, each as it is had without them: the H100's
# joules per byte, none of them spent on the die; a voltage halfway between a fixed one and one that
# falls as the clock does. Tests on these cells are made with it.
CHOSEN_IN_VIEW: Mapping[str, Mapping[str, float]] = {
    _CELLS: {
        "byte_energy_j": METADATA["byte_energy_j"]["stated"],
        "on_die_share": 0.0,
        "voltage_share": 0.5,
    }
}


def transfer(constants: BoardConstants, gpu: Gpu) -> BoardConstants:
    """Return the reference's constants as those of a GPU that nobody measured.

    Some are scaled (`scales`). Joules per byte of memory are a generation's own.
    """
    if gpu.id == REFERENCE_GPU:
        return constants
    changed = {name: getattr(constants, name) * by for name, by in scales(gpu).items()}
    return replace(constants, **changed, byte_energy_j=OTHER_BYTE_ENERGY_J)
