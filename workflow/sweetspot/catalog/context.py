"""How many positions a model has, where its rotations are scaled to more than it was trained on."""

import reprlib
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from sweetspot.catalog.config_fields import MAX_SIZE, mapping_of
from sweetspot.errors import InputError

# What max_position_embeddings counts already.
_COUNTED = ("su", "longrope", "llama3", "default")


def scaled_positions(config: Mapping[str, Any], positions: int) -> int:
    """Return the context that engines take a model of this config.json to have.

    YaRN multiplies `original_max_position_embeddings`, other scalings the positions that the file
    states; those of Gemma 3 count in `max_position_embeddings`.

    Raises:
        InputError: a scaling cannot be read.
    Source: vLLM 0.24.0, _get_and_verify_max_len of vllm/config/model.py, which agrees with
        RotaryEmbedding's scaling in transformers, modeling_rope_utils.py.
    """
    model_type = config.get("model_type")
    if isinstance(model_type, str) and model_type.startswith("gemma3"):
        return positions
    longest = positions
    for scaling in _scalings(config):
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        if not isinstance(kind, str):
            raise InputError(f"'rope_type' must be a name, not {reprlib.repr(kind)}")
        if kind in _COUNTED or scaling.get("factor") is None:
            continue
        factor = _number(scaling, "factor")
        begin: float = positions
        if kind == "yarn" and scaling.get("original_max_position_embeddings") is not None:
            begin = _number(scaling, "original_max_position_embeddings")
        if not 1 <= begin * factor <= MAX_SIZE:
            raise InputError(f"a context of {begin:g} times 'factor' {factor:g} makes no sense")
        longest = int(begin * factor)
    return longest


def _scalings(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the scaling of all layers, or of each kind of them."""
    for key in ("rope_parameters", "rope_scaling"):
        stated = config.get(key)
        if stated is None:
            continue
        scaling = mapping_of(stated, key)
        nested = [each for each in scaling.values() if isinstance(each, Mapping)]
        yield from nested or [scaling]
        return


def _number(scaling: Mapping[str, Any], key: str) -> float:
    value = scaling[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not _fits(value):
        raise InputError(f"{key!r} must be a number, not {reprlib.repr(value)}")
    return value


def _fits(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an integer of JSON may be beyond all floats
        return False
