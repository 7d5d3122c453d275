"""GPUs by their data sheets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU board; numbers from its data sheet, dense (no sparsity).

    Attributes:
        nvml_name: what nvmlDeviceGetName answers for it (the start of it, where variants exist).
        memory_bytes: memory that the driver shows as total.
        bandwidth_bytes_per_s: peak memory bandwidth.
        fp16_flops: peak FP16/BF16 tensor-core FLOP/s, FP32 accumulation.
        fp8_flops: peak FP8 tensor-core FLOP/s; None where the GPU has no FP8.
        power_limit_w: default board power limit.
        source: the data sheet.
    """

    id: str
    name: str
    nvml_name: str
    memory_bytes: int
    bandwidth_bytes_per_s: float
    fp16_flops: float
    fp8_flops: float | None
    power_limit_w: float
    source: str
