"""What kernels take for segments' work: all of their cost that hangs on no constant of a fit."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.kernels import KernelConstants
from sweetspot.simulator.cost.attention import (
    decode_head_s,
    decode_seconds_per_flop,
    kv_seconds_per_byte,
    prompt_efficiency,
)
from sweetspot.simulator.cost.clocks import ceilings, clocks
from sweetspot.simulator.cost.fp8 import saved_share
from sweetspot.simulator.cost.link import link_bytes, link_s, wait_s
from sweetspot.simulator.cost.work import FloatArray, Work

Places = npt.NDArray[np.int64] | slice


@dataclass(frozen=True, eq=False, slots=True)
class KernelTimes:
    """What kernels take for each iteration of segments; arrays of shape (segments,).

    Attributes:
        work: of the segments.
        gpu: the board, with the highest clock that it may have.
        kernels: what they reach there.
        linear_s, head_s: computing of linear layers and of the output head, at the highest clock.
        linear_memory_s, head_memory_s: memory's share in these, which the clock leaves as it is.
        prompt_s: attention of prompts, at the highest clock.
        decode_heads_s: decode attention, whatever its cache.
        kv_s, growth_s: decode attention of the first iteration's cache, and what it grows by from
            one to the next.
        link_s, wait_s: sending, and waiting for the last GPU; 0 on one.
        flops: 16-bit FLOPs, or FP8 ones that cost as much, but for decode attention.
        weight_bytes: weights and activations of linear layers and of the output head.
        link_bytes: that the GPU sends.
        table_s: `computing_s` at each of `clocks`, where it is kept.
    """

    work: Work
    gpu: Gpu
    kernels: KernelConstants
    linear_s: FloatArray
    linear_memory_s: FloatArray
    head_s: FloatArray
    head_memory_s: FloatArray
    prompt_s: FloatArray
    decode_heads_s: FloatArray
    kv_s: FloatArray
    growth_s: FloatArray
    link_s: FloatArray | float
    wait_s: FloatArray
    flops: FloatArray
    weight_bytes: FloatArray
    link_bytes: FloatArray | float
    table_s: FloatArray | None = None

    @property
    def grow(self) -> bool:
        """Whether any iteration takes more than the one before."""
        return bool(self.work.kv_bytes_growth.any() or self.work.decode_flops_growth.any())

    def computing_s(self, clock: int | slice, places: Places = slice(None)) -> FloatArray:
        """Return what waits for the clock, at one of `clocks`, or at several: (clocks, places)."""
        if self.table_s is not None:
            kept: FloatArray = self.table_s[clock][..., places]
            return kept
        share: Any = clocks(self.gpu)[clock]
        if isinstance(clock, slice):
            share = np.array(share)[:, np.newaxis]
        norm = self.kernels.overlap_norm
        computing_s: FloatArray = (
            _overlap(self.linear_s[places] / share, self.linear_memory_s[places], norm)
            + _overlap(self.head_s[places] / share, self.head_memory_s[places], norm)
            + self.prompt_s[places] / share
        )
        return computing_s

    def kept(self) -> Self:
        """Return the same for costs that are asked for again and again."""
        return replace(self, table_s=self.computing_s(slice(None)))


def kernel_times(work: Work, gpu: Gpu, kernels: KernelConstants) -> KernelTimes:
    """Return what kernels take for this work, up to the highest clock that the board may have."""
    flops_per_s = gpu.fp16_flops * kernels.flop_efficiency
    bandwidth = gpu.bandwidth_bytes_per_s * kernels.bandwidth_efficiency
    gemm_flops = work.gemm_flops * (1 - saved_share(gpu, kernels) * work.fp8_gemms)
    linear_bytes = work.weight_bytes + kernels.gemm_passes * work.gemm_bytes
    prompt_flops = work.prompt_flops + kernels.prompt_start_pairs * work.prompt_token_flops
    attended_flops = work.prompt_flops * (1 - saved_share(gpu, kernels) * work.fp8_attention)
    kv_byte_s = kv_seconds_per_byte(work, gpu, kernels)
    decode_flop_s = decode_seconds_per_flop(work, gpu, kernels, kv_byte_s)
    return KernelTimes(
        work,
        gpu,
        kernels,
        linear_s=gemm_flops / flops_per_s,
        linear_memory_s=linear_bytes / bandwidth,
        head_s=work.logit_flops / flops_per_s,
        head_memory_s=work.logit_weight_bytes / bandwidth,
        prompt_s=prompt_flops / (gpu.fp16_flops * prompt_efficiency(work, kernels)),
        decode_heads_s=work.decode_heads * decode_head_s(work, kernels),
        kv_s=work.kv_bytes * kv_byte_s + work.decode_flops * decode_flop_s,
        growth_s=work.kv_bytes_growth * kv_byte_s + work.decode_flops_growth * decode_flop_s,
        link_s=link_s(work, gpu),
        wait_s=wait_s(work),
        flops=gemm_flops + work.logit_flops + attended_flops,
        weight_bytes=linear_bytes + work.logit_weight_bytes,
        link_bytes=link_bytes(work, gpu),
    )


def at_ceilings(work: Work, gpu: Gpu, kernels: KernelConstants) -> list[KernelTimes]:
    """Return what kernels take, up to each of the clocks that are tried as the highest."""
    return [kernel_times(work, replace(gpu, clock_share=share), kernels) for share in ceilings(gpu)]


def _overlap(compute_s: FloatArray, memory_s: FloatArray, norm: float) -> FloatArray:
    combined: FloatArray = (compute_s**norm + memory_s**norm) ** (1 / norm)
    return combined
