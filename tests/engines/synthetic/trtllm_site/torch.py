"""Synthetic torch: as much of it as the worker for TensorRT-LLM asks, on the board of the tests."""

import os
from types import SimpleNamespace

__version__ = "2.8.0a0+synthetic"
version = SimpleNamespace(cuda="12.9")


def _properties(device):
    uuid = os.environ["CUDA_VISIBLE_DEVICES"].removeprefix("GPU-")
    return SimpleNamespace(name="NVIDIA H100 80GB HBM3", uuid=uuid)


cuda = SimpleNamespace(get_device_properties=_properties)
