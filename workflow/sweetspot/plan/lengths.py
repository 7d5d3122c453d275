"""Which lengths tell the coefficients of Eq. 5 at the least time on a GPU.

A fit by relative weights knows every energy to so many per cent. What that leaves open of the
energy at any length of the grid, on average (I-optimality), is weighed against how long the GPU is
busy. For both it takes a surface: a GPU that nobody has measured yet is taken to have the shape of
the paper's thirteen, of which only ratios matter.

Source: I-optimality and sequential designs: Atkinson, Donev and Tobias, "Optimum Experimental
Designs, with SAS" (2007), chapters 10 and 12.
"""

import csv
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import product

import numpy as np

from sweetspot.energy_models import Array, form

Lengths = tuple[int, int]
"""Input and output tokens of a request."""

FEW = 18
"""So many lengths instead of the paper's 49: a fit of them errs by 0.4 points more, on average of
the 13 surfaces at 2 % noise, and takes 12 % of the time (docs/few-cells.md)."""

BUSY_W = 600.0  # of a board at work: from energy to time
WINDOW_S = 10.0  # a shorter run is repeated until it is as long
BESIDE_S = 4.0  # idle time and the rest, before and after a window
TIME_POWER = 0.5  # of the time that variance is weighed with; 1 would take cells that tell little
PRIOR = 1e-3  # of what is known of each coefficient before any cell, in cells

EQ5 = form("memory_flops")


def carries_eq5(lengths: Iterable[Lengths]) -> bool:
    """Return whether a fit of Eq. 5 to these lengths has an error of its own."""
    known = list(lengths)
    if len(set(known)) < EQ5.min_cells:
        return False
    return int(np.linalg.matrix_rank(relative_terms(known))) == len(EQ5.terms)


def few(
    input_tokens: Sequence[int], output_tokens: Sequence[int], requests: int
) -> tuple[Lengths, ...]:
    """Return few lengths of a grid that carry Eq. 5, in the grid's order.

    All of them where the grid has no more, or does not carry Eq. 5 itself.

    Args:
        input_tokens: one axis of the grid.
        output_tokens: the other.
        requests: N of each run.
    """
    grid = list(product(input_tokens, output_tokens))
    if len(grid) <= FEW or min(len(set(input_tokens)), len(set(output_tokens))) < 3:
        return tuple(grid)
    chosen = set(informative_first(grid, requests)[:FEW])
    return tuple(each for each in grid if each in chosen)


def in_any_case(
    input_tokens: Sequence[int], output_tokens: Sequence[int], requests: int
) -> dict[Lengths, bool]:
    """Return the lengths of a grid, and whether an adaptive design measures each whatever it finds.

    That is the shortest beginning of their order that carries Eq. 5, or all of them where no part
    does. Arguments are those of `few`.
    """
    grid = list(product(input_tokens, output_tokens))
    order = informative_first(grid, requests)
    counts = range(EQ5.min_cells, len(order))
    least = next((count for count in counts if carries_eq5(order[:count])), len(order))
    certain = set(order[:least])
    return {each: each in certain for each in grid}


def informative_first(
    lengths: Iterable[Lengths], requests: int, after: Iterable[Lengths] = ()
) -> tuple[Lengths, ...]:
    """Return lengths in the order in which they are worth measuring.

    The centre of them comes first where nothing was measured, then always what takes away most
    variance for the root of its time.

    Args:
        lengths: all different, in any order.
        requests: N of each run.
        after: lengths that were measured before, and are not asked for again.
    """
    return _informative_first(tuple(sorted(lengths)), requests, tuple(sorted(after)))


@cache
def _informative_first(
    lengths: tuple[Lengths, ...], requests: int, after: tuple[Lengths, ...]
) -> tuple[Lengths, ...]:
    grid = sorted({*lengths, *after})
    if not grid:
        return ()
    terms, duration_s = relative_terms(grid), times_s(grid, requests)
    spread = terms.T @ terms / len(grid)
    covariance = np.eye(terms.shape[1]) / PRIOR
    order = [grid.index(each) for each in after] or [_centre(grid)]
    for place in order:
        covariance = _knowing(covariance, terms[place])
    for _ in grid[len(order) :]:
        of_each = terms @ covariance
        noise = 1 + np.einsum("ij,ij->i", of_each, terms)
        taken = np.einsum("ij,jk,ik->i", of_each, spread, of_each) / noise
        worth = taken / duration_s**TIME_POWER
        worth[order] = -1.0
        place = int(worth.argmax())
        order.append(place)
        covariance = _knowing(covariance, terms[place])
    return tuple(grid[place] for place in order[len(after) :])


def _knowing(covariance: Array, terms: Array) -> Array:
    """Return what is left of a covariance once one more cell was measured."""
    seen = covariance @ terms
    return np.asarray(covariance - np.outer(seen, seen) / (1 + terms @ seen))


def _centre(lengths: Sequence[Lengths]) -> int:
    """Return the place of what is nearest to the middle of both ranges, in octaves."""
    octaves = np.log2(np.array(lengths, dtype=float))
    middle = (octaves.min(axis=0) + octaves.max(axis=0)) / 2
    return int(((octaves - middle) ** 2).sum(axis=1).argmin())


def times_s(lengths: Sequence[Lengths], requests: int) -> Array:
    """Return (n,) about how long a GPU is busy with each, in s: ratios are all that matters."""
    output_tokens = np.array([outputs for _, outputs in lengths], dtype=float)
    run_s = typical_energy_per_token_j(lengths) * output_tokens * requests / BUSY_W
    return np.asarray(run_s * np.ceil(WINDOW_S / np.minimum(run_s, WINDOW_S)) + BESIDE_S)


def relative_terms(lengths: Sequence[Lengths]) -> Array:
    """Return (n, k): terms of Eq. 5 per energy, each with a mean square of 1."""
    terms = EQ5.design_matrix(*np.array(lengths, dtype=float).T)
    terms /= typical_energy_per_token_j(lengths)[:, None]
    return np.asarray(terms / np.sqrt(np.mean(terms**2, axis=0)))


def typical_energy_per_token_j(lengths: Sequence[Lengths]) -> Array:
    """Return (n,) the geometric mean of the paper's surfaces."""
    inputs, outputs = np.array(lengths, dtype=float).T
    surfaces = [EQ5.energy_per_token_j(each, inputs, outputs) for each in _table5()]
    return np.asarray(np.exp(np.mean(np.log(surfaces), axis=0)))


@cache
def _table5() -> tuple[tuple[float, ...], ...]:
    """Return the coefficients of the paper's surfaces, without pandas: a bare node has none."""
    path = files("sweetspot.published") / "table5_coefficients.csv"
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return tuple(tuple(float(row[term.name]) for term in EQ5.terms) for row in rows)
