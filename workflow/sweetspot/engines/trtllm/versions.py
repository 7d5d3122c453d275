"""What differs between the versions of TensorRT-LLM that can be driven, as data.

Source: tensorrt_llm/{commands/bench,commands/build,bench,llmapi} of each version and its
documentation. Of 0.21.0 the sources before and after it (0.20.0, 1.0.0rc4) are what was read; where
the two differ, both forms are taken.
"""

from dataclasses import dataclass

from sweetspot.errors import unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class TrtLlmVersion:
    """How one version is called, and how it reports.

    Attributes:
        throughput_flags: what makes `trtllm-bench throughput` run a built engine.
        request_json: whether it can write when each request began and ended.
        kv_cache_scales: what its report may multiply the KV cache's share of memory by.
        llm_module: where the LLM class that runs built engines lies.
    """

    version: str
    throughput_flags: tuple[str, ...]
    request_json: bool
    kv_cache_scales: tuple[float, ...]
    llm_module: str


def _line_1_2(version: str) -> TrtLlmVersion:
    return TrtLlmVersion(
        version=version,
        # without it 1.x runs PyTorch and ignores --engine_dir (TensorRT-LLM issue 11080)
        throughput_flags=("--backend", "tensorrt"),
        request_json=True,
        kv_cache_scales=(1.0,),
        llm_module="tensorrt_llm._tensorrt_engine",
    )


_VERSIONS = {
    each.version: each
    for each in (
        TrtLlmVersion(
            version="0.21.0",
            throughput_flags=(),  # runs an engine unless asked otherwise, and has no word for it
            request_json=False,
            kv_cache_scales=(100.0, 1.0),
            llm_module="tensorrt_llm",
        ),
        _line_1_2("1.2.0"),
        _line_1_2("1.2.1"),
    )
}


def trtllm_version(version: str) -> TrtLlmVersion:
    """Return what is to be known of a version.

    Raises:
        InputError: it is not one that can be driven.
    """
    if version not in _VERSIONS:
        raise unknown_name("version of TensorRT-LLM", version, _VERSIONS)
    return _VERSIONS[version]
