"""DeepSpeed, as a worker: Transformers' model in `deepspeed.init_inference`, in static batches.

Order "load": that of transformers_worker, with cache "dynamic"; kernels "auto" or "none"; and
max_seq_len, the longest sequence that DeepSpeed's kernels keep memory for.
Order "run": that of transformers_worker.

Where DeepSpeed has kernels for the model's layers ("injection") and there is a GPU, they take their
place; otherwise the layers stay, as its AutoTP would split them, which one GPU leaves whole.

Source: deepspeed 0.19.8, inference/{config,engine}.py and module_inject/replace_policy.py.
"""

from collections.abc import Mapping
from typing import Any

import deepspeed
import torch
from deepspeed.module_inject.replace_policy import replace_policies
from transformers_worker import Model, plain_model


def load(order: Mapping[str, Any]) -> Model:
    """Return the model of an order; raises as transformers_worker does."""
    plain = plain_model(order)
    inject = order["kernels"] == "auto" and order["device"] == "cuda" and has_kernels(plain)
    engine = deepspeed.init_inference(
        plain,
        dtype=getattr(torch, order["dtype"]),
        replace_with_kernel_inject=inject,
        max_out_tokens=order["max_seq_len"],
        tensor_parallel={"tp_size": 1},
    )
    model = Model(engine.module, order, answer=engine.generate)
    model.facts |= {
        "deepspeed": deepspeed.__version__,
        "deepspeed_kernels": "injected" if inject else "none: the layers as Transformers has them",
    }
    return model


def has_kernels(model: Any) -> bool:
    """Return whether DeepSpeed has kernels for layers of this model."""
    known: list[Any] = []
    for policy in replace_policies:
        policy(None)  # which layers it is for is looked up as one is made
        layers = policy._orig_layer_class
        known += layers if isinstance(layers, list) else [layers]
    return any(type(module) in known for module in model.modules())
