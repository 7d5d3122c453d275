"""Transformers, as a worker: static batches of equal requests through `model.generate`.

A batch holds as many requests as the limits and the memory let in; all of them are prefilled, then
decoded together to the same length, and then the next batch begins. (Its continuous batching is
not used: up to 5.17 its attention reads every request's cache for every request.)

Order "load": model, a folder with config.json and, unless weights is "random", safetensors; seed;
dtype; device "cuda" or "cpu"; attention; cache; max_batch_size; max_num_tokens;
kv_cache_memory_fraction; kv_bytes_per_token.
Order "run": dataset, requests, input_tokens, output_tokens, warmup, min_window_s.

Source: transformers 5.17, generation/utils.py.
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, __version__
from worker_cell import measured, read_prompts

WEIGHT_STD = 0.02
WARM_UP_TOKENS = 16  # of each request that warms up: enough to compile all that runs later


def load(order: Mapping[str, Any]) -> "Model":
    """Return the model of an order.

    Raises:
        ImportError: a GPU is asked for, and this PyTorch finds none.
        ValueError: the checkpoint lacks weights.
    """
    return Model(plain_model(order), order)


def plain_model(order: Mapping[str, Any]) -> Any:
    """Return the model of an order as Transformers has it; raises as `load` does."""
    if order["device"] == "cuda" and not torch.cuda.is_available():
        raise ImportError(f"PyTorch {torch.__version__} finds no GPU")
    make = random_model if order["weights"] == "random" else model_of_checkpoint
    model = make(order, getattr(torch, order["dtype"])).eval()
    # None of the checkpoint's: what `generate` is not told it takes from here, also an EOS id.
    model.generation_config = GenerationConfig()
    return model


def random_model(order: Mapping[str, Any], dtype: torch.dtype) -> Any:
    """Return a model of the architecture in config.json with weights drawn from N(0, 0.02).

    Norms scale by 1, as their classes set them up, and biases are 0.
    """
    config = AutoConfig.from_pretrained(order["model"], local_files_only=True)
    with torch.device(order["device"]):  # it is never anywhere else, nor in another type
        model = AutoModelForCausalLM.from_config(
            config, dtype=dtype, attn_implementation=order["attention"]
        )
    generator = torch.Generator(order["device"]).manual_seed(order["seed"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=WEIGHT_STD, generator=generator)
            elif name.endswith("bias"):
                parameter.zero_()
    return model


def model_of_checkpoint(order: Mapping[str, Any], dtype: torch.dtype) -> Any:
    """Return the model of a checkpoint, with all weights that it needs."""
    model, report = AutoModelForCausalLM.from_pretrained(
        order["model"],
        dtype=dtype,
        attn_implementation=order["attention"],
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
    )
    lacking = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])})
    if lacking:  # they would be drawn at random
        raise ValueError(f"the checkpoint lacks {len(lacking)} weights, {lacking[0]} among them")
    return model.to(order["device"])


class Model:
    """A loaded model; `facts` are what a record says of it."""

    def __init__(
        self, model: Any, order: Mapping[str, Any], answer: Callable[..., Any] | None = None
    ) -> None:
        """Take a model as the order asked for it; `answer` is called for its `generate`."""
        self._model, self._order = model, order
        self._answer = answer or model.generate
        self._on_gpu = order["device"] == "cuda"
        self.facts = {
            "device": "cpu",
            "engine_python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": __version__,
            "model_class": type(model).__name__,
            "parameters": str(sum(weight.numel() for weight in model.parameters())),
            "dtype": str(model.dtype).removeprefix("torch."),
            "attention": str(model.config._attn_implementation),
            "cache": order["cache"],
        }
        if self._on_gpu:
            board = torch.cuda.get_device_properties()
            self.facts |= {
                "device": board.name,
                "device_uuid": str(board.uuid),
                "cuda": str(torch.version.cuda),
            }

    def recover(self) -> bool:
        """Give back what the run that failed had taken."""
        if self._on_gpu:
            torch.cuda.empty_cache()
        return True

    def run(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Run all requests, again and again until the window is long enough."""
        vocabulary = self._model.get_input_embeddings().num_embeddings
        prompts, remarks = read_prompts(order, vocabulary)
        batches = torch.tensor(prompts).split(self._batch_size(order))
        if self._order["cache"] == "static":
            # Nothing of earlier cells: the longest of their caches, or the code for their shapes,
            # of which there may be so many only until nothing is compiled any more.
            self._model._previous_max_cache_length = -1
            torch.compiler.reset()
        self._warm_up(batches, order)

        def one_pass() -> list[int]:
            shapes = [self._generate(batch, order["output_tokens"]).shape for batch in batches]
            return [tokens for requests, tokens in shapes for _ in range(requests)]

        window = measured(one_pass, order)
        return {**window, "max_concurrency": len(batches[0]), "remarks": remarks}

    def _batch_size(self, order: Mapping[str, Any]) -> int:
        """Return how many requests run together.

        Each takes its KV cache; beside it, of one layer at a time, the longer copy that a dynamic
        cache makes to grow, and keys and values repeated for all heads; and its logits, in the
        model's type and twice in float32.
        """
        allowed: int = min(self._order["max_batch_size"], order["requests"])
        if not self._on_gpu:
            return allowed
        config = self._model.config
        heads = config.num_attention_heads
        shared = heads // (getattr(config, "num_key_value_heads", None) or heads)
        tokens = order["input_tokens"] + order["output_tokens"]
        kv_bytes = self._order["kv_bytes_per_token"] * tokens
        request_bytes = kv_bytes * (1 + (1 + shared) / config.num_hidden_layers)
        request_bytes += config.vocab_size * (self._model.dtype.itemsize + 2 * 4)
        torch.cuda.empty_cache()
        free_bytes = torch.cuda.mem_get_info()[0] * self._order["kv_cache_memory_fraction"]
        return max(1, min(allowed, int(free_bytes / request_bytes)))

    def _warm_up(self, batches: Sequence[torch.Tensor], order: Mapping[str, Any]) -> None:
        """Run requests that do not count, until they have made a few tokens.

        With a static cache they are a whole batch of each size, for which code is compiled.
        """
        if self._order["cache"] == "static":
            warming = list({len(batch): batch for batch in batches}.values())
        else:
            warming = [batches[0][: order["warmup"]]] if order["warmup"] else []
        for batch in warming:
            self._generate(batch, order["output_tokens"], stop_after=WARM_UP_TOKENS)

    def _generate(
        self, prompts: torch.Tensor, output_tokens: int, stop_after: int | None = None
    ) -> torch.Tensor:
        """Return the generated ids of a batch, on the CPU: they are there when this returns."""
        batch, input_tokens = prompts.shape
        chunk = max(1, self._order["max_num_tokens"] // batch)
        config = GenerationConfig(
            max_new_tokens=output_tokens,
            do_sample=False,
            num_beams=1,
            use_cache=True,
            cache_implementation="static" if self._order["cache"] == "static" else None,
            prefill_chunk_size=chunk if chunk < input_tokens else None,
        )
        prompts = prompts.to(self._model.device)
        with torch.inference_mode():
            sequences = self._answer(
                prompts,
                attention_mask=torch.ones_like(prompts),  # none of the ids is padding
                generation_config=config,
                stopping_criteria=[]
                if stop_after is None
                else [_length(input_tokens + stop_after)],
            )
        return sequences[:, input_tokens:].cpu()


def _length(tokens: int) -> Callable[..., torch.Tensor]:
    """Return a criterion that stops sequences of this many tokens."""

    def stop(sequences: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        done = sequences.shape[1] >= tokens
        return torch.full((sequences.shape[0],), done, device=sequences.device)

    return stop
