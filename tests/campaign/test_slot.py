"""A block's time slot: a cell begins only where it is expected to end in time."""

import pytest

from sweetspot.campaign.slot import CLOSING_S, LOAD_S, Progress, open_slot


@pytest.mark.parametrize(("room", "fits"), [(1.14, False), (1.16, True)])
def test_cell_needs_fifteen_percent_more_time_than_expected(set_up, room, fits):
    case = set_up()
    (block,) = case.campaign.blocks
    cell = case.campaign.design.grid(block, 50)[0]
    box = case.box(300)
    with open_slot(case.campaign, block, box, box, Progress()) as slot:
        needed_s = slot.expected_s([cell])[cell]
    share = case.box((LOAD_S + CLOSING_S + room * needed_s) / 60)
    with open_slot(case.campaign, block, share, box, Progress()) as slot:
        assert slot.first_that_fits([cell]) == (cell if fits else None)
