"""In which order the cells of a grid are measured: any first part of it is a good design."""

from collections.abc import Iterable
from math import inf, log2

from sweetspot.workload import Cell

Point = tuple[float, float]


def most_informative_first(cells: Iterable[Cell]) -> list[Cell]:
    """Return cells that differ in their lengths and repeats only, the centre of the grid first.

    Every next one is the farthest from those before it, in octaves of both lengths: after the
    centre the corners, then the edges' middles, and so on. So a campaign that ends early has
    spread its cells as wide and as evenly as their number allows. Among equally far ones the
    shorter comes first. All lengths come once before any is repeated.
    """
    cells = sorted(cells, key=lambda c: (c.repeat, c.input_tokens + c.output_tokens, c))
    repeats = sorted({cell.repeat for cell in cells})
    return [
        cell
        for repeat in repeats
        for cell in _spread([each for each in cells if each.repeat == repeat])
    ]


def _spread(cells: list[Cell]) -> list[Cell]:
    """Return cells by greedy maximin distance; the first of equals is taken."""
    points = [(log2(cell.input_tokens), log2(cell.output_tokens)) for cell in cells]
    distances = [inf] * len(cells)
    place = _nearest(points, _middle(points))
    order = []
    for _ in cells:
        order.append(cells[place])
        distances = [
            min(known, _squared(point, points[place]))
            for known, point in zip(distances, points, strict=True)
        ]
        place = max(range(len(cells)), key=lambda k: distances[k])
    return order


def _middle(points: list[Point]) -> Point:
    """Return the middle of the range of each axis."""
    first, second = zip(*points, strict=True)
    return (min(first) + max(first)) / 2, (min(second) + max(second)) / 2


def _nearest(points: list[Point], to: Point) -> int:
    return min(range(len(points)), key=lambda k: _squared(points[k], to))


def _squared(a: Point, b: Point) -> float:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
