"""Layers other than attention over keys and values of each head, and one feed-forward layer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """Feed-forward layers of many experts, of which every token is sent to a few.

    Attributes:
        layers: how many of the model's layers have them, in place of its feed-forward layer.
        count: experts that tokens are sent to, in each of these layers.
        per_token: to how many of them each token is sent.
        ffn: width of each.
        shared_ffn: width of those that every token passes as well, all together; 0 without any.
        width: of what the experts take and give, which all tokens are projected to and from; 0
            where that is the model's hidden size.
    """

    layers: int
    count: int
    per_token: int
    ffn: int
    shared_ffn: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention: keys and values of all heads come from one latent vector.

    The KV cache holds the latent vector and the rotated key that all heads share. `head_dim` of the
    architecture is that of a query: a part that is rotated and one that is not.

    Source: DeepSeek-V2 (arXiv 2405.04434), section 2.1.

    Attributes:
        query_rank: width that queries are projected through; None where they are not.
        rank: width of the latent vector.
        rope_dim: width of the rotated part of queries and keys.
        value_dim: width of a head's value.
    """

    query_rank: int | None
    rank: int
    rope_dim: int
    value_dim: int

    @property
    def cached(self) -> int:
        """Elements that one token leaves in a layer's cache."""
        return self.rank + self.rope_dim


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLayers:
    """Layers with a state of fixed size a sequence, in place of a cache of its tokens.

    They are Mamba-2's, or the like of a gated delta rule, whose values, keys and queries are of the
    shapes of inputs, B and C. Source: Mamba-2 (arXiv 2405.21060), sections 6 and 7; Gated Delta
    Networks (arXiv 2412.06464); transformers' Mamba2Mixer and Qwen3NextGatedDeltaNet.

    Attributes:
        layers: how many of them the model has.
        heads, head_dim: heads of the state, and width of each.
        state: numbers that a head remembers for each of its `head_dim` channels.
        groups: how many B and C vectors the heads share among them.
        kernel: tokens that the convolution before the scan sees.
        chunk: tokens of a prompt that are scanned at once.
        delta_rule: whether they are of the second kind.
        float32: whether the state is kept in 32 bits.
    """

    layers: int
    heads: int
    head_dim: int
    state: int
    groups: int
    kernel: int
    chunk: int
    delta_rule: bool = False
    float32: bool = False

    @property
    def inner(self) -> int:
        """Width of all heads together."""
        return self.heads * self.head_dim

    @property
    def convolved(self) -> int:
        """Width of what is convolved: the heads' inputs, B and C."""
        return self.inner + 2 * self.groups * self.state

    @property
    def projected(self) -> int:
        """Width that a token is projected to: gate, what is convolved, and numbers a head.

        They are a step of time, or of the delta rule how much decays and how much is written.
        """
        return self.inner + self.convolved + self.heads * (2 if self.delta_rule else 1)

    @property
    def vectors(self) -> int:
        """Parameters of one layer beside its matrices: of the convolution, and of each head."""
        if self.delta_rule:
            return self.convolved * self.kernel + 2 * self.heads
        return self.convolved * (self.kernel + 1) + 3 * self.heads

    @property
    def state_size(self) -> int:
        """Elements of one layer's state."""
        return self.inner * self.state

    def kept_bytes(self, bytes_per_element: int) -> int:
        """Return what a sequence keeps in one layer: the state, and tokens to be convolved."""
        state = self.state_size * (4 if self.float32 else bytes_per_element)
        return state + self.convolved * (self.kernel - 1) * bytes_per_element
