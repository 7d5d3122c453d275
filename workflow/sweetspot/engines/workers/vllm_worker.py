"""vLLM, as a worker: all requests of a cell at once through `LLM.generate`.

Order "load": model, a folder with config.json and, unless weights is "random", safetensors; seed;
dtype; compilation; device "cuda" or "cpu"; max_model_len; positions, to be had in place of the
model's own, or null; max_num_seqs; max_num_batched_tokens; gpu_memory_utilization.
Order "run": dataset, requests, input_tokens, output_tokens, warmup, min_window_s.

Source: vLLM 0.24.0 to 0.32.0, entrypoints/llm.py, sampling_params.py, config/,
model_loader/dummy_loader.py.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import vllm
from worker_cell import measured, read_prompts

WEIGHT_STD = 0.02
WARM_UP_TOKENS = 16  # of each request that warms up

# Source: vllm/config/model.py, _FLOAT16_NOT_SUPPORTED_MODELS.
NO_FLOAT16 = ("gemma2", "gemma3", "gemma3_text", "glm4")

# In the name of each class of Gemma's norm, which scales by 1 more than its weight: layernorm.py's,
# and since 0.25 TPAwareGemmaRMSNorm, models/transformers/fusers/rms_norm.py.
ADDS_ONE = "GemmaRMSNorm"

COMPILATION: dict[str, Any] = {
    "default": None,
    # no torch.compile, and graphs of whole decoding steps, which need none
    "none": {"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"},
    "cpu": {"mode": 0, "cudagraph_mode": "NONE"},  # a trial starts in seconds
}

# Source: vllm/config/vllm.py, use_v2_model_runner; which models have which depends on the version.
RUNNERS: dict[Any, str] = {False: "V1", True: "V2"}


def load(order: Mapping[str, Any]) -> "Model":
    """Return the model of an order.

    Raises:
        ImportError: this PyTorch finds no GPU.
    """
    on_cpu = order["device"] == "cpu"
    if not on_cpu and not torch.cuda.is_available():
        raise ImportError(f"PyTorch {torch.__version__} finds no GPU")
    dtype, remarks = order["dtype"], []
    config = json.loads((Path(order["model"]) / "config.json").read_text(encoding="utf-8-sig"))
    if dtype == "float16" and config.get("model_type") in NO_FLOAT16:
        dtype = "bfloat16"
        remarks.append(f"bfloat16, as vLLM has no float16 for {config['model_type']}")
    positions = order["positions"]
    drawn = order["weights"] == "random"
    llm = vllm.LLM(
        model=order["model"],
        load_format="dummy" if drawn else "safetensors",
        skip_tokenizer_init=True,
        dtype=dtype,
        seed=order["seed"],
        hf_overrides={"max_position_embeddings": positions} if positions else None,
        max_model_len=order["max_model_len"],
        max_num_seqs=order["max_num_seqs"],
        max_num_batched_tokens=order["max_num_batched_tokens"],
        gpu_memory_utilization=order["gpu_memory_utilization"],
        enable_prefix_caching=False,
        compilation_config=COMPILATION["cpu" if on_cpu else order["compilation"]],
    )
    if drawn:
        llm.apply_model(lambda model: draw_weights(model, order["seed"]))
    return Model(llm, order, remarks)


def draw_weights(model: Any, seed: int) -> None:
    """Draw all weights of a model from N(0, 0.02), where they lie; norms scale by 1, biases are 0.

    vLLM's own dummies are within 0.001, norms as well, and alike wherever sizes are: the power of a
    matrix product depends on its operands.
    """
    generators: dict[torch.device, torch.Generator] = {}
    seen: set[int] = set()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen:  # embeddings that are the output head, too
                continue
            seen.add(id(parameter))
            device = parameter.device
            if device not in generators:
                generators[device] = torch.Generator(device).manual_seed(seed)
            if parameter.ndim > 1:
                parameter.data.normal_(std=WEIGHT_STD, generator=generators[device])
            elif name.endswith("bias"):
                parameter.data.zero_()
            else:  # a norm's, mostly
                parameter.data.fill_(0 if ADDS_ONE in type(module).__name__ else 1)


def describe(model: Any) -> dict[str, str]:
    """Return what a record says of a model."""
    attention = next((each for each in model.modules() if hasattr(each, "get_attn_backend")), None)
    return {
        "model_class": type(model).__name__,
        "parameters": str(sum(weight.numel() for weight in model.parameters())),
        "attention": attention.get_attn_backend().get_name() if attention else "",
    }


class Model:
    """A loaded model; `facts` are what a record says of it."""

    def __init__(self, llm: Any, order: Mapping[str, Any], remarks: Sequence[str]) -> None:
        """Take an engine as the order asked for it."""
        self._llm, self._order, self._remarks = llm, order, remarks
        config = llm.llm_engine.vllm_config
        self._vocabulary = config.model_config.get_vocab_size()
        # facts only: a version that calls them otherwise is no reason to fail after the load
        self._kv_tokens = getattr(config.cache_config, "kv_cache_size_tokens", None)
        compiled = config.compilation_config
        [described] = llm.apply_model(describe)
        self.facts = {
            "device": "cpu",
            "engine_python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": version("transformers"),
            "vllm": vllm.__version__,
            "dtype": str(config.model_config.dtype).removeprefix("torch."),
            "compilation": str(getattr(compiled, "mode", "")),
            "cuda_graphs": str(getattr(compiled, "cudagraph_mode", "")),
            "cuda_graphs_up_to": str(getattr(compiled, "max_cudagraph_capture_size", "")),
            "kv_cache_tokens": str(self._kv_tokens or ""),
            **described,
        }
        if order["device"] == "cuda":
            board = torch.cuda.get_device_properties()
            self.facts |= {
                "device": board.name,
                "device_uuid": str(board.uuid),
                "cuda": str(torch.version.cuda),
                "model_runner": RUNNERS.get(getattr(config, "use_v2_model_runner", None), ""),
            }

    def recover(self) -> bool:
        """Return that a failed run cannot be taken back: its requests are still scheduled."""
        return False

    def run(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Run all requests, again and again until the window is long enough."""
        rows, remarks = read_prompts(order, self._vocabulary)
        prompts = [{"prompt_token_ids": row} for row in rows]

        # exact lengths: no id ends a request, so min_tokens would only mask one at every step
        def answers(asked: Sequence[Mapping[str, Any]], tokens: int) -> list[int]:
            parameters = vllm.SamplingParams(
                temperature=0.0, max_tokens=tokens, ignore_eos=True, detokenize=False
            )
            outputs = self._llm.generate(asked, parameters, use_tqdm=False)
            return [len(output.outputs[0].token_ids) for output in outputs]

        output_tokens = order["output_tokens"]
        if order["warmup"]:
            answers(prompts[: order["warmup"]], min(output_tokens, WARM_UP_TOKENS))
        window = measured(lambda: answers(prompts, output_tokens), order)
        in_flight = min(len(prompts), self._order["max_num_seqs"])
        tokens = order["input_tokens"] + output_tokens
        if self._kv_tokens and self._kv_tokens < in_flight * tokens:
            in_flight = max(1, self._kv_tokens // tokens)
            remarks.append(
                f"the KV cache holds {in_flight} requests to their end; vLLM begins more of them,"
                " and computes some anew"
            )
        return {
            **window,
            "max_concurrency": in_flight,
            "remarks": [*self._remarks, *remarks],
        }
