"""Which iterations run at the highest clock, which are held back, and by what.

At any clock an iteration's time and energy are linear in its place j within the segment. A board
that would pass its power limit at one of `clocks` and not at the next lower one alternates between
both so that it just meets the limit; below the lowest, the iteration is stretched. All of these
times are straight lines in j, and so is the host's where it works ahead: the time that an iteration
takes is the largest of them. Iterations that follow one line are a span.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from sweetspot.simulator.cost.clocks import FEW_CLOCKS, clocks, headroom_w
from sweetspot.simulator.cost.envelope import Line, edges
from sweetspot.simulator.cost.iterations import AtClock, Iterations
from sweetspot.simulator.cost.kernel_times import KernelTimes
from sweetspot.simulator.cost.work import FloatArray

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_TINY = np.finfo(np.float64).tiny


class Spans(NamedTuple):
    """Iterations begin .. end-1 of segments; arrays of shape (spans,).

    Attributes:
        segment: whose they are.
        begin, end: which they are.
        clock: which of `clocks` they run at, or alternate between it and the next lower one.
        computing_s, lower_s: what waits for the clock there, and at the next lower one.
    """

    segment: IntArray
    begin: FloatArray
    end: FloatArray
    clock: IntArray
    computing_s: FloatArray
    lower_s: FloatArray

    def only(self, places: slice) -> "Spans":
        """Return some of them."""
        return Spans._make([each[places] for each in self])


class Layout(NamedTuple):
    """All iterations of segments, by what holds them back.

    Attributes:
        free: nothing; they run at the highest clock.
        alternating: the power limit, between two clocks.
        stretched: the power limit, below the lowest clock.
        paced: (segments,) the host; how many of each, from the first one on.
    """

    free: Spans
    alternating: Spans
    stretched: Spans
    paced: FloatArray


class Limit(NamedTuple):
    """What work may draw beside waiting, at the highest clock and at the lowest, in W."""

    highest_w: Any
    lowest_w: Any

    @classmethod
    def of(cls, times: KernelTimes, iterations: Iterations) -> Self:
        """Return a board's, up to the highest clock that it may have."""
        shares = clocks(times.gpu)
        return cls(*(headroom_w(times.gpu, iterations.board, shares[k]) for k in (0, -1)))

    def alternating(self, upper: AtClock, lower: AtClock) -> tuple[Line, Line]:
        """Return time and clock of iterations that meet the limit between two clocks."""
        over, under = upper.excess_j(self.highest_w), lower.excess_j(self.highest_w)
        saved_j = np.maximum(over.first - under.first, _TINY)
        slower_s = lower.time_s.first - upper.time_s.first
        time_s = upper.time_s.plus(slower_s / saved_j, over)
        return time_s, Line(upper.share, 0.0).plus((lower.share - upper.share) / saved_j, over)

    def stretched(self, lowest: AtClock) -> Line:
        """Return the time of those that meet it below the lowest clock."""
        return lowest.time_s.plus(1 / self.lowest_w, lowest.excess_j(self.highest_w))


def lay_out(times: KernelTimes, iterations: Iterations, host_s: FloatArray | None) -> Layout:
    """Return which iterations follow which line.

    Args:
        times: of kernels.
        iterations: without derivatives.
        host_s: what each takes on a host that works ahead; None of one that does not.
    """
    limit, shares = Limit.of(times, iterations), np.array(clocks(times.gpu))
    count, top_s = times.work.iterations, times.computing_s(0)
    top = iterations.at(shares[0], top_s)
    over = top.excess_j(limit.highest_w)
    # Of most segments the highest clock has the largest time in the first and in the last
    # iteration, and so in all.
    bent = (over.first > 0) | (over.first + over.growth * (count - 1) > 0)
    if host_s is not None:
        bent |= host_s > top.time_s.first
    whole, places = np.flatnonzero(~bent), np.flatnonzero(bent)
    none, whole_s = np.zeros(whole.size), top_s[whole]
    free = Spans(whole, none, count[whole], none.astype(np.int64), whole_s, whole_s)
    kinds = [[free], [free.only(slice(0))], [free.only(slice(0))]]
    paced = np.zeros(count.size)
    # Few segments need more than the upper clocks.
    for depth in (FEW_CLOCKS, shares.size):
        if not places.size:
            break
        some, steps = iterations.only(places), count[places]
        computing_s = times.computing_s(slice(depth), places)
        rungs = some.at(shares[:depth, np.newaxis], computing_s)
        over = rungs.excess_j(limit.highest_w)
        begin, end, deeper = _descent(over, steps)
        deeper &= depth < shares.size
        if host_s is not None:
            ahead = _paced(rungs, limit, host_s[places], begin, end)
            begin, end = np.maximum(begin, ahead), np.maximum(end, ahead)
            paced[places] = ahead
        row, column = np.nonzero((end > begin) & ~deeper)
        clock, lower = np.maximum(row - 1, 0), np.minimum(row, depth - 1)
        spans = Spans(
            places[column],
            begin[row, column],
            end[row, column],
            clock,
            computing_s[clock, column],
            computing_s[lower, column],
        )
        first, last = np.searchsorted(row, [1, depth])
        parts = (slice(first), slice(first, last), slice(last, None))
        for kind, part in zip(kinds, parts, strict=True):
            kind.append(spans.only(part))
        places = places[deeper]
    free, alternating, stretched = (_joined(kind) for kind in kinds)
    return Layout(free, alternating, stretched, paced)


def _descent(over: Line, count: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return where spans begin and end, of segments that some of the clocks have too much for.

    What an iteration draws beyond the limit grows with j alike at every clock, and is less at a
    lower one: so, as j grows or falls, the board goes down the clocks one after the other.

    Args:
        over: what is drawn beyond the limit, (clocks, segments).
        count: the segments' iterations.

    Returns:
        Begins and ends, (clocks + 1, segments): free at first, then between two clocks each, then
        stretched; and which segments have iterations that are too much for the lowest.
    """
    edge, falls = edges(over, count), over.growth < 0
    if over.flat:
        bounds = np.vstack([np.zeros(count.size), edge, count])
        return bounds[:-1], bounds[1:], edge[-1] != count
    start, stop = np.where(falls, count, 0.0), np.where(falls, 0.0, count)
    bounds = np.vstack([start, edge, stop])
    begin, end = np.where(falls, bounds[1:], bounds[:-1]), np.where(falls, bounds[:-1], bounds[1:])
    return begin, end, edge[-1] != stop


def _paced(
    rungs: AtClock, limit: Limit, host_s: FloatArray, begin: FloatArray, end: FloatArray
) -> FloatArray:
    """Return how many iterations, from the first one on, take no longer than the host does.

    Later ones take no less than earlier ones.
    """
    lines = [
        rungs.only(slice(1)).time_s,
        limit.alternating(rungs.only(slice(-1)), rungs.only(slice(1, None)))[0],
        limit.stretched(rungs.only(slice(-1, None))),
    ]
    found = np.zeros(host_s.size)
    for line, rows in zip(lines, (slice(1), slice(1, -1), slice(-1, None)), strict=True):
        later = Line(line.first - host_s, np.maximum(line.growth, 0.0))
        found += np.maximum(edges(later, end[rows]) - begin[rows], 0.0).sum(axis=0)
    return found


def _joined(parts: Sequence[Spans]) -> Spans:
    if len(parts) == 1:
        return parts[0]
    return Spans._make(np.concatenate(each) for each in zip(*parts, strict=True))
