"""Models whose layers were pruned one by one: each block says what is left of it.

Source: NVIDIA's Puzzle (arXiv 2411.19146); block_config.py and modeling_decilm.py of
nvidia/Llama-3_3-Nemotron-Super-49B-v1.
"""

import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.config_fields import ConfigFields, check_kv_heads
from sweetspot.catalog.readers import Layout
from sweetspot.errors import InputError

# Widths are multiples of this, and their mean is taken to one of the second: GPUs can share it.
_WIDTH_STEP = 256
_MEAN_STEP = 8
_LAYOUT = Layout(kv_heads=(), ffn=("hidden_size",))  # heads and widths are the blocks'
_UNREADABLE = ("replace_with_linear", "sparsify", "window_length", "num_sink_tokens")


def by_block(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
    """Read `block_configs`: layers without attention or feed-forward layer, or with a narrower one.

    The feed-forward layer is that of the mean layer that has one: work is linear in its width, as
    far as kernels of other widths are as fast.

    Raises:
        InputError: a value is missing or wrong, or a block has what cannot be read.
    """
    blocks = fields.given.get("block_configs")
    layers = fields.size("num_hidden_layers")
    if not isinstance(blocks, list) or len(blocks) != layers:
        raise InputError(
            f"'block_configs' must hold one block for each of the {layers} layers,"
            f" not {reprlib.repr(blocks)}"
        )
    attention, ffn = list(_kept(blocks, "attention")), list(_kept(blocks, "ffn"))
    shared = {_number(part, "n_heads_in_group") for part in attention}
    if len(shared) != 1 or not ffn:
        raise InputError(
            "'block_configs' must have attention of one 'n_heads_in_group', and an FFN"
        )
    plain = _LAYOUT(fields, model_id, dtype)
    widths = [_width(_number(part, "ffn_mult"), plain.hidden) for part in ffn]
    steps = round(sum(widths) / len(widths) / _MEAN_STEP)
    return replace(
        plain,
        kv_heads=check_kv_heads(plain.heads, max(1, plain.heads // int(shared.pop()))),
        ffn=steps * _MEAN_STEP,
        without_attention=layers - len(attention),
        without_ffn=layers - len(ffn),
    )


def _kept(blocks: list[Any], part: str) -> Iterator[Mapping[str, Any]]:
    """Yield what blocks say of this part of them, but for those without it."""
    for block in blocks:
        stated = block.get(part) if isinstance(block, Mapping) else None
        if not isinstance(stated, Mapping):
            raise InputError(f"a block of 'block_configs' has no {part!r}: {reprlib.repr(block)}")
        for key in _UNREADABLE:
            if stated.get(key):
                raise InputError(f"'block_configs' has {key!r} set: such layers cannot be read")
        if not stated.get("no_op"):
            yield stated


def _number(part: Mapping[str, Any], key: str) -> float:
    value = part.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e4:
        raise InputError(f"{key!r} of 'block_configs' must be positive, not {reprlib.repr(value)}")
    return float(value)


def _width(multiple: float, hidden: int) -> int:
    """Return the feed-forward width that a block's multiple of the hidden size stands for."""
    width = int(2 * multiple * hidden / 3)
    return -(-width // _WIDTH_STEP) * _WIDTH_STEP
