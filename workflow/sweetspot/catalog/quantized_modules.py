"""Which matrices of the layers a quantized checkpoint means by the names that it lists."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sweetspot.errors import InputError

# What a layer's matrices are called, the fused ones last; all families' names side by side.
# A checkpoint that names a router, a norm or a part of a vision tower names none of these.
ATTENTION_NAMES: Mapping[str, tuple[str, ...]] = {
    "q": ("self_attn.q_proj", "attn.q_proj", "self_attn.q_a_proj", "self_attn.q_b_proj"),
    "k": (
        *("self_attn.k_proj", "attn.k_proj"),
        *("self_attn.kv_a_proj_with_mqa", "self_attn.kv_b_proj"),
    ),
    "v": ("self_attn.v_proj", "attn.v_proj"),
    "o": ("self_attn.o_proj", "self_attn.out_proj", "attn.out_proj", "self_attention.dense"),
}
FFN_NAMES: Mapping[str, tuple[str, ...]] = {
    "gate": ("mlp.gate_proj", "mlp.gate_up_proj", "mlp.experts.gate_proj", "mlp.experts.w1"),
    "up": (
        *("mlp.up_proj", "mlp.gate_up_proj", "mlp.experts.up_proj", "mlp.experts.w3"),
        *("fc1", "mlp.fc_in", "mlp.dense_h_to_4h"),
    ),
    "down": (
        *("mlp.down_proj", "mlp.experts.down_proj", "mlp.experts.w2"),
        *("fc2", "mlp.fc_out", "mlp.dense_4h_to_h"),
    ),
}
_FUSED_QKV = ("self_attn.qkv_proj", "self_attention.query_key_value", "attn.qkv_proj")

_PREFIXES = ("model", "language_model", "text_model", "transformer", "decoder", "backbone")
_LAYER = re.compile(r"^(?:(?P<before>.*)\.)?(?:layers|h|blocks)\.(?P<rest>\d+(?:\..*)?)$")
# Experts are alike; so what is said of one is said of all.
_EXPERT = re.compile(r"(?:block_sparse_moe|feed_forward|mlp)\.experts(?:\.\d+)?")


def names_of(layer: int, part: str, matrix: str) -> tuple[str, ...]:
    """Return what one matrix of a layer may be called, beginning with the layer's number."""
    if part == "attention":
        names = ATTENTION_NAMES[matrix] + (_FUSED_QKV if matrix != "o" else ())
    else:
        names = FFN_NAMES[matrix]
    return tuple(f"{layer}.{name}" for name in names)


@dataclass(slots=True)
class Modules:
    """The modules that a list of names stands for.

    A name is that of a module or of what holds it, in full or without its beginning; `*` stands for
    anything, and `re:` begins a regular expression.
    """

    _plain: set[str] = field(default_factory=set)
    _patterns: list[re.Pattern[str]] = field(default_factory=list)

    @classmethod
    def of(cls, names: Iterable[str]) -> "Modules":
        """Return what these names stand for.

        Raises:
            InputError: a regular expression cannot be read.
        """
        modules = cls()
        for name in names:
            if name.startswith("re:"):
                try:
                    modules._patterns.append(re.compile(name[3:]))
                except re.error as error:
                    raise InputError(f"{name!r} is no regular expression") from error
            elif any(sign in name for sign in "*?["):
                modules._patterns.append(re.compile(fnmatch.translate(name)))
            elif (plain := _own_part(name)) is not None:
                modules._plain.add(plain)
        return modules

    def hold(self, names: Iterable[str]) -> bool:
        """Return whether a matrix that goes by these names (`names_of`) is one of them."""
        return any(self._holds(name) for name in names)

    def hold_head(self) -> bool:
        """Return whether the output head is one of them."""
        return "lm_head" in self._plain or any(each.match("lm_head") for each in self._patterns)

    def _holds(self, name: str) -> bool:
        if self._plain and not self._plain.isdisjoint(_parts_of(name)):
            return True
        return any(
            each.match(f"{prefix}.layers.{name}")
            for each in self._patterns
            for prefix in ("model", "model.language_model", "language_model.model")
        )


def _own_part(name: str) -> str | None:
    """Return a module's name from its layer's number on; None if it is not the language model's."""
    name = _EXPERT.sub("mlp.experts", name.strip("."))
    found = _LAYER.match(name)
    if not found:
        return name
    before = found["before"]
    return found["rest"] if all(p in _PREFIXES for p in (before or "model").split(".")) else None


def _parts_of(name: str) -> Iterator[str]:
    """Yield what holds a matrix and its own name, with the layer's number and without."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])
    for begin in range(1, len(parts)):
        for end in range(begin + 1, len(parts) + 1):
            yield ".".join(parts[begin:end])
