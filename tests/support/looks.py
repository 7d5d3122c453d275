"""Looks at a board as a meter hands them to a publisher."""

import math

from sweetspot.metering.samples import CHANNELS, Look

NEVER_S = 3600.0
"""An interval of a publisher that sends at the end of a trace only, when a test wants it to."""


def look(number, **values):
    """Return a look; what is not named, and is neither time nor power, could not be read."""
    nan = dict.fromkeys(CHANNELS, math.nan)
    t_s = number / 10
    there = {"t_s": t_s, "utc_s": 1_790_000_000 + t_s, "power_instant_w": 300.0}
    return Look(**nan | there | values)


def put(publisher, numbers, uuid="GPU-1", **values):
    """Publish a trace whole."""
    trace = publisher.observe(uuid, "NVIDIA H200")
    for number in numbers:
        trace.put(look(number, **values))
    trace.close()
