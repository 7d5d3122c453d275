"""One GPU's part of a model as it is served: split over GPUs, quantized.

A part is an architecture too, of fewer heads, a narrower FFN and less vocabulary, so whatever
counts the work or the memory of a model counts that of a part. What every GPU holds or does in full
(norms, residuals, sampling) is the part's as well, as it is with TensorRT-LLM. Its layers slide
only where the engine honours that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.gpus import Gpu
from sweetspot.catalog.quantization import FP8_WEIGHTS, Quantization
from sweetspot.config import Precision
from sweetspot.errors import InputError
from sweetspot.simulator.deployment.windows import NO_WINDOWS, Windows

FP8_BYTES = 1
SIXTEEN_BIT = Quantization(name="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard(Architecture):
    """What one of `gpus` GPUs holds and computes of a model; `vocab` is its share of the entries.

    What is quantized is `quantization`, whether the checkpoint or `Precision` says so; biases,
    position embeddings, and activations between kernels keep 16 bits.

    Attributes:
        gpus: how many share each layer.
        full_vocab: entries of the whole vocabulary; each GPU samples from all logits.
    """

    gpus: int = 1
    full_vocab: int
    quantization: Quantization = SIXTEEN_BIT

    @property
    def gemm_weight_bytes(self) -> int:
        """Bytes of all layers' matrices."""
        q = self.quantization
        common = self.feed_forward_weights - self.routed_weights
        bits = self.mixer_weights * q.attention_bits + common * q.ffn_bits
        return round(bits / 8) + self.routed_weight_bytes

    @property
    def routed_weight_bytes(self) -> int:
        """Bytes of all layers' experts that tokens are sent to: part of these."""
        return round(self.routed_weights * self.quantization.expert_bits / 8)

    @property
    def head_weight_bytes(self) -> int:
        """Bytes of the output head."""
        return round(self.vocab * self.hidden * self.quantization.head_bits / 8)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all parameters on this GPU."""
        q, table = self.quantization, self.vocab * self.hidden
        tables = 1 if self.tied_embeddings else 2
        others = self.parameters - self.linear_weights - tables * table
        embedding = 0 if self.tied_embeddings else round(table * q.embedding_bits / 8)
        return (
            self.gemm_weight_bytes
            + self.head_weight_bytes
            + embedding
            + others * self.bytes_per_element
        )

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes that one token adds to this GPU's KV cache, all layers together."""
        size = FP8_BYTES if self.quantization.fp8_kv_cache else self.bytes_per_element
        return self.cached_elements * size

    @property
    def windows(self) -> Windows:
        """How far its layers look back."""
        if self.sliding_window is None:
            return NO_WINDOWS
        return Windows(
            tokens=self.sliding_window,
            full_layers=self.attention_layers - self.sliding_layers,
            sliding_layers=self.sliding_layers,
        )

    @property
    def fp8_gemms(self) -> float:
        """Share of the layers' GEMMs, by their FLOPs, that compute in FP8."""
        q = self.quantization
        fp8 = self.mixer_weights * q.fp8_attention
        fp8 += self.feed_forward_token_weights * q.fp8_ffn
        return fp8 / self.token_weights

    @property
    def fp8_attention(self) -> bool:
        """Whether attention of prompts computes in FP8: where its weights and KV cache are in it.

        Source: trtllm-bench of TensorRT-LLM builds FP8 models with `use_fp8_context_fmha`; it needs
        an FP8 KV cache. Attention of decode computes in 16 bits; memory holds it up anyway.
        """
        return self.quantization.fp8_attention > 0 and self.quantization.fp8_kv_cache


def shard(
    architecture: Architecture,
    tensor_parallel: int = 1,
    precision: Precision | None = None,
    *,
    sliding_windows: bool = False,
) -> Shard:
    """Return one GPU's part of a model that `tensor_parallel` GPUs share.

    Without `sliding_windows` all its layers attend to everything: `trtllm-bench` sets no attention
    window, so that TensorRT-LLM's engines size and read their KV cache for the whole sequence.

    Query heads, FFN, vocabulary and the heads of states are split, and so is every expert; KV heads
    are, too, and lie on several GPUs each where they are fewer, as the groups of states do. Each
    GPU has the whole of routers and latent vectors. Embeddings and output head are split along the
    vocabulary. Source: TensorRT-LLM (`LlmArgs.embedding_parallel_mode`: SHARDING_ALONG_VOCAB; its
    vocabulary is padded to fit; `moe_tensor_parallel_size`, by default that of all layers).

    Raises:
        InputError: heads, KV heads, FFN or experts cannot be split among so many.
    """
    a, gpus, precision = architecture, tensor_parallel, precision or Precision()
    for number, what in _uneven(a, gpus):
        raise InputError(
            f"model {a.id} cannot be shared by tensor_parallel {gpus} GPUs: its {number} {what}"
            f" cannot be split evenly; possible are {', '.join(map(str, possible(a)))}"
        )
    whole = {f.name: getattr(a, f.name) for f in fields(Architecture)}
    part: dict[str, Any] = {
        "quantization": as_served(a, precision),
        "heads": a.heads // gpus,
        "kv_heads": max(1, a.kv_heads // gpus),
        "ffn": a.ffn // gpus,
        "vocab": -(-a.vocab // gpus),
    }
    if e := a.experts:
        part["experts"] = replace(e, ffn=e.ffn // gpus, shared_ffn=e.shared_ffn // gpus)
    if s := a.state:
        part["state"] = replace(s, heads=s.heads // gpus, groups=max(1, s.groups // gpus))
    if not sliding_windows:
        part |= {"sliding_window": None, "sliding_layers": 0}
    return Shard(
        **(whole | part),
        gpus=gpus,
        full_vocab=a.vocab,
    )


def as_served(architecture: Architecture, precision: Precision) -> Quantization:
    """Return what a model is stored in where it is served: as its checkpoint, or as asked for.

    Raises:
        InputError: FP8 is asked for of weights that are quantized otherwise.
    """
    stored = architecture.quantization or SIXTEEN_BIT
    if precision.weights == "fp8" and not stored.fp8_weights:
        if stored.weights:
            raise InputError(
                f"the checkpoint of {architecture.id} is quantized, {stored.words}: set weights to"
                " 'model', or take the 16-bit checkpoint"
            )
        stored = replace(FP8_WEIGHTS, fp8_kv_cache=stored.fp8_kv_cache)
    return replace(stored, fp8_kv_cache=stored.fp8_kv_cache or precision.kv_cache == "fp8")


def possible(architecture: Architecture, most: int = 8) -> list[int]:
    """Return the numbers of GPUs that can share a model."""
    return [n for n in range(1, most + 1) if not any(_uneven(architecture, n))]


def _uneven(a: Architecture, gpus: int) -> Iterator[tuple[int, str]]:
    """Yield what cannot be split among so many GPUs, with its name."""
    parts = [(a.heads, "attention heads", False)]
    if not a.latent:
        parts.append((a.kv_heads, "KV heads", True))
    if a.state:
        parts.append((a.state.heads, "heads of states", False))
        parts.append((a.state.groups, "groups of states", True))
    if a.ffn_layers:
        parts.append((a.ffn, "FFN columns", False))
    if a.experts:
        parts.append((a.experts.ffn, "columns of an expert", False))
        parts.append((a.experts.shared_ffn, "columns of shared experts", False))
    for number, what, repeated in parts:  # of the repeated, several GPUs have each where few
        if number % gpus and not (repeated and gpus % number == 0):
            yield number, what


def as_shard(architecture: Architecture) -> Shard:
    """Return an architecture as a part: itself if it is one, else the whole model on one GPU."""
    return architecture if isinstance(architecture, Shard) else shard(architecture)


def require_supported(architecture: Architecture, gpu: Gpu) -> None:
    """Refuse FP8 on a GPU without it.

    Raises:
        InputError: the GPU's tensor cores have no FP8.
    """
    quantization = as_shard(architecture).quantization
    if gpu.fp8_flops is None and (quantization.fp8_weights or quantization.fp8_kv_cache):
        what = "weights" if quantization.fp8_weights else "kv_cache"
        raise InputError(
            f"{gpu.id} has no FP8 (NVIDIA GPUs have it from Ada and Hopper on): set {what} to"
            " 'model' and take a 16-bit checkpoint, or choose another GPU"
        )
