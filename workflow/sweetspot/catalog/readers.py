"""How each kind of model writes its shape into config.json; the classes named are transformers'."""

import reprlib
from collections.abc import Callable
from typing import Any, Literal

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.config_fields import ConfigFields, check_kv_heads
from sweetspot.errors import InputError

Sliding = Literal["never", "all", "pattern", "tail"]

_LAYER_TYPES = {"sliding_attention": True, "full_attention": False}

Reader = Callable[[ConfigFields, str, str], Architecture]  # (fields, model id, dtype)


def gated(sliding: Sliding = "never", *, qkv_bias: bool = False) -> Reader:
    """Return the reader of families with rotary positions and a gated feed-forward layer.

    `qkv_bias`: Q, K and V always carry biases and the output never does (Qwen2Attention).
    """

    def read(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
        hidden = fields.size("hidden_size")
        layers = fields.size("num_hidden_layers")
        heads = fields.size("num_attention_heads")
        window, sliding_count = _sliding_layers(fields, layers, sliding)
        attention_bias = fields.flag("attention_bias")
        return Architecture(
            id=model_id,
            layers=layers,
            hidden=hidden,
            heads=heads,
            kv_heads=check_kv_heads(heads, fields.optional_size("num_key_value_heads") or heads),
            head_dim=fields.head_dim(hidden, heads),
            ffn=fields.size("intermediate_size"),
            gated_ffn=True,
            vocab=fields.size("vocab_size"),
            tied_embeddings=fields.flag("tie_word_embeddings"),
            max_positions=fields.size("max_position_embeddings"),
            positions="rope",
            attention_bias=qkv_bias or attention_bias,
            attention_output_bias=attention_bias and not qkv_bias,
            mlp_bias=fields.flag("mlp_bias"),
            sliding_window=window,
            sliding_layers=sliding_count,
            dtype=dtype,
        )

    return read


def opt(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
    """Read OPT: learned positions, plain feed-forward, biases everywhere (OPTDecoderLayer).

    Raises:
        InputError: a value is wrong, or the embeddings are projected.
    """
    hidden = fields.size("hidden_size")
    heads = fields.size("num_attention_heads")
    embedding = fields.optional_size("word_embed_proj_dim")
    if embedding not in (None, hidden):
        raise InputError(
            f"'word_embed_proj_dim' {embedding} differs from 'hidden_size' {hidden}: OPT with"
            " projected embeddings (as OPT 350M has) cannot be read"
        )
    bias = fields.flag("enable_bias")
    return Architecture(
        id=model_id,
        layers=fields.size("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=fields.head_dim(hidden, heads),
        ffn=fields.size("ffn_dim"),
        gated_ffn=False,
        vocab=fields.size("vocab_size"),
        tied_embeddings=fields.flag("tie_word_embeddings"),
        max_positions=fields.size("max_position_embeddings"),
        positions="learned",
        attention_bias=bias,
        attention_output_bias=bias,
        mlp_bias=bias,
        dtype=dtype,
    )


def falcon(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
    """Read Falcon: one key-value head (7B), some (40B) or all (RW) (FalconAttention).

    Raises:
        InputError: a value is wrong.
    """
    hidden = fields.size("hidden_size")
    heads = fields.size("num_attention_heads", "n_head")
    shared = fields.flag("multi_query") and not fields.flag("new_decoder_architecture")
    kv_heads = 1 if shared else fields.optional_size("num_kv_heads", "n_head_kv") or heads
    bias = fields.flag("bias")
    return Architecture(
        id=model_id,
        layers=fields.size("num_hidden_layers", "n_layer"),
        hidden=hidden,
        heads=heads,
        kv_heads=check_kv_heads(heads, kv_heads),
        head_dim=fields.head_dim(hidden, heads),
        ffn=fields.optional_size("ffn_hidden_size") or 4 * hidden,
        gated_ffn=False,
        vocab=fields.size("vocab_size"),
        tied_embeddings=fields.flag("tie_word_embeddings"),
        max_positions=fields.size("max_position_embeddings"),
        positions="alibi" if fields.flag("alibi") else "rope",
        attention_bias=bias,
        attention_output_bias=bias,
        mlp_bias=bias,
        dtype=dtype,
    )


def gptj(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
    """Read GPT-J: biases in the feed-forward layer only (GPTJAttention, GPTJMLP).

    Raises:
        InputError: a value is wrong.
    """
    hidden = fields.size("n_embd")
    heads = fields.size("n_head")
    return Architecture(
        id=model_id,
        layers=fields.size("n_layer"),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=fields.head_dim(hidden, heads),
        ffn=fields.optional_size("n_inner") or 4 * hidden,
        gated_ffn=False,
        vocab=fields.size("vocab_size"),
        tied_embeddings=fields.flag("tie_word_embeddings"),
        max_positions=fields.size("n_positions"),
        positions="rope",
        mlp_bias=True,
        dtype=dtype,
    )


def _sliding_layers(fields: ConfigFields, layers: int, rule: Sliding) -> tuple[int | None, int]:
    """Return the window in tokens and how many layers have it; (None, 0) without such layers.

    Rules: "all" layers slide wherever a window is set; by "pattern", every
    `sliding_window_pattern`-th layer sees everything and the rest slides; by "tail", the layers
    from `max_window_layers` on slide, if `use_sliding_window` says so.

    Raises:
        InputError: one of these keys, or `layer_types`, cannot be read.
    Source: transformers, __post_init__ of Gemma2Config, Gemma3TextConfig, Qwen2Config, Qwen3Config;
        window masks of MistralModel and Phi3Model.
    """
    if rule == "never" or (rule == "tail" and not fields.flag("use_sliding_window")):
        return None, 0
    window = fields.optional_size("sliding_window")
    listed = fields.given.get("layer_types")
    if rule == "all":
        sliding = layers
    elif listed is not None:
        sliding = _listed_sliding(listed, layers)
    elif rule == "pattern":
        sliding = layers - layers // fields.size("sliding_window_pattern")
    else:
        sliding = max(0, layers - fields.count("max_window_layers"))
    return (window, sliding) if window and sliding else (None, 0)


def _listed_sliding(layer_types: Any, layers: int) -> int:
    if not isinstance(layer_types, list) or len(layer_types) != layers:
        raise InputError(
            f"'layer_types' must list one type for each of the {layers} layers,"
            f" not {reprlib.repr(layer_types)}"
        )
    for layer_type in layer_types:
        if not isinstance(layer_type, str) or layer_type not in _LAYER_TYPES:
            raise InputError(
                f"'layer_types' has {reprlib.repr(layer_type)}; known: {', '.join(_LAYER_TYPES)}"
            )
    return sum(_LAYER_TYPES[layer_type] for layer_type in layer_types)
