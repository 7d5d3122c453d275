"""Steps of decode in closed form: how long some of them take, and how many a wait is long."""

from math import ceil, inf, sqrt


class DecodeSteps:
    """Steps of which the j-th (j = 0, 1, ...) takes the larger of two straight lines in j.

    One line is the roofline's time, the other the time that a step's energy takes at the power
    limit. Both rise with the KV cache, so they cross once at most.
    """

    __slots__ = ("_after_growth_s", "_after_s", "_cross", "_first_growth_s", "_first_s")

    def __init__(
        self, time_s: float, growth_s: float, limited_s: float, limited_growth_s: float
    ) -> None:
        """Take both lines, each as its value at j = 0 and its growth, which is not negative."""
        if limited_s > time_s:
            time_s, growth_s, limited_s, limited_growth_s = (
                limited_s,
                limited_growth_s,
                time_s,
                growth_s,
            )
        self._first_s, self._first_growth_s = time_s, growth_s
        self._after_s, self._after_growth_s = limited_s, limited_growth_s
        self._cross: float = inf  # from this step on, the other line is the larger
        if limited_growth_s > growth_s:
            self._cross = (time_s - limited_s) // (limited_growth_s - growth_s) + 1

    def duration_s(self, count: int) -> float:
        """Return how long the first `count` steps take."""
        if count <= self._cross:
            return _sum(self._first_s, self._first_growth_s, count)
        return self._before_cross_s() + _sum(self._after_s, self._after_growth_s, count)

    def until(self, wait_s: float, most: int) -> tuple[int, float]:
        """Return the fewest steps that take at least `wait_s`, and how long they take.

        They are 1 at least, and `most` where even so many take less.
        """
        whole_s = self.duration_s(most)
        if whole_s <= wait_s:
            return most, whole_s
        if self._cross >= most or self.duration_s(int(self._cross)) >= wait_s:
            root = _root(self._first_s, self._first_growth_s, wait_s)
        else:
            rest_s = wait_s - self._before_cross_s()
            root = _root(self._after_s, self._after_growth_s, rest_s)
        count = min(max(1, ceil(root)), most)
        # Rounding may have moved the root across a step.
        while count > 1 and self.duration_s(count - 1) >= wait_s:
            count -= 1
        while count < most and self.duration_s(count) < wait_s:
            count += 1
        return count, self.duration_s(count)

    def _before_cross_s(self) -> float:
        """Return what the first line's steps take beyond the second line's."""
        cross = self._cross
        return _sum(self._first_s, self._first_growth_s, cross) - _sum(
            self._after_s, self._after_growth_s, cross
        )


def _sum(first: float, growth: float, count: float) -> float:
    """Return the sum of first + growth * j over j = 0 .. count-1."""
    return count * first + growth * (count * (count - 1) / 2)


def _root(first: float, growth: float, total: float) -> float:
    """Return the count, not rounded, at which the sum is `total`; 0 for a total below 0."""
    if total <= 0:
        return 0.0
    linear = first - growth / 2
    root = sqrt(linear**2 + 2 * growth * total)
    # of two forms of the same root, the one that subtracts nothing
    return 2 * total / (linear + root) if linear > 0 else (root - linear) / growth
