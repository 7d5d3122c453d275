"""Rows of equal lengths become one cell, in order of lengths, whatever these are."""

import numpy as np
import pytest

from sweetspot.analysis.cell_means import cell_means


@pytest.mark.parametrize("long", [0.5, 4096, 2**16 - 1, 2**16, 1e9])
def test_cells_are_in_order_of_lengths(long):
    inputs, outputs = np.array([[long, 7], [7, long], [long, 7], [7, 8]]).T
    found = cell_means(inputs, outputs, np.array([1.0, 2.0, 3.0, 4.0]))
    lengths = sorted({(7, long), (7, 8), (long, 7)})
    assert list(zip(found.input_tokens, found.output_tokens, strict=True)) == lengths
    assert found.repeats[lengths.index((long, 7))] == 2
    for places, of_cells in (
        (found.input_places, found.input_tokens),
        (found.output_places, found.output_tokens),
    ):
        assert list(np.unique(of_cells)[places]) == list(of_cells)
        assert places.max() + 1 == len(set(of_cells))
