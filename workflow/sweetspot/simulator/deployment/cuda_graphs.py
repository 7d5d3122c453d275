"""CUDA graphs: engines replay steps of captured sizes, and pad what lies between them.

Rows that fill up a batch are computed like any other in what the graph holds: linear layers, norms
and what GPUs that share the model send each other. They have no context, so attention reads no KV
cache for them.
"""

from bisect import bisect_left
from dataclasses import dataclass

from sweetspot.config import GraphSizes

# vLLM: nothing beyond this many tokens is captured by default.
VLLM_LARGEST = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaGraphs:
    """Which steps are replayed as graphs.

    Attributes:
        sizes: tokens of the captured steps, rising; empty without graphs.
        with_prompts: whether steps with prompts are replayed, too.
        with_head: whether the graph holds the output head, so that it computes padded rows.
    """

    sizes: tuple[int, ...] = ()
    with_prompts: bool = False
    with_head: bool = False


NO_GRAPHS = CudaGraphs()


def cuda_graphs(engine: GraphSizes, max_batch_size: int, max_num_tokens: int) -> CudaGraphs:
    """Return the graphs that an engine captures by default.

    - vLLM: 1, 2, 4, multiples of 8 below 256 and of 16 from there on, up to twice the batch limit
      and 512, and `max_num_tokens` if that is less. Decode is one graph without the output head; of
      steps with prompts, all but attention is replayed.
    - TensorRT-LLM's PyTorch backend, as `trtllm-bench` sets it: 1, 2, 4, multiples of 8 up to 128,
      powers of two from 256 on, and the batch limit. Decode only, with the output head.

    vLLM's are those of 0.24 to 0.27: since 0.28 a GPU of compute capability 10.x has them up to
    1024, since 0.31 the batch limit is one of them.

    Source: vLLM 0.24.0, VllmConfig._set_cudagraph_sizes, CudagraphDispatcher (default mode
        FULL_AND_PIECEWISE) and GPUModelRunner.execute_model; TensorRT-LLM 1.2,
        CudaGraphConfig._generate_cuda_graph_batch_sizes, CUDAGraphRunner._get_padded_batch,
        PyTorchModelEngine._forward_step, and get_settings of tensorrt_llm.bench.
    """
    if engine == "none":
        return NO_GRAPHS
    if engine == "vllm":
        largest = min(2 * max_batch_size, VLLM_LARGEST, max_num_tokens)
        steps = {1, 2, 4, *range(8, 256, 8), *range(256, largest + 1, 16)}
        if max_num_tokens == largest:
            steps.add(largest)
        return CudaGraphs(sizes=_up_to(largest, steps), with_prompts=True)
    powers = {2**k for k in range(8, max_batch_size.bit_length())}
    batches = {1, 2, 4, *range(8, 129, 8), *powers, max_batch_size}
    return CudaGraphs(sizes=_up_to(max_batch_size, batches), with_head=True)


def _up_to(largest: int, sizes: set[int]) -> tuple[int, ...]:
    ordered = sorted(sizes)
    return tuple(ordered[: bisect_left(ordered, largest + 1)])
