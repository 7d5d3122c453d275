"""How long an iteration takes and how many joules it costs, solved together at the power limit."""

from dataclasses import dataclass

import numpy as np

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants import Constants
from sweetspot.simulator.work import FloatArray, Work

# Compute and memory time overlap, but not perfectly: their 3-norm. Unfitted, it met published
# throughput better (7.5 %) than their maximum (9.2 %).
OVERLAP_NORM = 3.0


@dataclass(frozen=True, eq=False, slots=True)
class Cost:
    """Cost of each segment, all its iterations together; arrays of shape (segments,)."""

    duration_s: FloatArray
    energy_j: FloatArray


def cost(work: Work, gpu: Gpu, constants: Constants) -> Cost:
    """Return time and energy of each segment.

    An iteration's roofline time and its dynamic energy E are linear in its place j within the
    segment. Its power, active_power_w + E / t, may not pass the limit; where it would, clocks drop
    and t becomes E / (limit - active_power_w). The sum over j of the larger of two straight lines
    is taken in closed form, so the result is exact whatever the segment's length.
    """
    c = constants
    time_s, time_growth_s = _roofline_s(work, gpu, c)
    dynamic_j = c.flop_energy_j * (
        work.gemm_flops + work.prompt_flops + work.decode_flops + work.logit_flops
    )
    dynamic_j += c.byte_energy_j * (
        work.weight_bytes
        + c.activation_passes * work.activation_bytes
        + work.prompt_bytes
        + work.logit_weight_bytes
        + c.logit_bytes * work.logits
    )
    dynamic_j += c.kv_byte_energy_j * work.kv_bytes
    growth_j = (
        c.flop_energy_j * work.decode_flops_growth + c.kv_byte_energy_j * work.kv_bytes_growth
    )
    headroom_w = gpu.power_limit_w - c.active_power_w
    k = work.iterations
    duration_s = _sum_of_line(time_s, time_growth_s, k) + _sum_of_positive_part(
        dynamic_j / headroom_w - time_s, growth_j / headroom_w - time_growth_s, k
    )
    energy_j = c.active_power_w * duration_s + _sum_of_line(dynamic_j, growth_j, k)
    return Cost(duration_s, energy_j)


def _roofline_s(work: Work, gpu: Gpu, c: Constants) -> tuple[FloatArray, FloatArray]:
    """Return time at full clocks of a segment's first iteration, and its growth per iteration."""
    flops = gpu.fp16_flops
    bandwidth = gpu.bandwidth_bytes_per_s * c.bandwidth_efficiency
    kv_bandwidth = gpu.bandwidth_bytes_per_s * c.kv_bandwidth_efficiency
    linear_bytes = work.weight_bytes + c.activation_passes * work.activation_bytes
    linear_s = _overlap(work.gemm_flops / (flops * c.flop_efficiency), linear_bytes / bandwidth)
    logit_bytes = work.logit_weight_bytes + c.logit_bytes * work.logits
    logits_s = _overlap(work.logit_flops / (flops * c.flop_efficiency), logit_bytes / bandwidth)
    prompt_s = (
        work.prompt_flops / (flops * c.prompt_attention_efficiency) + work.prompt_bytes / bandwidth
    )
    overhead_s = (
        c.layer_overhead_s * work.layers
        + c.step_overhead_s
        + c.sequence_overhead_s * work.sequences
    )
    time_s = linear_s + logits_s + prompt_s + work.kv_bytes / kv_bandwidth + overhead_s
    return time_s, work.kv_bytes_growth / kv_bandwidth


def _overlap(compute_s: FloatArray, memory_s: FloatArray) -> FloatArray:
    combined: FloatArray = np.cbrt(compute_s**OVERLAP_NORM + memory_s**OVERLAP_NORM)
    return combined


def _sum_of_line(first: FloatArray, growth: FloatArray, count: FloatArray) -> FloatArray:
    """Return the sum of first + growth * j over j = 0 .. count-1."""
    return count * first + growth * count * (count - 1) / 2


def _sum_of_positive_part(first: FloatArray, growth: FloatArray, count: FloatArray) -> FloatArray:
    """Return the sum of max(0, first + growth * j) over j = 0 .. count-1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = -first / growth
    falling = np.clip(np.ceil(root), 0, count)  # positive for j < root
    rising = np.clip(np.floor(root) + 1, 0, count)  # positive for j > root
    begin = np.where(growth > 0, rising, 0.0)
    end = np.where(growth < 0, falling, np.where((growth == 0) & (first <= 0), 0.0, count))
    begin = np.where(growth == 0, 0.0, begin)
    total = _sum_of_line(first, growth, end) - _sum_of_line(first, growth, begin)
    return np.maximum(total, 0.0)
