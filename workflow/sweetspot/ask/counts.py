"""Counts that somebody asks with: integers of numpy are welcome, 1.0 and True are not."""

from numbers import Integral

from sweetspot.errors import InputError


def positive(name: str, value: object, other: str = "") -> int:
    """Return a count as Python's own integer.

    Args:
        name: of the argument.
        value: that it has.
        other: what else it may be, for the message: `" or 'auto'"`.

    Raises:
        InputError: it is none, or less than 1.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise InputError(f"{name} must be a positive integer{other}, not {value!r}")
    return int(value)
