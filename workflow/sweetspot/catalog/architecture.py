"""The shape of a decoder-only Transformer: all that energy depends on, and nothing else."""

from dataclasses import dataclass
from typing import Literal

from sweetspot.catalog.quantization import Quantization

BYTES_PER_PARAMETER = {"float16": 2, "bfloat16": 2}

# OPT, the one family here with learned positions, never uses the first two rows of its table.
# Source: transformers, OPTLearnedPositionalEmbedding.
OPT_POSITION_OFFSET = 2

Positions = Literal["rope", "learned", "alibi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One model. Lengths are in tokens, sizes in elements unless the name says bytes.

    Attributes:
        id: readable and path-safe; the same in paths, rows, logs and plots.
        ffn: width of the feed-forward layer (of each branch, where it is gated).
        gated_ffn: three FFN matrices (gate, up, down) instead of two.
        attention_bias: whether the Q, K and V projections carry biases.
        attention_output_bias: whether the attention's output projection carries one.
        mlp_bias: whether the feed-forward matrices carry biases.
        sliding_window: tokens that a sliding layer attends to; None without such layers.
        sliding_layers: how many of the `layers` slide.
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
    attention_bias: bool = False
    attention_output_bias: bool = False
    mlp_bias: bool = False
    sliding_window: int | None = None
    sliding_layers: int = 0
    dtype: str = "float16"
    quantization: Quantization | None = None

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
    def attention_weights(self) -> int:
        """Weights of Q, K, V and output projection of one layer, without biases."""
        return 2 * self.hidden * (self.query_size + self.kv_size)

    @property
    def ffn_weights(self) -> int:
        """Weights of the feed-forward layer of one layer, without biases."""
        return self.ffn_matrices * self.hidden * self.ffn

    @property
    def layer_weights(self) -> int:
        """Weights that every token is multiplied with in one layer, without biases."""
        return self.attention_weights + self.ffn_weights

    @property
    def parameters(self) -> int:
        """Parameters that lie in memory: layers with biases, embeddings, positions, output head.

        Left out, as less than 0.1 % of any readable model: normalisation weights.
        """
        biases = 0
        if self.attention_bias:
            biases += self.query_size + 2 * self.kv_size
        if self.attention_output_bias:
            biases += self.hidden
        if self.mlp_bias:
            biases += (self.ffn_matrices - 1) * self.ffn + self.hidden
        embeddings = self.vocab * self.hidden * (1 if self.tied_embeddings else 2)
        positions = 0
        if self.positions == "learned":
            positions = (self.max_positions + OPT_POSITION_OFFSET) * self.hidden
        return self.layers * (self.layer_weights + biases) + embeddings + positions

    @property
    def bytes_per_element(self) -> int:
        """Bytes of one weight, activation or KV-cache element."""
        return BYTES_PER_PARAMETER[self.dtype]

    @property
    def weight_bytes(self) -> int:
        """Bytes of all parameters in 16 bits; what a GPU holds of them says its `Shard`."""
        return self.parameters * self.bytes_per_element

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes that one token adds to a KV cache in 16 bits, all layers together."""
        return 2 * self.layers * self.kv_size * self.bytes_per_element
