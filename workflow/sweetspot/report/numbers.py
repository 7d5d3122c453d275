"""Numbers as a page shows them."""

import math

from sweetspot.tables.table import MISSING


def number(value: float, spec: str = ".3g") -> str:
    """Return a number, or what stands for one that is not known."""
    return MISSING if math.isnan(value) else format(value, spec)


def percent(value: float) -> str:
    """Return a share in %, in two digits and never as a power of ten."""
    return number(value, ".0f" if value >= 100 else ".2g") + " %" * (not math.isnan(value))


def rounded(value: float) -> str:
    """Return a number in four digits, as page.js does."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
