"""The order of cells: a permutation whose every beginning is a good design for Eq. 5."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.campaign.design import most_informative_first
from sweetspot.cells.cell import Cell
from sweetspot.config import PAPER_LENGTHS
from sweetspot.energy_models import form

LENGTHS = st.lists(st.integers(1, 8192), min_size=1, max_size=7, unique=True)


def grid(inputs=PAPER_LENGTHS, outputs=PAPER_LENGTHS, repeats=1):
    return [
        Cell(
            model="m",
            engine="e",
            max_batch_size=8,
            requests=10,
            input_tokens=i,
            output_tokens=o,
            repeat=r,
        )
        for i in inputs
        for o in outputs
        for r in range(repeats)
    ]


def lengths(cells):
    return [(cell.input_tokens, cell.output_tokens) for cell in cells]


def information(cells):
    """Return log det of Eq. 5's normal matrix per cell, over that of the whole grid.

    -inf where these cells cannot carry Eq. 5.
    """
    eq5 = form("memory_flops")
    whole, part = (eq5.design_matrix(*np.array(lengths(each)).T) for each in (grid(), cells))
    scale = np.linalg.norm(whole, axis=0)
    if np.linalg.matrix_rank(part / scale) < part.shape[1]:
        return -np.inf
    log_dets = [
        np.linalg.slogdet((each / scale).T @ (each / scale) / len(each))[1]
        for each in (part, whole)
    ]
    return log_dets[0] - log_dets[1]


def test_centre_then_corners_then_middles_of_the_edges():
    order = lengths(most_informative_first(grid()))
    assert order[0] == (512, 512)
    assert set(order[1:5]) == {(64, 64), (64, 4096), (4096, 64), (4096, 4096)}
    assert set(order[5:9]) == {(64, 512), (512, 64), (512, 4096), (4096, 512)}


@given(LENGTHS, LENGTHS, st.integers(1, 3), st.randoms())
def test_order_has_every_cell_once_whatever_order_they_came_in(inputs, outputs, repeats, random):
    cells = grid(inputs, outputs, repeats)
    order = most_informative_first(cells)
    assert sorted(order) == sorted(cells)
    random.shuffle(cells)
    assert most_informative_first(cells) == order


@given(LENGTHS, LENGTHS)
def test_all_lengths_come_before_any_is_repeated(inputs, outputs):
    order = most_informative_first(grid(inputs, outputs, repeats=2))
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    assert {cell.repeat for cell in first} == {0}
    assert lengths(first) == lengths(second)


@pytest.mark.parametrize("count", range(6, 49))
def test_every_beginning_tells_more_of_eq5_than_as_many_cells_row_by_row(count):
    by_rows, ours = grid()[:count], most_informative_first(grid())[:count]
    assert information(ours) > information(by_rows)
    if count > 6:
        # for each of the six coefficients hardly less per cell than the whole grid shows
        assert information(ours) > 6 * np.log(0.8)
