"""TensorRT-LLM, as a worker: a model through the LLM API, as trtllm-bench sets it up.

Order "load": model, the folder of an engine or a checkpoint; llm_module, where the LLM class for it
lies; pytorch, of a checkpoint: its max_seq_len and load_format; max_batch_size; max_num_tokens;
kv_cache_memory_fraction; vocabulary.
Order "run": dataset, requests, input_tokens, output_tokens, warmup, min_window_s.

Source: tensorrt_llm/bench/dataclasses/configuration.py, bench/benchmark/throughput.py and (PyTorch)
bench/benchmark/utils/general.py, 0.20.0 to 1.2.x and later: what trtllm-bench passes to the same
class where nothing else is asked for.
"""

import importlib
import platform
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

from worker_cell import measured, read_prompts

NO_ID = -1  # as end and padding: no id ends a request early
WARM_UP_TOKENS = 16  # of each request that warms up


def load(order: Mapping[str, Any]) -> "Model":
    """Return the model of an order, loaded.

    Raises:
        ImportError: this Python lacks TensorRT-LLM, or has another one.
    """
    llm_class = importlib.import_module(order["llm_module"]).LLM
    api = importlib.import_module("tensorrt_llm.llmapi")
    pytorch = order.get("pytorch")
    of_pytorch: dict[str, Any] = {}
    if pytorch:
        of_pytorch = {
            **pytorch,
            "backend": "pytorch",
            "cuda_graph_config": api.CudaGraphConfig(
                enable_padding=True, max_batch_size=order["max_batch_size"]
            ),
        }
    llm = llm_class(
        model=order["model"],
        skip_tokenizer_init=True,
        max_batch_size=order["max_batch_size"],
        max_num_tokens=order["max_num_tokens"],
        enable_chunked_prefill=True,
        kv_cache_config=api.KvCacheConfig(
            free_gpu_memory_fraction=order["kv_cache_memory_fraction"], enable_block_reuse=False
        ),
        scheduler_config=api.SchedulerConfig(
            capacity_scheduler_policy=api.CapacitySchedulerPolicy.GUARANTEED_NO_EVICT,
            context_chunking_policy=api.ContextChunkingPolicy.FIRST_COME_FIRST_SERVED,
            dynamic_batch_config=api.DynamicBatchConfig(
                enable_batch_size_tuning=True,
                enable_max_num_tokens_tuning=False,
                dynamic_batch_moving_average_window=128,
            ),
        ),
        **of_pytorch,
    )
    return Model(llm, api.SamplingParams, order["vocabulary"])


class Model:
    """A loaded model; `facts` are what a record says of it."""

    def __init__(self, llm: Any, sampling_params: Any, vocabulary: int) -> None:
        """Take an LLM, the class of what it is asked, and how many ids its model has."""
        self._llm, self._sampling_params, self._vocabulary = llm, sampling_params, vocabulary
        torch: Any = importlib.import_module("torch")
        board = torch.cuda.get_device_properties(0)
        self.facts = {
            "device": board.name,
            "device_uuid": str(board.uuid),
            "engine_python": platform.python_version(),
            "torch": torch.__version__,
            "cuda": str(torch.version.cuda),
        }

    def recover(self) -> bool:
        """Give up: its memory belongs to another process, which may have lost it."""
        return False

    def run(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Run all requests, again and again until the window is long enough."""
        prompts, remarks = read_prompts(order, self._vocabulary)
        warming = list(islice(cycle(prompts), order["warmup"]))
        self._generate(warming, min(order["output_tokens"], WARM_UP_TOKENS))
        window = measured(lambda: self._generate(prompts, order["output_tokens"]), order)
        return {**window, "max_concurrency": None, "remarks": remarks}

    def _generate(self, prompts: Sequence[Sequence[int]], output_tokens: int) -> list[int]:
        """Send all prompts at once; return how many tokens each was answered with."""
        if not prompts:
            return []
        asked = self._sampling_params(end_id=NO_ID, pad_id=NO_ID, max_tokens=output_tokens)
        answers = self._llm.generate(list(prompts), asked, use_tqdm=False)
        return [len(answer.outputs[0].token_ids) for answer in answers]
