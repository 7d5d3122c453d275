"""The LLM class that runs built engines."""

import asyncio
import itertools
import json
import pathlib
import time
from types import SimpleNamespace

from tensorrt_llm.synthetic import RUN_S, fail, fault, note


class SamplingParams:
    def __init__(self, *, end_id, pad_id, max_tokens=32, n=1, use_beam_search=False):
        assert (end_id, pad_id) == (-1, -1)  # no request may end early
        self.max_tokens = max_tokens


class LLM:
    """Answers all requests at once after RUN_S."""

    def __init__(self, *, model, skip_tokenizer_init, **settings):
        assert skip_tokenizer_init
        self.config = json.loads((pathlib.Path(model) / "config.json").read_text())
        self.settings = settings
        self.ids = itertools.count()
        fail(fault("load"))

    def answer(self, prompt, sampling):
        tokens = sampling.max_tokens - (fault("answer") == "short")
        return SimpleNamespace(
            id=next(self.ids),
            prompt_token_ids=prompt,
            outputs=[SimpleNamespace(token_ids=[7] * tokens)],
            finished=True,
            decoding_iter=tokens,
        )

    async def generate_async(self, prompt, sampling):
        note("request")
        await asyncio.sleep(RUN_S)
        note("answer")
        return self.answer(prompt, sampling)

    def generate(self, prompts, sampling, *, use_tqdm):
        assert not use_tqdm
        name = fault(f"i{len(prompts[0])}_o{sampling.max_tokens}")
        if name == "out of memory":
            raise RuntimeError("CUDA runtime error in cudaMallocAsync: out of memory")
        fail(name)
        time.sleep(RUN_S)
        return [self.answer(prompt, sampling) for prompt in prompts]

    def shutdown(self):
        pass
