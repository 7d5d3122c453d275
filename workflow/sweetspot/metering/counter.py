"""The board's own energy counter over a window, and whether it can be believed."""

from dataclasses import dataclass

import numpy as np

from sweetspot.metering.samples import FloatArray

STILL_S = 1.0  # longest that a sound counter stands still; it moves about every 0.1 s
STILL_READINGS = 3  # or this many readings, where they are further apart
PERIODS = 50  # of the counter in a window, at least: one of them is then 2 % of it
WRAPS_J = (2**32 / 1e3, 2**64 / 1e3)  # counters of 32 and of 64 bits, in mJ
_WRAP_SHARE = 0.99  # a counter that was nearer to such an end than this wrapped


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter's answer for a window.

    Attributes:
        energy_j: what it counted, in J; None where that means nothing.
        fault: why it cannot be believed; empty if it can.
        period_s: time between two moves of it, as the meter sees it; None below three moves.
    """

    energy_j: float | None
    fault: str = ""
    period_s: float | None = None


def counted(t_s: FloatArray, counter_j: FloatArray, start_s: float, end_s: float) -> Counted:
    """Return what the counter says of [start_s, end_s], which lies inside its readings.

    Both edges are interpolated between the readings around them. A reading is up to a step of the
    counter old, so the answer is uncertain by about one step: 1 % of a window of 10 s.
    """
    first = int(np.searchsorted(t_s, start_s, side="right")) - 1
    last = int(np.searchsorted(t_s, end_s, side="left"))
    around = slice(first, last + 1)
    fault = _backwards(counter_j[around])
    if fault:
        return Counted(None, fault)
    before_j, after_j = np.interp((start_s, end_s), t_s, counter_j).tolist()
    moves_s = t_s[around][1:][np.diff(counter_j[around]) > 0]
    return Counted(
        energy_j=after_j - before_j,
        fault=_stillness(t_s, counter_j, start_s, end_s),
        period_s=float(np.median(np.diff(moves_s))) if moves_s.size > 2 else None,
    )


def _backwards(counter_j: FloatArray) -> str:
    back = np.flatnonzero(np.diff(counter_j) < 0)
    if not back.size:
        return ""
    before_j, after_j = counter_j[back[0]], counter_j[back[0] + 1]
    for wrap_j in WRAPS_J:
        if _WRAP_SHARE * wrap_j <= before_j <= wrap_j and after_j < (1 - _WRAP_SHARE) * wrap_j:
            return f"it wrapped around, from {before_j:.0f} to {after_j:.0f} J"
    return f"it went back from {before_j:.0f} to {after_j:.0f} J"


def _stillness(t_s: FloatArray, counter_j: FloatArray, start_s: float, end_s: float) -> str:
    """Return how long the counter stood still about the window, if longer than a sound one does."""
    changes = np.flatnonzero(np.diff(counter_j)) + 1
    # from the first to the last reading of a value: a gap between readings is not a standstill
    since_s, until_s = t_s[np.append(0, changes)], t_s[np.append(changes, t_s.size) - 1]
    still_s = (until_s - since_s)[(until_s > start_s) & (since_s < end_s)].max(initial=0.0)
    longest_s = max(STILL_S, STILL_READINGS * float(np.median(np.diff(t_s))))
    return f"it stood still for {still_s:.1f} s" if still_s > longest_s else ""
