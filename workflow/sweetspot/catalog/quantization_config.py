"""What a checkpoint's configuration says of its quantization, as means over the model's layers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.config_fields import mapping_of
from sweetspot.catalog.quantization import Quantization
from sweetspot.catalog.quantization_methods import PLAIN, Scheme, Stored, scheme_of
from sweetspot.catalog.quantized_modules import NAMES, Modules, names_of
from sweetspot.errors import InputError

# Where it is said, with the method of those that name none. First comes what TensorRT-LLM reads
# first, last the files that older tools wrote beside config.json.
_KEYS = {
    "quant_cfg.json": "modelopt",  # of mixed precision, whose layers the next one does not list
    "hf_quant_config.json": "modelopt",
    "quantization_config": "",
    "compression_config": "compressed-tensors",
    "quantization": "mlx",
    "quantize_config.json": "gptq",
    "quant_config.json": "awq",
}
SIDE_FILES = tuple(key for key in _KEYS if key.endswith(".json"))
"""Files beside config.json that may say it."""


def quantized(architecture: Architecture, config: Mapping[str, Any]) -> Quantization | None:
    """Return how the checkpoint of this architecture is quantized; None if it is not.

    Args:
        architecture: of the model in 16 bits.
        config: its whole config.json, with what its folder says beside it (`loading`).

    Raises:
        InputError: it is quantized in a way that cannot be read or simulated.
    """
    for key, usual in _KEYS.items():
        if not config.get(key):
            continue
        try:
            found = _averaged(architecture, scheme_of(mapping_of(config[key], key), usual))
        except InputError as error:
            raise InputError(f"{key!r}: {error}") from error
        if found:
            return found
    return None


@dataclass(frozen=True, slots=True)
class _Kind:
    """Matrices that several layers have alike.

    Attributes:
        name: as `quantized_modules.NAMES` has it.
        layers: how many layers have them.
        matrices: weights of each, in one layer.
    """

    name: str
    layers: int
    matrices: Mapping[str, int]

    @property
    def weights(self) -> int:
        """Weights of all layers."""
        return self.layers * sum(self.matrices.values())


def _averaged(a: Architecture, scheme: Scheme) -> Quantization | None:
    """Return the means over all layers, each matrix weighing what it holds."""
    kept = Modules.of(scheme.kept)
    formats = dict.fromkeys(stored for _, stored in scheme.own)
    own = [(Modules.of(n for n, each in scheme.own if each == f), f) for f in formats]
    found = [(kind, _mean(kind, a.layers, scheme, kept, own)) for kind in _kinds(a)]

    def of(names: Iterable[str]) -> tuple[int, Stored]:
        """Return the weights of several kinds, and their mean."""
        some = [(kind.weights, stored) for kind, stored in found if kind.name in names]
        weights = sum(each for each, _ in some)
        if not weights:
            return 0, PLAIN
        bits = sum(each * stored.bits for each, stored in some)
        fp8 = sum(each * stored.fp8 for each, stored in some)
        return weights, Stored(bits / weights, fp8 / weights)

    _, mixers = of(_MIXERS)
    all_tokens, ffn = of(("mlp", "shared"))
    routed, experts = of(("experts",))
    # routers keep 16 bits
    common = a.feed_forward_weights - routed
    ffn_bits = PLAIN.bits + (ffn.bits - PLAIN.bits) * all_tokens / common if common else PLAIN.bits
    routed_token = a.feed_forward_token_weights - common
    fp8_token = all_tokens * ffn.fp8 + routed_token * experts.fp8
    head = PLAIN if kept.hold_head() else scheme.head
    head = next((each for modules, each in own if modules.hold_head()), head)
    mean = of(NAMES)[1].bits
    result = Quantization(
        name=f"{scheme.method} weights" + ("" if mean == 8 else f" ({mean:.3g} bits)"),
        attention_bits=mixers.bits,
        ffn_bits=ffn_bits,
        expert_bits=experts.bits,
        embedding_bits=scheme.embedding.bits,
        head_bits=(scheme.embedding if a.tied_embeddings else head).bits,
        fp8_attention=mixers.fp8,
        fp8_ffn=fp8_token / (a.feed_forward_token_weights or 1),
        fp8_kv_cache=scheme.fp8_kv_cache,
    )
    return result if result.weights or result.fp8_kv_cache else None


_MIXERS = ("attention", "latent", "state")


def _kinds(a: Architecture) -> Iterator[_Kind]:
    """Yield the kinds of matrices that a model has."""
    if p := a.latent:
        latent = {
            "q_a": a.hidden * (p.query_rank or 0),
            "q_b": (p.query_rank or a.hidden) * a.query_size,
            "kv_a": a.hidden * p.cached,
            "kv_b": p.rank * a.expanded_size,
            "o": a.value_size * a.hidden,
        }
        yield _Kind("latent", a.attention_layers, latent)
    else:
        queries, keys = a.hidden * a.query_size, a.hidden * a.kv_size
        gates = queries if a.gated_attention else 0
        heads = {"q": queries + gates, "k": keys, "v": keys, "o": queries}
        yield _Kind("attention", a.attention_layers, heads)
    if s := a.state:
        state = {"in": a.hidden * s.projected, "out": a.hidden * s.inner}
        yield _Kind("state", s.layers, state)
    matrices = ("gate", "up", "down") if a.gated_ffn else ("up", "down")
    yield _Kind("mlp", a.ffn_layers, dict.fromkeys(matrices, a.hidden * a.ffn))
    if e := a.experts:
        shared, routed = a.hidden * e.shared_ffn, e.count * (e.width or a.hidden) * e.ffn
        yield _Kind("shared", e.layers, dict.fromkeys(matrices, shared))
        yield _Kind("experts", e.layers, dict.fromkeys(matrices, routed))


def _mean(
    kind: _Kind, layers: int, scheme: Scheme, kept: Modules, own: list[tuple[Modules, Stored]]
) -> Stored:
    """Return bits of a weight and the share that computes in FP8, over the layers that have it.

    Which of the model's layers these are is not known: of a module that is named with its layer's
    number each counts for one of them, of one that is named without it they all do.
    """
    usual = PLAIN if scheme.experts_only and kind.name != "experts" else scheme.stored
    if not (scheme.kept or own):
        return usual
    bits = fp8 = 0.0
    for matrix, weights in kind.matrices.items():
        left = kind.layers
        for modules, stored in (*own, (kept, PLAIN)):
            named = sum(modules.hold(names_of(n, kind.name, matrix)) for n in range(layers))
            here = min(left, named)
            left -= here
            bits += here * weights * stored.bits
            fp8 += here * weights * stored.fp8
        bits += left * weights * usual.bits
        fp8 += left * weights * usual.fp8
    return Stored(bits / kind.weights, fp8 / kind.weights) if kind.weights else usual
