"""Several boards looked at as one."""

import math
from dataclasses import dataclass

from sweetspot.metering.boards import Boards
from sweetspot.metering.samples import CHANNELS, Look


@dataclass
class Board:
    """One that answers with what the test says."""

    channels: dict
    earlier_pids: frozenset = frozenset()

    def look(self, what):
        return Look(**(dict.fromkeys(CHANNELS, 0.0) | self.channels))


def test_heat_of_one_board_shows_whatever_another_had_before():
    """Times of violation count from an origin of each board's own."""
    cool, hot = Board({"thermal_violation_s": 1000.0}), Board({"thermal_violation_s": 0.0})
    both = Boards([cool, hot])
    before = both.look().thermal_violation_s
    hot.channels["thermal_violation_s"] = 9.0
    assert both.look().thermal_violation_s - before == 9


def test_powers_add_clocks_are_means_and_the_hottest_counts():
    one = {"t_s": 10.0, "look_s": 0.2, "power_instant_w": 300.0, "sm_mhz": 1000.0}
    other = {"t_s": 10.4, "look_s": 0.2, "power_instant_w": 500.0, "sm_mhz": 1200.0}
    reasons = (
        {"temperature_c": 40.0, "event_reasons": 4.0},
        {"temperature_c": 60.0, "event_reasons": 1.0},
    )
    look = Boards([Board(one | reasons[0]), Board(other | reasons[1])]).look()
    assert (look.power_instant_w, look.sm_mhz, look.temperature_c) == (800, 1100, 60)
    assert look.event_reasons == 5
    assert (round(look.t_s, 9), round(look.look_s, 9)) == (10.2, 0.6)
    lacking = Boards([Board(one), Board(other | {"power_instant_w": math.nan})]).look()
    assert math.isnan(lacking.power_instant_w)
