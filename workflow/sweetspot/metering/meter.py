"""What every meter answers, whether it reads a board or a simulated one."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sweetspot.metering.trace import FloatArray, PowerTrace, require_span


@dataclass(frozen=True, eq=False, slots=True)
class Readings:
    """What a meter saw between its start and its stop.

    Attributes:
        trace: the power that energy is integrated from.
        counter_j: (n,) the board's own energy counter at the times of `trace`, in J from an origin
            of its own; None where the board has none.
    """

    trace: PowerTrace
    counter_j: FloatArray | None = None


def window_counter_j(readings: Readings, start_s: float, end_s: float) -> float | None:
    """Return the counter's energy in [start_s, end_s], in J, interpolated at both edges.

    None where the board has no counter.

    Raises:
        ValueError: the trace does not span the window.
    """
    require_span(readings.trace, start_s, end_s)
    if readings.counter_j is None:
        return None
    start_j, end_j = np.interp((start_s, end_s), readings.trace.t_s, readings.counter_j).tolist()
    return float(end_j - start_j)


class Meter(Protocol):
    """Watches one board while something runs on it."""

    def start(self) -> None:
        """Begin; the trace spans every moment from the return of this call.

        Raises:
            MeterError: the board cannot be read.
        """

    def stop(self) -> Readings:
        """End and return what was seen; the trace spans every moment up to this call.

        Raises:
            MeterError: the readings cannot be trusted.
        """
