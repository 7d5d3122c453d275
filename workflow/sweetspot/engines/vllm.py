"""The engine vllm: in-flight batching by `LLM.generate`, in a worker."""

from sweetspot.config import Vllm
from sweetspot.engines.base import Node
from sweetspot.engines.packages import packages_of
from sweetspot.engines.weights.weights import model_weights
from sweetspot.engines.worker.engine import WorkerEngine
from sweetspot.engines.worker.session import Program
from sweetspot.plan.block import Settings
from sweetspot.schema.reading import converted

# Source: vLLM 0.24.0 to 0.32.0, vllm/envs.py.
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # all that it needs is in the model's folder
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # one process, whose model can be given its weights
    "VLLM_USE_FLASHINFER_SAMPLER": "0",  # compiles on first use; greedy sampling has no use for it
    "VLLM_HOST_IP": "127.0.0.1",  # a node without a network has no other
    "GLOO_SOCKET_IFNAME": "lo",
}
# Source: vLLM 0.32.0, docs/getting_started/installation/cpu.md. What a trial needs, in GiB.
_ON_CPU = {"VLLM_CPU_KVCACHE_SPACE": "1"}


def vllm_engine(settings: Settings, node: Node) -> WorkerEngine:
    """Return the engine for a block's settings."""
    return WorkerEngine(name="vllm", version=settings.engine_version, node=node, program=_program)


def _program(settings: Settings, node: Node) -> Program:
    options = converted(Vllm, {**settings.options, "version": settings.engine_version})
    weights = model_weights(options.weights, settings, node)
    model, limits = settings.model, settings.limits
    packages = packages_of(options)
    [package] = packages
    longest = min(limits.max_seq_len, weights.max_tokens or limits.max_seq_len)
    return Program(
        module="vllm_worker",
        requires=packages,
        install=f"install {package}=={settings.engine_version} there, or set vllm.version",
        log=f"{model.id}/b{limits.max_batch_size}",
        load={
            "model": str(weights.folder),
            "weights": options.weights,
            "seed": settings.dataset.seed,
            "dtype": model.dtype,
            "compilation": options.compilation,
            "device": options.device,
            "max_model_len": longest,
            # rotations for all of them; the checkpoint of a model may stop before
            "positions": longest if longest > model.max_positions else None,
            "max_num_seqs": limits.max_batch_size,
            "max_num_batched_tokens": limits.max_num_tokens,
            "gpu_memory_utilization": limits.kv_cache_memory_fraction,
        },
        warmup=options.warmup,
        max_tokens=weights.max_tokens,
        folders=(weights.folder,),
        environment=_ENVIRONMENT | (_ON_CPU if options.device == "cpu" else {}),
        facts=weights.facts,
        remarks=weights.remarks,
    )
