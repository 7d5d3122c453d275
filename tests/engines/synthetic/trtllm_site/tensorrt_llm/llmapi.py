"""Classes that settings of an LLM are made of: each remembers what it was given."""

from types import SimpleNamespace

from tensorrt_llm import SamplingParams


class _Config(SimpleNamespace):
    allowed: tuple[str, ...] = ()

    def __init__(self, **settings):
        assert set(settings) <= set(self.allowed), settings
        super().__init__(**settings)


class KvCacheConfig(_Config):
    allowed = ("free_gpu_memory_fraction", "enable_block_reuse")


class SchedulerConfig(_Config):
    allowed = ("capacity_scheduler_policy", "context_chunking_policy", "dynamic_batch_config")


class DynamicBatchConfig(_Config):
    allowed = (
        "enable_batch_size_tuning",
        "enable_max_num_tokens_tuning",
        "dynamic_batch_moving_average_window",
    )


class CudaGraphConfig(_Config):
    allowed = ("enable_padding", "max_batch_size")


class CapacitySchedulerPolicy:
    GUARANTEED_NO_EVICT = "GUARANTEED_NO_EVICT"


class ContextChunkingPolicy:
    FIRST_COME_FIRST_SERVED = "FIRST_COME_FIRST_SERVED"


__all__ = [
    "CapacitySchedulerPolicy",
    "ContextChunkingPolicy",
    "CudaGraphConfig",
    "DynamicBatchConfig",
    "KvCacheConfig",
    "SamplingParams",
    "SchedulerConfig",
]
