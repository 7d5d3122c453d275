"""FP8 FLOPs as the 16-bit FLOPs that take as long and cost as much."""

from dataclasses import replace

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.cost.work import Work

# FP8 kernels reach so much of the share of peak that 16-bit kernels reach: where the data sheet
# says 2, they are 1.68 times as fast. Sources, all on H100: cuBLAS 12.0, large GEMMs at 4.8 against
# 3 times an A100 (1.6); cuBLAS 12.9, up to 1.75 times BF16 (both NVIDIA's developer blog);
# FlashAttention-3 (arXiv 2407.08608), 1.2 against 0.74 PFLOP/s (1.62). Bounds: 0.8 to 0.875.
FP8_SHARE = 0.84


def gain(gpu: Gpu) -> float:
    """Return how many FP8 FLOPs take the time and the energy of one 16-bit FLOP; 1 without FP8.

    The energy is an assumption, as in `constants.transfer`: large GEMMs of either kind hold the
    board at its power limit, so that joules per FLOP are as the rates at which they run there.
    """
    if gpu.fp8_flops is None:
        return 1.0
    return FP8_SHARE * gpu.fp8_flops / gpu.fp16_flops


def in_16_bit(work: Work, gpu: Gpu) -> Work:
    """Return the work with FP8 FLOPs of GEMMs and prompt attention as 16-bit ones."""
    if not work.fp8_gemms.any():
        return work
    saved = 1 - 1 / gain(gpu)
    gemms, attention = 1 - saved * work.fp8_gemms, 1 - saved * work.fp8_attention
    return replace(
        work,
        gemm_flops=work.gemm_flops * gemms,
        prompt_flops=work.prompt_flops * attention,
        prompt_start_flops=work.prompt_start_flops * attention,
    )
