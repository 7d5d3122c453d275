"""Numbers and lists as alternative texts write them."""

import math
from collections.abc import Mapping

from sweetspot.words import counted, listed


def quantity(value: float) -> str:
    """Return a number in three digits: 0.0123, 18.8, 114."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "none"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def at_lengths(counts: Mapping[int, int], what: str) -> str:
    """Return `at O = 128 for 3 models and at O = 256 for 1 model`."""
    return listed(f"at O = {length} for {counted(count, what)}" for length, count in counts.items())
