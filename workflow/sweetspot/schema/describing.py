"""JSON schemas (draft 2020-12) of dataclasses, for editors that check and complete files."""

from collections.abc import Mapping
from dataclasses import MISSING, is_dataclass
from inspect import getdoc
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from sweetspot.schema.keys import (
    Key,
    Matching,
    NonEmpty,
    Range,
    bare,
    beside,
    choices,
    is_literal,
    keys_of,
)
from sweetspot.schema.writing import plain

DIALECT = "https://json-schema.org/draft/2020-12/schema"
JsonSchema = dict[str, Any]

_TYPES: dict[Any, JsonSchema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Path: {"type": "string", "format": "path"},
    NoneType: {"type": "null"},
    Any: {},
}
_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
_LEAST = {"string": "minLength", "array": "minItems", "object": "minProperties"}


def json_schema(kind: type) -> JsonSchema:
    """Return the schema of a dataclass; those of sections inside of it stand under `$defs`."""
    definitions: dict[str, JsonSchema] = {}
    whole = _section(kind, definitions)
    return {"$schema": DIALECT, "$defs": dict(sorted(definitions.items())), **whole}


def _section(kind: type, definitions: dict[str, JsonSchema]) -> JsonSchema:
    keys = keys_of(kind)
    required = [key.name for key in keys if key.default is MISSING]
    return {
        "description": getdoc(kind),
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: _key(key, definitions) for key in keys},
        **({"required": required} if required else {}),
    }


def _key(key: Key, definitions: dict[str, JsonSchema]) -> JsonSchema:
    described = {"description": key.description} if key.description else {}
    default = {} if key.default is MISSING else {"default": plain(key.default)}
    return {**described, **default, **_kind(key.kind, definitions)}


def _kind(kind: Any, definitions: dict[str, JsonSchema]) -> JsonSchema:
    inside = get_args(bare(kind))
    if is_dataclass(bare(kind)):
        name = bare(kind).__name__
        if name not in definitions:
            definitions[name] = {}  # of a section inside of itself
            definitions[name] = _section(bare(kind), definitions)
        return {"$ref": f"#/$defs/{name}"}
    if several := choices(kind):
        return {"anyOf": [_kind(each, definitions) for each in several]}
    if is_literal(bare(kind)):
        of = _TYPES[type(inside[0])]
        return {**of, "const": inside[0]} if len(inside) == 1 else {**of, "enum": list(inside)}
    if get_origin(bare(kind)) in (list, tuple):
        found: JsonSchema = {"type": "array", "items": _kind(inside[0], definitions)}
    elif get_origin(bare(kind)) in (dict, Mapping):
        found = {"type": "object", **_names(inside[0], _kind(inside[1], definitions))}
    else:
        found = dict(_TYPES[bare(kind)])
    for rule in beside(kind):
        found |= _rule(rule, found.get("type", ""))
    return found


def _names(names: Any, values: JsonSchema) -> JsonSchema:
    pattern = next((rule.pattern for rule in beside(names) if isinstance(rule, Matching)), None)
    if pattern is None:
        return {"additionalProperties": values}
    return {"patternProperties": {pattern: values}, "additionalProperties": False}


def _rule(rule: object, kind: str) -> JsonSchema:
    match rule:
        case Range():
            bounds = ((key, getattr(rule, name)) for name, key in _BOUNDS.items())
            return {key: bound for key, bound in bounds if bound is not None}
        case Matching(pattern):
            return {"pattern": pattern}
        case NonEmpty():
            return {_LEAST[kind]: 1}
    return {}
