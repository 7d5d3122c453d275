"""What is wrong with a configuration, in words for somebody who edits a YAML file.

It knows of no key by name: what a value must be, where that is not plain from its type, is said
with the type, by `said`.
"""

from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from sweetspot.errors import shown, unknown_name

MOST_MISTAKES = 5
"""As many mistakes of one configuration are named; further ones are counted."""

_WORDS = "in words"  # pydantic's type of an error that `said` words


def said(words: str) -> WrapValidator:
    """Say of each value of a type that is refused what it must be: "must be a positive integer"."""

    def validate(value: object, validated: ValidatorFunctionWrapHandler) -> object:
        try:
            return validated(value)
        except ValidationError as e:
            if e.errors()[0]["type"] == "string_type":  # a number where text is to be: quotes lack
                raise
            raise PydanticCustomError(_WORDS, "{words}", {"words": words}) from e

    return WrapValidator(validate)


def mistakes(error: ValidationError, model: type[BaseModel]) -> str:
    """Word all of pydantic's errors on a configuration that `model` describes, in one line."""
    found = list(dict.fromkeys(_mistake(dict(each), model) for each in error.errors()))
    more = [f"and {len(found) - MOST_MISTAKES} more"] if len(found) > MOST_MISTAKES else []
    # a key may hold line breaks
    return " ".join("; ".join([*found[:MOST_MISTAKES], *more]).split())


def _mistake(error: dict[str, Any], model: type[BaseModel]) -> str:
    path = error["loc"]
    value, kind, context = error["input"], error["type"], error.get("ctx", {})
    where = ".".join(str(part) for part in path if not isinstance(part, int))
    if path[-1:] == ("[key]",):  # of a mapping whose names are free
        where = f"{'.'.join(map(str, path[:-2]))}: name"
    if kind in ("invalid_key", "extra_forbidden"):
        siblings = _keys_at(model, path[:-1])
        section = f" in {'.'.join(map(str, path[:-1]))}" if len(path) > 1 else ""
        return str(unknown_name(f"key{section}", str(path[-1]), siblings))
    if kind == "value_error":
        return f"{where}: {context['error']}" if where else str(context["error"])
    if kind == "too_short":
        return f"{where} is empty; it needs at least one entry"
    if kind == "string_type":
        return f"{where} must be text, not {shown(value)}; write it in quotes"
    wanted = context["words"] if kind == _WORDS else _wanted(kind, context) or error["msg"]
    return f"{where} {wanted}, not {shown(value)}"


def _wanted(kind: str, context: dict[str, Any]) -> str:
    """Return what a value must be; empty where only pydantic can say it."""
    match kind:
        case "list_type":
            return "must be a list, such as [a, b]"
        case "dict_type" | "model_type" | "model_attributes_type":
            return "must be a section with keys of its own"
        case "int_type" | "int_parsing" | "int_from_float":
            return "must be an integer"
        case "float_type" | "float_parsing":
            return "must be a number"
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "literal_error":
            return f"must be {context['expected']}"
        case "greater_than":
            return f"must be more than {context['gt']:g}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}"
    return ""


def _keys_at(model: Any, path: tuple[Any, ...]) -> list[str]:
    """Return the keys that the section at this path of a model may have."""
    section = model
    for part in path:
        named = get_origin(section) is dict  # a mapping of names to sections
        section = get_args(section)[1] if named else section.model_fields[part].annotation
    return list(section.model_fields)
