"""Which matrices of the layers a quantized checkpoint means by the names that it lists."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sweetspot.errors import InputError

# What a layer's matrices are called, all families' names side by side; those of experts without
# their number. A checkpoint that names a router, a norm or a part of a vision tower names none.
NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "attention": {
        "q": ("self_attn.q_proj", "attn.q_proj", "mixer.q_proj"),
        "k": ("self_attn.k_proj", "attn.k_proj", "mixer.k_proj"),
        "v": ("self_attn.v_proj", "attn.v_proj", "mixer.v_proj"),
        "o": (
            *("self_attn.o_proj", "self_attn.out_proj", "self_attention.dense"),
            *("attn.out_proj", "mixer.o_proj"),
        ),
    },
    "latent": {
        "q_a": ("self_attn.q_a_proj",),
        "q_b": ("self_attn.q_b_proj", "self_attn.q_proj"),
        "kv_a": ("self_attn.kv_a_proj_with_mqa",),
        "kv_b": ("self_attn.kv_b_proj",),
        "o": ("self_attn.o_proj",),
    },
    "state": {
        "in": (
            *("linear_attn.in_proj_qkvz", "linear_attn.in_proj_qkv", "linear_attn.in_proj_z"),
            *("mixer.in_proj", "mamba.in_proj"),
        ),
        "out": ("linear_attn.out_proj", "mixer.out_proj", "mamba.out_proj"),
    },
    "mlp": {
        "gate": ("mlp.gate_proj", "mlp.gate_up_proj", "feed_forward.gate_proj"),
        "up": (
            *("mlp.up_proj", "mlp.gate_up_proj", "feed_forward.up_proj", "mixer.up_proj"),
            *("fc1", "mlp.fc_in", "mlp.dense_h_to_4h"),
        ),
        "down": (
            *("mlp.down_proj", "feed_forward.down_proj", "mixer.down_proj"),
            *("fc2", "mlp.fc_out", "mlp.dense_4h_to_h"),
        ),
    },
    "shared": {
        matrix: tuple(
            f"{place}.{matrix}_proj"
            for place in (
                *("mlp.shared_experts", "mlp.shared_expert"),
                *("feed_forward.shared_expert", "mixer.shared_experts"),
            )
        )
        for matrix in ("gate", "up", "down")
    },
    "experts": {
        "gate": ("mlp.experts.gate_proj", "mlp.experts.gate_up_proj", "mlp.experts.w1"),
        "up": ("mlp.experts.up_proj", "mlp.experts.gate_up_proj", "mlp.experts.w3"),
        "down": ("mlp.experts.down_proj", "mlp.experts.w2"),
    },
}
_FUSED_QKV = ("self_attn.qkv_proj", "self_attention.query_key_value", "attn.qkv_proj")

_PREFIXES = ("model", "language_model", "text_model", "transformer", "decoder", "backbone")
_LAYER = re.compile(r"^(?:(?P<before>.*)\.)?(?:layers|h|blocks)\.(?P<rest>\d+(?:\..*)?)$")
# Experts are alike; so what is said of one is said of all.
_EXPERT = re.compile(r"(?:block_sparse_moe|feed_forward|mlp|mixer)\.experts(?:\.\d+)?(?=\.|$)")
_FULL_PREFIXES = ("model", "model.language_model", "language_model.model", "backbone")
_FULL_EXPERTS = ("mlp.experts.0.", "mlp.experts.", "block_sparse_moe.experts.0.")


def names_of(layer: int, kind: str, matrix: str) -> tuple[str, ...]:
    """Return what one matrix of a layer may be called, beginning with the layer's number."""
    names = NAMES[kind][matrix]
    if kind == "attention" and matrix != "o":
        names += _FUSED_QKV
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
        return any(each.match(full) for full in _in_full(name) for each in self._patterns)


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


def _in_full(name: str) -> Iterator[str]:
    """Yield a matrix's name from the model's root on, as files may have it."""
    variants = [name]
    if ".mlp.experts." in name:
        variants = [name.replace("mlp.experts.", each) for each in _FULL_EXPERTS]
    yield from (f"{prefix}.layers.{each}" for prefix in _FULL_PREFIXES for each in variants)
