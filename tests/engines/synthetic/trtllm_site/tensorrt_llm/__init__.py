"""Synthetic TensorRT-LLM: modules, arguments, log lines and files of the real one, and no GPU.

Written from its documentation and sources; no sample of a real run is among them. $TRTLLM_VERSION
is its version. $FAULT says what goes wrong: everywhere, or, as in "exit@build" and
"exit@n4_i16_o8", for one command or data set. $RUN_S is how long a pass takes.
"""

import os

__version__ = os.environ.get("TRTLLM_VERSION", "0.21.0")
OLD = __version__.startswith("0.")
WITHOUT_ENGINES = __version__.startswith(("1.3", "1.4"))

print(f"[TensorRT-LLM] TensorRT-LLM version: {__version__}")  # also where stdout is not for it

if os.environ.get("FAULT") == "no import":
    raise ImportError("libnvinfer.so.10: cannot open shared object file")

if OLD:
    from tensorrt_llm._tensorrt_engine import LLM, SamplingParams
else:
    from tensorrt_llm._pytorch import LLM
    from tensorrt_llm._tensorrt_engine import SamplingParams

__all__ = ["LLM", "OLD", "WITHOUT_ENGINES", "SamplingParams", "__version__"]
