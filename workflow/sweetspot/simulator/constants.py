"""The hardware and software constants of the simulator, each with its unit, bounds and source."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from sweetspot.catalog.gpus import Gpu

# TensorRT-LLM 1.3.0rc20 kernel tables for H100 SXM, published with NVIDIA AIConfigurator 0.12.0.
_KERNELS = "TensorRT-LLM kernel tables (NVIDIA AIConfigurator 0.12.0, H100 SXM)"
# Per-kernel NVML power on H200, published in the AIConfigurator repository.
_KERNEL_POWER = "H200 per-kernel NVML power (NVIDIA AIConfigurator repository)"
_THROUGHPUT = "fits to NVIDIA's published TensorRT-LLM throughput"


def _constant(low: float, high: float, unit: str, meaning: str, source: str) -> Any:
    return field(
        metadata={"low": low, "high": high, "unit": unit, "meaning": meaning, "source": source}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What turns FLOPs and bytes into seconds and joules on one GPU with one engine.

    Meaning, bounds and source are in each field's metadata; a fit never leaves the bounds.
    """

    flop_efficiency: float = _constant(
        0.5, 0.85, "1", "share of peak FLOP/s that large GEMMs sustain", f"{_KERNELS}: 0.62-0.83"
    )
    prompt_attention_efficiency: float = _constant(
        0.1,
        0.75,
        "1",
        "share of peak FLOP/s of prompt attention (causal FLOPs)",
        f"{_KERNELS}: 0.03-0.63",
    )
    bandwidth_efficiency: float = _constant(
        0.75,
        0.88,
        "1",
        "share of peak bandwidth of weights and activations",
        f"{_KERNELS}: 0.79-0.86",
    )
    kv_bandwidth_efficiency: float = _constant(
        0.5, 0.92, "1", "share of peak bandwidth of decode attention", f"{_KERNELS}: up to 0.92"
    )
    activation_passes: float = _constant(
        0.5,
        2.0,
        "1",
        "how often activations pass the memory bus",
        "1 = each tensor once; spills and re-reads",
    )
    logit_bytes: float = _constant(
        4.0, 40.0, "B", "bytes moved per logit", "FP32 write and at least one read when sampled"
    )
    layer_overhead_s: float = _constant(
        5e-6,
        1.2e-4,
        "s",
        "per layer and iteration: kernel launches, norms, gaps",
        f"{_THROUGHPUT}: 3e-5 to 9.5e-5",
    )
    step_overhead_s: float = _constant(
        0.0, 3e-3, "s", "per iteration: scheduler and host", f"{_THROUGHPUT}: 0 to 5e-3"
    )
    sequence_overhead_s: float = _constant(
        0.0,
        1.2e-5,
        "s",
        "per request and iteration: batch manager, sampling",
        f"{_THROUGHPUT}: 1.5e-6 to 6.5e-6",
    )
    run_overhead_s: float = _constant(
        0.0,
        1.5,
        "s",
        "per run, in the measured window but outside any iteration",
        "trtllm-bench 0.20/0.21 ends its window about 1 s after the last response",
    )
    run_overhead_w: float = _constant(
        150.0, 700.0, "W", "power during `run_overhead_s`", "between idle and the power limit"
    )
    active_power_w: float = _constant(
        120.0,
        220.0,
        "W",
        "power of the board with clocks up, before any FLOP or byte",
        f"{_KERNEL_POWER}: 126-300 W",
    )
    flop_energy_j: float = _constant(
        0.4e-12,
        1.2e-12,
        "J/FLOP",
        "per FLOP (FP16/BF16 tensor core)",
        f"{_KERNEL_POWER}: 0.76-0.87e-12",
    )
    byte_energy_j: float = _constant(
        50e-12,
        180e-12,
        "J/B",
        "per byte of weights, activations and logits",
        f"{_KERNEL_POWER}: 64-101e-12; the bound is wider, as whole runs ask for more",
    )
    kv_byte_energy_j: float = _constant(
        50e-12,
        240e-12,
        "J/B",
        "per byte of KV cache in decode attention",
        "fits to ML.ENERGY v3 serving power on H100: 110-240e-12",
    )


def at_bound(constants: Constants) -> list[str]:
    """Return the names of the constants that a fit has pushed to (within 1 % of) a bound."""
    names = []
    for f in fields(constants):
        low, high = f.metadata["low"], f.metadata["high"]
        share = (getattr(constants, f.name) - low) / (high - low)
        if not 0.01 < share < 0.99:
            names.append(f.name)
    return names


def transfer(constants: Constants, fitted_on: Gpu, gpu: Gpu) -> Constants:
    """Return the constants for a GPU that nobody measured, from its data sheet.

    Efficiencies and overhead times stay. Powers scale with the power limit, energies per FLOP and
    byte with the power limit per peak FLOP/s and per peak B/s: a GPU is built so that work at peak
    draws about its limit. That is an assumption, and outputs name it.
    """
    watts = gpu.power_limit_w / fitted_on.power_limit_w
    flops = gpu.fp16_flops / fitted_on.fp16_flops
    bandwidth = gpu.bandwidth_bytes_per_s / fitted_on.bandwidth_bytes_per_s
    return replace(
        constants,
        active_power_w=constants.active_power_w * watts,
        run_overhead_w=constants.run_overhead_w * watts,
        flop_energy_j=constants.flop_energy_j * watts / flops,
        byte_energy_j=constants.byte_energy_j * watts / bandwidth,
        kv_byte_energy_j=constants.kv_byte_energy_j * watts / bandwidth,
    )
