"""Sums over consecutive iterations of straight lines, and of the largest of several, exactly.

A line is its value at j = 0 and its growth per j; sums go over j = begin .. end - 1. Lines may be
`dual.Dual`s: where each is the largest is a matter of their values, and the sums have derivatives.
"""

from typing import NamedTuple

import numpy as np

from sweetspot.simulator.cost.dual import value_of, with_slopes
from sweetspot.simulator.cost.work import FloatArray

Values = FloatArray | float


class Line(NamedTuple):
    """A straight line in j, one of each segment: arrays of shape (segments,), or one for all."""

    first: Values
    growth: Values

    def sum(self, begin: Values, end: FloatArray) -> FloatArray:
        """Return its sum over j = begin .. end-1."""
        total: FloatArray = self.first * (end - begin) + self.growth * (
            _sum_of_j(end) - _sum_of_j(begin)
        )
        return total

    def sum_of_positive_part(self, begin: FloatArray, end: FloatArray) -> FloatArray:
        """Return the sum of max(0, line) over j = begin .. end-1."""
        first, growth = value_of(self.first), value_of(self.growth)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            root = -first / growth
        falling = np.clip(np.ceil(root), begin, end)  # positive for j < root
        rising = np.clip(np.floor(root) + 1, begin, end)  # positive for j > root
        never = (growth == 0) & (first <= 0)
        start = np.where(growth > 0, rising, np.where(never, end, begin))
        stop = np.where(growth < 0, falling, end)
        total = np.maximum(Line(first, growth).sum(start, stop), 0.0)
        places = _sum_of_j(stop) - _sum_of_j(start)
        summed: FloatArray = with_slopes(total, (self.first, stop - start), (self.growth, places))
        return summed

    def sum_of_product(self, other: "Line", begin: FloatArray, end: FloatArray) -> FloatArray:
        """Return the sum of both lines' product over j = begin .. end-1."""
        mixed = self.first * other.growth + self.growth * other.first
        total: FloatArray = (
            self.first * other.first * (end - begin)
            + mixed * (_sum_of_j(end) - _sum_of_j(begin))
            + self.growth * other.growth * (_sum_of_squares(end) - _sum_of_squares(begin))
        )
        return total


def ranges(lines: list[Line], count: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Return for each line from which j, and before which, it is the largest of all.

    Together the ranges are 0 .. count-1, without gap or overlap whatever the rounding: from the
    flattest line to the steepest, each is left where the first steeper one has passed it.
    """
    first = np.stack([np.broadcast_to(value_of(line.first), count.shape) for line in lines])
    growth = np.stack([np.broadcast_to(value_of(line.growth), count.shape) for line in lines])
    order = np.lexsort((first, growth), axis=0)
    first, growth = (np.take_along_axis(each, order, axis=0) for each in (first, growth))
    begin, end = np.empty_like(first), np.empty_like(first)
    place = np.zeros(count.shape)
    for i in range(len(lines)):
        left = count
        for k in range(i + 1, len(lines)):
            steeper = growth[k] - growth[i]
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                passed = np.floor((first[i] - first[k]) / steeper) + 1
            left = np.minimum(left, np.where(steeper > 0, passed, 0.0))
        begin[i] = place
        place = end[i] = np.maximum(place, left)
    unsorted = np.argsort(order, axis=0)
    begin, end = (np.take_along_axis(each, unsorted, axis=0) for each in (begin, end))
    return list(zip(begin, end, strict=True))


def _sum_of_j(end: Values) -> Values:
    """Return the sum of 0 .. end-1."""
    return end * (end - 1) / 2


def _sum_of_squares(end: Values) -> Values:
    """Return the sum of squares of 0 .. end-1."""
    return (end - 1) * end * (2 * end - 1) / 6
