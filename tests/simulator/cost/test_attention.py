"""Speeds of attention's kernels, by the shape of heads and what a cache is stored in."""

import math

import numpy as np
import pytest

from sweetspot.catalog import gpu
from sweetspot.simulator.constants.kernels import kernel_constants
from sweetspot.simulator.cost.attention import decode_head_s, kv_seconds_per_byte, prompt_efficiency
from sweetspot.simulator.cost.work import Work

H200 = gpu("h200-sxm")
# one and several queries per KV head; heads of 64, 128 and 256; 16 bits and FP8
QUERIES, DIMS, FP8 = (
    each.ravel() for each in np.meshgrid([1.0, 4.0], [64.0, 128.0, 256.0], [0.0, 1.0])
)
WIDE = ((DIMS == 256) & (QUERIES > 1)).astype(float)


@pytest.fixture
def heads():
    """Return work of each kind of heads; the rest of it is nothing."""
    fields = dict.fromkeys(Work.__dataclass_fields__, np.zeros(DIMS.size))
    return Work(
        **fields
        | {
            "queries_per_kv_head": QUERIES,
            "head_dim": DIMS,
            "fp8_kv": FP8,
            "fp8_attention": FP8,
            "wide_heads": WIDE,
        }
    )


@pytest.mark.parametrize("engine", ["tensorrt-llm", "vllm"])
@pytest.mark.parametrize("gpu_id", ["h200-sxm", "a100-80gb"])
def test_each_kind_of_head_has_its_own_kernels(heads, gpu_id, engine):
    board, k = gpu(gpu_id), kernel_constants(gpu(gpu_id), engine)
    prompt, pair_s, byte_s = (
        prompt_efficiency(heads, k),
        decode_head_s(heads, k),
        kv_seconds_per_byte(heads, board, k),
    )
    bandwidth = board.bandwidth_bytes_per_s * k.kv_bandwidth_efficiency
    for i, (queries, dim, fp8, wide) in enumerate(zip(QUERIES, DIMS, FP8, WIDE, strict=True)):
        stored_fp8 = bool(fp8) and bool(k.fp8_prompt_efficiency)  # an A100 has none
        assert prompt[i] == k.prompt_efficiency_of(int(dim), fp8=stored_fp8)
        assert pair_s[i] == k.decode_pair_of(shared=queries > 1, fp8=bool(fp8))
        expected_s = (k.wide_head_penalty if wide else 1) / bandwidth
        if fp8:
            ceiling = k.fp8_kv_ceiling_of(shared=queries > 1, wide=bool(wide))
            expected_s = max(expected_s, 0.0 if math.isinf(ceiling) else 1 / ceiling)
        assert byte_s[i] == pytest.approx(expected_s, rel=1e-12)


def test_fp8_cache_is_not_twice_as_fast_where_its_elements_are_the_ceiling(heads):
    """With vLLM on an H200, heads of 256: a byte of FP8 takes longer than two of 16 bits."""
    byte_s = kv_seconds_per_byte(heads, H200, kernel_constants(gpu("h200-sxm"), "vllm"))
    wide = WIDE > 0
    (in_fp8,), (in_16_bit,) = byte_s[wide & (FP8 > 0)], byte_s[wide & ~(FP8 > 0)]
    assert in_fp8 > 2 * in_16_bit
