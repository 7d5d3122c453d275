"""A block's time slot: a cell begins only where it is expected to end in time."""

from types import SimpleNamespace

import pytest

from sweetspot.campaign.cost import LOAD_S
from sweetspot.campaign.slot import CLOSING_S, Progress, idle_is_due, open_slot


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


def seen(idle_w, start_c, end_c):
    return SimpleNamespace(
        idle_before_w=idle_w, temperature_start_c=start_c, temperature_end_c=end_c
    )


@pytest.mark.parametrize(
    ("records", "is_due"),
    [
        ([], True),
        ([seen(None, 40, 41)], True),  # it failed
        ([seen(100, 40, 49)], False),
        ([seen(100, 40, 49), seen(None, 48, 51)], True),
        ([seen(100, 40, 51), seen(110, 50, 52), seen(None, 52, 55)], False),
        ([seen(100, None, None)], False),
    ],
)
def test_idle_power_is_taken_once_and_again_at_another_temperature(records, is_due):
    assert idle_is_due(records) is is_due
