"""Which layers of a model have experts, and which: each rule is that of some families."""

from collections.abc import Callable
from typing import Any

from sweetspot.catalog.config_fields import ConfigFields
from sweetspot.catalog.parts import Experts
from sweetspot.errors import InputError

ExpertRule = Callable[[ConfigFields, int], Experts | None]  # (fields, layers of the model)
_Where = Callable[[ConfigFields, int], int]  # returns how many layers have experts
_Shared = Callable[[ConfigFields], int]  # returns the width of shared experts


def every_layer(fields: ConfigFields, layers: int) -> int:
    """All layers."""
    return layers


def sparse_step(fields: ConfigFields, layers: int) -> int:
    """Each `decoder_sparse_step`-th layer but those in `mlp_only_layers` (Qwen3MoeDecoderLayer).

    Raises:
        InputError: a value is wrong.
    """
    step = fields.size("decoder_sparse_step")
    dense = fields.indices("mlp_only_layers", layers)
    return sum((i + 1) % step == 0 and i not in dense for i in range(layers))


def after_first(fields: ConfigFields, layers: int) -> int:
    """All but the first `first_k_dense_replace` layers (DeepseekV3DecoderLayer).

    Raises:
        InputError: a value is wrong, or experts are not in every layer from there on.
    """
    listed: Any = fields.given.get("mlp_layer_types")
    if listed is not None:
        if not isinstance(listed, list) or len(listed) != layers:
            raise InputError(
                f"'mlp_layer_types' must list one type for each of the {layers} layers"
            )
        return layers - listed.count("dense")
    frequency = fields.given.get("moe_layer_freq")
    if frequency not in (None, 1):
        raise InputError(f"'moe_layer_freq' must be 1, not {frequency!r}")
    return max(0, layers - fields.count("first_k_dense_replace"))


def after_dense(fields: ConfigFields, layers: int) -> int:
    """All but the first `num_dense_layers` (AfmoeDecoderLayer).

    Raises:
        InputError: the value is wrong.
    """
    return max(0, layers - fields.count("num_dense_layers"))


def interleaved(fields: ConfigFields, layers: int) -> int:
    """The layers in `moe_layers`, or each `interleave_moe_layer_step`-th (Llama4TextConfig).

    Raises:
        InputError: a value is wrong.
    """
    if fields.given.get("moe_layers") is not None:
        return len(fields.indices("moe_layers", layers))
    return layers // fields.size("interleave_moe_layer_step")


def in_range(fields: ConfigFields, layers: int) -> int:
    """Each `moe_layer_interval`-th from `moe_layer_start_index` to `.._end_index` (Ernie 4.5).

    Raises:
        InputError: a value is wrong.
    Source: transformers, Ernie4_5_MoeDecoderLayer.
    """
    start, step = fields.count("moe_layer_start_index"), fields.size("moe_layer_interval")
    end = fields.given.get("moe_layer_end_index", -1)
    end = layers - 1 if end in (None, -1) else fields.count("moe_layer_end_index")
    return sum((i + 1) % step == 0 and start <= i <= end for i in range(layers))


def no_shared(fields: ConfigFields) -> int:
    """No expert is shared."""
    return 0


def shared_width(key: str) -> _Shared:
    """Return the rule of those whose file has the width of shared experts; 0 without it."""
    return lambda fields: fields.optional_count(key)


def shared_number(number: str, width: str) -> _Shared:
    """Return the rule of those whose file has the number of shared experts and their width."""

    def read(fields: ConfigFields) -> int:
        count = fields.optional_count(number)
        return count and count * fields.size(width)

    return read


def experts(
    count: str = "num_experts",
    *older: str,
    per_token: tuple[str, ...] = ("num_experts_per_tok",),
    ffn: str = "moe_intermediate_size",
    shared: _Shared = no_shared,
    width: str = "",
    where: _Where = every_layer,
) -> ExpertRule:
    """Return the rule of models that have these keys.

    Args:
        count: how many experts tokens are sent to; without any, no layer has experts.
        older: other names of that key.
        per_token: to how many of them.
        ffn: width of each.
        shared: width of those that all tokens pass.
        width: of what experts take, if that is not the hidden size.
        where: which layers.
    """

    def read(fields: ConfigFields, layers: int) -> Experts | None:
        number, having = fields.optional_count(count, *older), where(fields, layers)
        if not number or not having:
            return None
        chosen = fields.size(*per_token)
        if chosen > number:
            raise InputError(f"{per_token[0]!r} {chosen} is more than the {number} experts")
        return Experts(
            layers=having,
            count=number,
            per_token=chosen,
            ffn=fields.size(ffn),
            shared_ffn=shared(fields),
            width=fields.optional_count(width) if width else 0,
        )

    return read


ROUTED = experts(
    "n_routed_experts",
    shared=shared_number("n_shared_experts", "moe_intermediate_size"),
    where=after_first,
)
"""As DeepSeek has them, and whoever follows it."""
