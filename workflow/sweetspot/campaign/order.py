"""In which order the cells of a grid are measured: any first part of it is a good design."""

from collections.abc import Iterable
from math import inf, log2

from sweetspot.cells.cell import Cell

Point = tuple[float, ...]


def most_informative_first(cells: Iterable[Cell]) -> list[Cell]:
    """Return cells that differ in lengths, requests and repeats only, the centre of them first.

    Every next one is the farthest from those before it, in octaves of lengths and requests: in a
    grid of lengths, after the centre the corners, then the edges' middles, and so on. So a campaign
    that ends early has spread its cells as wide and as evenly as their number allows. Among equally
    far ones the shorter comes first. All lengths come once before any is repeated.
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
    points: list[Point] = [
        (log2(c.input_tokens), log2(c.output_tokens), log2(c.requests)) for c in cells
    ]
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
    lows, highs = (tuple(map(edge, zip(*points, strict=True))) for edge in (min, max))
    return tuple((low + high) / 2 for low, high in zip(lows, highs, strict=True))


def _nearest(points: list[Point], to: Point) -> int:
    return min(range(len(points)), key=lambda k: _squared(points[k], to))


def _squared(a: Point, b: Point) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
