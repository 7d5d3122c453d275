"""An architecture from the config.json that a model is published with."""

import reprlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.config_fields import ConfigFields
from sweetspot.catalog.context import scaled_positions
from sweetspot.catalog.families import FAMILIES
from sweetspot.catalog.families.family import Family
from sweetspot.catalog.families.refused import REFUSED
from sweetspot.catalog.quantization_config import quantized
from sweetspot.errors import InputError

# A float32 checkpoint is built as float16, and so is one that says nothing.
_ENGINE_DTYPE = {
    None: "float16",
    "float32": "float16",
    "float16": "float16",
    "bfloat16": "bfloat16",
}

# Where a multimodal file holds its language model, and what of the rest is said of that, too.
_LANGUAGE_MODEL = ("text_config", "llm_config", "language_config")
_OF_BOTH = ("torch_dtype", "dtype", "tie_word_embeddings")
# Language models of multimodal files that do not say their type. Source: transformers, the config
# class of each model_type.
_LANGUAGE_TYPES = {
    "aya_vision": "cohere2",
    "gemma3": "gemma3_text",
    "glm4v": "glm4v_text",
    "glm4v_moe": "glm4v_moe_text",
    "idefics3": "llama",
    "internvl": "qwen2",
    "Gemma3ForConditionalGeneration": "gemma3_text",
    "llama4": "llama4_text",
    "llava": "llama",
    "llava_next": "llama",
    "llava_onevision": "qwen2",
    "mistral3": "mistral",
    "paligemma": "gemma",
    "qwen2_5_vl": "qwen2_5_vl_text",
    "qwen2_audio": "qwen2",
    "qwen2_vl": "qwen2_vl_text",
    "qwen3_vl": "qwen3_vl_text",
    "qwen3_vl_moe": "qwen3_vl_moe_text",
    "smolvlm": "llama",
    "vipllava": "llama",
    "voxtral": "llama",
}


def architecture_from_config(config: Mapping[str, Any], model_id: str) -> Architecture:
    """Return the architecture that a parsed Hugging Face config.json describes.

    Keys that the file leaves out get the value of the family's config class in transformers. Of a
    multimodal model the language model is read, without what sees or hears.

    Raises:
        InputError: the architecture is not one that can be read, the checkpoint is quantized in a
            way that cannot be simulated, or a value is missing or wrong; the message names the key.
    """
    nested = _language_model(config)
    text = config if nested is None else nested
    family = _family(text)
    defaults = family.defaults if nested is None else {**family.nested, **family.defaults}
    plain = family.read(ConfigFields(text, defaults), model_id, _engine_dtype(text))
    longest = plain.max_positions
    if plain.positions == "rope":
        longest = scaled_positions(text, longest)
    return replace(
        plain,
        max_positions=longest,
        quantization=quantized(plain, {**text, **config}),
    )


def causal_lm_of(config: Mapping[str, Any]) -> str:
    """Return the class that runs the language model of a parsed config.json.

    Raises:
        InputError: it is not one that can be read.
    """
    nested = _language_model(config)
    return _family(config if nested is None else nested).causal_lm


def _stated_type(config: Mapping[str, Any]) -> str:
    """Return the model type, or else the class name, that the file states."""
    model_type = config.get("model_type")
    if model_type is None:
        architectures = config.get("architectures")
        if not isinstance(architectures, list) or not architectures:
            raise InputError("neither 'model_type' nor 'architectures' says what model this is")
        model_type = architectures[0]
    if not isinstance(model_type, str):
        raise InputError(f"'model_type' must be a name, not {reprlib.repr(model_type)}")
    return model_type


def _language_model(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a multimodal file says of its language model; None where it is no such file."""
    stated = _stated_type(config)
    held = [key for key in _LANGUAGE_MODEL if key in config]
    if not held:
        if stated in FAMILIES or stated not in _LANGUAGE_TYPES:
            return None
        held = ["text_config"]
    text = config.get(held[0])
    if not isinstance(text, Mapping):
        raise InputError(
            f"{held[0]!r} must hold the language model of a multimodal {stated},"
            f" not {reprlib.repr(text)}"
        )
    language = {k: config[k] for k in _OF_BOTH if k in config} | dict(text)
    if language.get("model_type") is None and language.get("architectures") is None:
        language["model_type"] = _LANGUAGE_TYPES.get(stated, stated)
    return language


def _family(config: Mapping[str, Any]) -> Family:
    stated = _stated_type(config)
    for model_type, family in FAMILIES.items():
        if stated in (model_type, family.causal_lm):
            return family
    if stated in REFUSED:
        raise InputError(f"cannot read a model of type {stated!r}: it has {REFUSED[stated]}")
    readable = ", ".join(sorted({family.name for family in FAMILIES.values()}))
    raise InputError(f"cannot read a model of type {reprlib.repr(stated)}; readable: {readable}")


def _engine_dtype(config: Mapping[str, Any]) -> str:
    key = "torch_dtype" if config.get("torch_dtype") is not None else "dtype"
    value = config.get(key)
    if (value is not None and not isinstance(value, str)) or value not in _ENGINE_DTYPE:
        raise InputError(f"{key!r} must be float16, bfloat16 or float32, not {reprlib.repr(value)}")
    return _ENGINE_DTYPE[value]
