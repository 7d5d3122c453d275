"""Data that somebody wrote, as instances of the types that they are to be."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, is_dataclass
from functools import cache
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, NamedTuple, TypeVar, cast, get_args, get_origin

from sweetspot.errors import InputError
from sweetspot.schema.keys import (
    Becomes,
    Matching,
    NonEmpty,
    Range,
    Said,
    bare,
    beside,
    choices,
    is_literal,
    keys_of,
)
from sweetspot.schema.mistakes import (
    Mistake,
    MistakesError,
    is_empty,
    missing,
    must_be,
    must_be_text,
    of_name,
    unknown_key,
    wrong,
)

Kind = TypeVar("Kind")
Reader = Callable[[Any], Any]

_WORDS = {"true": True, "false": False}
_MOST = (
    2**63 - 1
)  # what a file and numpy hold; a larger one is no float, or no text, sooner or later


class Leniency(NamedTuple):
    """What is let through.

    Attributes:
        values_as_text: "64" for 64 and "true" for true, as Snakemake hands on what stands inside
            of `--config 'a={b: 64}'`.
        other_keys: keys that a section does not have; they are ignored.
    """

    values_as_text: bool = False
    other_keys: bool = False


STRICT = Leniency()
AS_TEXT = Leniency(values_as_text=True)


def converted(kind: type[Kind], data: object, leniency: Leniency = STRICT) -> Kind:
    """Return data as an instance of a type: what they hold is of the types that it names.

    Instances of dataclasses are taken as they are. A whole number is a float, too; a boolean is
    no number.

    Raises:
        MistakesError: all that is wrong with them.
    """
    whole: Any = kind
    return cast("Kind", _reader(whole, leniency)(data))


class Checked:
    """Base of dataclasses that hold values of their keys' types only, however they are made.

    Rules that tie keys together are checked after these, in a `__post_init__` that calls this one.
    """

    def __post_init__(self) -> None:
        """Convert the values; raises MistakesError."""
        kind: Any = type(self)
        given = {key.name: getattr(self, key.name) for key in keys_of(kind)}
        found, mistakes = _values(_readers(kind, AS_TEXT), given)
        if mistakes:
            raise MistakesError(*mistakes)
        for name, value in found.items():
            object.__setattr__(self, name, value)


@cache
def _reader(kind: Any, leniency: Leniency) -> Reader:
    """Return the function that reads values of a type."""
    origin, inside = get_origin(kind), get_args(kind)
    if several := choices(kind):
        return _union(several, leniency)
    if origin is Annotated:
        return _ruled(kind, leniency)
    if is_literal(kind):
        return _literal(inside, leniency)
    if origin in (list, tuple):
        return _list(origin, _reader(inside[0], leniency))
    if origin in (dict, Mapping):
        return _mapping(inside[0], _reader(inside[1], leniency))
    if is_dataclass(kind):
        return _section(kind, leniency)
    simple: dict[Any, Reader] = {
        Any: lambda value: value,
        str: _text,
        Path: _path,
        int: _integer_or_text if leniency.values_as_text else _integer,
        float: _number_or_text if leniency.values_as_text else _number,
        bool: _boolean_or_text if leniency.values_as_text else _boolean,
    }
    return simple[kind]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise must_be_text(value)
    if "\0" in value:
        raise must_be("must be text without null characters", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise must_be("must be text that UTF-8 can hold", value) from None
    return value


def _path(value: Any) -> Path:
    return value if isinstance(value, Path) else Path(_text(value))


def _integer(value: Any) -> int:
    """Those of numpy and pandas become Python's own."""
    if value.__class__ is int:  # most are, and to ask what is integral takes long
        found = value
    elif isinstance(value, bool) or not isinstance(value, Integral):
        raise must_be("must be an integer", value)
    else:
        found = int(value)
    if not -_MOST <= found <= _MOST:
        raise must_be(f"must be an integer of at most {_MOST}", value)
    return found


def _integer_or_text(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,4000}", value):
        return int(value)
    return _integer(value)


def _number(value: Any) -> float:
    if value.__class__ is float:
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise must_be("must be a number", value)
    try:
        return float(value)
    except OverflowError:
        raise must_be("must be a number", value) from None


def _number_or_text(value: Any) -> float:
    try:
        return float(value) if isinstance(value, str) else _number(value)
    except ValueError:
        raise must_be("must be a number", value) from None


def _boolean(value: Any) -> bool:
    """Those of numpy and pandas, which are of another class, become Python's own."""
    numpy = sys.modules.get("numpy")  # where it is not loaded, nothing is of its classes
    if isinstance(value, bool) or (numpy and isinstance(value, numpy.bool_)):
        return bool(value)
    raise must_be("must be true or false", value)


def _boolean_or_text(value: Any) -> bool:
    return _boolean(_WORDS.get(value.lower(), value) if isinstance(value, str) else value)


def _literal(values: Sequence[Any], leniency: Leniency) -> Reader:
    *first, last = map(repr, values)
    wanted = f"must be {', '.join(first)} or {last}" if first else f"must be {last}"
    whole = leniency.values_as_text and all(isinstance(each, int) for each in values)

    def read(value: Any) -> Any:
        found = value
        if whole and isinstance(value, str):
            try:
                found = _integer_or_text(value)
            except MistakesError:
                raise must_be(wanted, value) from None
        for each in values:
            if type(each) is type(found) and each == found:
                return each
        raise must_be(wanted, value)

    return read


def _union(kinds: Sequence[Any], leniency: Leniency) -> Reader:
    readers = [_reader(kind, leniency) for kind in kinds if kind is not NoneType]
    optional = NoneType in kinds

    def read(value: Any) -> Any:
        if value is None and optional:
            return None
        for each in readers[:-1]:
            try:
                return each(value)
            except MistakesError:
                pass
        return readers[-1](value)

    return read


def _ruled(kind: Any, leniency: Leniency) -> Reader:
    """Return the reader of a type with rules, which hold in the order that they stand in."""
    inner = _reader(bare(kind), leniency)
    rules = [each for each in map(_rule, beside(kind)) if each]
    said = next((each for each in beside(kind) if isinstance(each, Said)), None)
    is_text = bare(kind) is str

    def read(value: Any) -> Any:
        try:
            found = inner(value)
            for rule in rules:
                found = rule(found)
        except MistakesError:
            # a number where text is to be: quotes lack
            if said is None or (is_text and not isinstance(value, str)):
                raise
            raise must_be(said.words, value) from None
        return found

    return read if rules or said else inner


def _rule(rule: object) -> Reader | None:
    """Return the function that gives back a value which a rule holds for."""
    match rule:
        case Range():
            return _range(rule)
        case Matching(pattern):
            return _matching(re.compile(pattern))
        case Becomes(function):
            return _becoming(function)
        case NonEmpty():
            return _non_empty
    return None


def _range(limits: Range) -> Reader:
    bounds: list[tuple[Callable[[float], bool], str]] = []
    # so put that NaN is in no range
    if (gt := limits.gt) is not None:
        bounds.append((lambda x: x > gt, f"must be more than {gt:g}"))
    if (ge := limits.ge) is not None:
        bounds.append((lambda x: x >= ge, f"must be at least {ge:g}"))
    if (lt := limits.lt) is not None:
        bounds.append((lambda x: x < lt, f"must be less than {lt:g}"))
    if (le := limits.le) is not None:
        bounds.append((lambda x: x <= le, f"must be at most {le:g}"))
    if limits.finite:
        bounds.append((isfinite, "must be a finite number"))

    def read(value: Any) -> Any:
        for holds, wanted in bounds:
            if not holds(value):
                raise must_be(wanted, value)
        return value

    return read


def _matching(pattern: re.Pattern[str]) -> Reader:
    def read(value: str) -> str:
        if not pattern.fullmatch(value):
            raise must_be(f"must match {pattern.pattern}", value)
        return value

    return read


def _becoming(function: Reader) -> Reader:
    def read(value: Any) -> Any:
        try:
            return function(value)
        except InputError as e:
            raise wrong(str(e)) from e

    return read


def _non_empty(value: Any) -> Any:
    if not value:
        raise is_empty()
    return value


def _list(kind: type, item: Reader) -> Reader:
    def read(values: Any) -> Any:
        if not isinstance(values, list | tuple):
            raise must_be("must be a list, such as [a, b]", values)
        found: list[Any] = []
        mistakes: list[Mistake] = []
        for index, value in enumerate(values):
            try:
                found.append(item(value))
            except MistakesError as e:
                mistakes += e.inside(index)
        if mistakes:
            raise MistakesError(*mistakes)
        return kind(found)

    return read


def _mapping(names: Any, item: Reader) -> Reader:
    name = _reader(names, AS_TEXT)  # JSON has no other names

    def read(values: Any) -> dict[Any, Any]:
        if not isinstance(values, Mapping):
            raise must_be("must be a section with keys of its own", values)
        found: dict[Any, Any] = {}
        mistakes: list[Mistake] = []
        for key, value in values.items():
            try:
                known = name(key)
            except MistakesError as e:
                mistakes += of_name(e)
                continue
            try:
                found[known] = item(value)
            except MistakesError as e:
                mistakes += e.inside(key)
        if mistakes:
            raise MistakesError(*mistakes)
        return found

    return read


def _section(kind: Any, leniency: Leniency) -> Reader:
    readers = _readers(kind, leniency)
    required = [key.name for key in keys_of(kind) if key.default is MISSING]

    def read(values: Any) -> Any:
        if isinstance(values, kind):
            return values
        if not isinstance(values, Mapping):
            raise must_be("must be a section with keys of its own", values)
        found, mistakes = _values(readers, values)
        mistakes += [missing(name) for name in required if name not in values]
        if not leniency.other_keys:
            mistakes += [unknown_key(key, readers) for key in values if key not in readers]
        if mistakes:
            raise MistakesError(*mistakes)
        return kind(**found)

    return read


@cache
def _readers(kind: Any, leniency: Leniency) -> dict[str, Reader]:
    return {key.name: _reader(key.kind, leniency) for key in keys_of(kind)}


def _values(
    readers: Mapping[str, Reader], given: Mapping[Any, Any]
) -> tuple[dict[str, Any], list[Mistake]]:
    """Return the values that can be read, by key, and what is wrong with the others."""
    found: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name, item in readers.items():
        if name in given:
            try:
                found[name] = item(given[name])
            except MistakesError as e:
                mistakes += e.inside(name)
    return found, mistakes
