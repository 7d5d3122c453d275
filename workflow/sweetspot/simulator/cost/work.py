"""What each iteration computes and moves: FLOPs and bytes, from the architecture's shapes."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.parts import LatentAttention
from sweetspot.simulator.cost import scan
from sweetspot.simulator.cost.traffic import feed_forward_traffic, fp8_input_bytes, mixer_traffic
from sweetspot.simulator.deployment.cuda_graphs import NO_GRAPHS, CudaGraphs
from sweetspot.simulator.deployment.shard import Shard, as_shard
from sweetspot.simulator.schedule.identical import IntArray, Schedule

FloatArray = npt.NDArray[np.float64]

# Assumed, as the paper's surfaces of OPT 2.7B and Granite 3B ask for it: heads are loaded in tiles
# of 32 elements, so that one of 80 costs as one of 96.
HEAD_TILE = 32
# From here on heads are wide.
WIDE_HEAD = 256


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """Work of one iteration per segment; every field is an array of shape (segments,).

    In a segment, the j-th iteration's decode attention costs `kv_bytes + j * kv_bytes_growth`
    bytes and `decode_flops + j * decode_flops_growth` FLOPs; the rest is the same for all j.

    Attributes:
        iterations: how many iterations the segment stands for.
        layers: layers of the model, as each is half a mixer and half a feed-forward layer.
        sequences: requests that take part in the iteration.
        gemm_flops: linear layers, all layers.
        weight_bytes: their weights, read once an iteration; of experts, those that some token is
            sent to.
        gemm_bytes: their inputs and outputs, each moved once.
        elementwise_bytes: inputs and outputs of norms with residuals, positions and activation
            function, each moved once.
        norms, norm_elements: norms that an engine may have no fused kernel for, all layers, and
            what they norm.
        prompt_flops, prompt_bytes: attention and scans of prompts, and the KV cache and the states
            that they write and read.
        prompt_token_flops: attention of prompts if each of their tokens had one pair.
        prompts_finished: prompts that end here.
        decode_flops, decode_flops_growth: attention and scans of decode.
        kv_bytes, kv_bytes_growth: KV cache and states that decode reads and writes.
        decode_bytes_per_flop: of the cache that attention reads.
        decode_heads: KV heads of requests in decode, all layers.
        queries_per_kv_head: how many query heads share a KV head.
        head_dim: size of a head.
        fp8_kv: 1 if the KV cache is FP8.
        wide_heads: 1 if shared heads are of 256 or more, else 0.
        logit_flops, logit_weight_bytes: output head.
        logits: entries of the logit matrix.
        fp8_gemms: share of the linear layers' FLOPs that are FP8.
        fp8_attention: 1 if attention of prompts computes in FP8.
        gpus: how many share each layer; all else is of one of them.
        all_reduces, message_bytes: how often the GPUs add up activations, and how large they are.
        gather_bytes: logits that each GPU sends to the others.
    """

    iterations: FloatArray
    layers: FloatArray
    sequences: FloatArray
    gemm_flops: FloatArray
    weight_bytes: FloatArray
    gemm_bytes: FloatArray
    elementwise_bytes: FloatArray
    norms: FloatArray
    norm_elements: FloatArray
    prompt_flops: FloatArray
    prompt_bytes: FloatArray
    prompt_token_flops: FloatArray
    prompts_finished: FloatArray
    decode_flops: FloatArray
    decode_flops_growth: FloatArray
    kv_bytes: FloatArray
    kv_bytes_growth: FloatArray
    decode_bytes_per_flop: FloatArray
    decode_heads: FloatArray
    queries_per_kv_head: FloatArray
    head_dim: FloatArray
    fp8_kv: FloatArray
    wide_heads: FloatArray
    logit_flops: FloatArray
    logit_weight_bytes: FloatArray
    logits: FloatArray
    fp8_gemms: FloatArray
    fp8_attention: FloatArray
    gpus: FloatArray
    all_reduces: FloatArray
    message_bytes: FloatArray
    gather_bytes: FloatArray

    def only(self, kept: npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice) -> "Work":
        """Return some of the segments, by mask or by place."""
        return Work(**{f.name: getattr(self, f.name)[kept] for f in fields(Work)})


def concatenate(parts: list[Work]) -> Work:
    """Return the segments of several runs, one behind the other."""
    return Work(
        **{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Work)}
    )


def work(architecture: Architecture, schedule: Schedule, graphs: CudaGraphs = NO_GRAPHS) -> Work:
    """Return FLOPs (a multiply-add counts 2) and bytes of each segment's iterations.

    Of a part of a model (`shard`) it is the work of one GPU. Attention is that of the average
    layer: sliding ones look back less far. Steps that are replayed as graphs are padded.

    Source: the counting of section 4 of the paper (arXiv 2602.05695), with the architecture's own
    KV heads, FFN and vocabulary, causal masks, and weights that are read once per iteration.
    """
    a = as_shard(architecture)
    size = a.bytes_per_element
    decodes = schedule.decodes.astype(np.float64)
    prompt_tokens = schedule.prompt_tokens.astype(np.float64)
    tokens = padded_rows(graphs, decodes + prompt_tokens, prompt_tokens)
    padding = -(-a.head_dim // HEAD_TILE) * HEAD_TILE / a.head_dim
    wide = float(a.head_dim >= WIDE_HEAD and a.heads > a.kv_heads and not a.latent)
    prompt_pair_flops = pair_flops(a) * padding
    decode_pair_flops = absorbed_pair_flops(a, a.latent) if a.latent else prompt_pair_flops
    mixers, ffns = mixer_traffic(a), feed_forward_traffic(a)
    gemm_io = mixers.inputs + mixers.outputs + ffns.inputs + ffns.outputs
    context = _mean(a, schedule.decode_context, schedule.sliding_context)
    growth = _mean(a, schedule.decodes, schedule.sliding_decodes)
    pairs = _mean(a, schedule.prompt_pairs, schedule.sliding_pairs)
    prompt_context = _mean(a, schedule.prompt_context, schedule.sliding_prompt_context)
    rows = decodes + schedule.prompts_finished
    head_rows = rows
    if graphs.with_head:
        head_rows = np.maximum(rows, np.where(prompt_tokens > 0, 0.0, tokens))
    head_weights = a.vocab * a.hidden
    # what FP8 inputs of GEMMs save: one write and one read
    saved_bytes = tokens * fp8_input_bytes(a)
    scan_flops, scan_bytes, step_flops = 0, 0.0, 0
    if a.state:
        scan_flops, step_flops = scan.prompt_flops(a.state), scan.decode_flops(a.state)
        scan_bytes = scan.prompt_bytes(a.state)
    shared = a.gpus > 1
    halves = a.attention_layers + a.state_layers + a.ffn_layers + a.expert_layers

    norms = a.offset_norms * a.layers

    def throughout(value: float) -> FloatArray:
        return np.full(tokens.shape, float(value))

    return Work(
        iterations=schedule.iterations.astype(np.float64),
        layers=throughout(halves / 2),
        sequences=decodes + schedule.prompts,
        gemm_flops=2.0 * tokens * a.token_weights,
        weight_bytes=throughout(a.gemm_weight_bytes) - untouched_bytes(a, decodes + prompt_tokens),
        gemm_bytes=tokens * (gemm_io * size) - saved_bytes,
        elementwise_bytes=tokens * ((mixers.elementwise + ffns.elementwise) * size) - saved_bytes,
        norms=throughout(norms),
        norm_elements=tokens * (norms * a.hidden),
        prompt_flops=pairs * prompt_pair_flops + prompt_tokens * scan_flops,
        prompt_bytes=(prompt_context + 2 * prompt_tokens) * a.kv_bytes_per_token
        + (prompt_tokens * scan_bytes + schedule.prompts * (2.0 * a.state_bytes)),
        prompt_token_flops=prompt_tokens * prompt_pair_flops,
        prompts_finished=schedule.prompts_finished.astype(np.float64),
        decode_flops=context * decode_pair_flops + decodes * step_flops,
        decode_flops_growth=growth * decode_pair_flops,
        kv_bytes=(context + decodes) * a.kv_bytes_per_token * padding
        + decodes * (2.0 * a.state_bytes),
        kv_bytes_growth=growth * a.kv_bytes_per_token * padding,
        decode_bytes_per_flop=throughout(a.kv_bytes_per_token * padding / decode_pair_flops),
        decode_heads=decodes * (a.attention_layers * (1 if a.latent else a.kv_heads)),
        queries_per_kv_head=throughout(a.heads if a.latent else a.heads / a.kv_heads),
        head_dim=throughout(a.head_dim),
        fp8_kv=throughout(a.quantization.fp8_kv_cache),
        wide_heads=np.full(tokens.shape, wide),
        logit_flops=2.0 * head_rows * head_weights,
        logit_weight_bytes=np.where(rows > 0, float(a.head_weight_bytes), 0.0),
        logits=rows * a.full_vocab,
        fp8_gemms=throughout(a.fp8_gemms),
        fp8_attention=throughout(a.fp8_attention),
        gpus=throughout(a.gpus),
        all_reduces=throughout(halves + 1 if shared else 0),
        message_bytes=tokens * (a.hidden * size if shared else 0),
        gather_bytes=head_rows * (a.vocab * size * (a.gpus - 1)),
    )


def pair_flops(a: Architecture) -> int:
    """Return the FLOPs of one query against one key and value, all heads and layers together.

    Of each head's query and value they are 2 an element.
    """
    return 2 * (a.query_size + a.value_size) * a.attention_layers


def absorbed_pair_flops(a: Architecture, latent: LatentAttention) -> int:
    """Return them where queries meet the latent vectors themselves, as in decode.

    Each head's query is projected to their width, scores them, and weighs them as values.
    """
    return 2 * a.heads * (latent.cached + latent.rank) * a.attention_layers


def untouched_bytes(a: Shard, tokens: FloatArray) -> FloatArray | float:
    """Return the bytes of experts that no token of an iteration is sent to, in expectation.

    Each token's choice is uniform and its own: an assumption, as real routers send the tokens of
    one text more often to the same experts, and so touch fewer.
    """
    if not a.experts:
        return 0.0
    missed: FloatArray = (1 - a.experts.per_token / a.experts.count) ** tokens
    return a.routed_weight_bytes * missed


def padded_rows(graphs: CudaGraphs, tokens: FloatArray, prompt_tokens: FloatArray) -> FloatArray:
    """Return the rows that steps of so many tokens, some of them of prompts, compute."""
    if not graphs.sizes:
        return tokens
    # a step of no tokens stays one; the largest step that is padded is the largest captured
    sizes = np.array([0, *graphs.sizes], dtype=np.float64)
    place = np.minimum(np.searchsorted(sizes, tokens), sizes.size - 1)
    padded = np.maximum(sizes[place], tokens)
    return padded if graphs.with_prompts else np.where(prompt_tokens > 0, tokens, padded)


def _mean(a: Architecture, full: IntArray, sliding: IntArray) -> FloatArray:
    """Return the mean over layers of what a full and what a sliding layer has."""
    if not a.sliding_layers:
        return full.astype(np.float64)
    summed = (a.attention_layers - a.sliding_layers) * full + a.sliding_layers * sliding
    mean: FloatArray = summed / a.attention_layers
    return mean
