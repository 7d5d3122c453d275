"""How long an iteration takes and how many joules it costs, solved together at the power limit."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.constants import Constants
from sweetspot.simulator.cost.attention import (
    decode_head_s,
    decode_seconds_per_flop,
    kv_seconds_per_byte,
    prompt_efficiency,
)
from sweetspot.simulator.cost.clocks import (
    FASTER,
    FEW_CLOCKS,
    ceilings,
    clocks,
    headroom_w,
    on_die,
    voltage_squared,
    waiting_power_w,
)
from sweetspot.simulator.cost.dual import either, mapped, placed, value_of
from sweetspot.simulator.cost.envelope import Line, edges
from sweetspot.simulator.cost.fp8 import saved_share
from sweetspot.simulator.cost.link import LINK_BYTE_ENERGY_J, link_bytes, link_s, wait_s
from sweetspot.simulator.cost.work import FloatArray, Work

BoolArray = npt.NDArray[np.bool_]

# `kv_byte_energy_j` is that of so many queries per KV head.
REFERENCE_QUERIES = 4.0
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False, slots=True)
class Cost:
    """Cost of each segment, all its iterations together; arrays of shape (segments,).

    Attributes:
        duration_s, energy_j: of one GPU of those that share the model.
        full_clock_s: how long its clock cycles would take at the highest clock: divided by the
            duration, the mean clock as a share of the highest.
        host_s: how long the GPU waits for the host.
    """

    duration_s: FloatArray
    energy_j: FloatArray
    full_clock_s: FloatArray
    host_s: FloatArray


class AtClock(NamedTuple):
    """What a segment's iterations take at a clock, whatever the board draws; (segments,) each.

    Attributes:
        share: the clock, as a share of the highest; (clocks, 1) of several, and what differs
            between these is (clocks, segments).
        time_s: of the j-th iteration.
        dynamic_j: its energy beyond what the board draws waiting at the highest allowed clock.
    """

    share: Any
    time_s: Line
    dynamic_j: Line

    def excess_j(self, headroom_w: float) -> Line:
        """Return what of its energy is more than the power limit allows in its time."""
        return Line(*(e - headroom_w * t for e, t in zip(self.dynamic_j, self.time_s, strict=True)))


def cost(work: Work, gpu: Gpu, constants: Constants) -> Cost:
    """Return time and energy of each segment, on one GPU of those that share the model.

    Decode attention is taken to cost what it does at the highest allowed clock. Far below the data
    sheet's power limit that is too much: there, each segment runs with the highest clock at which
    it is fastest.
    """
    found = _up_to_highest(work, gpu, constants)
    for ceiling in ceilings(gpu)[1:]:
        other = _up_to_highest(work, replace(gpu, clock_share=ceiling), constants)
        faster = value_of(other.duration_s) < FASTER * value_of(found.duration_s)
        found = Cost(
            *(either(faster, getattr(other, f.name), getattr(found, f.name)) for f in fields(Cost))
        )
    return found


def _up_to_highest(work: Work, gpu: Gpu, constants: Constants) -> Cost:
    """Return time and energy of each segment at clocks up to the highest allowed one.

    At any clock an iteration's time and energy are linear in its place j within the segment. A
    board that would pass its power limit at one of `clocks` and not at the next lower one
    alternates between both so that it just meets the limit; below the lowest, the iteration is
    stretched. All of these times are straight lines in j, and so is the host's where it works
    ahead: the time that an iteration takes is the largest of them. So the sum over j is exact
    whatever the segment's length. Constants may be `dual.variable`s: results then have their
    derivatives by these.
    """
    limit_w = headroom_w(gpu, constants.board, gpu.clock_share)
    waiting_w = waiting_power_w(constants.board, gpu.clock_share)
    at = at_clocks(work, gpu, constants)
    top = at(gpu.clock_share)
    host = host_s(work, constants)
    ahead = bool(constants.engine.host_ahead)
    count = work.iterations
    duration_s = top.time_s.sum(0.0, count)
    found = Cost(
        duration_s,
        waiting_w * duration_s + top.dynamic_j.sum(0.0, count),
        gpu.clock_share * duration_s,
        0.0 * count if ahead else host * count,
    )
    # Of most segments the highest clock has the largest time in the first and in the last
    # iteration, and so in all.
    over = top.excess_j(limit_w)
    first_j, growth_j = value_of(over.first), value_of(over.growth)
    bent = (first_j > 0) | (first_j + growth_j * (count - 1) > 0)
    if ahead:
        bent |= value_of(host) > value_of(top.time_s.first)
    return _where(bent, found, work, at, gpu, constants, FEW_CLOCKS)


def _where(
    bent: BoolArray,
    found: Cost,
    work: Work,
    at: Callable[[Any], AtClock],
    gpu: Gpu,
    constants: Constants,
    depth: int | None,
) -> Cost:
    """Return costs with those of some segments looked at again, at so many clocks, None for all."""
    places = np.flatnonzero(bent)
    if not places.size:
        return found
    if 2 * places.size > bent.size:
        return _bent(work, at, gpu, constants, depth)
    bent_work = work.only(places)
    exact = _bent(bent_work, at_clocks(bent_work, gpu, constants), gpu, constants, depth)
    return Cost(
        *(placed(getattr(exact, f.name), places, getattr(found, f.name)) for f in fields(Cost))
    )


class _Sums(NamedTuple):
    """What iterations take together that the host sets the pace of."""

    duration_s: Any = 0.0
    dynamic_j: Any = 0.0
    full_clock_s: Any = 0.0


class _Part(NamedTuple):
    """Iterations begin .. end-1: their time and mean clock; a row for each of several clocks."""

    time_s: Line
    share: Line
    begin: FloatArray
    end: FloatArray

    def below(self, seconds: FloatArray) -> Any:
        """Return how many of them take no more time than this; later ones take no less."""
        growth_s = np.maximum(value_of(self.time_s.growth), 0.0)
        line = Line(value_of(self.time_s.first) - seconds, growth_s)
        return _over_clocks(np.maximum(edges(line, self.end) - self.begin, 0.0))

    def after(self, place: FloatArray) -> "_Part":
        """Return those from this place on."""
        return self._replace(begin=np.maximum(self.begin, place), end=np.maximum(self.end, place))

    def duration_s(self) -> Any:
        """Return what they take together."""
        return _over_clocks(self.time_s.sum(self.begin, self.end))

    def full_clock_s(self) -> Any:
        """Return what their clock cycles would take at the highest clock."""
        return _over_clocks(self.share.sum_of_product(self.time_s, self.begin, self.end))


def _over_clocks(values: Any) -> Any:
    return mapped(lambda each: each.sum(axis=0) if each.ndim > 1 else each, values)


def _bent(
    work: Work, at: Callable[[Any], AtClock], gpu: Gpu, constants: Constants, depth: int | None
) -> Cost:
    """Return what `cost` does, where one clock is not all there is to it.

    What an iteration draws beyond the limit grows with j alike at every clock, and is less at a
    lower one: so, as j grows or falls, the board goes down the clocks one after the other. Few
    segments need more than the upper ones; others would be empty ranges of j there.
    """
    shares = clocks(gpu)[:depth]
    limit_w, lowest_w = (headroom_w(gpu, constants.board, shares[k]) for k in (0, -1))
    rungs = at(np.array(shares)[:, np.newaxis])
    over, count = rungs.excess_j(limit_w), work.iterations
    edge, falls = edges(over, count), value_of(over.growth) < 0

    def of_clock(values: Any, which: int | slice) -> Any:
        return mapped(lambda each: each[which] if np.ndim(each) > 1 else each, values)

    def part(which: int | slice, slower: Any, lower: Any, begin: Any, end: Any) -> _Part:
        """Return iterations that are slower, and their clock lower, by so much per joule over."""
        first_j = of_clock(over.first, which)
        time_s = of_clock(rungs.time_s.first, which) + slower * first_j
        share = of_clock(rungs.share, which) + lower * first_j
        return _Part(
            Line(time_s, rungs.time_s.growth + slower * over.growth),
            Line(share, lower * over.growth),
            np.where(falls, end, begin),
            np.where(falls, begin, end),
        )

    upper, next_lower = slice(None, -1), slice(1, None)
    saved_j = np.maximum(of_clock(over.first, upper) - of_clock(over.first, next_lower), _TINY)
    slower_s = of_clock(rungs.time_s.first, next_lower) - of_clock(rungs.time_s.first, upper)
    start, stop = np.where(falls, count, 0.0), np.where(falls, 0.0, count)
    free = part(0, 0.0, 0.0, start, edge[0])
    alternating = part(
        upper, slower_s / saved_j, np.diff(rungs.share, axis=0) / saved_j, edge[:-1], edge[1:]
    )
    stretched = part(-1, 1 / lowest_w, 0.0, edge[-1], stop)
    top_j = Line(of_clock(rungs.dynamic_j.first, 0), rungs.dynamic_j.growth)
    parts = [free, alternating, stretched]
    host, waited_s, paced = host_s(work, constants), host_s(work, constants) * count, _Sums()
    if constants.engine.host_ahead:
        begin, end = 0.0 * count, np.sum([each.below(value_of(host)) for each in parts], axis=0)
        parts = [each.after(end) for each in parts]
        over_j = Line(top_j.first - limit_w * host, top_j.growth)
        paced_j = top_j.sum(begin, end) - over_j.sum_of_positive_part(begin, end)
        paced = _Sums(host * end, paced_j, shares[0] * host * end)
        waited_s = paced.duration_s - free.time_s.sum(begin, end)
    free_s, *limited_s = (each.duration_s() for each in parts)
    free_j = top_j.sum(parts[0].begin, parts[0].end)
    duration_s = paced.duration_s + free_s + sum(limited_s)
    dynamic_j = paced.dynamic_j + free_j + limit_w * sum(limited_s)
    found = Cost(
        duration_s,
        waiting_power_w(constants.board, shares[0]) * duration_s + dynamic_j,
        paced.full_clock_s + sum(each.full_clock_s() for each in parts),
        waited_s,
    )
    if depth is None:
        return found
    return _where(edge[-1] != stop, found, work, at, gpu, constants, None)


def host_s(work: Work, constants: Constants) -> FloatArray:
    """Return what each iteration takes on the host."""
    e = constants.engine
    seconds: FloatArray = e.step_overhead_s + e.sequence_overhead_s * work.sequences
    return seconds


def at_clocks(work: Work, gpu: Gpu, constants: Constants) -> Callable[[Any], AtClock]:
    """Return what says what iterations take at a clock, or at several, a share or (clocks, 1).

    What decode attention takes, all that grows with j, is the same at each of them, waiting power
    included, and hangs on the highest allowed one only: it waits for memory, or is taken to where
    it computes (latent attention). Did it fall with the clock, times at the power limit would not
    be straight lines in j.
    """
    b, e, k = constants.board, constants.engine, constants.kernels
    flops = gpu.fp16_flops * k.flop_efficiency
    bandwidth = gpu.bandwidth_bytes_per_s * k.bandwidth_efficiency
    gemm_flops = work.gemm_flops * (1 - saved_share(gpu, k) * work.fp8_gemms)
    linear_bytes = work.weight_bytes + k.gemm_passes * work.gemm_bytes
    linear_s, head_s = gemm_flops / flops, work.logit_flops / flops
    linear_memory_s = linear_bytes / bandwidth
    head_memory_s = work.logit_weight_bytes / bandwidth
    prompt_flops = work.prompt_flops + k.prompt_start_pairs * work.prompt_token_flops
    prompt_s = prompt_flops / (gpu.fp16_flops * prompt_efficiency(work, k))
    # what no GEMM hides: kernels of their own
    moved_bytes = (
        e.elementwise_passes * work.elementwise_bytes
        + e.logit_bytes * work.logits
        + e.unfused_norm_bytes * work.norm_elements
        + work.prompt_bytes
    )
    kv_byte_s = kv_seconds_per_byte(work, gpu, k)
    decode_flop_s = decode_seconds_per_flop(work, gpu, k, kv_byte_s)
    rest_s = (
        moved_bytes / bandwidth
        + work.decode_heads * decode_head_s(work, k)
        + e.layer_overhead_s * work.layers
        + e.unfused_norm_s * work.norms
        + e.request_overhead_s * work.prompts_finished
        + link_s(work, gpu)
        + wait_s(work)
    )
    if not e.host_ahead:
        rest_s = rest_s + host_s(work, constants)

    kv_byte_j = (
        b.kv_byte_energy_j
        * on_die(b, gpu.clock_share)
        * (work.queries_per_kv_head / REFERENCE_QUERIES) ** -b.kv_energy_sharing
        * (1 + (k.wide_head_penalty - 1) * work.wide_heads)
    )
    decode_flop_j = b.flop_energy_j * voltage_squared(b, gpu.clock_share)
    attended_flops = work.prompt_flops * (1 - saved_share(gpu, k) * work.fp8_attention)
    flops_j = b.flop_energy_j * (gemm_flops + work.logit_flops + attended_flops)
    bytes_j = b.byte_energy_j * (linear_bytes + work.logit_weight_bytes + moved_bytes)
    rest_j = (
        kv_byte_j * work.kv_bytes
        + e.weight_byte_energy_j * work.weight_bytes
        + decode_flop_j * work.decode_flops
        + e.request_energy_j * work.prompts_finished
        + LINK_BYTE_ENERGY_J * link_bytes(work, gpu)
    )
    kv_s = work.kv_bytes * kv_byte_s + work.decode_flops * decode_flop_s
    growth_s = work.kv_bytes_growth * kv_byte_s + work.decode_flops_growth * decode_flop_s
    growth_j = kv_byte_j * work.kv_bytes_growth + decode_flop_j * work.decode_flops_growth
    highest_w = waiting_power_w(b, gpu.clock_share)

    def at(share: Any) -> AtClock:
        computing_s = (
            _overlap(linear_s / share, linear_memory_s, k.overlap_norm)
            + _overlap(head_s / share, head_memory_s, k.overlap_norm)
            + prompt_s / share
        )
        other_s = computing_s + rest_s
        dynamic_j = (
            voltage_squared(b, share) * flops_j
            + on_die(b, share) * bytes_j
            + rest_j
            - (highest_w - waiting_power_w(b, share)) * other_s
        )
        return AtClock(share, Line(other_s + kv_s, growth_s), Line(dynamic_j, growth_j))

    return at


def _overlap(compute_s: FloatArray, memory_s: FloatArray, norm: float) -> FloatArray:
    combined: FloatArray = (compute_s**norm + memory_s**norm) ** (1 / norm)
    return combined
