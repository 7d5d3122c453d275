"""What a token moves in all layers: inputs and outputs of matrices, and what lies between."""

from typing import NamedTuple

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.parts import Experts, LatentAttention, StateLayers
from sweetspot.simulator.deployment.shard import FP8_BYTES, Shard


class Traffic(NamedTuple):
    """Elements per token; of one layer, or of all of a kind together.

    Attributes:
        inputs, outputs: of linear layers.
        elementwise: read and written by norms with residuals, positions, activation function and
            whatever else is done element by element.
    """

    inputs: int
    outputs: int
    elementwise: int


_NONE = Traffic(0, 0, 0)


def mixer_traffic(a: Architecture) -> Traffic:
    """Return what one token moves in all layers' attention and states, each with a norm."""
    attention = _latent_attention(a, a.latent) if a.latent else _attention(a)
    return _sum(a, (a.attention_layers, attention), (a.state_layers, _state(a, a.state)))


def feed_forward_traffic(a: Architecture) -> Traffic:
    """Return what one token moves in all feed-forward layers, each with a norm."""
    return _sum(
        a, (a.ffn_layers, _ffn(a, a.ffn, a.hidden)), (a.expert_layers, _experts(a, a.experts))
    )


def fp8_input_bytes(a: Shard) -> int:
    """Return the bytes per token that FP8 inputs of all layers' GEMMs save; outputs keep 16 bits.

    Norms and activation functions write their output in FP8 (fused quantisation), so what is
    saved is saved once in writing and once in reading.
    """
    q = a.quantization
    inputs = q.fp8_attention * mixer_traffic(a).inputs + q.fp8_ffn * feed_forward_traffic(a).inputs
    return round(inputs * (a.bytes_per_element - FP8_BYTES))


def _sum(a: Architecture, *kinds: tuple[int, Traffic]) -> Traffic:
    inputs, outputs, elementwise = (
        sum(layers * moved[i] for layers, moved in kinds) for i in range(3)
    )
    norms = 4 * a.hidden * sum(layers for layers, _ in kinds)
    return Traffic(inputs, outputs, elementwise + norms)


def _attention(a: Architecture) -> Traffic:
    gates = a.query_size if a.gated_attention else 0
    return Traffic(
        inputs=a.hidden + a.query_size,
        outputs=a.query_size + gates + 2 * a.kv_size + a.hidden,
        elementwise=2 * (a.query_size + a.kv_size) + 3 * gates,  # queries and keys are rotated
    )


def _latent_attention(a: Architecture, latent: LatentAttention) -> Traffic:
    """Return what latent attention moves, its keys and values expanded.

    Decode does not expand them: it projects queries and outputs instead, as often and as widely.
    """
    query_rank = latent.query_rank or 0
    rotated = (a.heads + 1) * latent.rope_dim  # of each query, and of the key that they share
    return Traffic(
        inputs=a.hidden + query_rank + latent.rank + a.value_size,
        outputs=query_rank + latent.cached + a.query_size + a.expanded_size + a.hidden,
        elementwise=2 * (query_rank + latent.rank + rotated),
    )


def _ffn(a: Architecture, width: int, ends: int) -> Traffic:
    """Return what a feed-forward layer of this width moves that takes and gives `ends` elements."""
    branches = a.ffn_matrices - 1
    return Traffic(ends + width, branches * width + ends, a.ffn_matrices * width)


def _experts(a: Architecture, e: Experts | None) -> Traffic:
    """Return what a layer of experts moves: tokens are copied for each expert, and added up."""
    if not e:
        return _NONE
    ends = e.width or a.hidden
    one = _ffn(a, e.ffn, ends)
    shared = _ffn(a, e.shared_ffn, a.hidden) if e.shared_ffn else _NONE
    to_ends = a.hidden + ends if e.width else 0  # tokens are projected to what experts take
    return Traffic(
        inputs=a.hidden + to_ends + e.per_token * one.inputs + shared.inputs,  # first the router's
        outputs=e.count + to_ends + e.per_token * one.outputs + shared.outputs,
        elementwise=e.per_token * one.elementwise
        + shared.elementwise
        + 2 * (1 + e.per_token) * ends,
    )


def _state(a: Architecture, s: StateLayers | None) -> Traffic:
    """Return what a state layer moves beside its scan: convolution, and a norm with a gate."""
    if not s:
        return _NONE
    return Traffic(
        inputs=a.hidden + s.inner,
        outputs=s.projected + a.hidden,
        elementwise=2 * s.convolved + 3 * s.inner,
    )
