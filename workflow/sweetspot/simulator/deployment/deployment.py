"""How a model is served: by how many GPUs, in what precision, with what of an engine's habits."""

from pydantic import ValidationError

from sweetspot.catalog.architecture import Architecture
from sweetspot.config import Precision, Traits
from sweetspot.config.wording import explain
from sweetspot.errors import InputError

_ENGINES = {"vllm": "vLLM", "tensorrt-llm": "TensorRT-LLM"}

TRAITS = {
    "tensorrt-llm": Traits(),
    "vllm": Traits(sliding_windows=True, cuda_graphs="vllm"),
}
"""By engine that measures: what it does as sweetspot runs it."""


def chosen_traits(sliding_windows: object, cuda_graphs: object) -> Traits:
    """Return what an engine does, as a user asks for it.

    Raises:
        InputError: one of them is none of the values that it may be.
    """
    asked = {"sliding_windows": sliding_windows, "cuda_graphs": cuda_graphs}
    try:
        return Traits.model_validate(asked)
    except ValidationError as e:
        raise InputError(explain(dict(e.errors()[0]), Traits)) from e


def honoured(traits: Traits, model: Architecture) -> Traits:
    """Return what comes of these traits with a model: none of its windows where it has none."""
    return traits if model.sliding_layers else traits.model_copy(update={"sliding_windows": False})


def in_words(gpus: int, precision: Precision, traits: Traits) -> str:
    """Return what is other than one GPU, 16 bits and a TensorRT engine; empty if nothing is."""
    words = [f"{gpus} GPUs"] if gpus > 1 else []
    words += ["FP8 weights"] if precision.weights == "fp8" else []
    words += ["FP8 KV cache"] if precision.kv_cache == "fp8" else []
    words += ["sliding windows"] if traits.sliding_windows else []
    if traits.cuda_graphs != "none":
        words.append(f"CUDA graphs of {_ENGINES[traits.cuda_graphs]}")
    return ", ".join(words)
