"""Sums over consecutive iterations of straight lines, and of where they are positive, exactly.

A line is its value at j = 0 and its growth per j; sums go over j = begin .. end - 1. Lines may be
`dual.Dual`s: where they are positive is a matter of their values, and the sums have derivatives.
"""

from typing import NamedTuple

import numpy as np

from sweetspot.simulator.cost.dual import value_of, with_slopes
from sweetspot.simulator.cost.work import FloatArray

Values = FloatArray | float


class Line(NamedTuple):
    """A straight line in j, one of each segment: arrays of shape (segments,), or one for all.

    Where all lines are flat, a growth that is the number 0, not an array, makes sums quick.
    """

    first: Values
    growth: Values

    @property
    def flat(self) -> bool:
        """Whether all of the lines are known to be flat."""
        return isinstance(self.growth, float) and not self.growth

    def plain(self) -> "Line":
        """Return the line without derivatives."""
        return Line(value_of(self.first), value_of(self.growth))

    def plus(self, times: Values, other: "Line") -> "Line":
        """Return the sum of this line and so many times another one."""
        first = self.first + times * other.first
        return Line(first, self.growth if other.flat else self.growth + times * other.growth)

    def sum(self, begin: Values, end: FloatArray) -> FloatArray:
        """Return its sum over j = begin .. end-1."""
        total: FloatArray = self.first * (end - begin)
        return total if self.flat else total + self.growth * (_sum_of_j(end) - _sum_of_j(begin))

    def sum_of_positive_part(self, begin: FloatArray, end: FloatArray) -> FloatArray:
        """Return the sum of max(0, line) over j = begin .. end-1."""
        first, growth = value_of(self.first), value_of(self.growth)
        edge = np.maximum(edges(Line(first, growth), end), begin)
        start, stop = np.where(growth < 0, begin, edge), np.where(growth < 0, edge, end)
        total = np.maximum(Line(first, growth).sum(start, stop), 0.0)
        places = _sum_of_j(stop) - _sum_of_j(start)
        summed: FloatArray = with_slopes(total, (self.first, stop - start), (self.growth, places))
        return summed

    def sum_of_product(self, other: "Line", begin: FloatArray, end: FloatArray) -> FloatArray:
        """Return the sum of both lines' product over j = begin .. end-1."""
        total: FloatArray = self.first * other.first * (end - begin)
        if self.flat and other.flat:
            return total
        mixed = self.first * other.growth
        if self.flat:
            return total + mixed * (_sum_of_j(end) - _sum_of_j(begin))
        mixed = mixed + self.growth * other.first
        squares = _sum_of_squares(end) - _sum_of_squares(begin)
        return (
            total
            + mixed * (_sum_of_j(end) - _sum_of_j(begin))
            + self.growth * other.growth * squares
        )


def edges(line: Line, count: FloatArray) -> FloatArray:
    """Return where, from 0 to `count`, a line becomes positive, or if it falls ceases to be."""
    first, growth = value_of(line.first), value_of(line.growth)
    if line.flat:
        return np.where(first > 0, 0.0, count)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = -first / growth
    rising = np.where(growth > 0, np.floor(root) + 1, np.where(first > 0, 0.0, count))
    found: FloatArray = np.clip(np.where(growth < 0, np.ceil(root), rising), 0.0, count)
    return found


def _sum_of_j(end: Values) -> Values:
    """Return the sum of 0 .. end-1."""
    return end * (end - 1) / 2


def _sum_of_squares(end: Values) -> Values:
    """Return the sum of squares of 0 .. end-1."""
    return (end - 1) * end * (2 * end - 1) / 6
