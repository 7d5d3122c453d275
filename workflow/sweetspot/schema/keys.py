"""The keys of a dataclass, and what stands beside a type in `Annotated`: its rules and its meaning.

A text in `Annotated` says what a key means: `Annotated[float, Range(gt=0), "Power, in W."]`.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Between what a number lies; `finite` alone refuses NaN and infinities only."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    finite: bool = False


@dataclass(frozen=True, slots=True)
class Matching:
    """The regular expression that a whole text matches."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a value must be, in words instead of those of its type: "must be a positive integer"."""

    words: str


@dataclass(frozen=True, slots=True)
class Becomes:
    """What a value is turned into; an InputError says what is wrong with it."""

    function: Callable[[Any], Any]


class NonEmpty:
    """Of texts, lists and mappings that hold something."""


FiniteFloat = Annotated[float, Range(finite=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a dataclass.

    Attributes:
        kind: its type, with all that stands beside it.
        default: a value, or MISSING where it has to be given.
        description: what it means; empty where nothing is said.
    """

    name: str
    kind: Any
    default: Any
    description: str

    @property
    def plain_kind(self) -> Any:
        """The type alone, of keys that may be left out that of those that are there."""
        inside = [each for each in choices(self.kind) if each is not NoneType]
        return bare(inside[0]) if len(inside) == 1 else bare(self.kind)


def keys_of(kind: Any) -> tuple[Key, ...]:
    """Return the keys of a dataclass, in order."""
    return _keys_of(kind)


@cache
def _keys_of(kind: Any) -> tuple[Key, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        Key(
            name=each.name,
            kind=hints[each.name],
            default=each.default if each.default_factory is MISSING else each.default_factory(),
            description=next((x for x in beside(hints[each.name]) if isinstance(x, str)), ""),
        )
        for each in fields(kind)
    )


def bare(kind: Any) -> Any:
    """Return a type without what stands beside it."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def beside(kind: Any) -> tuple[Any, ...]:
    """Return what stands beside a type."""
    return get_args(kind)[1:] if get_origin(kind) is Annotated else ()


def choices(kind: Any) -> tuple[Any, ...]:
    """Return the types that `A | B` names, each with what stands beside them; empty of others."""
    if get_origin(bare(kind)) not in (Union, UnionType):
        return ()
    rules = beside(kind)
    return tuple(
        Annotated[each, *rules] if rules and each is not NoneType else each
        for each in get_args(bare(kind))
    )


def is_literal(kind: Any) -> bool:
    """Return whether a type names its values."""
    return get_origin(kind) is Literal
