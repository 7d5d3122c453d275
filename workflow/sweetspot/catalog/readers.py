"""How kinds of models write their shape into config.json; the classes named are transformers'."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sweetspot.catalog.architecture import Architecture, Positions
from sweetspot.catalog.config_fields import ConfigFields, check_kv_heads
from sweetspot.catalog.expert_rules import ExpertRule
from sweetspot.catalog.hybrid_rules import Hybrid, HybridRule
from sweetspot.catalog.parts import LatentAttention
from sweetspot.catalog.windows import WindowRule, no_windows
from sweetspot.errors import InputError

Reader = Callable[[ConfigFields, str, str], Architecture]  # (fields, model id, dtype)
Keys = tuple[str, ...]  # of one size, the newest name first

# Keys of parts that only some kinds have: what one of them says in a file of another kind is not
# understood.
_OF_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_OF_LATENT = ("kv_lora_rank",)
_OF_STATE = (
    *("mamba_d_state", "ssm_state_size", "state_size", "mamba_d_ssm", "hybrid_override_pattern"),
    *("layers_block_type", "attn_layer_indices", "linear_num_value_heads", "full_attn_idxs"),
)
# What no kind here has: layers that differ in width, layers that share keys and values, keys that
# choose what is attended to, inputs of every layer, attention to another sequence.
_OF_NOTHING = (
    *("block_configs", "num_kv_shared_layers", "hidden_size_per_layer_input", "index_topk"),
    *("attention_k_eq_v", "cross_attention_layers", "add_cross_attention", "is_encoder_decoder"),
    *("swa_num_attention_heads", "attention_other_setting", "per_layer_config"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A kind of model: under which keys its file has its sizes, and what all such models are.

    Called, it reads a file's fields.

    Attributes:
        hidden, layers, heads, kv_heads, head_dim, ffn, max_positions: keys. Without one of
            `kv_heads`, there are as many as heads.
        ffn_of_hidden: width of the feed-forward layer in hidden sizes where it is left out; 0
            where it may not be.
        gated_ffn: whether the feed-forward layer has a gate.
        qkv_bias, output_bias, mlp_bias: the key of a flag, or what it always is.
        offset_norms: how many norms of Gemma's kind a layer has.
        windows: which layers slide.
        experts: which layers have experts, and how many; None if none ever has.
        latent: whether keys and values are compressed.
        hybrid: which layers have a state; None if none ever has.
        gated_attention: whether the attention's output is gated.
    """

    hidden: Keys = ("hidden_size",)
    layers: Keys = ("num_hidden_layers",)
    heads: Keys = ("num_attention_heads",)
    kv_heads: Keys = ("num_key_value_heads",)
    head_dim: Keys = ("head_dim",)
    ffn: Keys = ("intermediate_size",)
    ffn_of_hidden: int = 0
    max_positions: Keys = ("max_position_embeddings",)
    gated_ffn: bool = True
    positions: Positions = "rope"
    qkv_bias: str | bool = "attention_bias"
    output_bias: str | bool = "attention_bias"
    mlp_bias: str | bool = "mlp_bias"
    offset_norms: int = 0
    windows: WindowRule = no_windows
    experts: ExpertRule | None = None
    latent: bool = False
    hybrid: HybridRule | None = None
    gated_attention: bool = False

    def __call__(self, fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
        """Return the architecture that the fields describe.

        Raises:
            InputError: a value is missing or wrong, or says what such models do not have.
        """
        refuse_foreign(
            fields,
            experts=self.experts is not None,
            latent=self.latent,
            state=self.hybrid is not None,
        )
        hidden = fields.size(*self.hidden)
        layers = self._layers(fields)
        heads = fields.size(*self.heads)
        experts = self.experts(fields, layers) if self.experts else None
        latent = latent_attention(fields) if self.latent else None
        if self.hybrid:
            hybrid, window, sliding_layers = self.hybrid(fields, layers), None, 0
            if hybrid.without_attention == layers:
                raise InputError("no layer attends: a model without a KV cache cannot be read")
        else:
            hybrid, (window, sliding_layers) = Hybrid(None), self.windows(fields, layers)
        return Architecture(
            id=model_id,
            layers=layers,
            hidden=hidden,
            heads=heads,
            kv_heads=self._kv_heads(fields, heads),
            head_dim=query_dim(fields, latent)
            if latent
            else fields.head_dim(hidden, heads, *self.head_dim),
            ffn=self._ffn(fields, hidden),
            gated_ffn=self.gated_ffn,
            vocab=fields.size("vocab_size"),
            tied_embeddings=fields.flag("tie_word_embeddings"),
            max_positions=fields.size(*self.max_positions),
            positions=self.positions,
            offset_norms=self.offset_norms,
            attention_bias=self._flag(fields, self.qkv_bias) and not latent,
            attention_output_bias=self._flag(fields, self.output_bias),
            mlp_bias=self._flag(fields, self.mlp_bias),
            sliding_window=window,
            sliding_layers=sliding_layers,
            dtype=dtype,
            experts=experts,
            latent=latent,
            state=hybrid.state,
            without_attention=hybrid.without_attention,
            without_ffn=hybrid.without_ffn,
            gated_attention=self.gated_attention,
        )

    def _layers(self, fields: ConfigFields) -> int:
        listed = fields.given.get("layers_block_type") if self.hybrid else None
        if isinstance(listed, list) and listed and "num_hidden_layers" not in fields.given:
            return len(listed)
        return fields.size(*self.layers)

    def _kv_heads(self, fields: ConfigFields, heads: int) -> int:
        kv_heads = fields.optional_size(*self.kv_heads) if self.kv_heads else None
        return check_kv_heads(heads, kv_heads or heads)

    def _ffn(self, fields: ConfigFields, hidden: int) -> int:
        if not self.ffn_of_hidden:
            return fields.size(*self.ffn)
        given = fields.optional_size(*self.ffn) if self.ffn else None
        return given or self.ffn_of_hidden * hidden

    @staticmethod
    def _flag(fields: ConfigFields, stated: str | bool) -> bool:
        return fields.flag(stated) if isinstance(stated, str) else stated


def refuse_foreign(
    fields: ConfigFields, *, experts: bool = False, latent: bool = False, state: bool = False
) -> None:
    """Refuse a file with a part that this kind of model is not known to have.

    Raises:
        InputError: names the key.
    """
    for known, keys in (
        (experts, _OF_EXPERTS),
        (latent, _OF_LATENT),
        (state, _OF_STATE),
        (False, _OF_NOTHING),
    ):
        for key in keys:
            if not known and fields.given.get(key) and key not in fields.defaults:
                raise InputError(
                    f"{key!r} is set: models of this type with such layers cannot be read"
                )


def latent_attention(fields: ConfigFields) -> LatentAttention:
    """Read multi-head latent attention (DeepseekV3Attention).

    Raises:
        InputError: a value is missing or wrong.
    """
    return LatentAttention(
        query_rank=fields.optional_size("q_lora_rank"),
        rank=fields.size("kv_lora_rank"),
        rope_dim=fields.size("qk_rope_head_dim"),
        value_dim=fields.size("v_head_dim"),
    )


def query_dim(fields: ConfigFields, latent: LatentAttention) -> int:
    """Return the width of a query: what is not rotated and what is.

    Raises:
        InputError: a value is missing or wrong.
    """
    return fields.size("qk_nope_head_dim") + latent.rope_dim


PLAIN = Layout(gated_ffn=False, kv_heads=())
"""Two feed-forward matrices, and keys and values of every head."""

_OPT = replace(
    PLAIN,
    ffn=("ffn_dim",),
    positions="learned",
    qkv_bias="enable_bias",
    output_bias="enable_bias",
    mlp_bias="enable_bias",
)
_FALCON = replace(
    PLAIN,
    layers=("num_hidden_layers", "n_layer"),
    heads=("num_attention_heads", "n_head"),
    kv_heads=("num_kv_heads", "n_head_kv"),
    ffn=("ffn_hidden_size",),
    ffn_of_hidden=4,
    qkv_bias="bias",
    output_bias="bias",
    mlp_bias="bias",
)
GPT = replace(
    PLAIN,
    hidden=("n_embd",),
    layers=("n_layer",),
    heads=("n_head",),
    ffn=("n_inner",),
    ffn_of_hidden=4,
    max_positions=("n_positions",),
    qkv_bias=True,
    output_bias=True,
    mlp_bias=True,
    positions="absolute",
)
"""GPT-2 and what follows it: biases everywhere, learned positions (GPT2Attention, GPT2MLP)."""

_MPT = replace(
    PLAIN,
    hidden=("d_model",),
    layers=("n_layers",),
    heads=("n_heads",),
    ffn=(),
    ffn_of_hidden=4,
    max_positions=("max_seq_len",),
    positions="alibi",
    qkv_bias=False,
    output_bias=False,
    mlp_bias=False,
)


def opt(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
    """Read OPT: learned positions, plain feed-forward, biases everywhere (OPTDecoderLayer).

    Raises:
        InputError: a value is wrong, or the embeddings are projected.
    """
    hidden = fields.size("hidden_size")
    embedding = fields.optional_size("word_embed_proj_dim")
    if embedding not in (None, hidden):
        raise InputError(
            f"'word_embed_proj_dim' {embedding} differs from 'hidden_size' {hidden}: OPT with"
            " projected embeddings (as OPT 350M has) cannot be read"
        )
    return _OPT(fields, model_id, dtype)


def falcon(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
    """Read Falcon: one key-value head (7B), some (40B) or all (RW) (FalconAttention).

    Raises:
        InputError: a value is wrong.
    """
    shared = fields.flag("multi_query") and not fields.flag("new_decoder_architecture")
    layout = replace(_FALCON, kv_heads=()) if shared else _FALCON
    if fields.flag("alibi"):
        layout = replace(layout, positions="alibi")
    shape = layout(fields, model_id, dtype)
    return replace(shape, kv_heads=1) if shared else shape


def gpt_bigcode(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
    """Read StarCoder's GPT: one key-value head unless it says otherwise (GPTBigCodeAttention).

    Raises:
        InputError: a value is wrong.
    """
    shape = GPT(fields, model_id, dtype)
    return replace(shape, kv_heads=1) if fields.flag("multi_query") else shape


def mpt(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
    """Read MPT: ALiBi, no biases (MptAttention).

    Raises:
        InputError: a value is wrong, or it is an MPT that transformers does not know.
    """
    attention = fields.given.get("attn_config", {})
    if not isinstance(attention, dict):
        raise InputError(f"'attn_config' must be an object, not {attention!r}")
    for key, value in (("alibi", True), ("attn_type", "multihead_attention")):
        if attention.get(key, value) != value:
            raise InputError(f"{key!r} of 'attn_config' must be {value!r}, not {attention[key]!r}")
    if not fields.flag("no_bias"):
        raise InputError("'no_bias' must be true: MPT with biases cannot be read")
    layout = replace(_MPT, ffn_of_hidden=fields.size("expansion_ratio"))
    return layout(fields, model_id, dtype)


def granite_hybrid(layout: Layout) -> Reader:
    """Return the reader of Granite 4, whose shared expert is all that small models have.

    Source: transformers, GraniteMoeHybridDecoderLayer.
    """

    def read(fields: ConfigFields, model_id: str, dtype: str) -> Architecture:
        dense = not fields.optional_count("num_local_experts")
        shape = replace(layout, ffn=("shared_intermediate_size",)) if dense else layout
        return shape(fields, model_id, dtype)

    return read
