"""Clocks: what a board draws at a share of its highest clock, and the clocks it falls to.

Compute time rises as 1 / f. Voltage falls with the clock, and joules per FLOP with its square,
((1 - v) + v f)²; so does what the die spends on moving bytes, and on ticking. A board at its power
limit runs at the highest clock that keeps it there.
"""

from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.constants.constants import LIMIT_SHARE, BoardConstants

# Each clock that is looked at is this share of the one before; between two of them a board is taken
# to alternate, as real ones do between neighbouring clocks. The law is met within 0.4 %.
STEP = 0.88
CLOCKS = 8
# So many are looked at first: of the segments of the paper's grid 1 % falls below these.
FEW_CLOCKS = 4
# Another highest clock is taken where it saves more time than rounding does.
FASTER = 1 - 1e-9


def clocks(gpu: Gpu) -> tuple[float, ...]:
    """Return the clocks that are looked at, as shares of the highest, from the top down."""
    return tuple(gpu.clock_share * STEP**k for k in range(CLOCKS))


def ceilings(gpu: Gpu) -> tuple[float, ...]:
    """Return the clocks that are tried as the highest, from the top down.

    Only a board below its data sheet's power limit has more than one.
    """
    return clocks(gpu) if gpu.full_power_limit_w is not None else (gpu.clock_share,)


def voltage_squared(board: BoardConstants, share: float) -> float:
    """Return the square of the voltage at a clock, as a share of that at the highest."""
    return ((1 - board.voltage_share) + board.voltage_share * share) ** 2


def on_die(board: BoardConstants, share: float) -> float:
    """Return what bytes cost at a clock, as a share of what they cost at the highest."""
    return 1 - board.on_die_share * (1 - voltage_squared(board, share))


def waiting_power_w(board: BoardConstants, share: float) -> float:
    """Return the power of a board that has nothing to do, at a clock."""
    ticking_w = board.active_power_w - board.idle_power_w
    return board.idle_power_w + ticking_w * share * voltage_squared(board, share)


def headroom_w(gpu: Gpu, board: BoardConstants, share: float) -> float:
    """Return the power that work may draw at the limit, beside waiting at a clock, in W."""
    return LIMIT_SHARE * gpu.power_limit_w - waiting_power_w(board, share)
