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
        counter_j: energy by the board's own counter over the whole span of `trace`, in J;
            None where the board has no counter.
        counter_series_j: (n,) the counter at the times of `trace`, in J from an origin of its own;
            None where it was not read along the way.
        usage_w: (n,) NVML's "power usage" at the times of `trace`, in W: a mean of the last second
            on most boards; None where it was not read beside `trace`.
        graphics_clock_mhz: (n,) at the times of `trace`; None where the board does not say.
        temperature_c: (n,) of the GPU at the times of `trace`; None where the board does not say.
    """

    trace: PowerTrace
    counter_j: float | None = None
    counter_series_j: FloatArray | None = None
    usage_w: FloatArray | None = None
    graphics_clock_mhz: FloatArray | None = None
    temperature_c: FloatArray | None = None


def window_counter_j(readings: Readings, start_s: float, end_s: float) -> float | None:
    """Return the counter's energy in [start_s, end_s], in J, interpolated at both edges.

    None where the counter was not read along the way.

    Raises:
        ValueError: the trace does not span the window.
    """
    require_span(readings.trace, start_s, end_s)
    if readings.counter_series_j is None:
        return None
    start_j, end_j = np.interp(
        (start_s, end_s), readings.trace.t_s, readings.counter_series_j
    ).tolist()
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
