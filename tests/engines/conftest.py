"""A node without a GPU that looks like one with TensorRT-LLM: everything on it is synthetic."""

import importlib.util
import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

SYNTHETIC = Path(__file__).parent / "synthetic"


@pytest.fixture
def bench_on_path(tmp_path, monkeypatch):
    """Put the synthetic trtllm-bench on PATH; $WORKER says where a hanging one names its worker."""
    program = tmp_path / "bin" / "trtllm-bench"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{(SYNTHETIC / 'trtllm_bench.py').read_text()}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WORKER", str(tmp_path / "worker"))


@pytest.fixture
def synthetic_nvml(tmp_path, monkeypatch):
    """Replace NVML behind the board, here and in processes that are started."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(SYNTHETIC))
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # its board is not the next test's: no shared lock
    monkeypatch.setattr(tempfile, "tempdir", None)
    spec = importlib.util.spec_from_file_location("synthetic_nvml", SYNTHETIC / "pynvml.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr("sweetspot.metering.nvml.pynvml", module)
    return module
