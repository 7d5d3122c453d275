"""The JSON of a dataclass: the same bytes for the same values, as keys of records rest on them."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from json.encoder import encode_basestring
from math import isfinite
from os import PathLike, fspath
from typing import Any

from sweetspot.schema.keys import keys_of


def plain(value: Any, *, without_none: bool = False) -> Any:
    """Return what JSON has for a value: sections as mappings, paths as text.

    Args:
        value: a dataclass, or what it may hold.
        without_none: whether keys of sections whose value is None are left out.
    """
    if value is None or isinstance(value, str | float | int):  # most are
        return value
    if is_dataclass(value):
        kind: Any = type(value)
        found = {name: getattr(value, name) for name in _names(kind)}
        for name in _floats(kind):
            if found[name].__class__ is int:
                found[name] = float(found[name])
        return {
            name: plain(each, without_none=without_none)
            for name, each in found.items()
            if not (without_none and each is None)
        }
    if isinstance(value, Mapping):
        return {str(key): plain(each, without_none=without_none) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, without_none=without_none) for each in value]
    return fspath(value) if isinstance(value, PathLike) else value


def json_text(value: Any, indent: int | None = None) -> str:
    """Return the JSON of a value, on one line, or with so many spaces at each level."""
    return _text(plain(value), indent, "\n")


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(key.name for key in keys_of(kind))


@cache
def _floats(kind: Any) -> tuple[str, ...]:
    return tuple(key.name for key in keys_of(kind) if key.plain_kind is float)


def _text(value: Any, indent: int | None, line: str) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int):
        return repr(value)
    inner = line + " " * (indent or 0)
    if isinstance(value, dict):
        colon = ":" if indent is None else ": "
        items = [
            f"{encode_basestring(key)}{colon}{_text(x, indent, inner)}" for key, x in value.items()
        ]
    else:
        items = [_text(x, indent, inner) for x in value]
    opens, closes = "{}" if isinstance(value, dict) else "[]"
    if indent is None or not items:
        return f"{opens}{','.join(items)}{closes}"
    return f"{opens}{inner}{f',{inner}'.join(items)}{line}{closes}"


def _number(value: float) -> str:
    """Return the shortest text of a number.

    It is Python's but for small ones: 0.00002 and 2e-6 instead of 2e-05 and 2e-06, as keys of
    records have had them.
    """
    if not isfinite(value):
        return "null"
    text = repr(value)
    if "e-0" not in text:
        return text
    digits, _, exponent = text.partition("e-0")
    if exponent != "5":
        return f"{digits}e-{exponent}"
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    return f"{sign}0.0000{digits.replace('.', '')}"
