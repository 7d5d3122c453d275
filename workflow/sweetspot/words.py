"""Counts and lists as sentences have them."""

from collections.abc import Iterable


def counted(count: int, what: str) -> str:
    """Return `1 model`, `13 models`."""
    return f"{count} {what}{'s' * (count != 1)}"


def listed(parts: Iterable[str]) -> str:
    """Return `a, b and c`."""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last
