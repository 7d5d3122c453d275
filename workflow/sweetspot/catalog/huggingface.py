"""An architecture from the config.json that a model is published with."""

import reprlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.config_fields import ConfigFields
from sweetspot.catalog.families import FAMILIES, Family
from sweetspot.catalog.quantization_config import quantized
from sweetspot.errors import InputError

# A float32 checkpoint is built as float16, and so is one that says nothing.
_ENGINE_DTYPE = {
    None: "float16",
    "float32": "float16",
    "float16": "float16",
    "bfloat16": "bfloat16",
}

_GEMMA3_MULTIMODAL = ("gemma3", "Gemma3ForConditionalGeneration")


def architecture_from_config(config: Mapping[str, Any], model_id: str) -> Architecture:
    """Return the architecture that a parsed Hugging Face config.json describes.

    Keys that the file leaves out get the value of the family's config class in transformers. Of a
    multimodal Gemma 3 the language model is read, without its vision tower.

    Raises:
        InputError: the architecture is not one that can be read, the checkpoint is quantized in a
            way that cannot be simulated, or a value is missing or wrong; the message names the key.
    """
    text = _language_model(config)
    family = _family(text)
    plain = family.read(ConfigFields(text, family.defaults), model_id, _engine_dtype(text))
    return replace(plain, quantization=quantized(plain, {**text, **config}))


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


def _language_model(config: Mapping[str, Any]) -> Mapping[str, Any]:
    if _stated_type(config) not in _GEMMA3_MULTIMODAL:
        return config
    text = config.get("text_config")
    if not isinstance(text, Mapping):
        raise InputError(
            "'text_config' must hold the language model of a multimodal Gemma 3,"
            f" not {reprlib.repr(text)}"
        )
    outer = {k: config[k] for k in ("torch_dtype", "dtype") if k in config}
    return outer | {"model_type": "gemma3_text"} | dict(text)


def _family(config: Mapping[str, Any]) -> Family:
    stated = _stated_type(config)
    for model_type, family in FAMILIES.items():
        if stated in (model_type, family.causal_lm):
            return family
    readable = ", ".join(sorted({family.name for family in FAMILIES.values()}))
    raise InputError(
        f"cannot read a model of type {reprlib.repr(stated)}; readable: {readable} (dense models)"
    )


def _engine_dtype(config: Mapping[str, Any]) -> str:
    key = "torch_dtype" if config.get("torch_dtype") is not None else "dtype"
    value = config.get(key)
    if (value is not None and not isinstance(value, str)) or value not in _ENGINE_DTYPE:
        raise InputError(f"{key!r} must be float16, bfloat16 or float32, not {reprlib.repr(value)}")
    return _ENGINE_DTYPE[value]
