"""Times in the curves of power sensors: how often they change, how late, over what they average."""

from collections.abc import Sequence

import numpy as np

from sweetspot.metering.samples import FloatArray

STEP_S = 0.02  # of the search for the averaging window
LONGEST_WINDOW_S = 2.0
LONGEST_DELAY_S = 0.4
EXPLAINED = 0.9  # share of the variance that a window must explain to be one


def period_s(t_s: FloatArray, values: FloatArray | None) -> float | None:
    """Return the median time between changes of a reading; None if it hardly changed."""
    if values is None:
        return None
    changes_s = t_s[1:][np.diff(values) != 0]
    return float(np.median(np.diff(changes_s))) if changes_s.size > 2 else None


def rise_delay_s(
    t_s: FloatArray, power_w: FloatArray | None, loads: Sequence[tuple[float, float]]
) -> float | None:
    """Return the median time from the start of a load to half the rise of the power.

    `loads` are the times from and to which there was load.
    """
    if power_w is None:
        return None
    delays_s = []
    for start_s, end_s in loads:
        before = power_w[t_s <= start_s]
        during = (t_s > start_s) & (t_s <= end_s)
        if not before.size or not during.any():
            continue
        half_w = (before[-1] + power_w[during].max()) / 2
        delays_s.append(t_s[during & (power_w >= half_w)][0] - start_s)
    return float(np.median(delays_s)) if delays_s else None


def averaging(
    t_s: FloatArray, instant_w: FloatArray | None, average_w: FloatArray | None
) -> tuple[float, float] | None:
    """Return window and delay of the running mean that the average power is most like, in s.

    Good to about one update period of the readings. None where no running mean of the
    instantaneous power is much like it.
    """
    if instant_w is None or average_w is None:
        return None
    energy_j = np.concatenate(
        ([0.0], np.cumsum(np.diff(t_s) * (instant_w[1:] + instant_w[:-1]) / 2))
    )
    compared = t_s >= t_s[0] + LONGEST_WINDOW_S + LONGEST_DELAY_S
    at_s, shown_w = t_s[compared], average_w[compared]
    if at_s.size < 2:
        return None
    best = (np.inf, 0.0, 0.0)
    for delay_s in np.arange(0, LONGEST_DELAY_S + STEP_S / 2, STEP_S):
        until_j = np.interp(at_s - delay_s, t_s, energy_j)
        for window_s in np.arange(STEP_S, LONGEST_WINDOW_S + STEP_S / 2, STEP_S):
            mean_w = (until_j - np.interp(at_s - delay_s - window_s, t_s, energy_j)) / window_s
            error = float(np.mean((mean_w - shown_w) ** 2))
            best = min(best, (error, float(window_s), float(delay_s)))
    error, window_s, delay_s = best
    return (window_s, delay_s) if error < (1 - EXPLAINED) * float(np.var(shown_w)) else None
