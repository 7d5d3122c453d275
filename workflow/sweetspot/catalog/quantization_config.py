"""What a checkpoint's configuration says of its quantization, as means over the model's layers."""

from collections.abc import Mapping
from typing import Any

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.quantization import Quantization
from sweetspot.catalog.quantization_methods import PLAIN, Scheme, Stored, as_mapping, scheme_of
from sweetspot.catalog.quantized_modules import Modules, names_of
from sweetspot.errors import InputError

SIDE_FILES = {
    "quant_cfg.json": "modelopt",  # of mixed precision, whose layers the next one does not list
    "hf_quant_config.json": "modelopt",
    "quantize_config.json": "gptq",
    "quant_config.json": "awq",
}
"""Files beside config.json that may say it instead, each with the method that writes it."""

_KEYS = {
    "quantization_config": "",
    "compression_config": "compressed-tensors",
    "quantization": "mlx",
    **SIDE_FILES,
}


def quantized(architecture: Architecture, config: Mapping[str, Any]) -> Quantization | None:
    """Return how the checkpoint of this architecture is quantized; None if it is not.

    Args:
        architecture: of the model in 16 bits.
        config: its whole config.json, with what its folder says beside it (`loading`).

    Raises:
        InputError: it is quantized in a way that cannot be read or simulated.
    """
    key = next((each for each in _KEYS if config.get(each)), None)
    if key is None:
        return None
    try:
        return _averaged(architecture, scheme_of(as_mapping(config[key], key), _KEYS[key]))
    except InputError as error:
        raise InputError(f"{key!r}: {error}") from error


def _averaged(a: Architecture, scheme: Scheme) -> Quantization | None:
    """Return the means over all layers, each matrix weighing what it holds."""
    attention = {
        "q": a.hidden * a.query_size,
        "k": a.hidden * a.kv_size,
        "v": a.hidden * a.kv_size,
        "o": a.hidden * a.query_size,
    }
    matrices = ("gate", "up", "down") if a.gated_ffn else ("up", "down")
    ffn = dict.fromkeys(matrices, 1)  # of the same size
    if a.state and (scheme.own or any("layers" in name for name in scheme.kept)):
        # a hybrid's architecture has no order of layers, and its matrices other names
        raise InputError(
            "which layers of a hybrid keep 16 bits cannot be read; take the 16-bit checkpoint"
        )
    kept = Modules.of(scheme.kept)
    formats = dict.fromkeys(stored for _, stored in scheme.own)
    own = [(Modules.of(n for n, each in scheme.own if each == f), f) for f in formats]
    attention_bits, fp8_attention = _mean(attention, "attention", a.layers, scheme, kept, own)
    ffn_bits, fp8_ffn = _mean(ffn, "ffn", a.layers, scheme, kept, own)
    head = PLAIN if kept.hold_head() else scheme.head
    head = next((each for modules, each in own if modules.hold_head()), head)
    if a.tied_embeddings:
        head = scheme.embedding
    bits = a.mixer_weights * attention_bits + a.feed_forward_weights * ffn_bits
    mean = bits / a.linear_weights
    found = Quantization(
        name=f"{scheme.method} weights" + ("" if mean == 8 else f" ({mean:.3g} bits)"),
        attention_bits=attention_bits,
        ffn_bits=ffn_bits,
        embedding_bits=scheme.embedding.bits,
        head_bits=head.bits,
        fp8_attention=fp8_attention,
        fp8_ffn=fp8_ffn,
        fp8_kv_cache=scheme.fp8_kv_cache,
    )
    return found if found.weights or found.fp8_kv_cache else None


def _mean(
    matrices: Mapping[str, int],
    part: str,
    layers: int,
    scheme: Scheme,
    kept: Modules,
    own: list[tuple[Modules, Stored]],
) -> tuple[float, float]:
    """Return bits of a weight and the share that computes in FP8, over the layers' matrices."""
    stored = scheme.stored if scheme.attention or part == "ffn" else PLAIN
    if not scheme.kept and not own:
        return stored.bits, float(stored.fp8)
    bits = fp8 = 0.0
    for layer in range(layers):
        for matrix, weights in matrices.items():
            names = names_of(layer, part, matrix)
            here = PLAIN if kept.hold(names) else stored
            here = next((each for modules, each in own if modules.hold(names)), here)
            bits += weights * here.bits
            fp8 += weights * here.fp8
    total = layers * sum(matrices.values())
    return bits / total, fp8 / total
