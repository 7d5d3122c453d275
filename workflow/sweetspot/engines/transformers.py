"""The engine transformers: static batches by `generate`, in a worker."""

from sweetspot.config import Transformers
from sweetspot.engines.base import Node
from sweetspot.engines.weights.weights import model_weights
from sweetspot.engines.worker.engine import WorkerEngine
from sweetspot.engines.worker.session import Program
from sweetspot.plan.block import Settings
from sweetspot.schema.reading import converted

_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # all that it needs is in the model's folder
    # a cache that grows by a token at a time leaves holes that nothing else fits in
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
}


def transformers_engine(settings: Settings, node: Node) -> WorkerEngine:
    """Return the engine for a block's settings."""
    return WorkerEngine(
        name="transformers", version=settings.engine_version, node=node, program=_program
    )


def _program(settings: Settings, node: Node) -> Program:
    options = converted(Transformers, settings.options)
    weights = model_weights(options.weights, settings, node)
    model, limits = settings.model, settings.limits
    return Program(
        module="transformers_worker",
        requires={"transformers": settings.engine_version, "torch": ""},
        install=f"install transformers=={settings.engine_version} and torch there, or set"
        " transformers.version",
        log=f"{model.id}/b{limits.max_batch_size}",
        load={
            "model": str(weights.folder),
            "weights": options.weights,
            "seed": settings.dataset.seed,
            "dtype": model.dtype,
            "device": options.device,
            "attention": options.attention,
            "cache": options.cache,
            "max_batch_size": limits.max_batch_size,
            "max_num_tokens": limits.max_num_tokens,
            "kv_cache_memory_fraction": limits.kv_cache_memory_fraction,
            "kv_bytes_per_token": model.kv_bytes_per_token,
        },
        warmup=options.warmup,
        max_tokens=weights.max_tokens,
        folders=(weights.folder,),
        environment=_ENVIRONMENT,
        facts=weights.facts,
        remarks=weights.remarks,
    )
