"""Times as files have them: numbers since 1970 in any usual unit, or ISO 8601."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

UNITS_NS = ((Decimal(10) ** 11, 10**9), (Decimal(10) ** 14, 10**6), (Decimal(10) ** 17, 10**3))
"""Below which number a time is in which unit, in ns: s end in the year 5138, ms begin in 1973."""


def time_ns(text: str) -> int:
    """Return a time in ns since 1970, UTC; ISO 8601 without a zone is UTC.

    Raises:
        ValueError: it is none.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        given = datetime.fromisoformat(text)
        given = given if given.tzinfo else given.replace(tzinfo=UTC)
        since = given - datetime(1970, 1, 1, tzinfo=UTC)
        return ((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds) * 1000
    if not number.is_finite() or number < 0:
        raise ValueError(f"{text!r} is no time")
    return round(number * next((ns for limit, ns in UNITS_NS if number < limit), 1))


def iso(ns: int) -> str:
    """Return a time in ISO 8601, to the microsecond."""
    return datetime.fromtimestamp(ns // 1000 / 1e6, UTC).isoformat(timespec="microseconds")
