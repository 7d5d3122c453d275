"""What differs between the versions of TensorRT-LLM that can be driven, as data.

Source: tensorrt_llm/{commands/bench,commands/build,bench,llmapi} of each version and its
documentation (commands/trtllm-bench, models/supported-models, legacy/tensorrt-backend-removal). Of
0.21.0 the sources before and after it (0.20.0, 1.0.0rc4) are what was read; where the two differ,
both forms are taken. Of the 1.3 and 1.4 lines only release candidates had been published.
"""

from dataclasses import dataclass
from typing import Literal

from sweetspot.config.engines import ENGINE_VERSIONS, PYTORCH_LINES
from sweetspot.errors import unknown_name

Backend = Literal["tensorrt", "pytorch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrtLlmVersion:
    """How one version is called, and how it reports.

    Attributes:
        backends: what can be driven: built engines, or checkpoints by its PyTorch backend.
        engine_flags: what makes `trtllm-bench throughput` run a built engine.
        request_json: whether it can write when each request began and ended.
        kv_cache_scales: what its report may multiply the KV cache's share of memory by.
        engine_llm_module: where the LLM class that runs built engines lies.
        pytorch_models: classes, as `architectures` of a config.json names them, that its PyTorch
            backend has of its own; others would go to another backend, or nowhere.
    """

    version: str
    backends: tuple[Backend, ...]
    engine_flags: tuple[str, ...] = ()
    request_json: bool = True
    kv_cache_scales: tuple[float, ...] = (1.0,)
    engine_llm_module: str = "tensorrt_llm._tensorrt_engine"
    pytorch_models: frozenset[str] = frozenset()


_PYTORCH_1_2 = frozenset(
    {
        *("LlamaForCausalLM", "MistralForCausalLM", "MixtralForCausalLM", "Gemma3ForCausalLM"),
        *("Qwen2ForCausalLM", "Qwen3ForCausalLM", "Qwen3MoeForCausalLM", "Qwen3NextForCausalLM"),
        *("DeepseekV3ForCausalLM", "DeciLMForCausalLM", "NemotronForCausalLM"),
        *("NemotronHForCausalLM", "Exaone4ForCausalLM", "Glm4MoeForCausalLM", "GptOssForCausalLM"),
        "Phi3ForCausalLM",
    }
)
_PYTORCH_1_3 = _PYTORCH_1_2 | {
    *("AfmoeForCausalLM", "Cohere2ForCausalLM", "KimiK2ForCausalLM", "Qwen3_5MoeForCausalLM"),
}

_WITH_ENGINES = (
    {
        "0.21.0": TrtLlmVersion(
            version="0.21.0",
            backends=("tensorrt",),  # its PyTorch backend was a beta
            request_json=False,
            kv_cache_scales=(100.0, 1.0),
            engine_llm_module="tensorrt_llm",
        )
    }
    | {
        version: TrtLlmVersion(
            version=version,
            backends=("tensorrt", "pytorch"),
            # without it 1.x runs PyTorch and ignores --engine_dir (TensorRT-LLM issue 11080)
            engine_flags=("--backend", "tensorrt"),
            pytorch_models=_PYTORCH_1_2,
        )
        for version in ENGINE_VERSIONS[1:]
    }
)


def trtllm_version(version: str) -> TrtLlmVersion:
    """Return what is to be known of a version.

    Raises:
        InputError: it is not one that can be driven.
    """
    if version in _WITH_ENGINES:
        return _WITH_ENGINES[version]
    if PYTORCH_LINES.fullmatch(version):
        return TrtLlmVersion(version=version, backends=("pytorch",), pytorch_models=_PYTORCH_1_3)
    known = (*_WITH_ENGINES, "1.3.0rc26", "1.4.0rc1")
    raise unknown_name("version of TensorRT-LLM", version, known)
