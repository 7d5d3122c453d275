"""How long an iteration takes and how many joules it costs, solved together at the power limit."""

from dataclasses import dataclass

import numpy as np

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.constants import Constants
from sweetspot.simulator.cost.dual import value_of, with_slopes
from sweetspot.simulator.cost.fp8 import in_16_bit
from sweetspot.simulator.cost.link import LINK_BYTE_ENERGY_J, link_bytes, link_s
from sweetspot.simulator.cost.work import WIDE_HEAD_PENALTY, FloatArray, Work

# Compute and memory time of a GEMM overlap, but not perfectly. Their 4.4-norm, 79 % of peak FLOP/s,
# 83 % of peak bandwidth and 3.7 us meet 576 GEMMs of TensorRT-LLM 1.3.0rc20 on H100, m = 1 to 8192,
# within 4.0 % on average (NVIDIA AIConfigurator 0.12.0).
OVERLAP_NORM = 4.4
# Boards at their limit of 700 W read 690 to 693 W (H200 kernel power tables of AIConfigurator's
# repository; H100 of ML.ENERGY v3).
LIMIT_SHARE = 0.988
# FLOPs per byte that an H100 sustains at most: 0.74 of 989 TFLOP/s over 0.83 of 3.35 TB/s.
BALANCE = 266.0
# `kv_byte_energy_j` is that of so many queries per KV head.
REFERENCE_QUERIES = 4.0


@dataclass(frozen=True, eq=False, slots=True)
class Cost:
    """Cost of each segment, all its iterations together; arrays of shape (segments,)."""

    duration_s: FloatArray
    energy_j: FloatArray


def cost(work: Work, gpu: Gpu, constants: Constants) -> Cost:
    """Return time and energy of each segment, on one GPU of those that share the model.

    An iteration's roofline time and its dynamic energy E are linear in its place j within the
    segment. Its power, active_power_w + E / t, may not pass LIMIT_SHARE of the limit; where it
    would, clocks drop and t becomes E / (that limit - active_power_w). The sum over j of the larger
    of two straight lines is taken in closed form, so the result is exact whatever the segment's
    length. Constants may be `dual.variable`s: time and energy then have their derivatives by these.
    """
    c = constants
    work = in_16_bit(work, gpu)
    time_s, time_growth_s = _roofline_s(work, gpu, c)
    time_s = time_s + link_s(work, gpu)
    flops_j = c.flop_energy_j * (
        _costed_flops(work.gemm_flops, work.weight_bytes + work.gemm_bytes, c)
        + _costed_flops(work.logit_flops, work.logit_weight_bytes, c)
        + work.prompt_flops
        + work.decode_flops
    )
    bytes_j = c.byte_energy_j * (
        work.weight_bytes
        + c.gemm_passes * work.gemm_bytes
        + c.elementwise_passes * work.elementwise_bytes
        + work.prompt_bytes
        + work.logit_weight_bytes
        + c.logit_bytes * work.logits
    )
    kv_byte_j = c.kv_byte_energy_j * (
        (work.queries_per_kv_head / REFERENCE_QUERIES) ** -c.kv_energy_sharing
        * (1 + (c.wide_head_energy - 1) * work.wide_heads)
    )
    others_j = kv_byte_j * work.kv_bytes + c.request_energy_j * work.prompts_finished
    dynamic_j = flops_j + bytes_j + others_j + LINK_BYTE_ENERGY_J * link_bytes(work, gpu)
    growth_j = c.flop_energy_j * work.decode_flops_growth + kv_byte_j * work.kv_bytes_growth
    dynamic_limit_w = headroom_w(gpu, c)
    k = work.iterations
    duration_s = _sum_of_line(time_s, time_growth_s, k) + _sum_of_positive_part(
        dynamic_j / dynamic_limit_w - time_s, growth_j / dynamic_limit_w - time_growth_s, k
    )
    energy_j = c.active_power_w * duration_s + _sum_of_line(dynamic_j, growth_j, k)
    return Cost(duration_s, energy_j)


def headroom_w(gpu: Gpu, constants: Constants) -> float:
    """Return the power that work may draw beside the active power before clocks drop, in W."""
    return LIMIT_SHARE * gpu.power_limit_w - constants.active_power_w


def _roofline_s(work: Work, gpu: Gpu, c: Constants) -> tuple[FloatArray, FloatArray]:
    """Return time at full clocks of a segment's first iteration, and its growth per iteration."""
    flops = gpu.fp16_flops * c.flop_efficiency
    bandwidth = gpu.bandwidth_bytes_per_s * c.bandwidth_efficiency
    linear_bytes = work.weight_bytes + c.gemm_passes * work.gemm_bytes
    linear_s = _overlap(work.gemm_flops / flops, linear_bytes / bandwidth)
    head_s = _overlap(work.logit_flops / flops, work.logit_weight_bytes / bandwidth)
    # what no GEMM hides: kernels of their own
    moved_bytes = (
        c.elementwise_passes * work.elementwise_bytes
        + c.logit_bytes * work.logits
        + work.prompt_bytes
    )
    prompt_flops = work.prompt_flops + work.prompt_start_flops
    prompt_s = prompt_flops / (gpu.fp16_flops * c.prompt_attention_efficiency)
    kv_byte_s = (1 + (WIDE_HEAD_PENALTY - 1) * work.wide_heads) / (
        gpu.bandwidth_bytes_per_s * c.kv_bandwidth_efficiency
    )
    overhead_s = (
        c.layer_overhead_s * work.layers
        + c.step_overhead_s
        + c.sequence_overhead_s * work.sequences
        + c.request_overhead_s * work.prompts_finished
    )
    time_s = linear_s + head_s + moved_bytes / bandwidth + prompt_s + overhead_s
    return time_s + work.kv_bytes * kv_byte_s, work.kv_bytes_growth * kv_byte_s


def _costed_flops(flops: FloatArray, moved_bytes: FloatArray, c: Constants) -> FloatArray:
    """Return a GEMM's FLOPs, dearer by `streaming_flop_energy` as far as memory sets its pace.

    Where it does, clocks and voltage stay up; where compute does, the power limit lowers them.
    """
    some = np.finfo(np.float64).tiny  # of no work nothing streams
    streaming = moved_bytes / np.maximum(moved_bytes + flops / BALANCE, some)
    costed: FloatArray = flops * (1 + c.streaming_flop_energy * streaming)
    return costed


def _overlap(compute_s: FloatArray, memory_s: FloatArray) -> FloatArray:
    combined: FloatArray = (compute_s**OVERLAP_NORM + memory_s**OVERLAP_NORM) ** (1 / OVERLAP_NORM)
    return combined


def _sum_of_line(
    first: FloatArray | float, growth: FloatArray | float, count: FloatArray
) -> FloatArray:
    """Return the sum of first + growth * j over j = 0 .. count-1."""
    return count * first + growth * count * (count - 1) / 2


def _sum_of_positive_part(first: FloatArray, growth: FloatArray, count: FloatArray) -> FloatArray:
    """Return the sum of max(0, first + growth * j) over j = 0 .. count-1.

    Where the line is positive is a range of j, and the derivative that of the sum over this range.
    """
    line = value_of(first), value_of(growth)
    begin, end = _positive_range(*line, count)
    total = np.maximum(_sum_of_line(*line, end) - _sum_of_line(*line, begin), 0.0)
    places = _sum_of_line(0.0, 1.0, end) - _sum_of_line(0.0, 1.0, begin)
    summed: FloatArray = with_slopes(total, (first, end - begin), (growth, places))
    return summed


def _positive_range(
    first: FloatArray, growth: FloatArray, count: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the j, from the first to before the last, at which first + growth * j is positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = -first / growth
    falling = np.clip(np.ceil(root), 0, count)  # positive for j < root
    rising = np.clip(np.floor(root) + 1, 0, count)  # positive for j > root
    begin = np.where(growth > 0, rising, 0.0)
    end = np.where(growth < 0, falling, np.where((growth == 0) & (first <= 0), 0.0, count))
    return np.where(growth == 0, 0.0, begin), end
