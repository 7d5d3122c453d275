"""What stops a measurement before it starts, and the two ways out that it names."""

import shutil
import sys
import time

import pynvml
import pytest

from sweetspot.catalog import gpu
from sweetspot.engines.preflight import require
from sweetspot.errors import EngineError, InputError

WAYS_OUT = (
    "Either run this on a node with",
    "TensorRT-LLM 0.21.0",
    "`make paper`",
    "`snakemake --cores 2 --config engine=simulator run=paper-simulated`",
)


@pytest.fixture
def node(monkeypatch):
    """Return a function that makes this a node with one GPU, with or without trtllm-bench."""

    def make(name, *, bench=True, error=None):
        def init():
            if error is not None:
                raise pynvml.NVMLError(error)

        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(pynvml, "nvmlInit", init)
        monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: name)
        monkeypatch.setattr(shutil, "which", lambda program: f"/bin/{program}" if bench else None)

    return make


def refusal(engine="tensorrt-llm", gpu_id="h100-sxm"):
    with pytest.raises(EngineError) as caught:
        require(engine, gpu_id)
    message = str(caught.value)
    assert "\n" not in message
    assert all(way in message for way in WAYS_OUT)
    return message


def test_node_with_gpu_and_engine_passes(node):
    node("NVIDIA H100 80GB HBM3")
    require("tensorrt-llm", "h100-sxm")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "Shared Library Not Found"),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded"),
    ],
)
def test_node_without_driver_is_refused(node, code, words):
    node("", error=code)
    message = refusal()
    assert words in message
    assert "trtllm-bench" not in message.partition("Either")[0]


def test_node_without_gpu_is_refused(node, monkeypatch):
    def no_gpu(index):
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    node("")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", no_gpu)
    assert "no usable NVIDIA GPU or driver (NVML cannot find GPU '0'" in refusal()


def test_other_gpu_is_refused_with_its_own_id(node):
    node("NVIDIA L40S")
    message = refusal()
    assert "the GPU is 'NVIDIA L40S', while the config says h100-sxm" in message
    assert "set `gpu: l40s`" in message


def test_gpu_outside_the_catalog_is_refused_without_a_hint(node):
    node("NVIDIA GeForce RTX 4090")
    assert "for this GPU set" not in refusal()


def test_node_without_the_engine_is_refused(node):
    node("NVIDIA H200", bench=False)
    message = refusal(gpu_id="h200-sxm")
    assert message.startswith(
        "cannot measure with tensorrt-llm here: trtllm-bench is not on PATH."
        f" Either run this on a node with an {gpu('h200-sxm').name}"
    )


def test_missing_checkpoints_are_named_and_counted(node, tmp_path):
    node("NVIDIA H100 80GB HBM3")
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "config.json").touch()
    (whole / "model.safetensors").touch()
    require("tensorrt-llm", "h100-sxm", [whole])
    with pytest.raises(EngineError, match=r"here: no checkpoint in .*a \(and 1 other models lack"):
        require("tensorrt-llm", "h100-sxm", [tmp_path / "a", whole, tmp_path / "b"])


def test_everything_missing_is_said_at_once(node):
    node("", bench=False, error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    message = refusal()
    assert "no usable NVIDIA GPU" in message
    assert "trtllm-bench is not on PATH" in message


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this node has a GPU")
def test_real_node_without_a_gpu_is_refused_at_once():
    refusal()  # with what is imported once
    start = time.perf_counter()
    assert "no usable NVIDIA GPU" in refusal()
    assert time.perf_counter() - start < 0.2


def test_simulator_needs_nothing(node, monkeypatch):
    node("", bench=False, error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    monkeypatch.setitem(sys.modules, "pynvml", None)  # importing it would fail
    require("simulator", "h100-sxm")


@pytest.mark.parametrize(
    ("engine", "gpu_id", "message"),
    [
        ("tensorrt", "h100-sxm", "unknown engine 'tensorrt'; did you mean 'tensorrt-llm'"),
        ("tensorrt-llm", "h100", "unknown GPU 'h100'"),
    ],
)
def test_unknown_name_is_an_input_error(engine, gpu_id, message):
    with pytest.raises(InputError, match=message):
        require(engine, gpu_id)
