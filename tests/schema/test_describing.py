"""JSON schemas of dataclasses."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from sweetspot.schema.describing import DIALECT, json_schema
from sweetspot.schema.keys import Matching, NonEmpty, Range


@dataclass
class Part:
    """A part."""

    share: Annotated[float | None, Range(gt=0, le=1), "A share."] = None
    mode: Literal["a", "b"] = "a"


@dataclass
class Whole:
    """A whole."""

    version: Literal[1]
    part: Annotated[Part, "One part."] = field(default_factory=Part)
    parts: Annotated[list[Part], NonEmpty()] = field(default_factory=list)
    named: dict[Annotated[str, Matching("^x$")], int] = field(default_factory=dict)


def test_schema_says_types_bounds_defaults_and_meaning():
    assert json_schema(Whole) == {
        "$schema": DIALECT,
        "$defs": {
            "Part": {
                "description": "A part.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "share": {
                        "description": "A share.",
                        "default": None,
                        "anyOf": [
                            {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                            {"type": "null"},
                        ],
                    },
                    "mode": {"default": "a", "type": "string", "enum": ["a", "b"]},
                },
            }
        },
        "description": "A whole.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "version": {"type": "integer", "const": 1},
            "part": {
                "description": "One part.",
                "default": {"share": None, "mode": "a"},
                "$ref": "#/$defs/Part",
            },
            "parts": {
                "default": [],
                "type": "array",
                "items": {"$ref": "#/$defs/Part"},
                "minItems": 1,
            },
            "named": {
                "default": {},
                "type": "object",
                "patternProperties": {"^x$": {"type": "integer"}},
                "additionalProperties": False,
            },
        },
        "required": ["version"],
    }
