"""What a board draws at a clock, and which clocks it falls to."""

from dataclasses import replace
from itertools import pairwise

import pytest

from sweetspot.simulator.cost.clocks import (
    CLOCKS,
    LIMIT_SHARE,
    STEP,
    clocks,
    headroom_w,
    on_die,
    voltage_squared,
    waiting_power_w,
)


@pytest.fixture
def of_board(constants):
    return replace(constants.board, voltage_share=0.6, on_die_share=0.4)


def test_highest_clock_has_the_stated_joules_and_watts(of_board):
    assert voltage_squared(of_board, 1.0) == 1
    assert on_die(of_board, 1.0) == 1
    assert waiting_power_w(of_board, 1.0) == pytest.approx(of_board.active_power_w, rel=1e-12)


def test_half_the_clock_by_hand(of_board):
    """Voltage 0.4 + 0.6 / 2 = 0.7 of the highest; its square is 0.49."""
    assert voltage_squared(of_board, 0.5) == pytest.approx(0.49)
    assert on_die(of_board, 0.5) == pytest.approx(0.6 + 0.4 * 0.49)
    ticking_w = of_board.active_power_w - of_board.idle_power_w
    waiting_w = of_board.idle_power_w + 0.5 * 0.49 * ticking_w
    assert waiting_power_w(of_board, 0.5) == pytest.approx(waiting_w)


def test_everything_falls_with_the_clock_and_ends_at_idle_power(of_board):
    for law in (voltage_squared, on_die, waiting_power_w):
        found = [law(of_board, share) for share in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)]
        assert all(more > less for more, less in pairwise(found))
    assert waiting_power_w(of_board, 0.0) == of_board.idle_power_w


def test_what_does_not_hang_on_voltage_stays(of_board):
    fixed = replace(of_board, voltage_share=0.0)
    assert voltage_squared(fixed, 0.3) == 1
    assert on_die(replace(of_board, on_die_share=0.0), 0.3) == 1


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_clocks_fall_from_the_highest_allowed_one_in_equal_ratios(board, share):
    found = clocks(replace(board, clock_share=share))
    assert found[0] == share
    assert len(found) == CLOCKS
    assert [low / high for high, low in pairwise(found)] == pytest.approx([STEP] * (CLOCKS - 1))


def test_headroom_is_what_the_limit_leaves_beside_waiting(board, of_board):
    low = replace(board, power_limit_w=400.0)
    expected_w = LIMIT_SHARE * 400 - waiting_power_w(of_board, 0.5)
    assert headroom_w(low, of_board, 0.5) == pytest.approx(expected_w)
