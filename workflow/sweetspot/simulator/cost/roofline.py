"""How long iterations take and how many joules they cost, solved together at the power limit."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.constants import Constants
from sweetspot.simulator.cost.clocks import FASTER, clocks, waiting_power_w
from sweetspot.simulator.cost.dual import either, mapped, value_of
from sweetspot.simulator.cost.envelope import Line
from sweetspot.simulator.cost.iterations import host_s, iterations
from sweetspot.simulator.cost.kernel_times import KernelTimes, at_ceilings
from sweetspot.simulator.cost.spans import Limit, Spans, lay_out
from sweetspot.simulator.cost.work import FloatArray, Work


@dataclass(frozen=True, eq=False, slots=True)
class Cost:
    """Cost of each segment, all its iterations together; arrays of shape (segments,).

    Attributes:
        duration_s, energy_j: of one GPU of those that share the model.
        full_clock_s: how long its clock cycles would take at the highest clock: divided by the
            duration, the mean clock as a share of the highest.
        host_s: how long the GPU waits for the host; it carries no derivatives.
    """

    duration_s: FloatArray
    energy_j: FloatArray
    full_clock_s: FloatArray
    host_s: FloatArray


def cost(work: Work, gpu: Gpu, constants: Constants) -> Cost:
    """Return time and energy of each segment, on one GPU of those that share the model."""
    return cost_of(at_ceilings(work, gpu, constants.kernels), constants)


def cost_of(
    times: Sequence[KernelTimes], constants: Constants, *, clock_slopes: bool = True
) -> Cost:
    """Return them where it is known what kernels take, up to each clock that may be the highest.

    Decode attention is taken to cost what it does at the highest allowed clock. Far below the data
    sheet's power limit that is too much: there, each segment runs with the highest clock at which
    it is fastest.

    Args:
        times: the highest clock's first.
        constants: may be `dual.variable`s; the results then have their derivatives by these.
        clock_slopes: whether `full_clock_s` needs derivatives, which are half of them all.
    """
    found = _up_to_highest(times[0], constants, clock_slopes)
    for lower in times[1:]:
        other = _up_to_highest(lower, constants, clock_slopes)
        faster = value_of(other.duration_s) < FASTER * value_of(found.duration_s)
        found = Cost(
            *(either(faster, getattr(other, f.name), getattr(found, f.name)) for f in fields(Cost))
        )
    return found


class _Sums(NamedTuple):
    """What iterations of each segment take together; (segments,), or 0."""

    duration_s: Any = 0.0
    full_clock_s: Any = 0.0
    dynamic_j: Any = 0.0


def _up_to_highest(times: KernelTimes, constants: Constants, clock_slopes: bool) -> Cost:
    """Return time and energy of each segment at clocks up to the highest allowed one.

    All that iterations take are straight lines in their place within the segment (`spans`), so the
    sums are exact whatever its length. Which line an iteration follows hangs on constants as well,
    but where it leaves one for another both say the same: plain numbers lay the spans out, and
    derivatives are the lines' own.
    """
    every, of_host_s = iterations(times, constants), host_s(times.work, constants)
    plain_s, host_ahead = value_of(of_host_s), bool(constants.engine.host_ahead)
    layout = lay_out(times, every.plain(), plain_s if host_ahead else None)
    limit, count, shares = (
        Limit.of(times, every),
        times.work.iterations,
        np.array(clocks(times.gpu)),
    )

    def of_segments(spans: Spans, values: Any) -> Any:
        return mapped(partial(_by_segment, spans, count.size), values)

    def summed(spans: Spans, time_s: Line, share: Line) -> tuple[Any, Any]:
        """Return how long spans take, and what their cycles would take at the highest clock."""
        lines = (share, time_s) if clock_slopes else (share.plain(), time_s.plain())
        full_clock_s = lines[0].sum_of_product(lines[1], spans.begin, spans.end)
        duration_s = time_s.sum(spans.begin, spans.end)
        return of_segments(spans, duration_s), of_segments(spans, full_clock_s)

    paced = free = alternating = stretched = _Sums()
    waited_s = plain_s * count
    if host_ahead:
        top = every.at(shares[0], times.computing_s(0))
        over_j = Line(top.dynamic_j.first - limit.highest_w * of_host_s, top.dynamic_j.growth)
        paced_j = top.dynamic_j.sum(0.0, layout.paced)
        paced = _Sums(
            of_host_s * layout.paced,
            shares[0] * (of_host_s if clock_slopes else plain_s) * layout.paced,
            paced_j - over_j.sum_of_positive_part(0.0 * count, layout.paced),
        )
        waited_s = value_of(paced.duration_s - top.time_s.sum(0.0, layout.paced))
    if (spans := layout.free).segment.size:
        top = every.only(spans.segment).at(shares[0], spans.computing_s)
        free_j = of_segments(spans, top.dynamic_j.sum(spans.begin, spans.end))
        free = _Sums(*summed(spans, top.time_s, Line(shares[0], 0.0)), free_j)
    if (spans := layout.alternating).segment.size:
        some = every.only(spans.segment)
        upper = some.at(shares, spans.computing_s, spans.clock)
        lower = some.at(shares, spans.lower_s, spans.clock + 1)
        alternating = _Sums(*summed(spans, *limit.alternating(upper, lower)))
    if (spans := layout.stretched).segment.size:
        lowest = every.only(spans.segment).at(shares[-1], spans.computing_s)
        stretched = _Sums(*summed(spans, limit.stretched(lowest), Line(shares[-1], 0.0)))
    limited_s = alternating.duration_s + stretched.duration_s
    duration_s = paced.duration_s + free.duration_s + limited_s
    dynamic_j = paced.dynamic_j + free.dynamic_j + limit.highest_w * limited_s
    return Cost(
        duration_s,
        waiting_power_w(every.board, every.highest) * duration_s + dynamic_j,
        paced.full_clock_s
        + (free.full_clock_s + alternating.full_clock_s + stretched.full_clock_s),
        waited_s,
    )


def _by_segment(spans: Spans, segments: int, values: FloatArray | float) -> FloatArray:
    weights = np.broadcast_to(values, spans.segment.shape)
    sums: FloatArray = np.bincount(spans.segment, weights, segments).astype(np.float64, copy=False)
    return sums
