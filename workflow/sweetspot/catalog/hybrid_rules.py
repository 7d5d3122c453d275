"""Which layers of a hybrid attend and which have a state: each rule is that of some families."""

import reprlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sweetspot.catalog.config_fields import ConfigFields
from sweetspot.catalog.parts import StateLayers
from sweetspot.errors import InputError

_STATE = frozenset({"mamba", "linear_attention", "M"})
_ATTENTION = frozenset({"attention", "full_attention", "*"})
_EXPERTS = frozenset({"moe", "E"})
_FFN = frozenset({"mlp", "-"})


class Hybrid(NamedTuple):
    """The layers that are other than an attention with a feed-forward layer each."""

    state: StateLayers | None
    without_attention: int = 0
    without_ffn: int = 0


HybridRule = Callable[[ConfigFields, int], Hybrid]  # (fields, layers of the model)


def mamba_by_type(fields: ConfigFields, layers: int) -> Hybrid:
    """Each of the `layer_types` is "mamba" or "attention" (GraniteMoeHybridDecoderLayer).

    Raises:
        InputError: a value is missing or wrong.
    """
    kinds = _listed(fields, ("layer_types", "layers_block_type"), layers, _STATE | _ATTENTION)
    states = sum(kind in _STATE for kind in kinds)
    return Hybrid(_mamba(fields, states), without_attention=states)


def mamba_but_for_indices(fields: ConfigFields, layers: int) -> Hybrid:
    """Layers attend that `attn_layer_indices` lists; the others are Mamba-2 (BambaDecoderLayer).

    Raises:
        InputError: a value is missing or wrong.
    """
    states = layers - len(fields.indices("attn_layer_indices", layers))
    return Hybrid(_mamba(fields, states), without_attention=states)


def mamba_beside_attention(fields: ConfigFields, layers: int) -> Hybrid:
    """Every layer has both, side by side (FalconH1DecoderLayer).

    Raises:
        InputError: a value is missing or wrong.
    """
    return Hybrid(_mamba(fields, layers))


def one_part_a_layer(fields: ConfigFields, layers: int) -> Hybrid:
    """Every layer is one thing: Mamba-2, attention, feed-forward or experts (NemotronHBlock).

    Raises:
        InputError: a value is missing or wrong.
    """
    kinds = _blocks(fields, layers)
    states = sum(kind in _STATE for kind in kinds)
    state = StateLayers(
        layers=states,
        heads=fields.size("mamba_num_heads"),
        head_dim=fields.size("mamba_head_dim"),
        state=fields.size("ssm_state_size"),
        groups=fields.size("n_groups", "mamba_n_groups"),
        kernel=fields.size("conv_kernel", "mamba_d_conv"),
        chunk=fields.size("chunk_size", "mamba_chunk_size"),
        float32=fields.given.get("mamba_ssm_cache_dtype") == "float32",
    )
    return Hybrid(
        state if states else None,
        without_attention=layers - sum(kind in _ATTENTION for kind in kinds),
        without_ffn=layers - sum(kind in _FFN | _EXPERTS for kind in kinds),
    )


def expert_blocks(fields: ConfigFields, layers: int) -> int:
    """Return how many of those layers have experts.

    Raises:
        InputError: a value is missing or wrong.
    """
    return sum(kind in _EXPERTS for kind in _blocks(fields, layers))


def delta_rule(fields: ConfigFields, layers: int) -> Hybrid:
    """Each `full_attention_interval`-th layer attends, or as `layer_types` lists (Qwen3.5).

    The others have a state that is updated by a gated delta rule. Source: transformers,
    Qwen3NextGatedDeltaNet; the chunk is that of its kernel (flash-linear-attention).

    Raises:
        InputError: a value is missing or wrong.
    """
    if fields.given.get("layer_types") is None:
        states = layers - layers // fields.size("full_attention_interval")
    else:
        kinds = _listed(fields, ("layer_types",), layers, _STATE | _ATTENTION)
        states = sum(kind in _STATE for kind in kinds)
    state = StateLayers(
        layers=states,
        heads=fields.size("linear_num_value_heads"),
        head_dim=fields.size("linear_value_head_dim"),
        state=fields.size("linear_key_head_dim"),
        groups=fields.size("linear_num_key_heads"),
        kernel=fields.size("linear_conv_kernel_dim"),
        chunk=64,
        delta_rule=True,
        float32=fields.given.get("mamba_ssm_dtype") == "float32",
    )
    return Hybrid(state if states else None, without_attention=states)


def _mamba(fields: ConfigFields, layers: int) -> StateLayers | None:
    """Read Mamba-2 as Bamba's file has it; the width is that of all heads."""
    if not layers:
        return None
    heads = fields.size("mamba_n_heads")
    inner = fields.optional_size("mamba_d_ssm")
    if inner is None:
        inner = fields.size("mamba_expand") * fields.size("hidden_size")
    if inner % heads:
        raise InputError(f"the width of states {inner} is not divisible by their {heads} heads")
    if fields.given.get("mamba_d_head", "auto") not in ("auto", None, inner // heads):
        raise InputError(
            f"'mamba_d_head' must be 'auto' or {inner // heads}, as {heads} heads are {inner} wide,"
            f" not {reprlib.repr(fields.given['mamba_d_head'])}"
        )
    return StateLayers(
        layers=layers,
        heads=heads,
        head_dim=inner // heads,
        state=fields.size("mamba_d_state"),
        groups=fields.size("mamba_n_groups"),
        kernel=fields.size("mamba_d_conv"),
        chunk=fields.size("mamba_chunk_size"),
    )


def _blocks(fields: ConfigFields, layers: int) -> Sequence[str]:
    known = _STATE | _ATTENTION | _FFN | _EXPERTS
    keys = ("layers_block_type", "layer_types", "hybrid_override_pattern")
    return _listed(fields, keys, layers, known)


def _listed(
    fields: ConfigFields, keys: tuple[str, ...], layers: int, known: frozenset[str]
) -> Sequence[str]:
    """Return the kind of each layer, from the first of these keys that is there."""
    key = next((key for key in keys if fields.given.get(key) is not None), keys[0])
    kinds = fields.given.get(key)
    if not isinstance(kinds, list | str) or len(kinds) != layers:
        raise InputError(
            f"{key!r} must say of each of the {layers} layers what it is, not {reprlib.repr(kinds)}"
        )
    for kind in kinds:
        if not isinstance(kind, str) or kind not in known:
            raise InputError(f"{key!r} has {reprlib.repr(kind)}; known: {', '.join(sorted(known))}")
    return kinds
