"""How each method of quantization writes what it did, as one `Scheme`.

Source of keys and defaults: transformers, utils/quantization_config.py; compressed-tensors,
QuantizationConfig; TensorRT-LLM and ModelOpt, `hf_quant_config.json` and QuantAlgo; AutoAWQ,
`quant_config.json`; AutoGPTQ and GPTQModel, `quantize_config.json`; mlx-lm, `quantization`.
"""

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sweetspot.catalog.config_fields import mapping_of
from sweetspot.catalog.quantization import SIXTEEN_BITS
from sweetspot.errors import InputError

SCALE_BITS = 16


class Stored(NamedTuple):
    """A format of weights: bits of one, with scales and zero points, and the share in FP8 math."""

    bits: float
    fp8: float = 0.0


PLAIN = Stored(SIXTEEN_BITS)
_FP8 = Stored(8, fp8=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """What a configuration says.

    Attributes:
        method: as people write it.
        stored: the layers' matrices.
        kept: names of modules that keep 16 bits.
        own: names of modules with a format of their own, before all else.
        experts_only: whether all but the routed experts keep 16 bits.
        embedding, head: the vocabulary's.
    """

    method: str
    stored: Stored
    kept: tuple[str, ...] = ()
    own: tuple[tuple[str, Stored], ...] = ()
    experts_only: bool = False
    embedding: Stored = PLAIN
    head: Stored = PLAIN
    fp8_kv_cache: bool = False


def scheme_of(stated: Mapping[str, Any], usual: str = "") -> Scheme:
    """Return what a configuration says, by the method that it names.

    `usual` is the method of those that stand in the same place and name none.

    Raises:
        InputError: it is no method, or no format of one, that can be read and simulated.
    """
    method = stated.get("quant_method", usual)
    for key, sign in _SIGNS.items():
        method = method or (sign if key in stated else "")
    kind = method.lower().removeprefix("intel/") if isinstance(method, str) else ""
    read = _READERS.get("modelopt" if kind.startswith("modelopt") else kind)
    if read is None:
        raise InputError(
            f"quant_method {reprlib.repr(method)} cannot be read; readable:"
            f" {', '.join(_READERS)}; use the config.json of the 16-bit model"
        )
    return read(stated)


# What each method says.


def _awq(stated: Mapping[str, Any]) -> Scheme:
    bits = _bits(stated, "bits", "w_bit")
    group = _group(stated, "group_size", "q_group_size")
    zeros = bits if stated.get("zero_point", True) else 0
    return Scheme(
        method="AWQ",
        stored=_grouped(bits, group, zeros),
        kept=_names(stated, "modules_to_not_convert"),
    )


def _gptq(stated: Mapping[str, Any]) -> Scheme:
    """Read AutoGPTQ and GPTQModel, whose rules of `dynamic` are regular expressions."""
    stored = _gptq_format(stated)
    own = []
    for rule, told in mapping_of(stated.get("dynamic") or {}, "dynamic").items():
        sign, pattern = (rule[:2], rule[2:]) if rule[:2] in ("+:", "-:") else ("+:", rule)
        here = PLAIN if sign == "-:" else _gptq_format({**stated, **mapping_of(told, rule)})
        own.append((f"re:{pattern}", here))
    return Scheme(
        method="GPTQ",
        stored=stored,
        kept=_names(stated, "modules_to_not_convert"),
        own=tuple(own),
        head=stored if stated.get("lm_head") is True else PLAIN,
    )


def _auto_round(stated: Mapping[str, Any]) -> Scheme:
    extra = mapping_of(stated.get("extra_config") or {}, "extra_config")
    own = ((n, _gptq_format({**stated, **mapping_of(told, n)})) for n, told in extra.items())
    return Scheme(method="AutoRound", stored=_gptq_format(stated), own=tuple(own))


def _gptq_format(stated: Mapping[str, Any]) -> Stored:
    bits, group = _bits(stated, "bits"), _group(stated, "group_size")
    if bits == SIXTEEN_BITS:
        return PLAIN
    # kernels of symmetric checkpoints read no zero points, though they are in the file
    return _grouped(bits, group, 0 if stated.get("sym", True) else bits)


def _fp8(stated: Mapping[str, Any]) -> Scheme:
    block = stated.get("weight_block_size")
    kept = _names(stated, "modules_to_not_convert", "ignored_layers")
    return Scheme(method="FP8" if block is None else "FP8 block", stored=_FP8, kept=kept)


def _fbgemm(stated: Mapping[str, Any]) -> Scheme:
    return Scheme(method="FP8", stored=_FP8, kept=_names(stated, "modules_to_not_convert"))


def _mxfp4(stated: Mapping[str, Any]) -> Scheme:
    kept = _names(stated, "modules_to_not_convert")
    return Scheme(method="MXFP4", stored=_MXFP4, kept=kept, experts_only=True)


def _bitsandbytes(stated: Mapping[str, Any]) -> Scheme:
    if not (stated.get("load_in_4bit") or stated.get("_load_in_4bit")):
        raise InputError("bitsandbytes in 8 bits computes in INT8, which cannot be simulated")
    # an absmax for each 64 weights: 32 bits, or 8 bits and another 32 for each 256 of them
    double = stated.get("bnb_4bit_use_double_quant") is True
    bits = 4 + (8 / 64 + 32 / (64 * 256) if double else 32 / 64)
    kept = _names(stated, "llm_int8_skip_modules")
    return Scheme(method="bitsandbytes", stored=Stored(bits), kept=kept)


def _hqq(stated: Mapping[str, Any]) -> Scheme:
    config = mapping_of(stated.get("quant_config"), "quant_config")
    if "weight_quant_params" not in config:
        raise InputError("hqq with a format of its own for each module cannot be read")
    told = mapping_of(config["weight_quant_params"], "weight_quant_params")
    bits = _bits(told, "nbits")
    stored = _grouped(bits, _group(told, "group_size"), SCALE_BITS)
    return Scheme(method="HQQ", stored=stored, kept=_names(stated, "skip_modules"))


def _mlx(stated: Mapping[str, Any]) -> Scheme:
    """Read MLX: scale and bias of each group, embeddings and head as the layers."""
    stored = _grouped(_bits(stated, "bits"), _group(stated, "group_size"), SCALE_BITS)
    if stated.get("mode", "affine") != "affine":
        raise InputError(f"mode {reprlib.repr(stated['mode'])} of MLX cannot be read")
    own = []
    vocabulary = {"embed_tokens": stored, "lm_head": stored}
    for name, rule in stated.items():
        if isinstance(rule, Mapping):
            told = {**stated, **rule}
            of_rule = _grouped(_bits(told, "bits"), _group(told, "group_size"), SCALE_BITS)
        elif rule is False:
            of_rule = PLAIN
        else:
            continue
        own.append((name, of_rule))
        vocabulary[name.rpartition(".")[2]] = of_rule
    return Scheme(
        method="MLX",
        stored=stored,
        own=tuple(own),
        embedding=vocabulary["embed_tokens"],
        head=vocabulary["lm_head"],
    )


def _compressed_tensors(stated: Mapping[str, Any]) -> Scheme:
    sparsity = mapping_of(stated.get("sparsity_config") or {}, "sparsity_config").get(
        "format", "dense"
    )
    if sparsity != "dense":
        raise InputError(f"sparse weights ({sparsity}) cannot be simulated")
    groups = mapping_of(stated.get("config_groups") or {}, "config_groups")
    each_group = [mapping_of(group, name) for name, group in groups.items()]
    formats = [(group, *_group_format(group)) for group in each_group]
    all_linear = [each for each in formats if "Linear" in _names(each[0], "targets")]
    own = tuple(
        (target, stored)
        for group, stored, _ in formats
        for target in _names(group, "targets")
        if target != "Linear"
    )
    stored = all_linear[0][1] if all_linear else PLAIN
    return Scheme(
        method=" and ".join(dict.fromkeys(word for *_, word in formats)),
        stored=stored,
        kept=_names(stated, "ignore"),
        own=own,
        head=stored,
        fp8_kv_cache=_is_fp8_cache(stated),
    )


def _group_format(group: Mapping[str, Any]) -> tuple[Stored, str]:
    """Return the format of one `config_groups` entry, and what people call it."""
    weights, inputs = mapping_of(group.get("weights"), "weights"), group.get("input_activations")
    bits, kind = _bits(weights, "num_bits"), weights.get("type", "int")
    letter = f"W{bits:g}A16"
    if inputs:
        activation = mapping_of(inputs, "input_activations")
        name = f"{activation.get('type', 'int')}{activation.get('num_bits')}"
        if name != "float8":
            raise InputError(
                f"W{bits:g}A{activation.get('num_bits')} computes in {name.upper()}, which cannot"
                " be simulated; use the FP8, a weight-only or the 16-bit checkpoint"
            )
        letter = "FP8" if (bits, kind) == (8, "float") else f"W{bits:g}A8"
    strategy = weights.get("strategy")
    if strategy not in ("group", "tensor_group"):
        return Stored(bits, fp8=bool(inputs)), letter
    group_size = _group(weights, "group_size")
    scale = 8 if kind == "float" and bits == 4 else SCALE_BITS  # NVFP4 and MXFP4: a byte a group
    zeros = 0 if weights.get("symmetric", True) else bits
    return Stored(bits + (scale + zeros) / group_size, fp8=bool(inputs)), letter


def _modelopt(stated: Mapping[str, Any]) -> Scheme:
    inner = stated.get("quantization")  # what hf_quant_config.json holds, as some config.json do
    if isinstance(inner, Mapping):
        stated = {**inner, "quant_method": "modelopt"}
    algorithm: Any = stated.get("quant_algo")
    kept, cache = _names(stated, "exclude_modules", "ignore"), _is_fp8_cache(stated)
    if algorithm == "MIXED_PRECISION":
        layers = mapping_of(stated.get("quantized_layers"), "quantized_layers")
        own = tuple((name, _algorithm(mapping_of(layer, name))) for name, layer in layers.items())
        return Scheme(method="mixed", stored=PLAIN, own=own, fp8_kv_cache=cache)
    if algorithm in (None, "NO_QUANT"):
        if algorithm is None and stated.get("config_groups"):
            return _compressed_tensors(stated)
        return Scheme(method="", stored=PLAIN, fp8_kv_cache=cache)
    stored = _algorithm(stated)
    return Scheme(
        method=_METHODS.get(algorithm, algorithm),
        stored=stored,
        kept=kept,
        head=stored if kept else PLAIN,  # exports that list nothing keep it, too
        fp8_kv_cache=cache,
    )


def _algorithm(stated: Mapping[str, Any]) -> Stored:
    algorithm = str(stated.get("quant_algo"))
    if algorithm in _ALGORITHMS:
        return _ALGORITHMS[algorithm]
    if algorithm in _GROUPED_ALGORITHMS:
        fp8 = algorithm == "W4A8_AWQ"
        group = _group({"group_size": 128, **stated}, "group_size")
        zeros = 4 if stated.get("has_zero_point") else 0
        return _grouped(4, group, zeros)._replace(fp8=fp8)
    for beginning, arithmetic in _OTHER_ARITHMETIC.items():
        if algorithm.startswith(beginning):
            raise InputError(
                f"quant_algo {algorithm} computes in {arithmetic}, which cannot be simulated; use"
                " the FP8, a weight-only or the 16-bit checkpoint"
            )
    raise InputError(
        f"quant_algo {reprlib.repr(algorithm)} cannot be read; what can:"
        f" {', '.join((*_ALGORITHMS, *_GROUPED_ALGORITHMS))}"
    )


_MXFP4 = Stored(4 + 8 / 32)
_ALGORITHMS: Mapping[str, Stored] = {
    "FP8": _FP8,
    "FP8_PER_CHANNEL_PER_TOKEN": _FP8,
    "FP8_BLOCK_SCALES": _FP8,
    "FP8_PB_WO": _FP8,
    "MXFP8": Stored(8 + 8 / 32, fp8=1),
    "W8A16": Stored(8),
    "W8A16_GPTQ": Stored(8),
    "W4A16_MXFP4": _MXFP4,
    "W4A8_MXFP4_FP8": _MXFP4._replace(fp8=1),
    "W4A16_NVFP4": Stored(4 + 8 / 16),
    "W4A8_NVFP4_FP8": Stored(4 + 8 / 16, fp8=1),
}
_OTHER_ARITHMETIC = {"NVFP4": "FP4", "W8A8_SQ": "INT8", "W4A8_QSERVE": "INT8", "INT8": "INT8"}
_GROUPED_ALGORITHMS = ("W4A16", "W4A16_AWQ", "W4A16_GPTQ", "W4A8_AWQ")
_METHODS = {"W4A16_AWQ": "AWQ", "W4A16_GPTQ": "GPTQ"} | dict.fromkeys(
    ("FP8_PER_CHANNEL_PER_TOKEN", "FP8_BLOCK_SCALES", "FP8_PB_WO"), "FP8"
)

_READERS: Mapping[str, Callable[[Mapping[str, Any]], Scheme]] = {
    "awq": _awq,
    "gptq": _gptq,
    "auto-round": _auto_round,
    "fp8": _fp8,
    "fbgemm_fp8": _fbgemm,
    "compressed-tensors": _compressed_tensors,
    "modelopt": _modelopt,
    "mxfp4": _mxfp4,
    "bitsandbytes": _bitsandbytes,
    "hqq": _hqq,
    "mlx": _mlx,
}


# Of configurations that name no method.
_SIGNS = {
    "load_in_4bit": "bitsandbytes",
    "quant_algo": "modelopt",
    "config_groups": "compressed-tensors",
    "bits": "mlx",  # mlx-lm writes its `quantization` under the name of transformers, too
}


# What several of them have in common.


def _grouped(bits: float, group: int, zero_bits: float) -> Stored:
    return Stored(bits + (SCALE_BITS + zero_bits) / group if group > 0 else bits)


def _bits(stated: Mapping[str, Any], *keys: str) -> float:
    value = next((stated[key] for key in keys if key in stated), None)
    if type(value) is not int or not 1 <= value <= SIXTEEN_BITS:
        raise InputError(f"{keys[0]!r} must be a number of bits, not {reprlib.repr(value)}")
    return float(value)


def _group(stated: Mapping[str, Any], *keys: str) -> int:
    """Return how many weights share a scale; -1 for a whole row or column of the matrix."""
    value = next((stated[key] for key in keys if key in stated), None)
    if type(value) is not int or (value < 1 and value != -1):
        raise InputError(f"{keys[0]!r} must be a positive integer or -1, not {reprlib.repr(value)}")
    return value


def _names(stated: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    """Return the names that a key lists; none where it is left out or null."""
    value: Any = next((stated[key] for key in keys if stated.get(key) is not None), [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InputError(f"{keys[0]!r} must be a list of names, not {reprlib.repr(value)}")
    return tuple(value)


def _is_fp8_cache(stated: Mapping[str, Any]) -> bool:
    """Return whether the KV cache is in FP8, or in 16 bits.

    Raises:
        InputError: it is in something else.
    """
    algorithm = stated.get("kv_cache_quant_algo")
    scheme = stated.get("kv_cache_scheme")
    if algorithm is None and isinstance(scheme, str):  # older exports of ModelOpt
        algorithm = scheme
    if algorithm is None and scheme is not None:
        told = mapping_of(scheme, "kv_cache_scheme")
        algorithm = f"{told.get('type', 'int')}{told.get('num_bits')}".upper()
    if algorithm not in (None, "FP8", "FLOAT8"):
        raise InputError(
            f"a KV cache in {reprlib.repr(algorithm)} cannot be simulated; 16 bits and FP8 can"
        )
    return algorithm is not None
