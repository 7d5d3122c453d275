"""What each iteration computes and moves: FLOPs and bytes, from the architecture's shapes."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from sweetspot.catalog.architecture import Architecture
from sweetspot.simulator.scheduler import Schedule

FloatArray = npt.NDArray[np.float64]

# Assumed, as the paper's surfaces of OPT 2.7B and Granite 3B ask for it: heads are loaded in tiles
# of 32 elements, so that one of 80 costs as one of 96.
HEAD_TILE = 32
# Decode attention reaches 2.7 TB/s with heads of 256 where 128 and less reach 3.07 TB/s (H100 SXM,
# TensorRT-LLM 1.3.0rc20 kernel tables published with NVIDIA AIConfigurator 0.12.0).
WIDE_HEAD = 256
WIDE_HEAD_PENALTY = 3.07 / 2.7


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """Work of one iteration per segment; every field is an array of shape (segments,).

    In a segment, the j-th iteration's decode attention costs `kv_bytes + j * kv_bytes_growth`
    bytes and `decode_flops + j * decode_flops_growth` FLOPs; the rest is the same for all j.

    Attributes:
        iterations: how many iterations the segment stands for.
        layers: layers of the model.
        sequences: requests that take part in the iteration.
        gemm_flops: linear layers, all layers.
        weight_bytes: their weights, read once an iteration.
        activation_bytes: their inputs and outputs, those of norms and activation function, each
            moved once.
        prompt_flops, prompt_bytes: attention of prompts, and the KV cache it writes and reads.
        decode_flops, decode_flops_growth: attention of decode.
        kv_bytes, kv_bytes_growth: KV cache that decode attention reads and writes.
        logit_flops, logit_weight_bytes: output head.
        logits: entries of the logit matrix.
    """

    iterations: FloatArray
    layers: FloatArray
    sequences: FloatArray
    gemm_flops: FloatArray
    weight_bytes: FloatArray
    activation_bytes: FloatArray
    prompt_flops: FloatArray
    prompt_bytes: FloatArray
    decode_flops: FloatArray
    decode_flops_growth: FloatArray
    kv_bytes: FloatArray
    kv_bytes_growth: FloatArray
    logit_flops: FloatArray
    logit_weight_bytes: FloatArray
    logits: FloatArray


def concatenate(parts: list[Work]) -> Work:
    """Return the segments of several runs, one behind the other."""
    return Work(
        **{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Work)}
    )


def work(architecture: Architecture, schedule: Schedule) -> Work:
    """Return FLOPs (a multiply-add counts 2) and bytes of each segment's iterations.

    Source: the counting of section 4 of the paper (arXiv 2602.05695), with the architecture's own
    KV heads, FFN and vocabulary, causal masks, and weights that are read once per iteration.
    """
    a = architecture
    size = a.bytes_per_element
    decodes = schedule.decodes.astype(np.float64)
    prompt_tokens = schedule.prompt_tokens.astype(np.float64)
    tokens = decodes + prompt_tokens
    padding = -(-a.head_dim // HEAD_TILE) * HEAD_TILE / a.head_dim
    kv_padding = padding * (WIDE_HEAD_PENALTY if a.head_dim >= WIDE_HEAD else 1.0)
    # One query against one key and value: 2 + 2 FLOPs per element of each query head.
    pair_flops = 4 * a.query_size * a.layers * padding
    per_token_activations = (
        6 * a.hidden + 2 * a.query_size + 2 * a.kv_size + (a.ffn_matrices + 1) * a.ffn
    ) * a.layers
    context = schedule.decode_context.astype(np.float64)
    pairs = schedule.prompt_pairs.astype(np.float64)
    rows = decodes + schedule.prompts_finished
    head_weights = a.vocab * a.hidden
    return Work(
        iterations=schedule.iterations.astype(np.float64),
        layers=np.full(tokens.shape, float(a.layers)),
        sequences=decodes + schedule.prompts,
        gemm_flops=2.0 * tokens * a.layer_weights * a.layers,
        weight_bytes=np.full(tokens.shape, float(a.layer_weights * a.layers * size)),
        activation_bytes=tokens * per_token_activations * size,
        prompt_flops=pairs * pair_flops,
        prompt_bytes=(schedule.prompt_context + 2 * prompt_tokens) * a.kv_bytes_per_token,
        decode_flops=context * pair_flops,
        decode_flops_growth=decodes * pair_flops,
        kv_bytes=(context + decodes) * a.kv_bytes_per_token * kv_padding,
        kv_bytes_growth=decodes * a.kv_bytes_per_token * kv_padding,
        logit_flops=2.0 * rows * head_weights,
        logit_weight_bytes=np.where(rows > 0, float(head_weights * size), 0.0),
        logits=rows * a.vocab,
    )
