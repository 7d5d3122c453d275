"""The shape of a decoder-only Transformer: all that energy depends on, and nothing else."""

from dataclasses import dataclass
from typing import Literal

from sweetspot.catalog.parts import Experts, LatentAttention, StateLayers
from sweetspot.catalog.quantization import Quantization

BYTES_PER_PARAMETER = {"float16": 2, "bfloat16": 2}

# Rows of the table of learned positions that come before the first position: OPT never uses its
# first two (transformers, OPTLearnedPositionalEmbedding), "absolute" has none.
_UNUSED_POSITIONS = {"learned": 2, "absolute": 0}

Positions = Literal["rope", "learned", "absolute", "alibi", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One model. Lengths are in tokens, sizes in elements unless the name says bytes.

    Attributes:
        id: readable and path-safe; the same in paths, rows, logs and plots.
        ffn: width of the feed-forward layer (of each branch, where it is gated).
        gated_ffn: three FFN matrices (gate, up, down) instead of two.
        offset_norms: norms in a layer, as wide as it, whose weight is an offset to 1 (Gemma's).
        attention_bias: whether the Q, K and V projections carry biases.
        attention_output_bias: whether the attention's output projection carries one.
        mlp_bias: whether the feed-forward matrices carry biases.
        sliding_window: tokens that a sliding layer attends to; None without such layers.
        sliding_layers: how many of the `layers` slide.
        experts: feed-forward layers of experts; None without any.
        latent: how keys and values are compressed; None where each head's are cached.
        state: layers with a state in place of a KV cache, or beside it; None without any.
        without_attention: how many of the `layers` have no attention.
        without_ffn: how many of them have neither feed-forward layer nor experts.
        gated_attention: whether queries carry a gate for the attention's output.
        max_positions: context that the model was published for; longer cells are work of the
            right shape but not valid text.
        dtype: what activations, and weights that are not quantized, are in.
        quantization: what the checkpoint stores otherwise; None where it is in 16 bits.
    """

    id: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    gated_ffn: bool
    vocab: int
    tied_embeddings: bool
    max_positions: int
    positions: Positions
    offset_norms: int = 0
    attention_bias: bool = False
    attention_output_bias: bool = False
    mlp_bias: bool = False
    sliding_window: int | None = None
    sliding_layers: int = 0
    dtype: str = "float16"
    quantization: Quantization | None = None
    experts: Experts | None = None
    latent: LatentAttention | None = None
    state: StateLayers | None = None
    without_attention: int = 0
    without_ffn: int = 0
    gated_attention: bool = False

    @property
    def plain_parts(self) -> set[str]:
        """Names of the fields in which it is as any dense Transformer in 16 bits."""
        special = (
            *("quantization", "experts", "latent", "state"),
            *("without_attention", "without_ffn", "gated_attention", "offset_norms"),
        )
        return {name for name in special if not getattr(self, name)}

    @property
    def attention_layers(self) -> int:
        """How many layers attend, and have a KV cache."""
        return self.layers - self.without_attention

    @property
    def expert_layers(self) -> int:
        """How many layers have experts."""
        return self.experts.layers if self.experts else 0

    @property
    def state_layers(self) -> int:
        """How many layers have a state."""
        return self.state.layers if self.state else 0

    @property
    def ffn_layers(self) -> int:
        """How many layers have one feed-forward layer that all tokens pass."""
        return self.layers - self.without_ffn - self.expert_layers

    @property
    def query_size(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Width of all key heads together (the values are as wide again)."""
        return self.kv_heads * self.head_dim

    @property
    def ffn_matrices(self) -> int:
        """How many weight matrices the feed-forward layer has."""
        return 3 if self.gated_ffn else 2

    @property
    def value_size(self) -> int:
        """Width of what all heads together give to the output projection."""
        return self.heads * (self.latent.value_dim if self.latent else self.head_dim)

    @property
    def attention_weights(self) -> int:
        """Weights of the projections of one layer's attention, without biases."""
        if not self.latent:
            gates = self.query_size if self.gated_attention else 0
            return self.hidden * (2 * (self.query_size + self.kv_size) + gates)
        return (
            self.hidden * (self.latent.query_rank or 0)
            + (self.latent.query_rank or self.hidden) * self.query_size
            + self.hidden * self.latent.cached
            + self.latent.rank * self.expanded_size
            + self.value_size * self.hidden
        )

    @property
    def expanded_size(self) -> int:
        """Width of what latent vectors are expanded to: keys without rotated part, and values."""
        return (
            self.query_size - self.heads * self.latent.rope_dim + self.value_size
            if self.latent
            else 0
        )

    @property
    def ffn_weights(self) -> int:
        """Weights of the feed-forward layer of one layer, without biases."""
        return self.ffn_matrices * self.hidden * self.ffn

    @property
    def expert_weights(self) -> int:
        """Weights of one expert, without biases."""
        if not (e := self.experts):
            return 0
        return self.ffn_matrices * (e.width or self.hidden) * e.ffn

    @property
    def routed_weights(self) -> int:
        """Weights of all experts of all layers that tokens are sent to, without biases."""
        return self.experts.layers * self.experts.count * self.expert_weights if self.experts else 0

    @property
    def mixer_weights(self) -> int:
        """Weights of the matrices of all layers' attention and states, without biases."""
        weights = self.attention_layers * self.attention_weights
        if s := self.state:
            weights += s.layers * self.hidden * (s.projected + s.inner)
        return weights

    @property
    def feed_forward_weights(self) -> int:
        """Weights of the matrices of all feed-forward layers, with routers, without biases."""
        return self._common_weights + self.routed_weights

    @property
    def linear_weights(self) -> int:
        """Weights of the matrices of all layers, without biases."""
        return self.mixer_weights + self.feed_forward_weights

    @property
    def feed_forward_token_weights(self) -> int:
        """Weights that a token is multiplied with in all feed-forward layers, without biases."""
        if not (e := self.experts):
            return self._common_weights
        return self._common_weights + e.layers * e.per_token * self.expert_weights

    @property
    def token_weights(self) -> int:
        """Weights that every token is multiplied with in all layers, without biases."""
        return self.mixer_weights + self.feed_forward_token_weights

    @property
    def _common_weights(self) -> int:
        """Weights of feed-forward layers, routers and shared experts: those of every token."""
        weights = self.ffn_layers * self.ffn_weights
        if e := self.experts:
            to_all = e.count + self.ffn_matrices * e.shared_ffn + 2 * e.width
            weights += e.layers * self.hidden * to_all
        return weights

    @property
    def parameters(self) -> int:
        """Parameters that lie in memory: layers with biases, embeddings, positions, output head.

        Left out, as less than 0.1 % of any readable model: normalisation weights.
        """
        embeddings = self.vocab * self.hidden * (1 if self.tied_embeddings else 2)
        positions = 0
        if self.positions in _UNUSED_POSITIONS:
            positions = (self.max_positions + _UNUSED_POSITIONS[self.positions]) * self.hidden
        return self.linear_weights + self._vectors + embeddings + positions

    @property
    def _vectors(self) -> int:
        """Biases of all layers, and what state layers have beside their matrices."""
        vectors = 0
        if self.attention_bias:
            vectors += self.attention_layers * (self.query_size + 2 * self.kv_size)
        if self.attention_output_bias:
            vectors += self.attention_layers * self.hidden
        if self.mlp_bias:
            vectors += self.ffn_layers * ((self.ffn_matrices - 1) * self.ffn + self.hidden)
            if e := self.experts:
                of_expert = (self.ffn_matrices - 1) * e.ffn + self.hidden
                vectors += e.layers * e.count * (of_expert + 1)  # and one of the router
        if s := self.state:
            vectors += s.layers * s.vectors
        return vectors

    @property
    def bytes_per_element(self) -> int:
        """Bytes of one weight, activation or KV-cache element."""
        return BYTES_PER_PARAMETER[self.dtype]

    @property
    def weight_bytes(self) -> int:
        """Bytes of all parameters in 16 bits; what a GPU holds of them says its `Shard`."""
        return self.parameters * self.bytes_per_element

    @property
    def cached_elements(self) -> int:
        """Elements that one token adds to the KV cache, all layers together."""
        of_layer = self.latent.cached if self.latent else 2 * self.kv_size
        return self.attention_layers * of_layer

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes that one token adds to a KV cache in 16 bits, all layers together."""
        return self.cached_elements * self.bytes_per_element

    @property
    def state_bytes(self) -> int:
        """Bytes of a sequence's states, all layers together."""
        if not self.state:
            return 0
        return self.state.layers * self.state.kept_bytes(self.bytes_per_element)
