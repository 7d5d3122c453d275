"""How fast attention's kernels are, by the shape of a model's heads."""

from collections.abc import Callable

import numpy as np

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.kernels import KernelConstants
from sweetspot.simulator.cost.work import FloatArray, Work


def prompt_efficiency(work: Work, kernels: KernelConstants) -> FloatArray | float:
    """Return the share of peak 16-bit FLOP/s that attention of long prompts reaches."""
    has_fp8 = bool(kernels.fp8_prompt_efficiency)
    return _by_kind(
        lambda dim, fp8: kernels.prompt_efficiency_of(int(dim), fp8=has_fp8 and fp8 > 0),
        work.head_dim,
        work.fp8_attention,
    )


def decode_head_s(work: Work, kernels: KernelConstants) -> FloatArray | float:
    """Return what decode attention takes for each KV head of a request, whatever its cache."""
    return _by_kind(
        lambda queries, fp8: kernels.decode_pair_of(shared=queries > 1, fp8=fp8 > 0),
        work.queries_per_kv_head,
        work.fp8_kv,
    )


def kv_seconds_per_byte(work: Work, gpu: Gpu, kernels: KernelConstants) -> FloatArray | float:
    """Return what a byte of KV cache takes in decode attention, in s.

    A cache in FP8, of one byte an element, is also limited in elements per second.
    """
    reached = gpu.bandwidth_bytes_per_s * kernels.kv_bandwidth_efficiency

    def seconds(queries: float, wide: float, fp8: float) -> float:
        from_memory = (1 + (kernels.wide_head_penalty - 1) * wide) / reached
        ceiling = kernels.fp8_kv_ceiling_of(shared=queries > 1, wide=wide > 0)
        return max(from_memory, 1 / ceiling) if fp8 > 0 else from_memory

    return _by_kind(seconds, work.queries_per_kv_head, work.wide_heads, work.fp8_kv)


def decode_seconds_per_flop(
    work: Work, gpu: Gpu, kernels: KernelConstants, kv_byte_s: FloatArray | float
) -> FloatArray | float:
    """Return what a FLOP of decode attention takes beyond reading its cache, in s.

    It is 0 where memory is slower, as it is for all but latent attention: there, each byte meets
    the queries of all heads, some 240 FLOPs. Kernels are taken to compute as fast as those of long
    prompts, and memory to be hidden: FlashMLA, published with DeepSeek-V3, states 660 TFLOP/s of
    an H800's 989 where it computes, 0.67.
    """
    flops = gpu.fp16_flops * gpu.clock_share * prompt_efficiency(work, kernels)
    seconds: FloatArray = np.maximum(1 / flops - kv_byte_s * work.decode_bytes_per_flop, 0.0)
    return seconds


def _by_kind(law: Callable[..., float], *columns: FloatArray) -> FloatArray | float:
    """Return what a law says of each segment; one number where all have the same kind of heads.

    Kind by kind, as there are few, and sorting the segments would take longer than all that is
    made of what this returns.
    """
    found = np.empty(columns[0].size)
    left = np.ones(found.size, dtype=np.bool_)
    while left.any():
        first = left.argmax()
        kind = [column[first] for column in columns]
        alike = np.logical_and.reduce(
            [column == one for column, one in zip(columns, kind, strict=True)]
        )
        if alike.all():
            return law(*kind)
        found[alike] = law(*kind)
        left &= ~alike
    return found
