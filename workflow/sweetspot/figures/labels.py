"""Names that figures print for models, boards and engines, and the families that models are of."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from sweetspot.catalog import catalog_entry, gpu_ids, model_ids
from sweetspot.catalog import gpu as catalog_gpu

_SIZE_ORDER = ("XS", "S", "M", "L", "XL")
_LONGEST_NAME = 64  # letters
OTHER = "Other"
"""The size family of models that the paper does not sort into one."""

ENGINE_NAMES = {
    "simulator": "TensorRT-LLM scheduler model",
    "tensorrt-llm": "TensorRT-LLM",
    "vllm": "vLLM",
    "vllm-uncompiled": "vLLM, uncompiled",
    "transformers": "Transformers",
    "deepspeed": "DeepSpeed",
    "endpoint": "a server",
}


@dataclass(frozen=True, slots=True)
class ModelLabel:
    """What is printed for one model: its name, and the size family whose panel it is in."""

    name: str
    size_family: str


def catalog_labels(models: Iterable[str]) -> dict[str, ModelLabel]:
    """Return the labels of those models that the catalog knows."""
    known = set(model_ids())
    entries = [catalog_entry(model) for model in models if model in known]
    return {entry.id: ModelLabel(entry.name, entry.size_family) for entry in entries}


def label_of(model: str, labels: Mapping[str, ModelLabel]) -> ModelLabel:
    """Return the label of a model; without one its id stands for its name."""
    return labels.get(model, ModelLabel(name=_short(model), size_family=OTHER))


def _short(model: str) -> str:
    """Return a name in one line, of which the middle is left out where it is very long."""
    name, half = " ".join(model.split()), _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def size_order(families: Iterable[str]) -> list[str]:
    """Return size families from small to large, unknown ones last."""
    known = {family: rank for rank, family in enumerate(_SIZE_ORDER)}
    return sorted(set(families), key=lambda family: (known.get(family, len(known)), family))


@cache
def board_name(gpu: str) -> str:
    """Return a board's name as people write it: H100 SXM, and A100 SXM (80 GB) of two sizes."""
    if gpu not in gpu_ids():
        return gpu
    named = {each: catalog_gpu(each).name.removeprefix("NVIDIA ") for each in gpu_ids()}
    short = {each: name.partition(" (")[0] for each, name in named.items()}
    alone = Counter(short.values())[short[gpu]] == 1
    return short[gpu] if alone else named[gpu]


def engine_name(engine: str) -> str:
    """Return an engine's name as people write it."""
    return ENGINE_NAMES.get(engine, engine)


def written_out(text: str) -> str:
    """Return a text, such as a calibration's name, with what has an id as people write it."""
    names = _names()
    ids = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    # not within the name of a file
    whole = rf"(?<![\w./-])({ids})(?![\w/-]|\.\w)"
    return re.sub(whole, lambda found: names[found.group()], text)


@cache
def _names() -> Mapping[str, str]:
    """Return the names of boards, engines and models of the catalog by their ids."""
    boards = {gpu: board_name(gpu) for gpu in gpu_ids()}
    models = {model: catalog_entry(model).name for model in model_ids()}
    return boards | models | ENGINE_NAMES
