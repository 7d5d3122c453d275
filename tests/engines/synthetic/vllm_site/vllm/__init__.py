"""Synthetic vLLM 0.24.0 on a synthetic GPU: a few layers of real PyTorch, and no inference.

It refuses every argument that a real one does not have: arguments.json was read from the sources of
0.24.0 to 0.32.0 (the parameters and fields of LLM, EngineArgs, SamplingParams and
CompilationConfig) and holds those that all of them have. $FAULT says
what goes wrong: "memory@8", "short@8" in cells of 8 output tokens, "no gpu" at the load.
"""

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import torch

__version__ = "0.24.0"
NAMES = json.loads(Path(__file__).with_name("arguments.json").read_text())

torch.cuda.is_available = lambda: os.environ.get("FAULT") != "no gpu"
torch.cuda.get_device_properties = lambda: SimpleNamespace(
    name="NVIDIA H100 80GB HBM3", uuid=os.environ["CUDA_VISIBLE_DEVICES"].removeprefix("GPU-")
)


def check(kind, arguments):
    unknown = set(arguments) - set(NAMES[kind])
    if unknown:
        raise TypeError(f"{kind} got unexpected arguments {sorted(unknown)}")


class SamplingParams:
    def __init__(self, **arguments):
        check("SamplingParams", arguments)
        self.__dict__ |= {"temperature": 1.0, "ignore_eos": False, "detokenize": True} | arguments


class RMSNorm(torch.nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(hidden), requires_grad=False)


class GemmaRMSNorm(RMSNorm):
    pass


class TPAwareGemmaRMSNorm(GemmaRMSNorm):
    pass


class Gemma4Router(torch.nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(hidden), requires_grad=False)


class Attention(torch.nn.Module):
    def get_attn_backend(self):
        return SimpleNamespace(get_name=lambda: "FLASH_ATTN")


class SyntheticForCausalLM(torch.nn.Module):
    def __init__(self, vocabulary, hidden):
        super().__init__()
        self.embed = torch.nn.Embedding(vocabulary, hidden)
        self.norm, self.gemma_norm = RMSNorm(hidden), GemmaRMSNorm(hidden)
        self.fused_gemma_norm, self.router = TPAwareGemmaRMSNorm(hidden), Gemma4Router(hidden)
        self.attention = Attention()
        self.projection = torch.nn.Linear(hidden, hidden)
        self.twin = torch.nn.Linear(hidden, hidden)
        self.head = torch.nn.Linear(hidden, vocabulary, bias=False)
        self.head.weight = self.embed.weight
        for parameter in self.parameters():  # as load_format "dummy" leaves them
            torch.manual_seed(1234)
            parameter.data.uniform_(-1e-3, 1e-3)


class LLM:
    def __init__(self, model, **arguments):
        check("LLM", arguments)
        assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"  # or no function could be sent
        config = json.loads((Path(model) / "config.json").read_text())
        config |= arguments.get("hf_overrides") or {}
        if arguments["max_model_len"] > config["max_position_embeddings"]:
            raise ValueError("User-specified max_model_len is greater than the derived one")
        if config["model_type"] == "gemma2" and arguments["dtype"] == "float16":
            raise ValueError("The model type 'gemma2' does not support float16.")
        compilation = arguments.get("compilation_config") or {}
        check("CompilationConfig", compilation)  # the real one drops what it does not know
        if arguments["load_format"] == "safetensors":
            assert list(Path(model).glob("*.safetensors"))
        else:
            assert arguments["load_format"] == "dummy"
        assert arguments["skip_tokenizer_init"]  # there is none
        assert arguments["enable_prefix_caching"] is False
        self.dummy = arguments["load_format"] == "dummy"
        self.longest = arguments["max_model_len"]
        self.vocabulary = config["vocab_size"]
        self.model = SyntheticForCausalLM(self.vocabulary, 64)
        self.llm_engine = SimpleNamespace(
            vllm_config=SimpleNamespace(
                use_v2_model_runner=True,
                model_config=SimpleNamespace(
                    get_vocab_size=lambda: self.vocabulary,
                    dtype=getattr(torch, arguments["dtype"]),
                ),
                cache_config=SimpleNamespace(
                    kv_cache_size_tokens=int(os.environ.get("KV_TOKENS", "100000"))
                ),
                compilation_config=SimpleNamespace(
                    mode=compilation.get("mode", 3),
                    cudagraph_mode=compilation.get("cudagraph_mode", "FULL_AND_PIECEWISE"),
                ),
            )
        )

    def apply_model(self, func):
        return [func(self.model)]

    def generate(self, prompts, sampling_params=None, **arguments):
        check("LLM.generate", arguments)
        assert arguments["use_tqdm"] is False  # a bar for each run would fill the log
        if self.dummy:
            self.require_drawn_weights()
        asked = sampling_params
        assert asked.temperature == 0.0
        assert asked.ignore_eos
        assert not asked.detokenize
        faults = os.environ.get("FAULT", "").split()
        if f"memory@{asked.max_tokens}" in faults:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")
        for prompt in prompts:
            assert set(prompt) == {"prompt_token_ids"}
            assert max(prompt["prompt_token_ids"]) < self.vocabulary
            assert len(prompt["prompt_token_ids"]) + asked.max_tokens <= self.longest
        time.sleep(0.06)
        made = [7] * (asked.max_tokens - (f"short@{asked.max_tokens}" in faults))
        return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=made)]) for _ in prompts]

    def require_drawn_weights(self):
        model = self.model
        for weight in (model.embed.weight, model.projection.weight):
            assert abs(weight.mean()) < 2e-3
            assert 0.019 < weight.std() < 0.021
        assert (model.norm.weight == 1).all()
        assert (model.gemma_norm.weight == 0).all()  # it adds 1
        assert (model.fused_gemma_norm.weight == 0).all()
        assert (model.router.scale == 1).all()  # of Gemma, but adds nothing
        assert (model.projection.bias == 0).all()
        assert model.head.weight is model.embed.weight
        assert not torch.equal(model.projection.weight, model.twin.weight)
