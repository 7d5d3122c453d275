"""Numbers and lists as alternative texts write them."""

import math
from collections.abc import Iterable, Mapping


def quantity(value: float) -> str:
    """Return a number in three digits: 0.0123, 18.8, 114."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "none"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def counted(count: int, what: str) -> str:
    """Return `1 model`, `13 models`."""
    return f"{count} {what}{'s' * (count != 1)}"


def listed(parts: Iterable[str]) -> str:
    """Return `a, b and c`."""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def at_lengths(counts: Mapping[int, int], what: str) -> str:
    """Return `at O = 128 for 3 models and at O = 256 for 1 model`."""
    return listed(f"at O = {length} for {counted(count, what)}" for length, count in counts.items())
