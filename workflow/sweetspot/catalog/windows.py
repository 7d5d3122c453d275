"""Which layers of a model slide, as its config.json says it: each rule is that of some families.

A rule takes the fields and the number of layers that attend, and returns the window in tokens and
how many layers have it; (None, 0) without such layers.
"""

import reprlib
from collections.abc import Callable
from typing import Any

from sweetspot.catalog.config_fields import ConfigFields
from sweetspot.errors import InputError

WindowRule = Callable[[ConfigFields, int], tuple[int | None, int]]

# Chunked attention (Llama 4) sees the tokens of its own chunk: taken as a window of a whole chunk,
# the most that it can see; on average it is half of that.
_LAYER_TYPES = {"sliding_attention": True, "chunked_attention": True, "full_attention": False}


def no_windows(fields: ConfigFields, layers: int) -> tuple[int | None, int]:
    """No layer slides.

    Raises:
        InputError: `layer_types` says otherwise.
    """
    if _listed(fields, layers):
        raise InputError("'layer_types' has layers that do not attend to everything; not readable")
    return None, 0


def all_slide(fields: ConfigFields, layers: int) -> tuple[int | None, int]:
    """All layers slide wherever a window is set, whatever `layer_types` says.

    Raises:
        InputError: the window cannot be read.
    Source: transformers, window masks of MistralModel and Phi3Model.
    """
    return _with_window(fields, layers, "sliding_window")


def listed_slide(fields: ConfigFields, layers: int) -> tuple[int | None, int]:
    """Layers that `layer_types` lists slide, or else all, wherever a window is set.

    Raises:
        InputError: one of these keys cannot be read.
    Source: transformers, __post_init__ of MinistralConfig.
    """
    listed = _listed(fields, layers)
    return _with_window(fields, layers if listed is None else listed, "sliding_window")


def pattern_of(key: str) -> WindowRule:
    """Return the rule of models whose every so many-th layer sees everything and the rest slides.

    The pattern may be in letters (L for local), too, with a last layer that is global anyway.

    Args:
        key: says how many.

    Source: transformers, __post_init__ of Gemma2Config, Gemma3TextConfig, Cohere2Config,
        Olmo3Config, Exaone4Config and AfmoeConfig.
    """

    def rule(fields: ConfigFields, layers: int) -> tuple[int | None, int]:
        window = fields.optional_size("sliding_window")
        sliding = _listed(fields, layers)
        if window is None:
            return None, 0
        if sliding is None:
            letters = fields.given.get(key)
            if isinstance(letters, str) and letters and set(letters) <= set("LG"):
                sliding = sum(letters[i % len(letters)] == "L" for i in range(layers - 1))
            else:
                sliding = layers - layers // fields.size(key)
        return _with_window(fields, sliding, "sliding_window")

    return rule


by_pattern = pattern_of("sliding_window_pattern")


def local_of_types(fields: ConfigFields, layers: int) -> tuple[int | None, int]:
    """Layers slide that `attention_types` calls local: [[[kinds of layers], times], ...] (GPT-Neo).

    Raises:
        InputError: one of these keys cannot be read, or they are not those of all layers.
    Source: transformers, GPTNeoConfig.expand_attention_types_params.
    """
    stated: Any = fields.given.get("attention_types", [[["global", "local"], layers // 2]])
    try:
        kinds = [kind for some, times in stated for kind in list(some) * times]
    except (TypeError, ValueError):
        kinds = []
    if len(kinds) != layers or not all(kind in ("global", "local") for kind in kinds):
        raise InputError(
            f"'attention_types' must say of each of the {layers} layers whether it is 'global' or"
            f" 'local', not {reprlib.repr(stated)}"
        )
    return _with_window(fields, kinds.count("local"), "window_size")


def from_layer_on(fields: ConfigFields, layers: int) -> tuple[int | None, int]:
    """Layers from `max_window_layers` on slide, if `use_sliding_window` says so.

    Raises:
        InputError: one of these keys, or `layer_types`, cannot be read.
    Source: transformers, __post_init__ of Qwen2Config, Qwen3Config and their like.
    """
    if not fields.flag("use_sliding_window"):
        return None, 0
    sliding = _listed(fields, layers)
    if sliding is None:
        sliding = max(0, layers - fields.count("max_window_layers"))
    return _with_window(fields, sliding, "sliding_window")


def in_chunks(fields: ConfigFields, layers: int) -> tuple[int | None, int]:
    """Three of four layers attend in chunks, or those that `layer_types` lists.

    Raises:
        InputError: one of these keys cannot be read.
    Source: transformers, __post_init__ of Llama4TextConfig.
    """
    chunked = _listed(fields, layers)
    if chunked is None:
        chunked = layers - layers // fields.size("no_rope_layer_interval")
    return _with_window(fields, chunked, "attention_chunk_size")


def _with_window(fields: ConfigFields, sliding: int, key: str) -> tuple[int | None, int]:
    window = fields.optional_size(key)
    return (window, sliding) if window and sliding else (None, 0)


def _listed(fields: ConfigFields, layers: int) -> int | None:
    """Return how many of the listed layers slide; None where none are listed."""
    listed: Any = fields.given.get("layer_types")
    if listed is None:
        return None
    if not isinstance(listed, list) or len(listed) != layers:
        raise InputError(
            f"'layer_types' must list one type for each of the {layers} layers,"
            f" not {reprlib.repr(listed)}"
        )
    for layer_type in listed:
        if not isinstance(layer_type, str) or layer_type not in _LAYER_TYPES:
            raise InputError(
                f"'layer_types' has {reprlib.repr(layer_type)}; known: {', '.join(_LAYER_TYPES)}"
            )
    return sum(_LAYER_TYPES[layer_type] for layer_type in listed)
