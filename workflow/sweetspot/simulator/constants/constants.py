"""The hardware and software constants of the simulator, each with its unit, bounds and source."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from sweetspot.catalog.gpus import Gpu

# TensorRT-LLM 1.3.0rc20 kernel tables for H100 SXM, published with NVIDIA AIConfigurator 0.12.0.
_KERNELS = "TensorRT-LLM kernel tables (NVIDIA AIConfigurator 0.12.0, H100 SXM)"
# Per-kernel NVML power on H200, published in the AIConfigurator repository.
_KERNEL_POWER = "H200 per-kernel NVML power (NVIDIA AIConfigurator repository)"
_THROUGHPUT = "fits to NVIDIA's published TensorRT-LLM throughput"


def _constant(
    low: float, high: float, stated: float, unit: str, meaning: str, source: str, held: bool = False
) -> Any:
    return field(
        metadata={
            "low": low,
            "high": high,
            "stated": stated,
            "unit": unit,
            "meaning": meaning,
            "source": source,
            "held": held,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What turns FLOPs and bytes into seconds and joules on one GPU with one engine.

    Meaning, bounds and source are in each field's metadata, as is the value `stated` by kernel
    tables and data sheets before any fit. A fit never leaves the bounds and leaves `held` ones.
    """

    flop_efficiency: float = _constant(
        0.5,
        0.85,
        0.72,
        "1",
        "share of peak FLOP/s that large GEMMs sustain",
        f"{_KERNELS}: 0.73-0.83 in short runs; H200 at its power limit: 0.70",
    )
    prompt_attention_efficiency: float = _constant(
        0.3,
        0.75,
        0.66,
        "1",
        "share of peak FLOP/s of attention of a long prompt (causal FLOPs)",
        f"{_KERNEL_POWER}: 0.63-0.67 beyond 4096 tokens",
    )
    bandwidth_efficiency: float = _constant(
        0.75,
        0.88,
        0.832,
        "1",
        "share of peak bandwidth of weights and activations",
        f"{_KERNELS}: 0.79-0.86; 0.832 meets 576 GEMMs best",
    )
    kv_bandwidth_efficiency: float = _constant(
        0.85,
        0.96,
        0.934,
        "1",
        "share of peak bandwidth of decode attention",
        f"{_KERNELS}: 0.934 with 24 us a layer meets those beyond 0.5 GB within 3 %",
    )
    gemm_passes: float = _constant(
        0.5,
        2.0,
        1.0,
        "1",
        "how often inputs and outputs of GEMMs pass the memory bus",
        "1 = each tensor once; less where they stay in the L2 cache",
    )
    elementwise_passes: float = _constant(
        0.3,
        2.5,
        1.0,
        "1",
        "how often tensors of norms, positions and activation function pass the memory bus",
        "1 = each tensor once; less where kernels are fused",
    )
    logit_bytes: float = _constant(
        4.0,
        40.0,
        8.0,
        "B",
        "bytes moved per logit",
        "FP32 write and at least one read when sampled",
    )
    layer_overhead_s: float = _constant(
        2e-5,
        1.2e-4,
        5e-5,
        "s",
        "per layer and iteration: kernel launches, norms, gaps",
        f"{_KERNELS}: 4 or 5 GEMMs of 3.7 us, attention of 24 us, and the kernels between them",
    )
    step_overhead_s: float = _constant(
        0.0, 4e-3, 1e-3, "s", "per iteration: scheduler and host", f"{_THROUGHPUT}: 0 to 5e-3"
    )
    sequence_overhead_s: float = _constant(
        0.0,
        1.2e-5,
        4e-6,
        "s",
        "per request and iteration: batch manager, sampling",
        f"{_THROUGHPUT}: 1.5e-6 to 6.5e-6",
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
        0.0,
        "J",
        "per request, once, beyond its tokens and above `active_power_w`",
        "1 ms of a board at its limit is 0.7 J",
    )
    run_overhead_s: float = _constant(
        0.0,
        1.5,
        1.0,
        "s",
        "per run, in the measured window but outside any iteration",
        "trtllm-bench 0.20/0.21 ends its window about 1 s after the last response",
        held=True,
    )
    run_overhead_w: float = _constant(
        100.0,
        200.0,
        150.0,
        "W",
        "power during `run_overhead_s`",
        f"between an H100 with a CUDA context (100-125 W) and `active_power_w`; {_KERNEL_POWER}:"
        " 126-131 W with hardly any work",
        held=True,
    )
    active_power_w: float = _constant(
        120.0,
        220.0,
        170.0,
        "W",
        "power of the board with clocks up, before any FLOP or byte",
        f"{_KERNEL_POWER}: 126-300 W",
    )
    flop_energy_j: float = _constant(
        0.4e-12,
        1.2e-12,
        0.78e-12,
        "J/FLOP",
        "per FLOP (FP16/BF16 tensor core) of GEMMs that compute holds up",
        f"{_KERNEL_POWER}: 0.70e-12 at the power limit, 0.76-0.87e-12 over all",
    )
    streaming_flop_energy: float = _constant(
        0.0,
        0.6,
        0.24,
        "1",
        "how much more a FLOP costs in a GEMM that memory holds up, at full clocks and voltage",
        f"{_KERNEL_POWER}: 0.87e-12 over all GEMMs against 0.70e-12 at the power limit",
    )
    byte_energy_j: float = _constant(
        50e-12,
        140e-12,
        100e-12,
        "J/B",
        "per byte of weights, activations and logits",
        f"{_KERNEL_POWER}: 64-101e-12 in the middle, 120e-12 for the highest tenth; ML.ENERGY v3 on"
        " H100, Llama 3.1 8B at batch 8: about 140e-12",
    )
    kv_byte_energy_j: float = _constant(
        50e-12,
        240e-12,
        100e-12,
        "J/B",
        "per byte of KV cache in decode attention with 4 queries per KV head",
        f"{_KERNEL_POWER}: 85e-12; fits to ML.ENERGY v3 serving power on H100: 110-240e-12",
    )
    kv_energy_sharing: float = _constant(
        0.0,
        0.2,
        0.0,
        "1",
        "joules per byte of KV cache fall as queries per KV head to minus this power",
        f"0 = a byte is a byte; {_KERNEL_POWER}: 0.12 from 1 to 4 queries per KV head, 0.2 to 8",
    )
    wide_head_energy: float = _constant(
        1.0,
        1.115,
        1.057,
        "1",
        "joules per byte of KV cache with shared heads of 256, against narrower ones",
        "between energy by bytes (1) and energy by time (1.115, the kernel tables' bandwidth)",
    )


REFERENCE_GPU = "h100-sxm"
"""The GPU of the bounds and stated values; others' are scaled by data sheet (`transfer`)."""

FITTED = tuple(f.name for f in fields(Constants) if not f.metadata["held"])


def stated_constants() -> Constants:
    """Return the constants of an H100 SXM as its data sheet and kernel tables state them.

    Nothing is fitted: neither energy nor throughput of whole runs went into them, except where a
    source says so.
    """
    return Constants(**{f.name: f.metadata["stated"] for f in fields(Constants)})


def at_bound(constants: Constants) -> list[str]:
    """Return the names of the constants that a fit has pushed to (within 1 % of) a bound."""
    names = []
    for f in fields(constants):
        low, high = f.metadata["low"], f.metadata["high"]
        share = (getattr(constants, f.name) - low) / (high - low)
        if f.name in FITTED and not 0.01 < share < 0.99:
            names.append(f.name)
    return names


def transfer(constants: Constants, fitted_on: Gpu, gpu: Gpu) -> Constants:
    """Return the constants for a GPU that nobody measured, from its data sheet.

    Efficiencies and overhead times stay. Powers scale with the power limit, energies per FLOP and
    byte with the power limit per peak FLOP/s and per peak B/s: a GPU is built so that work at peak
    draws about its limit. That is an assumption, and outputs name it.
    """
    if fitted_on == gpu:
        return constants
    watts = gpu.power_limit_w / fitted_on.power_limit_w
    flops = gpu.fp16_flops / fitted_on.fp16_flops
    bandwidth = gpu.bandwidth_bytes_per_s / fitted_on.bandwidth_bytes_per_s
    return replace(
        constants,
        active_power_w=constants.active_power_w * watts,
        run_overhead_w=constants.run_overhead_w * watts,
        request_energy_j=constants.request_energy_j * watts,
        flop_energy_j=constants.flop_energy_j * watts / flops,
        byte_energy_j=constants.byte_energy_j * watts / bandwidth,
        kv_byte_energy_j=constants.kv_byte_energy_j * watts / bandwidth,
    )
