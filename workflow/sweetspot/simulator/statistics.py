"""Statistics of a stream, in memory that does not grow with it."""

from collections import defaultdict
from dataclasses import dataclass
from math import exp, log, log1p

import numpy as np

from sweetspot.metering.samples import FloatArray
from sweetspot.metering.trace import PowerTrace

# Quantiles are this close, as a share of their value.
ACCURACY = 0.005
# A bucket's middle is at most that far from its ends, as a ratio.
_PER_BUCKET = 1 / (2 * log1p(ACCURACY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long something took, in s, over all requests; quantiles to 0.5 % of their value."""

    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float


class LatencySketch:
    """Counts of values in buckets that grow by 1 %: any quantile to 0.5 % of its value.

    Source: Masson, Rim, Lee: DDSketch (PVLDB 12(12), 2019).
    """

    def __init__(self) -> None:
        """Begin without values."""
        self._counts: defaultdict[int, int] = defaultdict(int)
        self._zeros = 0
        self._count, self._sum_s = 0, 0.0

    def add(self, value_s: float) -> None:
        """Add a value, which is not negative."""
        self._count += 1
        self._sum_s += value_s
        if value_s <= 0:
            self._zeros += 1
            return
        bucket = round(log(value_s) * _PER_BUCKET)
        self._counts[bucket] += 1

    def latency(self) -> Latency | None:
        """Return the statistics; None without values."""
        if not self._count:
            return None
        p50_s, p95_s, p99_s = (self._quantile_s(percent) for percent in (50, 95, 99))
        mean_s = self._sum_s / self._count
        return Latency(mean_s=mean_s, p50_s=p50_s, p95_s=p95_s, p99_s=p99_s)

    def _quantile_s(self, percent: int) -> float:
        """Return the least value that so many percent of the values do not pass."""
        rank = -(-percent * self._count // 100)
        reached = self._zeros
        if rank <= reached:
            return 0.0
        for bucket in sorted(self._counts):
            reached += self._counts[bucket]
            if rank <= reached:
                break
        return exp(bucket / _PER_BUCKET)


class PowerGrid:
    """Mean power of equal stretches of time; they double in length when there are too many."""

    def __init__(self, most: int = 1024) -> None:
        """Begin at 0 s; between half of `most` (an even number) and `most` stretches result."""
        self._joules = np.zeros(most)
        self._width_s = 1e-3
        self._end_s = 0.0

    def add(self, begin_s: float, duration_s: float, energy_j: float) -> None:
        """Add the energy of a stretch of time that follows the one before."""
        if duration_s <= 0:
            return
        self._end_s = begin_s + duration_s
        while self._end_s > self._joules.size * self._width_s:
            half = self._joules.size // 2
            self._joules[:half] = self._joules.reshape(half, 2).sum(axis=1)
            self._joules[half:] = 0.0
            self._width_s *= 2
        first = min(int(begin_s / self._width_s), self._joules.size - 1)
        last = min(int(self._end_s / self._width_s), self._joules.size - 1)
        if first == last:
            self._joules[first] += energy_j
            return
        edges_s = np.arange(first, last + 2) * self._width_s
        edges_s[0], edges_s[-1] = begin_s, self._end_s
        self._joules[first : last + 1] += energy_j * np.diff(edges_s) / duration_s

    def trace(self) -> PowerTrace:
        """Return the grid as steps.

        Raises:
            ValueError: nothing was added.
        """
        edges_s, power_w = self.stretches()
        return PowerTrace(t_s=np.repeat(edges_s, 2)[1:-1], power_w=np.repeat(power_w, 2))

    def stretches(self) -> tuple[FloatArray, FloatArray]:
        """Return (n + 1,) the edges of the stretches in s, and (n,) the mean over each in W."""
        count = int(np.ceil(self._end_s / self._width_s))
        edges_s = np.append(np.arange(count) * self._width_s, self._end_s)
        return edges_s, self._joules[:count] / np.diff(edges_s)
