"""Which layers of a model attend to a sliding window only."""

import reprlib
from typing import Any, Literal

from sweetspot.catalog.config_fields import ConfigFields
from sweetspot.errors import InputError

Sliding = Literal["never", "all", "pattern", "tail"]

_LAYER_TYPES = {"sliding_attention": True, "full_attention": False}


def sliding_layers(fields: ConfigFields, layers: int, rule: Sliding) -> tuple[int | None, int]:
    """Return the window in tokens and how many layers have it; (None, 0) without such layers.

    Rules: "all" layers slide wherever a window is set; by "pattern", every
    `sliding_window_pattern`-th layer sees everything and the rest slides; by "tail", the layers
    from `max_window_layers` on slide, if `use_sliding_window` says so.

    Raises:
        InputError: one of these keys, or `layer_types`, cannot be read.
    Source: transformers, __post_init__ of Gemma2Config, Gemma3TextConfig, Qwen2Config, Qwen3Config;
        window masks of MistralModel and Phi3Model.
    """
    if rule == "never" or (rule == "tail" and not fields.flag("use_sliding_window")):
        return None, 0
    window = fields.optional_size("sliding_window")
    listed = fields.given.get("layer_types")
    if rule == "all":
        sliding = layers
    elif listed is not None:
        sliding = _listed(listed, layers)
    elif rule == "pattern":
        sliding = layers - layers // fields.size("sliding_window_pattern")
    else:
        sliding = max(0, layers - fields.count("max_window_layers"))
    return (window, sliding) if window and sliding else (None, 0)


def _listed(layer_types: Any, layers: int) -> int:
    if not isinstance(layer_types, list) or len(layer_types) != layers:
        raise InputError(
            f"'layer_types' must list one type for each of the {layers} layers,"
            f" not {reprlib.repr(layer_types)}"
        )
    for layer_type in layer_types:
        if not isinstance(layer_type, str) or layer_type not in _LAYER_TYPES:
            raise InputError(
                f"'layer_types' has {reprlib.repr(layer_type)}; known: {', '.join(_LAYER_TYPES)}"
            )
    return sum(_LAYER_TYPES[layer_type] for layer_type in layer_types)
