"""What is wrong with a configuration, in words for somebody who edits a YAML file."""

from typing import Any, get_args, get_origin

from pydantic import BaseModel

from sweetspot.errors import unknown_name


def explain(error: dict[str, Any], model: type[BaseModel]) -> str:
    """Word one of pydantic's errors on a configuration that `model` describes."""
    path = error["loc"]
    where = ".".join(str(part) for part in path if not isinstance(part, int))
    value, kind, context = error["input"], error["type"], error.get("ctx", {})
    if path[-1:] == ("[key]",):
        if not isinstance(value, str):
            return f"sweep name {value!r} must be text: write it in quotes"
        return f"sweep name {value!r} may hold letters, digits, '_' and '-' only"
    if kind == "invalid_key":
        return str(unknown_name("key", str(path[-1]), _keys_at(model, ())))
    if kind == "extra_forbidden":
        siblings = _keys_at(model, path[:-1])
        section = f" in {'.'.join(map(str, path[:-1]))}" if len(path) > 1 else ""
        return str(unknown_name(f"key{section}", str(path[-1]), siblings))
    if kind == "value_error":
        return f"{where}: {context['error']}" if where else str(context["error"])
    if kind == "greater_than" and isinstance(context["gt"], float):
        return f"{where} must be more than {context['gt']:g}, not {value!r}"
    if kind in ("greater_than", "int_type", "int_parsing", "int_from_float"):
        if path[-1] in ("seed", "eos_id", "warmup"):
            return f"{where} must be an integer of 0 or more, not {value!r}"
        return f"{where} must be a positive integer, not {value!r}"
    if kind == "too_short":
        return f"{where} is empty; it needs at least one entry"
    if kind == "list_type":
        return f"{where} must be a list, such as [a, b], not {value!r}"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return f"{where} must be a section with keys of its own, not {value!r}"
    if kind == "string_type":
        return f"{where} must be text, not {value!r}; write it in quotes"
    if kind in ("bool_type", "bool_parsing"):
        return f"{where} must be true or false, not {value!r}"
    if kind in ("greater_than_equal", "less_than_equal", "less_than"):
        bound = {"greater_than_equal": "at least", "less_than_equal": "at most"}.get(kind, "below")
        return f"{where} must be {bound} {next(iter(context.values()))}, not {value!r}"
    if kind in ("literal_error", "enum"):
        return f"{where} must be {context['expected']}, not {value!r}"
    if kind == "string_pattern_mismatch":
        return (
            f"{where} {value!r} must begin with a letter or digit and may hold letters, digits,"
            " '.', '_' and '-' only"
        )
    return f"{where}: {error['msg']}, not {value!r}"


def _keys_at(model: Any, path: tuple[Any, ...]) -> list[str]:
    """Return the keys that the section at this path of a model may have."""
    section = model
    for part in path:
        named = get_origin(section) is dict  # a mapping of names to sections, as the sweeps are
        section = get_args(section)[1] if named else section.model_fields[part].annotation
    return list(section.model_fields)
