"""Readings made of curves, without a board or a clock."""

import numpy as np
import pytest

from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, Samples
from sweetspot.metering.trace import PowerTrace


@pytest.fixture(scope="session")
def readings_of():
    """Return a function that makes readings from channels, each a number, an array or a function.

    What is not named is what a board lacks.
    """

    def build(power_w, *, t_s=None, interval_s=0.1, duration_s=20.0, meter=None, **channels):
        """`power_w` is the instantaneous power; None on a board with `power_average_w` only."""
        times = np.arange(0, duration_s + 1e-9, interval_s) if t_s is None else np.array(t_s, float)
        if power_w is not None:
            channels["power_instant_w"] = power_w
        columns = {
            name: np.zeros_like(times) + (value(times) if callable(value) else value)
            for name, value in (dict.fromkeys(CHANNELS, np.nan) | channels).items()
        } | {"t_s": times}
        samples = Samples(**columns)
        trace_w = columns["power_average_w" if power_w is None else "power_instant_w"]
        return Readings(
            trace=PowerTrace(times, trace_w),
            counter_j=samples.complete("counter_j"),
            samples=samples,
            interval_s=interval_s,
            **(meter or {}),
        )

    return build
