"""Steps of decode in closed form: how long some of them take, and how many a wait is long."""

from collections.abc import Sequence
from enum import Enum
from math import ceil, inf, sqrt
from typing import NamedTuple


def sum_of(first: float, growth: float, begin: int, end: int) -> float:
    """Return the sum of a line over the integers begin .. end-1."""
    return first * (end - begin) + growth * ((end + begin - 1) * (end - begin) / 2)


class Line(NamedTuple):
    """A straight line: its value at 0, and its slope."""

    first: float
    growth: float

    def at(self, place: float) -> float:
        """Return its value."""
        return self.first + self.growth * place

    def sum(self, begin: int, end: int) -> float:
        """Return the sum over the integers begin .. end-1."""
        return sum_of(self.first, self.growth, begin, end)

    def sum_of_positive_part(self, begin: int, end: int) -> float:
        """Return the sum of max(0, line) over begin .. end-1."""
        if self.at(begin) <= 0 >= self.at(end - 1):
            return 0.0
        if self.at(begin) < 0:
            begin = min(end, max(begin, ceil(-self.first / self.growth)))
        elif self.at(end - 1) < 0:
            end = max(begin, min(end, ceil(-self.first / self.growth)))
        return max(0.0, self.sum(begin, end))

    def sum_of_product(self, other: "Line", begin: int, end: int) -> float:
        """Return the sum of both lines' product over begin .. end-1."""
        if not self.growth:
            return self.first * other.sum(begin, end)
        squares = (_squares(end) - _squares(begin)) * self.growth * other.growth
        mixed = Line(
            self.first * other.first, self.first * other.growth + self.growth * other.first
        )
        return mixed.sum(begin, end) + squares


class Pace(Enum):
    """What sets the pace of a step."""

    CLOCK = "the highest clock"
    LIMIT = "the power limit"
    HOST = "the host"


class Piece(NamedTuple):
    """Steps that read at least so much context follow these lines in it, until the next piece.

    Attributes:
        begin: the context.
        time_s: what a step takes.
        share: the mean clock, as a share of the highest.
        pace: what sets it.
    """

    begin: float
    time_s: Line
    share: Line
    pace: Pace


# Steps begin .. end-1 of a segment: their times follow a line in their number, that is first_s and
# growth_s, and so do the clock's shares; plain, as a server has millions of them.
Part = tuple[int, int, float, float, Line, Pace]


def largest(lines: Sequence[tuple[Line, Line, Pace]]) -> list[Piece]:
    """Return where each line of time is the largest of all, from a context of 0 on.

    Args:
        lines: time, clock's share, and what sets the pace where it is the largest; none falls.
    """
    lines = sorted(lines, key=lambda line: line[0])
    # the largest at 0; of those that start alike the steepest
    here = max(range(len(lines)), key=lambda k: (lines[k][0].first, lines[k][0].growth))
    pieces, begin = [Piece(0.0, *lines[here])], 0.0
    while True:
        current = pieces[-1].time_s
        passing = [
            ((current.first - time_s.first) / (time_s.growth - current.growth), -time_s.growth, k)
            for k, (time_s, _, _) in enumerate(lines)
            if time_s.growth > current.growth
        ]
        if not passing:
            return pieces
        place, _, chosen = min(passing)
        begin = max(begin, place)
        pieces.append(Piece(begin, *lines[chosen]))


class DecodeSteps:
    """Steps in which the context grows by the same each time."""

    __slots__ = ("parts",)

    def __init__(self, pieces: Sequence[Piece], context: float, growth: float, most: int) -> None:
        """Lay out `most` steps, the first of which reads `context`."""
        self.parts: list[Part] = []
        place, last = 0, len(pieces) - 1
        while place < last and pieces[place + 1].begin <= context:
            place += 1
        done = 0
        while done < most:
            _, time_s, share, pace = pieces[place]
            place += 1
            end = most
            if growth > 0 and place <= last:
                end = min(most, ceil((pieces[place].begin - context) / growth))
            if end > done:
                if share.growth:
                    share = Line(share.at(context), share.growth * growth)
                first_s, growth_s = time_s
                self.parts.append(
                    (done, end, first_s + growth_s * context, growth_s * growth, share, pace)
                )
                done = end

    def duration_s(self, count: int) -> float:
        """Return how long the first `count` steps take."""
        total_s = 0.0
        for begin, end, first_s, growth_s, _, _ in self.parts:
            if begin >= count:
                break
            total_s += sum_of(first_s, growth_s, begin, min(count, end))
        return total_s

    def until(self, wait_s: float, most: int) -> int:
        """Return the fewest steps that take at least `wait_s`.

        They are 1 at least, and `most` where even so many take less.
        """
        if wait_s == inf:
            return most
        before_s = 0.0
        for begin, end, first_s, growth_s, _, _ in self.parts:
            part_s = sum_of(first_s, growth_s, begin, end)
            if before_s + part_s >= wait_s:
                line = Line(first_s + growth_s * begin, growth_s)
                count = begin + ceil(_root(line, wait_s - before_s))
                break
            before_s += part_s
        else:
            return most
        count = min(max(1, count), most)
        # Rounding may have moved the root across a step.
        while count > 1 and self.duration_s(count - 1) >= wait_s:
            count -= 1
        while count < most and self.duration_s(count) < wait_s:
            count += 1
        return count


def _root(line: Line, total: float) -> float:
    """Return the count, not rounded, at which the sum is `total`; 0 for a total below 0."""
    if total <= 0:
        return 0.0
    linear = line.first - line.growth / 2
    root = sqrt(linear**2 + 2 * line.growth * total)
    # of two forms of the same root, the one that subtracts nothing
    return 2 * total / (linear + root) if linear > 0 else (root - linear) / line.growth


def _squares(end: int) -> float:
    """Return the sum of squares of 0 .. end-1."""
    return (end - 1) * end * (2 * end - 1) / 6
