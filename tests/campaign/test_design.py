"""The order of cells: a permutation whose every beginning is a good design for Eq. 5."""

from hypothesis import given
from hypothesis import strategies as st

from sweetspot.campaign.design import evenly_spread, most_informative_first
from sweetspot.cells.cell import Cell
from sweetspot.config import PAPER_LENGTHS

LENGTHS = st.lists(st.integers(1, 8192), min_size=1, max_size=7, unique=True)


def grid(inputs=PAPER_LENGTHS, outputs=PAPER_LENGTHS, repeats=1, requests=10):
    return [
        Cell(
            model="m",
            engine="e",
            max_batch_size=8,
            requests=requests,
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


def test_stated_cells_are_spread_from_the_centre_over_corners_to_middles_of_edges():
    order = lengths(evenly_spread(grid()))
    assert order[0] == (512, 512)
    assert set(order[1:5]) == {(64, 64), (64, 4096), (4096, 64), (4096, 4096)}
    assert set(order[5:9]) == {(64, 512), (512, 64), (512, 4096), (4096, 512)}


@given(LENGTHS, LENGTHS, st.integers(1, 3), st.randoms())
def test_order_has_every_cell_once_whatever_order_they_came_in(inputs, outputs, repeats, random):
    for ordered in (most_informative_first, evenly_spread):
        cells = grid(inputs, outputs, repeats)
        order = ordered(cells)
        assert sorted(order) == sorted(cells)
        random.shuffle(cells)
        assert ordered(cells) == order


@given(LENGTHS, LENGTHS)
def test_all_lengths_come_before_any_is_repeated(inputs, outputs):
    order = most_informative_first(grid(inputs, outputs, repeats=2))
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    assert {cell.repeat for cell in first} == {0}
    assert lengths(first) == lengths(second)


def test_grid_begins_at_its_centre_and_leaves_long_cells_for_the_end():
    order = lengths(most_informative_first(grid(requests=1000)))
    assert order[0] == (512, 512)
    assert max(outputs for _, outputs in order[:12]) < 4096
    assert (4096, 4096) in order[-10:]
