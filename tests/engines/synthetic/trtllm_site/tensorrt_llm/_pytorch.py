"""The LLM class of the PyTorch backend, which runs checkpoints, and no engine."""

import pathlib

from tensorrt_llm import _tensorrt_engine


class LLM(_tensorrt_engine.LLM):
    """Answers all requests at once after RUN_S."""

    def __init__(self, *, model, backend, max_seq_len, cuda_graph_config, load_format, **settings):
        assert (backend, cuda_graph_config.enable_padding) == ("pytorch", True)
        super().__init__(model=model, max_seq_len=max_seq_len, **settings)
        assert "model_type" in self.config, "this LLM class reads checkpoints, not engines"
        has_weights = any(pathlib.Path(model).glob("*.safetensors"))
        assert load_format == ("auto" if has_weights else "dummy")
