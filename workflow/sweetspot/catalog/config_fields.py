"""Validated reading of a Hugging Face config.json: one clear line for every bad value."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweetspot.errors import InputError

# No size of any model comes near; beyond it, floats that are made of sizes would overflow.
MAX_SIZE = 10**9

# Keys that any family lets be null: as many as there are heads; no window; no such projection.
_NULLABLE = frozenset({"num_key_value_heads", "num_kv_heads", "sliding_window", "q_lora_rank"})

_MISSING = object()


@dataclass(frozen=True, slots=True)
class ConfigFields:
    """Fields of one config.json over the defaults of its family's config class.

    Where a key has an older name, both are given: the newer first, which errors name.

    Attributes:
        given: what the file says.
        defaults: what transformers' config class assumes for keys that the file leaves out. A size
            without a default must be in the file; a default of None makes null a legal value.
    """

    given: Mapping[str, Any]
    defaults: Mapping[str, Any]

    def _value(self, keys: tuple[str, ...]) -> Any:
        for source in (self.given, self.defaults):
            for key in keys:
                if key in source:
                    return source[key]
        return _MISSING

    def size(self, *keys: str) -> int:
        """Return a positive integer.

        Raises:
            InputError: it is missing, null or anything else.
        """
        value = self._value(keys)
        if value is _MISSING:
            raise InputError(f"{keys[0]!r} is missing; it must be a positive integer")
        if type(value) is not int or not 0 < value <= MAX_SIZE:
            raise InputError(
                f"{keys[0]!r} must be a positive integer (at most {MAX_SIZE:.0e}),"
                f" not {reprlib.repr(value)}"
            )
        return value

    def optional_size(self, *keys: str) -> int | None:
        """Return a positive integer, or None where it is left out or null.

        Raises:
            InputError: it is something else, or null where the family has no use for null.
        """
        value = self._value(keys)
        nullable = self.defaults.get(keys[0]) is None or keys[0] in _NULLABLE
        if value is _MISSING or (value is None and nullable):
            return None
        return self.size(*keys)

    def count(self, key: str) -> int:
        """Return an integer of zero or more.

        Raises:
            InputError: it is anything else.
        """
        return 0 if type(value := self._value((key,))) is int and value == 0 else self.size(key)

    def optional_count(self, *keys: str) -> int:
        """Return an integer of zero or more; 0 where it is left out or null.

        Raises:
            InputError: it is anything else.
        """
        value = self._value(keys)
        return 0 if value is _MISSING or value is None or value == 0 else self.size(*keys)

    def indices(self, key: str, below: int) -> frozenset[int]:
        """Return listed places of layers, counted from 0; none where it is left out or null.

        Raises:
            InputError: it is anything else, or one of them is not of a layer.
        """
        value = self._value((key,))
        if value is _MISSING or value is None:
            return frozenset()
        if not isinstance(value, list) or not all(type(i) is int and 0 <= i < below for i in value):
            raise InputError(
                f"{key!r} must list layers from 0 to {below - 1}, not {reprlib.repr(value)}"
            )
        return frozenset(value)

    def flag(self, key: str) -> bool:
        """Return true or false; false where neither file nor family speak of it.

        Raises:
            InputError: it is anything else.
        """
        value = self._value((key,))
        if value is _MISSING:
            return False
        if not isinstance(value, bool):
            raise InputError(f"{key!r} must be true or false, not {reprlib.repr(value)}")
        return value

    def head_dim(self, hidden: int, heads: int, *keys: str) -> int:
        """Return the size of one head: as given, else `hidden` divided by `heads`.

        Raises:
            InputError: it is not given, and `hidden` is not a multiple of `heads`.
        """
        given = self.optional_size(*(keys or ("head_dim",)))
        if given is not None:
            return given
        if hidden % heads:
            raise InputError(
                f"the hidden size {hidden} is not divisible by the {heads} attention heads"
            )
        return hidden // heads


def check_kv_heads(heads: int, kv_heads: int) -> int:
    """Return `kv_heads`.

    Raises:
        InputError: the heads cannot be shared out evenly among them.
    """
    if heads % kv_heads:
        raise InputError(
            f"the {heads} attention heads cannot be shared out among {kv_heads} key-value heads"
        )
    return kv_heads


def mapping_of(value: Any, key: str) -> Mapping[str, Any]:
    """Return what a key of a config.json holds, which is to be keys again.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{key!r} must hold keys, not {reprlib.repr(value)}")
    return value
