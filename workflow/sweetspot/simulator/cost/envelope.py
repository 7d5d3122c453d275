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
        edge = np.maximum(edges(Line(first, growth), end), begin)
        start, stop = np.where(growth < 0, begin, edge), np.where(growth < 0, edge, end)
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


def edges(line: Line, count: FloatArray) -> FloatArray:
    """Return where, from 0 to `count`, a line becomes positive, or if it falls ceases to be."""
    first, growth = value_of(line.first), value_of(line.growth)
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
