"""The engines transformers and deepspeed: static batches by `generate`, in a worker."""

from sweetspot.config import DeepSpeed, Transformers
from sweetspot.engines.base import Node
from sweetspot.engines.packages import packages_of
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
    """Return Transformers, for a block's settings."""
    return WorkerEngine(
        name="transformers", version=settings.engine_version, node=node, program=_transformers
    )


def deepspeed_engine(settings: Settings, node: Node) -> WorkerEngine:
    """Return Transformers with the model in DeepSpeed's inference engine, for a block's settings.

    Its FastGen batches in flight, but has neither Gemma nor Granite, and is not developed further.
    """
    return WorkerEngine(
        name="deepspeed", version=settings.engine_version, node=node, program=_deepspeed
    )


def _transformers(settings: Settings, node: Node) -> Program:
    options = converted(Transformers, {**settings.options, "version": settings.engine_version})
    return _program(
        settings,
        node,
        options,
        module="transformers_worker",
        install=f"install transformers=={settings.engine_version} and torch there, or set"
        " transformers.version",
        special={"cache": options.cache},
    )


def _deepspeed(settings: Settings, node: Node) -> Program:
    options = converted(DeepSpeed, {**settings.options, "version": settings.engine_version})
    return _program(
        settings,
        node,
        options,
        module="deepspeed_worker",
        install=f"install deepspeed=={settings.engine_version}, transformers and torch there, or"
        " set deepspeed.version",
        special={
            "cache": "dynamic",
            "kernels": options.kernels,
            "max_seq_len": settings.limits.max_seq_len,
        },
    )


def _program(
    settings: Settings,
    node: Node,
    options: Transformers | DeepSpeed,
    *,
    module: str,
    install: str,
    special: dict[str, str | int],
) -> Program:
    """Return a worker of static batches; `special` is what its order has beyond the other's."""
    weights = model_weights(options.weights, settings, node)
    model, limits = settings.model, settings.limits
    return Program(
        module=module,
        requires=packages_of(options),
        install=install,
        log=f"{model.id}/b{limits.max_batch_size}",
        load={
            "model": str(weights.folder),
            "weights": options.weights,
            "seed": settings.dataset.seed,
            "dtype": model.dtype,
            "device": options.device,
            "attention": options.attention,
            **special,
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
