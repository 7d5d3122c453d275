"""Models that TensorRT-LLM's PyTorch backend runs as they lie: nothing is built.

Source: tensorrt_llm/bench/benchmark/{__init__,throughput,utils/general}.py and
bench/dataclasses/configuration.py of 1.2 and later; which models it has: models/supported-models of
its documentation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sweetspot.catalog.huggingface import causal_lm_of
from sweetspot.config import Limits
from sweetspot.engines.trtllm.runnable import named
from sweetspot.engines.trtllm.versions import TrtLlmVersion, trtllm_version
from sweetspot.engines.weights.checkpoint import folders_of
from sweetspot.engines.weights.random_model import published_config
from sweetspot.errors import InputError
from sweetspot.plan.block import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class PyTorchModel:
    """A Runnable.

    Attributes:
        name: Hugging Face name of the model, as reports have it.
        checkpoint: folder with its config.json, and with its weights where they are read.
        trtllm: the version.
        limits: what its engine is told.
        weights: what a record says of where its weights come from.
    """

    name: str
    checkpoint: Path
    trtllm: TrtLlmVersion
    limits: Limits
    weights: Mapping[str, str]
    backend_reported: str = "Pytorch"

    @property
    def bench(self) -> tuple[str, ...]:
        """The arguments of trtllm-bench that stand before any of its commands."""
        return named(self.name, self.checkpoint)

    @property
    def throughput(self) -> tuple[str, ...]:
        """The arguments of `trtllm-bench throughput` that choose it, with the block's limits.

        Its scheduler, CUDA graphs and the rest are what trtllm-bench sets where nothing else is
        asked for.
        """
        limits = self.limits
        return (
            *("--backend", "pytorch", "--enable_chunked_context"),
            *("--max_batch_size", str(limits.max_batch_size)),
            *("--max_num_tokens", str(limits.max_num_tokens)),
            *("--max_seq_len", str(limits.max_seq_len)),
        )

    @property
    def folders(self) -> tuple[Path, ...]:
        """What runs read."""
        return folders_of(self.checkpoint)

    @property
    def facts(self) -> dict[str, str]:
        """What records say of it."""
        return {"backend": "pytorch", **self.weights}


def require_pytorch_models(version: str, blocks: Iterable[Block]) -> None:
    """Check that the PyTorch backend has all models of blocks.

    Raises:
        InputError: it lacks one; the message names them all.
    """
    trtllm = trtllm_version(version)
    lacking: dict[str, str] = {}
    for block in blocks:
        model = block.settings.model
        if model.id not in lacking:
            causal_lm = causal_lm_of(published_config(block.model_reference, model))
            if causal_lm not in trtllm.pytorch_models:
                lacking[model.id] = causal_lm
    if lacking:
        models = ", ".join(f"{model} ({causal_lm})" for model, causal_lm in lacking.items())
        or_engines = (
            ", or set tensorrt_llm.backend to tensorrt" if "tensorrt" in trtllm.backends else ""
        )
        raise InputError(
            f"the PyTorch backend of TensorRT-LLM {version} does not have {models}; take them out"
            f" of `models`{or_engines}"
        )
