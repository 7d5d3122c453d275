"""How fast attention's kernels are, by the shape of a model's heads."""

import numpy as np

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.kernels import KernelConstants
from sweetspot.simulator.cost.work import FloatArray, Work


def prompt_efficiency(work: Work, kernels: KernelConstants) -> FloatArray:
    """Return the share of peak 16-bit FLOP/s that attention of long prompts reaches."""
    dims, place = np.unique(work.head_dim, return_inverse=True)
    by_dim = np.array(
        [
            [kernels.prompt_efficiency_of(int(dim), fp8=fp8) for dim in dims]
            for fp8 in (False, bool(kernels.fp8_prompt_efficiency))
        ]
    )
    found: FloatArray = np.where(work.fp8_attention > 0, by_dim[1][place], by_dim[0][place])
    return found


def decode_head_s(work: Work, kernels: KernelConstants) -> FloatArray:
    """Return what decode attention takes for each KV head of a request, whatever its cache."""
    shared, fp8 = work.queries_per_kv_head > 1, work.fp8_kv > 0
    found = np.zeros(shared.shape)
    for is_shared in (False, True):
        for is_fp8 in (False, True):
            each_s = kernels.decode_pair_of(shared=is_shared, fp8=is_fp8)
            found = np.where((shared == is_shared) & (fp8 == is_fp8), each_s, found)
    return found


def kv_seconds_per_byte(work: Work, gpu: Gpu, kernels: KernelConstants) -> FloatArray:
    """Return what a byte of KV cache takes in decode attention, in s.

    A cache in FP8, of one byte an element, is also limited in elements per second.
    """
    reached = gpu.bandwidth_bytes_per_s * kernels.kv_bandwidth_efficiency
    from_memory = (1 + (kernels.wide_head_penalty - 1) * work.wide_heads) / reached
    if not work.fp8_kv.any():
        return from_memory
    shared, wide = work.queries_per_kv_head > 1, work.wide_heads > 0
    slowest = np.zeros(shared.shape)
    for is_shared in (False, True):
        for is_wide in (False, True):
            ceiling = kernels.fp8_kv_ceiling_of(shared=is_shared, wide=is_wide)
            slowest = np.where((shared == is_shared) & (wide == is_wide), 1 / ceiling, slowest)
    seconds: FloatArray = np.where(work.fp8_kv > 0, np.maximum(from_memory, slowest), from_memory)
    return seconds
