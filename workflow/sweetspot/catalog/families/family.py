"""What is known of one family of models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sweetspot.catalog.readers import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family.

    Attributes:
        name: as people write it.
        causal_lm: the class that `architectures` names.
        read: makes the architecture of the file's fields.
        defaults: the config class's values for keys that a file may leave out.
        nested: more of them, for files that hold a model of this family as their `text_config`:
            those leave out whatever equals the default. In a file of its own, the sizes in which
            models differ have no default on purpose.
    """

    name: str
    causal_lm: str
    read: Reader
    defaults: Mapping[str, Any] = field(default_factory=dict)
    nested: Mapping[str, Any] = field(default_factory=dict)


def sizes(hidden: int, layers: int, heads: int) -> dict[str, int]:
    """Return a config class's own sizes under their keys."""
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }
