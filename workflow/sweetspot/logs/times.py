"""What the times of a log mean: numbers of s, ms, µs or ns from any origin, or dates."""

from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple

from sweetspot.errors import InputError

UNITS = {1.0: "s", 1e-3: "ms", 1e-6: "us", 1e-9: "ns"}
# A number beyond these is a time since 1970 in this unit: in the next coarser one it would lie
# beyond the year 5000.
_SINCE_1970 = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3))
_EARLIEST_S, _LATEST_S = 3e8, 1e11  # 1979 and the year 5138; less is no date but a time of its own


class Reading(NamedTuple):
    """How the times of a log are read.

    Attributes:
        seconds: from a value of a line to s; raises ValueError or TypeError for what is no time.
        how: the unit, in words; empty where the column's name says it.
        unit_s: how many s a number is; None of dates.
        assumed: whether nothing says the unit.
    """

    seconds: Callable[[Any], float]
    how: str
    unit_s: float | None
    assumed: bool = False


def reading_of(first: Any, unit_s: float | None, *, mooncake: bool) -> Reading:
    """Return how to read times, by the first of them.

    Args:
        first: its value, a text or a number.
        unit_s: how many s a number is, where that is known.
        mooncake: whether the log is as Mooncake's are, whose times are in ms.

    Raises:
        ValueError: it is no time.
        TypeError: nor a text or a number.
        InputError: it cannot be in that unit.
    """
    try:
        number = float(first)
    except ValueError:
        _date_s(first)
        return Reading(_date_s, "a date", None)
    if not isfinite(number):
        raise ValueError(f"{number} is no time")
    if unit_s is not None:
        if abs(number * unit_s) >= _LATEST_S:
            raise InputError(
                f"a time of {number:g} {UNITS.get(unit_s, '')} lies beyond the year 5000; give its"
                " unit as arrival_ms, arrival_us or arrival_ns"
            )
        return Reading(_numbers(unit_s), "", unit_s)
    for least, unit_s in _SINCE_1970:
        if abs(number) >= least:
            return Reading(_numbers(unit_s), f"in {UNITS[unit_s]} since 1970", unit_s)
    if number >= _EARLIEST_S:
        return Reading(_numbers(1.0), "in s since 1970", 1.0)
    if mooncake:
        return Reading(_numbers(1e-3), "in ms, as Mooncake's are", 1e-3, assumed=True)
    return Reading(_numbers(1.0), "in s", 1.0, assumed=True)


def date_of(time_s: float) -> datetime | None:
    """Return the date that s since 1970 are; None for a time from another origin."""
    if not _EARLIEST_S <= time_s < _LATEST_S:
        return None
    return datetime.fromtimestamp(time_s, UTC)


def _numbers(unit_s: float) -> Callable[[Any], float]:
    return float if unit_s == 1.0 else lambda value: float(value) * unit_s


def _date_s(value: Any) -> float:
    """Return a date in ISO 8601 as s since 1970; without a zone it is UTC."""
    date = datetime.fromisoformat(value.strip())
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
