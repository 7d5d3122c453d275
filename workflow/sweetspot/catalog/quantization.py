"""What a quantized checkpoint holds: bits of its weights, and what computes in FP8."""

from dataclasses import dataclass

SIXTEEN_BITS = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """How a checkpoint stores its weights and KV cache, where not in 16 bits.

    Bits are those of one weight, with its part of the scales and zero points; means over all
    layers, as some may keep 16 bits. Activations between kernels stay in 16 bits.

    Attributes:
        name: what people call the weights, with the mean of their bits over the layers.
        attention_bits: of attention and states.
        ffn_bits: of feed-forward layers and of all that every token passes beside experts.
        expert_bits: of the experts that tokens are sent to.
        embedding_bits, head_bits: of the vocabulary's; the same where they are tied.
        fp8_attention, fp8_ffn: share of the weights that a token meets there, experts among the
            latter, whose GEMMs compute in FP8, 0 to 1; the others compute in 16 bits, whatever they
            are stored in.
        fp8_kv_cache: whether the KV cache is in FP8.
    """

    name: str
    attention_bits: float = SIXTEEN_BITS
    ffn_bits: float = SIXTEEN_BITS
    expert_bits: float = SIXTEEN_BITS
    embedding_bits: float = SIXTEEN_BITS
    head_bits: float = SIXTEEN_BITS
    fp8_attention: float = 0.0
    fp8_ffn: float = 0.0
    fp8_kv_cache: bool = False

    @property
    def words(self) -> str:
        """What is other than 16 bits."""
        kv_cache = ["FP8 KV cache"] if self.fp8_kv_cache else []
        return ", ".join(([self.name] if self.weights else []) + kv_cache)

    @property
    def fp8_weights(self) -> bool:
        """Whether any GEMM of a layer computes in FP8."""
        return self.fp8_attention > 0 or self.fp8_ffn > 0

    @property
    def weights(self) -> bool:
        """Whether any weights are other than 16 bits."""
        layers = (self.attention_bits, self.ffn_bits, self.expert_bits)
        return any(bits != SIXTEEN_BITS for bits in (*layers, self.embedding_bits, self.head_bits))


FP8_WEIGHTS = Quantization(
    name="FP8 weights", attention_bits=8, ffn_bits=8, expert_bits=8, fp8_attention=1, fp8_ffn=1
)
"""The matrices of all layers in FP8, as the option `weights: fp8` has them.

Source: quantization by ModelOpt as TensorRT-LLM reads it (`hf_quant_config.json` of
nvidia/Llama-3.1-8B-Instruct-FP8 and its like: `exclude_modules: [lm_head]`; embeddings are not a
linear layer).
"""
